"""The state: one SQLite database, one writer, one transaction per block (spec 03 sections 2 and 14)."""

from __future__ import annotations

import json
import sqlite3
import weakref
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from msgspec.structs import astuple

from bns.errors import InvalidInput, WrongBlock
from bns.operations.history import history_rows
from bns.operations.records import Name, Namespace, Preorder
from bns.state import files, rows
from bns.state.hashes import HashColumn
from bns.state.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bns.operations.base import Accepted, Keychain
    from bns.params import Params

UNDO_DEPTH = 288
"""How many of the last blocks can be rolled back at least, unless some have been already."""

_GENESIS_ROWS = 4

_MOST_CACHED = 4096
"""Look-ups of names and owners that are kept in memory."""


class Snapshot(NamedTuple):
    """What a block left: its hash (None for the genesis rows), consensus hash and ops hash, in hex."""

    block_id: int
    block_hash: str | None
    consensus_hash: str
    ops_hash: str | None


class ChainstateRow(NamedTuple):
    """An accepted transaction; vtxindex counts the accepted ones of the block (spec 01 section 13.2)."""

    txid: str
    txindex: int
    block_id: int
    vtxindex: int
    opcode: str
    data_hex: str
    senders: str
    tx_hex: str
    fee: int


class State:
    """The tables, with the look-ups that rules need and the writes of accepted operations.

    Only between begin and commit (`block`) does it change. It is bns.operations.view.Reader.
    """

    def __init__(self, connection: sqlite3.Connection, params: Params, path: Path | None = None) -> None:
        """Use memory, create or open; the lock of a path must be held."""
        self.connection = connection
        self.params = params
        self.path = path
        self._lock: files.FileLock | None = None
        self._namespaces: dict[str, Namespace] = {}
        self._names: dict[str, Name | None] = {}  # what recent blocks looked up, like the next one
        self._owned: dict[str, list[str]] = {}
        self._height: int | None = None
        self._undo_entries = 0
        stored = connection.execute("SELECT consensus_hash FROM snapshots ORDER BY block_id")
        self._hashes = HashColumn(params.first_block - _GENESIS_ROWS, (hash_ for (hash_,) in stored))
        if self._stored_last() != self._hashes.last:
            raise files.DatabaseError(path or ":memory:", f"damaged (blocks are missing): {files.REMEDY}")
        floor = connection.execute("SELECT value FROM meta WHERE key = 'undo_floor'").fetchone()
        self._undo_floor = int(floor[0]) if floor else params.first_block - 1

    @classmethod
    def memory(cls, params: Params) -> State:
        """A new state that lives in memory only. It need not be closed: it goes with the last reference to it."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN")
        _fill(connection, params)
        connection.execute("COMMIT")
        state = cls(connection, params)
        weakref.finalize(state, connection.close)
        return state

    @classmethod
    def create(cls, path: Path, params: Params) -> State:
        """A new state in a file that must not exist yet; InvalidInput otherwise, DatabaseError if it cannot be made."""
        files.make(path, lambda connection: _fill(connection, params))
        return cls.open(path, params)

    @classmethod
    def open(cls, path: Path, params: Params) -> State:
        """The state in an existing file, locked for this process until close.

        DatabaseError if it is no database of ours, of another version, network or first block, truncated or damaged,
        which leaves it as it is; DatabaseLocked if another process has it.
        """
        files.check(path)
        with ExitStack() as opened:
            lock = files.FileLock(path)
            opened.callback(lock.release)
            connection = opened.enter_context(closing(files.open_checked(path, _meta(params))))
            with files.typed_errors(path):
                state = cls(connection, params, path)
            opened.pop_all()
        state._lock = lock
        return state

    def close(self) -> None:
        """Close the database; closing twice is fine."""
        self.connection.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # Blocks

    @property
    def last_block(self) -> int:
        """Height of the last stored block; first_block - 1 when there is none yet."""
        return self._hashes.last

    @contextmanager
    def block(self, height: int) -> Iterator[None]:
        """One transaction for everything that block `height` writes; an exception leaves the state as it was.

        Within a group it is part of the group's.

        Raises WrongBlock for another height than the next one, DatabaseError or DiskFull if the file is to blame.
        """
        if height != self.last_block + 1:
            raise WrongBlock(f"block {height}: expected block {self.last_block + 1}")
        self._height, self._undo_entries = height, 0
        try:
            if self.connection.in_transaction:
                yield
            else:
                with self.group():
                    yield
        except BaseException:
            self._abandon()
            raise
        finally:
            self._height = None
            if len(self._names) + len(self._owned) > _MOST_CACHED:
                self._forget()

    @contextmanager
    def group(self) -> Iterator[None]:
        """Store the blocks applied inside together: all of them or none, in a fraction of the time.

        Raises DatabaseError or DiskFull if the file is to blame; the state is then what it was before the group.
        """
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, in the file and in memory; what fails in a group takes the whole group with it.

        Undo data that has become too old goes with it.
        """
        grouped = self.connection.in_transaction
        with files.typed_errors(self.path or ":memory:"):
            try:
                if not grouped:
                    self.connection.execute("BEGIN IMMEDIATE")
                yield
                if not grouped:
                    self.connection.execute("DELETE FROM undo WHERE block_id <= ?", (self.last_block - UNDO_DEPTH,))
                    self.connection.execute("COMMIT")
            except BaseException:
                self._abandon()
                raise

    def _forget(self) -> None:
        self._namespaces.clear()
        self._names.clear()
        self._owned.clear()

    def _abandon(self) -> None:
        """Undo the transaction, if there is one still, and read anew which hashes there are.

        Only the file knows whether a commit that was interrupted has succeeded.
        """
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self._forget()
        last = self._stored_last()
        self._hashes.truncate(max(last - UNDO_DEPTH, self.params.first_block - 1))
        query = "SELECT consensus_hash FROM snapshots WHERE block_id > ? ORDER BY block_id"
        for (hash_,) in self.connection.execute(query, (self._hashes.last,)):
            self._hashes.append(hash_)

    def _stored_last(self) -> int:
        (last,) = self.connection.execute("SELECT max(block_id) FROM snapshots").fetchone()
        return int(last or 0)

    def save(self, snapshot: Snapshot) -> None:
        """Close the current block with its hashes."""
        self.connection.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?)", snapshot)
        self._hashes.append(snapshot.consensus_hash)

    def snapshot(self, height: int) -> Snapshot | None:
        """What a stored block left."""
        row = self.connection.execute("SELECT * FROM snapshots WHERE block_id = ?", (height,)).fetchone()
        return Snapshot(*row) if row else None

    @property
    def lowest_rollback(self) -> int:
        """The lowest height to roll back to: 288 blocks, but none whose undo data was dropped before a roll-back."""
        return max(self._undo_floor, self.last_block - UNDO_DEPTH)

    def rollback_to(self, height: int) -> None:
        """Undo every block above height; InvalidInput unless it lies between lowest_rollback and last_block."""
        lowest = self.lowest_rollback
        if not lowest <= height <= self.last_block:
            raise InvalidInput("roll-back height", height, f"{lowest} to {self.last_block}")
        self._forget()
        self._undo_floor = lowest
        with self._transaction():
            self._undo(height)
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('undo_floor', ?)", (str(lowest),))
        self._hashes.truncate(height)

    def _undo(self, height: int) -> None:
        execute = self.connection.execute
        execute("DELETE FROM preorders WHERE block_number > ?", (height,))
        for table in ("history", "chainstate", "snapshots"):
            execute(f"DELETE FROM {table} WHERE block_id > ?", (height,))
        query = "SELECT source, key, old FROM undo WHERE block_id > ? ORDER BY block_id DESC, number DESC"
        for source, key, old in execute(query, (height,)).fetchall():
            if source == "preorders":
                self._undo_preorder(Preorder(*orjson.loads(old)), height)
            elif old is None:
                execute(f"DELETE FROM {source} WHERE {rows.KEYS[source]} = ?", (key,))
            else:
                execute(rows.PUT_NAME if source == "name_records" else rows.PUT_NAMESPACE, orjson.loads(old))
        execute("DELETE FROM undo WHERE block_id > ?", (height,))

    def _undo_preorder(self, preorder: Preorder, height: int) -> None:
        """Put a preorder back that was dropped with its hash; if it was the one consumed, its row is in the history."""
        place = (preorder.block_number, preorder.vtxindex)
        self.connection.execute("DELETE FROM history WHERE block_id = ? AND vtxindex = ?", place)
        if preorder.block_number <= height:
            self.connection.execute(rows.ADD_PREORDER, astuple(preorder))

    # Writes

    def write(self, accepted: Accepted) -> None:
        """The effects of an accepted operation on the tables (spec 02 section 8)."""
        execute = self.connection.execute
        if accepted.preorder is not None:
            hash_ = accepted.preorder.preorder_hash
            for spent in self.preorders(hash_):
                self._remember("preorders", hash_, astuple(spent))
            execute("DELETE FROM preorders WHERE preorder_hash = ?", (hash_,))
        record = accepted.record
        if isinstance(record, Name):
            old = self.name(record.name)
            self._remember("name_records", record.name, None if old is None else astuple(old))
            if old is None:
                execute(rows.PUT_NAME, astuple(record))
            elif old != record:  # a chain that nobody judges can hold a transaction twice
                execute(*rows.name_change(old, record))
            self._names[record.name] = record
            for owner in {record.sender} if old is None else {old.sender, record.sender}:
                self._owned.pop(owner, None)
        elif isinstance(record, Namespace):
            before = self.namespace(record.namespace_id)
            self._remember("namespaces", record.namespace_id, None if before is None else rows.namespace_values(before))
            execute(rows.PUT_NAMESPACE, rows.namespace_values(record))
            self._namespaces[record.namespace_id] = record
        elif isinstance(record, Preorder):
            execute(rows.ADD_PREORDER, astuple(record))
        assert self._height is not None, "only a block in progress is written to"
        for row in history_rows(accepted, self._height):
            execute(rows.ADD_HISTORY, astuple(row))
        if accepted.keychain is not None:
            self.write_keychain(accepted.keychain)

    def write_keychain(self, keychain: Keychain) -> None:
        """Keep the importers of a namespace; the first ones stay for ever (spec 02 section 7.4)."""
        if self.keychain(keychain.namespace_id) is None:
            self._remember("keychains", keychain.namespace_id, None)
            row = (keychain.namespace_id, json.dumps(keychain.addresses))
            self.connection.execute("INSERT INTO keychains VALUES (?, ?)", row)

    def add_chainstate(self, row: ChainstateRow) -> None:
        """Keep the transaction of an accepted operation."""
        self.connection.execute("INSERT INTO chainstate VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _remember(self, source: str, key: str, old: tuple[Any, ...] | None) -> None:
        entry = (self._height, self._undo_entries, source, key, None if old is None else orjson.dumps(old).decode())
        self.connection.execute(rows.ADD_UNDO, entry)
        self._undo_entries += 1

    # Look-ups: what the Reader protocol of the rules asks for

    def name(self, name: str) -> Name | None:
        """The row of a full name."""
        if name in self._names:
            return self._names[name]
        row = self.connection.execute(rows.NAME, (name,)).fetchone()
        record = rows.to_name(row) if row else None
        if self._height is not None:
            self._names[name] = record
        return record

    def namespace(self, namespace_id: str) -> Namespace | None:
        """The row of a namespace."""
        namespace = self._namespaces.get(namespace_id)
        if namespace is None:
            row = self.connection.execute(rows.NAMESPACE, (namespace_id,)).fetchone()
            if row is None:
                return None
            namespace = self._namespaces[namespace_id] = rows.to_namespace(row)
        return namespace

    def names_of(self, sender: str) -> Sequence[str]:
        """Names of unrevoked rows whose owner is this script (hex), ascending."""
        owned = self._owned.get(sender)
        if owned is None:
            owned = [name for (name,) in self.connection.execute(rows.NAMES_OF, (sender,))]
            if self._height is not None:
                self._owned[sender] = owned
        return owned

    def names_by_hash128(self, hash128: str) -> list[Name]:
        """Unrevoked rows with this name_hash128."""
        return [rows.to_name(row) for row in self.connection.execute(rows.NAMES_BY_HASH128, (hash128,))]

    def names_by_preorder_hash(self, hash_: str) -> list[Name]:
        """Rows whose registration consumed this preorder hash."""
        return [rows.to_name(row) for row in self.connection.execute(rows.NAMES_BY_PREORDER, (hash_,))]

    def namespace_has_preorder_hash(self, hash_: str) -> bool:
        """Whether any namespace row has this preorder hash."""
        query = "SELECT 1 FROM namespaces WHERE preorder_hash = ?"
        return self.connection.execute(query, (hash_,)).fetchone() is not None

    def preorders(self, hash_: str) -> list[Preorder]:
        """Rows with this hash, by (block_number, txid)."""
        return [Preorder(*row) for row in self.connection.execute(rows.PREORDERS, (hash_,))]

    def keychain(self, namespace_id: str) -> frozenset[str] | None:
        """The importers' addresses of a namespace, None before its first import."""
        query = "SELECT addresses FROM keychains WHERE namespace_id = ?"
        row = self.connection.execute(query, (namespace_id,)).fetchone()
        return frozenset(json.loads(row[0])) if row else None

    def operations_of(self, name: str) -> Iterator[tuple[str, str | None]]:
        """(op, consensus_hash) of the history rows of a name, newest first."""
        query = "SELECT op, history_data FROM history WHERE history_id = ? ORDER BY block_id DESC, vtxindex DESC"
        for op, data in self.connection.execute(query, (name,)):
            yield op, orjson.loads(data)["consensus_hash"]

    def consensus_hash(self, height: int) -> str | None:
        """Consensus hash of a stored height, genesis rows included."""
        return self._hashes.get(height)

    def consensus_hashes(self, first: int, last: int) -> list[str]:
        """Consensus hashes of the heights from first to last that are stored, genesis rows included."""
        return self._hashes.between(first, last)

    def consensus_hash_height(self, consensus_hash: str) -> int | None:
        """The greatest stored height that has this hash."""
        query = "SELECT max(block_id) FROM snapshots WHERE consensus_hash = ?"
        height: int | None = self.connection.execute(query, (consensus_hash,)).fetchone()[0]
        return height


def _fill(connection: sqlite3.Connection, params: Params) -> None:
    """The tables, and the rows that stand before the first block."""
    for statement in filter(str.strip, TABLES.split(";")):
        connection.execute(statement)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", _meta(params).items())
    heights = range(params.first_block - _GENESIS_ROWS, params.first_block)
    genesis = ((height, None, params.genesis_consensus_hash, None) for height in heights)
    connection.executemany("INSERT INTO snapshots VALUES (?, ?, ?, ?)", genesis)


def _meta(params: Params) -> dict[str, str]:
    return {"network": params.network.name, "first_block": str(params.first_block)}
