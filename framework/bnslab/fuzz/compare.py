"""What the core made of a block beside what the model made of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bnslab.divergence import side_by_side
from bnslab.fuzz.divergence import Divergence
from bnslab.fuzz.model.model import tables

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bns.state.store import State
    from bnslab.fuzz.model import Outcome
    from bnslab.fuzz.model.world import World
    from bnslab.fuzz.perform import Performed


def compare_block(performed: Performed, receipt: Receipt) -> Divergence | None:
    """What the core says of a block beside what the model says."""
    outcome = performed.outcome
    for verdict in _verdicts(outcome, receipt):
        txid, expected, actual = verdict
        if expected != actual:
            step = performed.sent.get(txid)
            told = f"{step.op} {step.id} ({txid})" if step else txid
            return Divergence(outcome.height, "verdict", told, expected, actual)
    if list(receipt.serialized) != outcome.serialized:
        told = side_by_side(outcome.serialized, receipt.serialized)
        return Divergence(
            outcome.height, "operations", told, str(len(outcome.serialized)), str(len(receipt.serialized))
        )
    for what in ("ops_hash", "consensus_hash"):
        expected, actual = getattr(outcome, what), getattr(receipt, what)
        if expected != actual:
            return Divergence(outcome.height, what, "the block", expected, actual)
    return None


def _verdicts(outcome: Outcome, receipt: Receipt) -> list[tuple[str, str, str]]:
    said = dict.fromkeys((entry.operation.carrier.txid for entry in receipt.accepted), "accepted")
    said.update((entry.txid, f"rejected: {entry.reason.name}") for entry in receipt.rejected)
    ours = dict.fromkeys(outcome.accepted, "accepted")
    ours.update((txid, f"rejected by {rule}") for txid, rule in outcome.rejected.items())
    unlike = []
    for txid in {**ours, **said}:
        one, other = ours.get(txid, "not an operation"), said.get(txid, "not an operation")
        if one.partition(" ")[0].strip(":") != other.partition(":")[0]:
            unlike.append((txid, one, other))
    return unlike


def compare_rows(height: int, world: World, state: State) -> Divergence | None:
    """All rows of the core beside those of the model."""
    for table, rows in tables(world).items():
        columns = _COLUMNS[table].split()
        cursor = state.connection.execute(f"SELECT {', '.join(columns)} FROM {table}")
        theirs = Counter(tuple(map(_plain, row)) for row in cursor)
        ours = Counter(tuple(_plain(row[column]) for column in columns) for row in rows)
        missing, surplus = ours - theirs, theirs - ours
        if missing or surplus:
            one, other = min(missing, default=None, key=str), min(surplus, default=None, key=str)
            return Divergence(height, "rows", table, _shown(columns, one, other), _shown(columns, other, one))
    return None


def _plain(value: object) -> object:
    """Values that mean the same in SQLite."""
    if isinstance(value, list):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, bool) else value


def _shown(columns: list[str], row: tuple[object, ...] | None, other: tuple[object, ...] | None) -> str:
    if row is None:
        return "no row"
    pairs = zip(columns, row, strict=True)
    if other is None or row[0] != other[0]:
        return str(dict(pairs))
    return str({columns[0]: row[0]} | {c: v for (c, v), o in zip(pairs, other, strict=True) if v != o})


_COLUMNS = {
    "name_records": (
        "name preorder_hash name_hash128 namespace_id namespace_block_number value_hash sender sender_pubkey address "
        "block_number preorder_block_number first_registered last_renewed revoked op txid vtxindex op_fee importer "
        "importer_address consensus_hash last_creation_op"
    ),
    "namespaces": (
        "namespace_id preorder_hash version sender sender_pubkey address recipient recipient_address block_number "
        "reveal_block op op_fee txid vtxindex lifetime coeff base buckets nonalpha_discount no_vowel_discount "
        "ready_block"
    ),
    "preorders": (
        "preorder_hash consensus_hash sender sender_pubkey address block_number op op_fee txid vtxindex burn_address"
    ),
    "history": "history_id txid creator_address block_id vtxindex op opcode value_hash",
}
