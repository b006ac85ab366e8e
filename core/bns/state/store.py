"""The state: one SQLite database, one writer, one transaction per block (spec 03 sections 2 and 14)."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from bns.errors import BnsError, InvalidInput, WrongBlock
from bns.operations.history import history_rows
from bns.operations.records import FIELD_NAMES, HistoryRow, Name, Namespace, Preorder
from bns.state.hashes import HashColumn
from bns.state.schema import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bns.operations.base import Accepted, Keychain
    from bns.params import Params

UNDO_DEPTH = 288
"""How many of the last blocks can be rolled back."""


class DatabaseError(BnsError):
    """A database cannot be used: another version, another network, or damaged."""


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


def _insert(table: str, kind: type, *, replace: bool = False) -> str:
    fields = FIELD_NAMES[kind]
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    return f"{verb} INTO {table} ({', '.join(fields)}) VALUES ({', '.join('?' * len(fields))})"


def _select(table: str, kind: type, where: str) -> str:
    return f"SELECT {', '.join(FIELD_NAMES[kind])} FROM {table} WHERE {where}"


_PUT_NAME = _insert("name_records", Name, replace=True)
_PUT_NAMESPACE = _insert("namespaces", Namespace, replace=True)
_ADD_PREORDER = _insert("preorders", Preorder)
_ADD_HISTORY = _insert("history", HistoryRow)
_NAME = _select("name_records", Name, "name = ?")
_NAMES_OF = _select("name_records", Name, "sender = ? AND revoked = 0 ORDER BY name")
_NAMES_BY_HASH128 = _select("name_records", Name, "name_hash128 = ? AND revoked = 0 ORDER BY name")
_NAMES_BY_PREORDER = _select("name_records", Name, "preorder_hash = ?")
_NAMESPACE = _select("namespaces", Namespace, "namespace_id = ?")
_PREORDERS = _select("preorders", Preorder, "preorder_hash = ? ORDER BY block_number, txid")
_UNDO = "INSERT INTO undo (block_id, source, key, old) VALUES (?, ?, ?, ?)"

_name_values = attrgetter(*FIELD_NAMES[Name])
_preorder_values = attrgetter(*FIELD_NAMES[Preorder])
_history_values = attrgetter(*FIELD_NAMES[HistoryRow])


def _to_name(row: tuple[Any, ...]) -> Name:
    name = Name(*row)
    fee = float(name.op_fee) if name.last_creation_op == ";" else name.op_fee
    # frozen values: the two columns whose type SQLite does not keep are set before anybody sees the record
    object.__setattr__(name, "revoked", bool(name.revoked))
    object.__setattr__(name, "op_fee", fee)
    return name


def _namespace_values(namespace: Namespace) -> tuple[Any, ...]:
    values = [getattr(namespace, field) for field in FIELD_NAMES[Namespace]]
    values[_BUCKETS] = str(list(namespace.buckets))
    return tuple(values)


_BUCKETS = FIELD_NAMES[Namespace].index("buckets")


def _to_namespace(row: tuple[Any, ...]) -> Namespace:
    values = list(row)
    values[_BUCKETS] = tuple(json.loads(values[_BUCKETS]))
    return Namespace(*values)


class State:
    """The tables, with the look-ups that rules need and the writes of accepted operations.

    Only between begin and commit (`block`) does it change. It is bns.operations.view.Reader.
    """

    def __init__(self, connection: sqlite3.Connection, params: Params) -> None:
        self.connection = connection
        self.params = params
        self._namespaces: dict[str, Namespace | None] = {}
        self._height: int | None = None
        rows = connection.execute("SELECT block_id, consensus_hash FROM snapshots ORDER BY block_id").fetchall()
        self._hashes = HashColumn(rows[0][0], (hash_ for _, hash_ in rows))

    @classmethod
    def memory(cls, params: Params) -> State:
        """A new state that lives in memory only."""
        return cls._new(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False), params)

    @classmethod
    def create(cls, path: Path, params: Params) -> State:
        """A new state in a file that must not exist yet; InvalidInput otherwise."""
        if path.exists():
            raise InvalidInput("new database", str(path), "a path where nothing is")
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        return cls._new(connection, params)

    @classmethod
    def open(cls, path: Path, params: Params) -> State:
        """The state in an existing file; DatabaseError if it is none, or of another version, network or first block."""
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None, check_same_thread=False)
        try:
            meta = dict(connection.execute("SELECT key, value FROM meta"))
        except sqlite3.DatabaseError as error:
            connection.close()
            raise DatabaseError(f"{path}: expected a bns database, got: {error}") from None
        for key, expected in _meta(params).items():
            if meta.get(key) != expected:
                connection.close()
                raise DatabaseError(f"{path}: expected {key} {expected}, got {meta.get(key)}")
        return cls(connection, params)

    @classmethod
    def _new(cls, connection: sqlite3.Connection, params: Params) -> State:
        connection.executescript(f"BEGIN; {TABLES} COMMIT;")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO meta VALUES (?, ?)", _meta(params).items())
        genesis = (
            (h, None, params.genesis_consensus_hash, None) for h in range(params.first_block - 4, params.first_block)
        )
        connection.executemany("INSERT INTO snapshots VALUES (?, ?, ?, ?)", genesis)
        connection.execute("COMMIT")
        return cls(connection, params)

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    # Blocks

    @property
    def last_block(self) -> int:
        """Height of the last stored block; first_block - 1 when there is none yet."""
        return self._hashes.last

    @contextmanager
    def block(self, height: int) -> Iterator[None]:
        """One transaction for everything that block `height` writes; an exception leaves the state as it was."""
        if height != self.last_block + 1:
            raise WrongBlock(f"block {height}: expected block {self.last_block + 1}")
        self.connection.execute("BEGIN")
        self._height = height
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            self._namespaces.clear()
            self._hashes.truncate(height - 1)
            raise
        finally:
            self._height = None

    def save(self, snapshot: Snapshot) -> None:
        """Close the current block with its hashes, and drop undo data that has become too old."""
        self.connection.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?)", snapshot)
        self.connection.execute("DELETE FROM undo WHERE block_id <= ?", (snapshot.block_id - UNDO_DEPTH,))
        self._hashes.append(snapshot.consensus_hash)

    def snapshot(self, height: int) -> Snapshot | None:
        """What a stored block left."""
        row = self.connection.execute("SELECT * FROM snapshots WHERE block_id = ?", (height,)).fetchone()
        return Snapshot(*row) if row else None

    def rollback_to(self, height: int) -> None:
        """Undo every block above height, at most the last 288; InvalidInput for any other height."""
        lowest = max(self.params.first_block - 1, self.last_block - UNDO_DEPTH)
        if not lowest <= height <= self.last_block:
            raise InvalidInput("roll-back height", height, f"{lowest} to {self.last_block}")
        self.connection.execute("BEGIN")
        try:
            self._undo(height)
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self._namespaces.clear()
        self._hashes.truncate(height)

    def _undo(self, height: int) -> None:
        execute = self.connection.execute
        execute("DELETE FROM preorders WHERE block_number > ?", (height,))
        for table in ("history", "chainstate", "snapshots"):
            execute(f"DELETE FROM {table} WHERE block_id > ?", (height,))
        entries = execute(
            "SELECT source, key, old FROM undo WHERE block_id > ? ORDER BY number DESC", (height,)
        ).fetchall()
        for source, key, old in entries:
            column = {"name_records": "name", "namespaces": "namespace_id", "keychains": "namespace_id"}.get(source)
            values: Any = None if old is None else json.loads(old)
            if column is None:  # a consumed preorder, whose row moved to the history
                preorder = Preorder(*values)
                execute("DELETE FROM history WHERE txid = ? AND op IN ('?', '*')", (preorder.txid,))
                if preorder.block_number <= height:
                    execute(_ADD_PREORDER, values)
            elif values is None:
                execute(f"DELETE FROM {source} WHERE {column} = ?", (key,))
            else:
                execute(_PUT_NAME if source == "name_records" else _PUT_NAMESPACE, values)
        execute("DELETE FROM undo WHERE block_id > ?", (height,))

    # Writes

    def write(self, accepted: Accepted) -> None:
        """The effects of an accepted operation on the tables (spec 02 section 8)."""
        execute = self.connection.execute
        if accepted.preorder is not None:
            hash_ = accepted.preorder.preorder_hash
            for spent in self.preorders(hash_):
                self._remember("preorders", hash_, _preorder_values(spent))
            execute("DELETE FROM preorders WHERE preorder_hash = ?", (hash_,))
        record = accepted.record
        if isinstance(record, Name):
            old = self.name(record.name)
            self._remember("name_records", record.name, None if old is None else _name_values(old))
            execute(_PUT_NAME, _name_values(record))
        elif isinstance(record, Namespace):
            before = self.namespace(record.namespace_id)
            self._remember("namespaces", record.namespace_id, None if before is None else _namespace_values(before))
            execute(_PUT_NAMESPACE, _namespace_values(record))
            self._namespaces[record.namespace_id] = record
        elif isinstance(record, Preorder):
            execute(_ADD_PREORDER, _preorder_values(record))
        assert self._height is not None, "only a block in progress is written to"
        for row in history_rows(accepted, self._height):
            execute(_ADD_HISTORY, _history_values(row))
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
        self.connection.execute(_UNDO, (self._height, source, key, None if old is None else json.dumps(old)))

    # Look-ups: what the Reader protocol of the rules asks for

    def name(self, name: str) -> Name | None:
        """The row of a full name."""
        row = self.connection.execute(_NAME, (name,)).fetchone()
        return _to_name(row) if row else None

    def namespace(self, namespace_id: str) -> Namespace | None:
        """The row of a namespace."""
        if namespace_id not in self._namespaces:
            row = self.connection.execute(_NAMESPACE, (namespace_id,)).fetchone()
            self._namespaces[namespace_id] = _to_namespace(row) if row else None
        return self._namespaces[namespace_id]

    def names_of(self, sender: str) -> list[Name]:
        """Unrevoked rows whose owner is this script (hex), by name."""
        return [_to_name(row) for row in self.connection.execute(_NAMES_OF, (sender,))]

    def names_by_hash128(self, hash128: str) -> list[Name]:
        """Unrevoked rows with this name_hash128."""
        return [_to_name(row) for row in self.connection.execute(_NAMES_BY_HASH128, (hash128,))]

    def names_by_preorder_hash(self, hash_: str) -> list[Name]:
        """Rows whose registration consumed this preorder hash."""
        return [_to_name(row) for row in self.connection.execute(_NAMES_BY_PREORDER, (hash_,))]

    def namespace_has_preorder_hash(self, hash_: str) -> bool:
        """Whether any namespace row has this preorder hash."""
        query = "SELECT 1 FROM namespaces WHERE preorder_hash = ?"
        return self.connection.execute(query, (hash_,)).fetchone() is not None

    def preorders(self, hash_: str) -> list[Preorder]:
        """Rows with this hash, by (block_number, txid)."""
        return [Preorder(*row) for row in self.connection.execute(_PREORDERS, (hash_,))]

    def keychain(self, namespace_id: str) -> frozenset[str] | None:
        """The importers' addresses of a namespace, None before its first import."""
        query = "SELECT addresses FROM keychains WHERE namespace_id = ?"
        row = self.connection.execute(query, (namespace_id,)).fetchone()
        return frozenset(json.loads(row[0])) if row else None

    def operations_of(self, name: str) -> Iterator[tuple[str, str | None]]:
        """(op, consensus_hash) of the history rows of a name, newest first."""
        query = "SELECT op, history_data FROM history WHERE history_id = ? ORDER BY block_id DESC, vtxindex DESC"
        for op, data in self.connection.execute(query, (name,)):
            yield op, json.loads(data)["consensus_hash"]

    def consensus_hash(self, height: int) -> str | None:
        """Consensus hash of a stored height, genesis rows included."""
        return self._hashes.get(height)

    def consensus_hash_height(self, consensus_hash: str) -> int | None:
        """The greatest stored height that has this hash."""
        query = "SELECT max(block_id) FROM snapshots WHERE consensus_hash = ?"
        height: int | None = self.connection.execute(query, (consensus_hash,)).fetchone()[0]
        return height


def _meta(params: Params) -> dict[str, str]:
    return {
        "schema": str(SCHEMA_VERSION),
        "network": params.network.name,
        "first_block": str(params.first_block),
    }
