"""Verification of a database that nobody vouches for against one trusted consensus hash (spec 03 section 16).

Only the transactions of accepted operations are taken from it; all else is computed anew by the rules.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from bns.bitcoin.block import BlockHeader, Candidate
from bns.bitcoin.script import nulldata
from bns.bitcoin.transaction import TxOut, parse_transaction
from bns.engine import Block, Engine
from bns.errors import BnsError, InvalidInput
from bns.node.expected import Diverged
from bns.node.membership import require_in_chain
from bns.operations.base import MAGIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bns.node.sources import BlockSource
    from bns.params import Params
    from bns.state.store import State

DATABASES = ("blockstack-server.db", "blockstack-server.snapshots")
"""Where the table `chainstate` is looked for in a directory: ours, and the reference's."""

_ROWS = (
    "SELECT block_id, txindex, txid, senders, tx_hex FROM chainstate "
    "WHERE block_id BETWEEN ? AND ? ORDER BY block_id, vtxindex"
)
_NO_HEADER = BlockHeader(0, bytes(32), bytes(32), 0, 0, 0).serialize()


class BadChainstate(BnsError):
    """A database holds no transactions that could be replayed."""


class _Entry(NamedTuple):
    candidate: Candidate
    spent: dict[tuple[bytes, int], TxOut]


class Chainstate:
    """The accepted transactions in a directory with a database, which may be in use; a context manager."""

    def __init__(self, directory: Path) -> None:
        self.path = _find(directory)
        self._connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)

    def last_block(self) -> int:
        """Height of the last block that is there."""
        try:
            (last,) = self._connection.execute("SELECT max(block_id) FROM snapshots").fetchone()
        except sqlite3.Error as error:
            raise BadChainstate(f"{self.path}: {error}") from None
        return int(last or 0)

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The blocks of these heights, with accepted operations only and without a real header."""
        entries = self._entries(first, last)
        height, entry = next(entries, (last + 1, None))
        for number in range(first, last + 1):
            candidates: list[Candidate] = []
            spent: dict[tuple[bytes, int], TxOut] = {}
            while height == number and entry is not None:
                candidates.append(entry.candidate)
                spent.update(entry.spent)
                height, entry = next(entries, (last + 1, None))
            yield Block(number, _NO_HEADER, _look_up(spent), candidates)

    def _entries(self, first: int, last: int) -> Iterator[tuple[int, _Entry | None]]:
        try:
            for height, txindex, txid, senders, tx_hex in self._connection.execute(_ROWS, (first, last)):
                yield height, _entry(txindex, txid, senders, tx_hex)
        except (sqlite3.Error, BnsError, ValueError, KeyError, TypeError) as error:
            raise BadChainstate(f"{self.path}: {type(error).__name__}: {error}") from error

    def places(self, first: int, last: int) -> Iterator[tuple[int, int, str]]:
        """Where the transactions of these heights are: height, index in the block, txid."""
        try:
            for height, txindex, txid, _, _ in self._connection.execute(_ROWS, (first, last)):
                yield int(height), int(txindex), str(txid)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise BadChainstate(f"{self.path}: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close the database."""
        self._connection.close()


def verify(
    directory: Path,
    state: State,
    height: int,
    trusted: str,
    *,
    expected: Mapping[int, str],
    report: Callable[[int], None] = lambda _: None,
) -> None:
    """Replay the blocks up to a height from a directory into a new state; trusted is the hash it must come to.

    Raises Diverged at the first block whose hash is not the one expected, at `height` at the latest; BadChainstate if
    there is nothing that could be replayed; InvalidInput if the height is not there. report is told each height done.
    """
    hashes = {**expected, height: trusted}
    engine = Engine(state.params, state)
    first = state.params.first_block
    with closing(Chainstate(directory)) as chainstate:
        last = chainstate.last_block()
        if not first <= height <= last:
            raise InvalidInput("height to verify", height, f"{first} to {last}, the blocks in {chainstate.path}")
        for block in chainstate.blocks(first, height):
            actual = engine.apply(block).consensus_hash
            if hashes.get(block.height, actual) != actual:
                raise Diverged(block.height, hashes[block.height], actual)
            report(block.height)


def verify_blocks(
    directory: Path,
    source: BlockSource,
    params: Params,
    height: int,
    *,
    report: Callable[[int], None] = lambda _: None,
) -> None:
    """Look for the transactions in a directory, up to a height, in the blocks of the best chain.

    Each block that has some is read whole, and its Merkle root checked. Raises NotInChain, SourceError, and what verify
    raises. report is told each height done.
    """
    with closing(Chainstate(directory)) as chainstate:
        for done in require_in_chain(source, chainstate.places(params.first_block, height)):
            report(done)


def _find(directory: Path) -> Path:
    for name in DATABASES:
        path = directory / name
        if path.is_file() and _has_chainstate(path):
            return path
    raise BadChainstate(f"{directory}: expected a database with the table chainstate, {' or '.join(DATABASES)}")


def _has_chainstate(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            query = "SELECT 1 FROM sqlite_schema WHERE name = 'chainstate'"
            return connection.execute(query).fetchone() is not None
    except sqlite3.Error as error:
        raise BadChainstate(f"{path}: {error}") from None


def _look_up(spent: Mapping[tuple[bytes, int], TxOut]) -> Callable[[bytes, int], TxOut | None]:
    return lambda txid, index: spent.get((txid, index))


def _entry(txindex: int, txid: str, senders: str, tx_hex: str) -> _Entry:
    transaction = parse_transaction(bytes.fromhex(tx_hex))
    if transaction.txid != txid:
        raise BadChainstate(f"transaction {txid}: its bytes are those of {transaction.txid}")
    payload = nulldata(transaction.outputs)
    if payload is None or not payload.startswith(MAGIC):
        raise BadChainstate(f"transaction {txid}: it carries no operation")
    outputs = [TxOut(int(each["value"]), bytes.fromhex(each["script_pubkey"])) for each in json.loads(senders)]
    if transaction.is_coinbase:  # what it spends is no output
        outputs = []
    elif len(outputs) != len(transaction.inputs):
        raise BadChainstate(f"transaction {txid}: {len(transaction.inputs)} inputs, {len(outputs)} senders")
    places = ((txin.txid, txin.index) for txin in transaction.inputs)
    return _Entry(Candidate(txindex, transaction, payload), dict(zip(places, outputs, strict=False)))
