"""Block by block: judge, write down, hash (Spec 01 section 8, Spec 02 section 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bns.bitcoin.block import read_transactions
from bnslab.fuzz.model.rules import Case, check, scan
from bnslab.fuzz.model.text import Row, consensus_hash, name_hash128, ops_hash, serialize, space_of
from bnslab.fuzz.model.wire import No, Prevout, magic_payload, read, spent_outputs
from bnslab.fuzz.model.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.params import Params

OPCODES = {
    "?": "NAME_PREORDER",
    ":": "NAME_REGISTRATION",
    "::": "NAME_RENEWAL",
    "+": "NAME_UPDATE",
    ">": "NAME_TRANSFER",
    "~": "NAME_REVOKE",
    ";": "NAME_IMPORT",
    "*": "NAMESPACE_PREORDER",
    "&": "NAMESPACE_REVEAL",
    "!": "NAMESPACE_READY",
}

_ROW = (
    "name preorder_hash namespace_block_number value_hash sender sender_pubkey address block_number "
    "preorder_block_number first_registered last_renewed revoked op txid vtxindex op_fee importer importer_address "
    "consensus_hash last_creation_op"
)
_SPACE = (
    "namespace_id preorder_hash version sender sender_pubkey address recipient recipient_address block_number "
    "reveal_block op op_fee txid vtxindex lifetime coeff base buckets nonalpha_discount no_vowel_discount ready_block"
)
_PREORDER = (
    "preorder_hash consensus_hash sender sender_pubkey address block_number op op_fee txid vtxindex burn_address"
)


@dataclass
class Outcome:
    """What a block did: accepted txids in order, rejected ones with the rule, and which of them a chain cannot hold."""

    height: int
    accepted: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    fatal: set[str] = field(default_factory=set)
    serialized: list[str] = field(default_factory=list)
    ops_hash: str = ""
    consensus_hash: str = ""


class Model:
    """The name system over blocks given in order from the first one on; world is all it knows."""

    def __init__(self, params: Params) -> None:
        first = params.first_block
        hashes = dict.fromkeys(range(first - 4, first), params.genesis_consensus_hash)
        self.world = World(params, first - 1, hashes)

    def apply(self, raw: bytes, prevout: Prevout) -> Outcome:
        """Take the next block, raw with or without witnesses; prevout finds outputs by txid (wire order) and index."""
        world = self.world
        outcome = Outcome(world.last + 1)
        ops = self._read(raw, prevout, outcome)
        taken, fatal = scan(world, outcome.height, ops)
        outcome.fatal |= fatal
        records: list[Row] = []
        for op in ops:
            try:
                check(Case(world, outcome.height, op, records, taken))
            except No as no:
                _refuse(outcome, op["txid"], no)
                continue
            outcome.accepted.append(op["txid"])
            if op["wire"] != "#":
                record = commit(world, outcome.height, op)
                records.append(record)
                outcome.serialized.append(serialize(op["wire"], record))
        outcome.ops_hash = ops_hash(outcome.serialized)
        first = world.params.first_block
        outcome.consensus_hash = consensus_hash(outcome.height, outcome.ops_hash, first, world.hashes.__getitem__)
        world.hashes[outcome.height] = outcome.consensus_hash
        world.last = outcome.height
        return outcome

    def _read(self, raw: bytes, prevout: Prevout, outcome: Outcome) -> list[Row]:
        ops: list[Row] = []
        params = self.world.params
        epoch = params.epoch(outcome.height)
        for index, transaction in enumerate(read_transactions(raw)):
            data = magic_payload(transaction)
            if data is None:
                continue
            try:
                ops.append(read(index, transaction, data, spent_outputs(transaction, prevout), epoch, params.network))
            except No as no:
                _refuse(outcome, transaction.txid, no)
        return ops


def _refuse(outcome: Outcome, txid: str, no: No) -> None:
    outcome.rejected[txid] = no.rule
    if no.fatal:
        outcome.fatal.add(txid)


def commit(world: World, height: int, op: Row) -> Row:
    """Write an accepted operation down; the record that is hashed."""
    wire = op["op"]
    if wire in "?*":
        row = _pick(op, _PREORDER)
        world.preorders.append(row)
        return row
    if wire == "!":
        space = world.spaces[op["namespace_id"]]
        space.update(op="!", ready_block=height, sender=op["sender"], txid=op["txid"], vtxindex=op["vtxindex"])
        _remember(world, height, op["namespace_id"], space, None)
        return dict(space)
    if wire == "&":
        space = _pick(op, _SPACE)
        _consume(world, op["preorder"], op["namespace_id"])
        world.spaces[op["namespace_id"]] = space
        _remember(world, height, op["namespace_id"], space, space["address"])
        return dict(space)
    if wire in ":;":
        return _create(world, height, op)
    return _change(world, height, op)


def _create(world: World, height: int, op: Row) -> Row:
    name = op["name"]
    row = _pick(op, _ROW)
    creator = op["address"] if op["op"] == ":" or name not in world.names else None
    if op["op"] == ":":
        _consume(world, op["preorder"], name)
    world.names[name] = {**row, "name_hash128": name_hash128(name), "namespace_id": space_of(name)}
    _remember(world, height, name, row, creator)
    return row


def _change(world: World, height: int, op: Row) -> Row:
    row = world.names[op["name"]]
    row.update(op["changes"], txid=op["txid"], vtxindex=op["vtxindex"])
    row["op_fee"] = float(row["op_fee"]) if row["last_creation_op"] == ";" else int(row["op_fee"])
    _remember(world, height, op["name"], row, None)
    return row | {key: op[key] for key in ("name_consensus_hash", "keep_data") if key in op}


def _consume(world: World, preorder: Row, id_: str) -> None:
    _remember(world, preorder["block_number"], id_, preorder, None)
    hash_ = preorder["preorder_hash"]
    world.preorders[:] = [row for row in world.preorders if row["preorder_hash"] != hash_]


def _remember(world: World, height: int, id_: str, row: Row, creator: str | None) -> None:
    kept = {key: row.get(key) for key in ("txid", "vtxindex", "op", "value_hash", "consensus_hash")}
    opcode = OPCODES[row["op"] if row["op"] == "::" else row["op"][0]]
    kept.update(history_id=id_, block_id=height, creator_address=creator, opcode=opcode)
    world.history.append(kept)


def _pick(op: Row, fields: str) -> Row:
    return {field: op[field] for field in fields.split()}


def tables(world: World) -> dict[str, Sequence[Row]]:
    """All rows, in no particular order."""
    return {
        "name_records": list(world.names.values()),
        "namespaces": list(world.spaces.values()),
        "preorders": world.preorders,
        "history": world.history,
    }
