"""Receipts of nodes elsewhere, put together from what they tell, their tables, and the block itself."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import msgspec

from bns.bitcoin.block import candidates
from bns.bitcoin.transaction import TxOut
from bns.engine import Receipt, RejectedOperation
from bns.errors import Reason, Rejected
from bns.operations.base import MAGIC, Accepted
from bns.operations.dispatch import parse_operation
from bns.operations.names import name_hash128, namespace_of
from bns.operations.records import FIELD_NAMES, Name, Namespace, Preorder
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from bns.bitcoin.block import Candidate
    from bns.operations.base import Operation
    from bns.operations.records import Record
    from bns.state.store import State
    from bnslab.outputs import Outputs


class Unsaid(Enum):
    """Stands in for a Reason where a node rejects without a word."""

    UNSAID = "the node does not say why"


class Told(msgspec.Struct, frozen=True):
    """What a node tells of a block: hashes in hex, txids, and reason and detail by txid if it gives reasons."""

    height: int
    consensus_hash: str
    ops_hash: str
    serialized: tuple[str, ...]
    accepted: tuple[str, ...]
    block_hash: str = ""
    rejected: dict[str, tuple[str, str]] | None = None


def receipt_of(told: Told, raw: bytes, block_hash: str, outputs: Outputs, state: State) -> Receipt:
    """The receipt of a block; state holds the node's tables after it. CheckFailed if the two cannot be true at once."""
    found = {candidate.transaction.txid: candidate for candidate in candidates(raw, MAGIC)}
    accepted = []
    for txid in told.accepted:
        operation = _operation(found[txid], told.height, outputs, state) if txid in found else None
        if operation is None:
            raise CheckFailed("node", told.height, f"transaction {txid}", "rejected: it holds no operation", "accepted")
        accepted.append(_accepted(operation, told.height, state))
    rejected = [_rejected(each, told, outputs, state) for txid, each in found.items() if txid not in told.accepted]
    return Receipt(
        told.height, told.block_hash or block_hash, tuple(accepted), tuple(rejected), told.serialized, told.ops_hash,
        told.consensus_hash,
    )  # fmt: skip


def _operation(candidate: Candidate, height: int, outputs: Outputs, state: State) -> Operation | None:
    inputs = candidate.transaction.inputs
    spent = [outputs.find(txin.txid, txin.index) or TxOut(0, b"") for txin in inputs]
    try:
        return parse_operation(candidate, spent, state.params.network, state.params.epoch(height))
    except Rejected:
        return None


def _rejected(candidate: Candidate, told: Told, outputs: Outputs, state: State) -> RejectedOperation:
    txid = candidate.transaction.txid
    # who prints a reason needs its name and value, and an Unsaid has both
    reason, detail = cast("Reason", Unsaid.UNSAID), ""
    if told.rejected is not None:
        name, detail = told.rejected.get(txid, (Reason.UNKNOWN_OPCODE.name, "not among those that the node judged"))
        reason = Reason[name]
    operation = _operation(candidate, told.height, outputs, state)
    return RejectedOperation(txid, candidate.index, candidate.payload, reason, detail, operation)


def _accepted(operation: Operation, height: int, state: State) -> Accepted:
    txid = operation.carrier.txid
    execute = state.connection.execute
    columns = ", ".join(FIELD_NAMES[Preorder])
    row = execute(f"SELECT {columns} FROM preorders WHERE txid = ? AND block_number = ?", (txid, height)).fetchone()
    if row is not None:
        return Accepted(operation, Preorder(*row))
    query = "SELECT history_id, history_data FROM history WHERE txid = ? AND block_id = ?"
    found = execute(query, (txid, height)).fetchone()
    if found is None:
        return Accepted(operation, None)
    id_, data = found
    record = _record(id_, json.loads(data))
    if isinstance(record, Preorder):
        return Accepted(operation, record)
    query = "SELECT history_data FROM history WHERE history_id = ? AND op IN ('?', '*') ORDER BY block_id DESC LIMIT 1"
    consumed = execute(query, (id_,)).fetchone() if record.op in (":", "&") else None
    return Accepted(operation, record, preorder=None if consumed is None else _preorder(json.loads(consumed[0])))


def _record(id_: str, fields: dict[str, Any]) -> Record:
    if fields["op"] in ("?", "*"):
        return _preorder(fields)
    if "." not in id_:
        fields["buckets"] = tuple(json.loads(fields["buckets"]))
        return Namespace(**{name: fields[name] for name in FIELD_NAMES[Namespace]})
    # the two that a row of a registration or import leaves out
    fields = {"name_hash128": name_hash128(id_), "namespace_id": namespace_of(id_), **fields}
    return Name(**{name: fields[name] for name in FIELD_NAMES[Name]})


def _preorder(fields: dict[str, Any]) -> Preorder:
    return Preorder(**{name: fields[name] for name in FIELD_NAMES[Preorder]})
