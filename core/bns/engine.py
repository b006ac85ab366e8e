"""The block pipeline: find, parse, scan, check, apply, hash, commit (spec 01 section 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import orjson

from bns import consensus
from bns.bitcoin.address import sender_address
from bns.bitcoin.block import block_hash, candidates
from bns.bitcoin.script import classify
from bns.bitcoin.transaction import TxOut, txid_to_hex
from bns.errors import MissingPrevout, Reason, Rejected
from bns.operations.base import MAGIC, Accepted, Collisions, Earlier, Scope
from bns.operations.dispatch import is_operation, parse_operation
from bns.operations.view import View
from bns.state.store import ChainstateRow, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bns.bitcoin.block import Candidate
    from bns.operations.base import Operation
    from bns.params import Epoch, Params
    from bns.state.store import State

_SCANNED = frozenset(":;&")
_NO_OUTPUT = TxOut(0, b"")


class Block(NamedTuple):
    """A block as a source hands it over.

    raw is the whole block, with or without witnesses; prevout finds an output by (txid in wire order, index), or None.
    candidates are those of raw, if the source has looked for them already.
    """

    height: int
    raw: bytes
    prevout: Callable[[bytes, int], TxOut | None]
    candidates: Sequence[Candidate] | None = None


@dataclass(frozen=True, slots=True)
class RejectedOperation:
    """A payload with the magic that no rule let through; operation is None if it did not parse."""

    txid: str
    vtxindex: int
    payload: bytes
    reason: Reason
    detail: str
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a block did. Hashes are hex; serialized holds the hashed text of each accepted operation."""

    height: int
    block_hash: str
    accepted: tuple[Accepted, ...]
    rejected: tuple[RejectedOperation, ...]
    serialized: tuple[str, ...]
    ops_hash: str
    consensus_hash: str
    seconds: float = field(default=0.0, compare=False)


class _Found(NamedTuple):
    candidate: Candidate
    operation: Operation


class Engine:
    """Applies blocks to a state, in order of height."""

    def __init__(self, params: Params, state: State) -> None:
        self.params = params
        self.state = state

    def apply(self, block: Block) -> Receipt:
        """Index one block, the one after state.last_block, in one transaction.

        Raises WrongBlock for any other height, MissingPrevout if the source does not know an output that is spent,
        ParseError if the block is malformed; the state is then as before.
        """
        started = perf_counter()
        with self.state.block(block.height):
            accepted, rejected = self._process(block)
            serialized = tuple(consensus.serialize(entry) for entry in accepted if entry.record is not None)
            ops = consensus.ops_hash(serialized)
            hash_ = consensus.consensus_hash(block.height, ops, self.params.first_block, self._earlier_hash)
            hash_of_block = block_hash(block.raw)
            self.state.save(Snapshot(block.height, hash_of_block, hash_, ops))
        seconds = perf_counter() - started
        return Receipt(block.height, hash_of_block, accepted, rejected, serialized, ops, hash_, seconds)

    def _earlier_hash(self, height: int) -> str:
        hash_ = self.state.consensus_hash(height)
        if hash_ is None:
            raise LookupError(f"consensus hash of block {height}: expected it to be stored")
        return hash_

    def _process(self, block: Block) -> tuple[tuple[Accepted, ...], tuple[RejectedOperation, ...]]:
        found = candidates(block.raw, MAGIC) if block.candidates is None else block.candidates
        if not found:
            return (), ()
        rejected: list[RejectedOperation] = []
        epoch = self.params.epoch(block.height)
        operations = self._parse(block, found, epoch, rejected)
        view = View(self.params, self.state, block.height)
        collisions = self._scan(operations, view)
        accepted = self._check(operations, Scope(view, Earlier(), collisions), rejected)
        rejected.sort(key=lambda entry: entry.vtxindex)
        return accepted, tuple(rejected)

    def _parse(
        self, block: Block, found: Sequence[Candidate], epoch: Epoch | None, rejected: list[RejectedOperation]
    ) -> list[_Found]:
        operations = []
        for candidate in found:
            try:
                spent = _spent(candidate, block.prevout) if is_operation(candidate.payload) else ()
                operation = parse_operation(candidate, spent, self.params.network, epoch)
                operations.append(_Found(candidate, operation))
            except Rejected as rejection:
                rejected.append(_rejection(candidate, rejection))
        return operations

    def _scan(self, operations: Sequence[_Found], view: View) -> Collisions:
        """The pre-pass that finds ids claimed twice; it may create keychains (spec 02 section 5)."""
        if len(operations) < 2:  # nothing to collide with, and the check phase will see the same state
            return Collisions()
        scope = Scope(view, Earlier(), Collisions())
        for _, operation in operations:
            if operation.WIRE not in _SCANNED:
                continue
            claim = operation.claim
            try:
                accepted = operation.check(scope)
                claim = accepted.claim
                if accepted.keychain is not None:
                    self.state.write_keychain(accepted.keychain)
            except Rejected:
                pass  # judged again, with its reason, in the check phase
            scope.earlier.add(claim)
        return scope.collisions.seed()

    def _check(
        self, operations: Sequence[_Found], scope: Scope, rejected: list[RejectedOperation]
    ) -> tuple[Accepted, ...]:
        accepted: list[Accepted] = []
        stored = 0
        for candidate, operation in operations:
            try:
                entry = operation.check(scope)
            except Rejected as rejection:
                rejected.append(_rejection(candidate, rejection, operation))
                continue
            self.state.write(entry)
            accepted.append(entry)
            if entry.record is not None:
                scope.earlier.add(entry.claim)
                self.state.add_chainstate(self._chainstate_row(entry, candidate, scope.view.height, stored))
                stored += 1
        return tuple(accepted)

    def _chainstate_row(self, entry: Accepted, candidate: Candidate, height: int, ordinal: int) -> ChainstateRow:
        transaction, spent = candidate.transaction, entry.operation.carrier.spent
        senders = []
        for txin, output in zip(transaction.inputs, spent, strict=True):
            address = sender_address(output.script, self.params.network)
            senders.append(
                {
                    "value": output.value,
                    "script_pubkey": output.script.hex(),
                    "script_type": classify(output.script).value,
                    "addresses": [address] if address else [],
                    "nulldata_vin_outpoint": txin.index,
                    "txid": txid_to_hex(txin.txid),
                }
            )
        fee = sum(output.value for output in spent) - sum(output.value for output in transaction.outputs)
        return ChainstateRow(
            transaction.txid, candidate.index, height, ordinal, entry.wire, candidate.payload[3:].hex(),
            orjson.dumps(senders).decode(), transaction.stripped.hex(), fee,
        )  # fmt: skip


def _rejection(candidate: Candidate, rejection: Rejected, operation: Operation | None = None) -> RejectedOperation:
    txid = candidate.transaction.txid
    return RejectedOperation(txid, candidate.index, candidate.payload, rejection.reason, rejection.detail, operation)


def _spent(candidate: Candidate, prevout: Callable[[bytes, int], TxOut | None]) -> list[TxOut]:
    transaction = candidate.transaction
    if transaction.is_coinbase:  # spec 01 section 6: a dummy output, which has no address
        return [_NO_OUTPUT]
    spent = []
    for txin in transaction.inputs:
        output = prevout(txin.txid, txin.index)
        if output is None:
            raise MissingPrevout(txid_to_hex(txin.txid), txin.index)
        spent.append(output)
    return spent
