"""A state in the form of the reference's five databases, and back (spec 03 section 2, 04 section 5.2, 05 section 2).

Only the queue, the subdomain index and the consensus hashes are read back: all else follows from the transactions.
Identifiers are TEXT here too (spec 03 section 18, Q1). A column that we lack gets a value that says nothing.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from bns.node.snapshots.archive import BadSnapshot
from bns.node.snapshots.contents import ATLAS, HASHES, NAMES, QUEUE, SUBDOMAINS
from bns.subdomains.offchain import Judged
from bns.subdomains.table import Queued

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class _Table(NamedTuple):
    """A table of the reference: its definition, and the query that fills it from our database."""

    name: str
    columns: str
    query: str


_HISTORY = _Table(
    "history",
    "txid TEXT NOT NULL, history_id TEXT, creator_address TEXT, block_id INT NOT NULL, vtxindex INT NOT NULL, "
    "op TEXT NOT NULL, opcode TEXT NOT NULL, value_hash TEXT, history_data TEXT NOT NULL, "
    "PRIMARY KEY (txid, block_id, vtxindex)",
    "SELECT txid, history_id, creator_address, block_id, vtxindex, op, opcode, value_hash, history_data FROM history "
    "ORDER BY block_id, vtxindex",
)
_PREORDERS = _Table(
    "preorders",
    "preorder_hash TEXT NOT NULL, consensus_hash TEXT NOT NULL, sender TEXT NOT NULL, sender_pubkey TEXT, "
    "address TEXT, block_number INT NOT NULL, op TEXT NOT NULL, op_fee INT NOT NULL, txid TEXT NOT NULL, "
    "vtxindex INT, burn_address TEXT NOT NULL, PRIMARY KEY (preorder_hash, block_number, txid)",
    "SELECT preorder_hash, consensus_hash, sender, sender_pubkey, address, block_number, op, op_fee, txid, vtxindex, "
    "burn_address FROM preorders ORDER BY block_number, vtxindex",
)
_NAMESPACES = _Table(
    "namespaces",
    "namespace_id TEXT NOT NULL, preorder_hash TEXT NOT NULL, version INT, sender TEXT NOT NULL, sender_pubkey TEXT, "
    "address TEXT, recipient TEXT NOT NULL, recipient_address TEXT, block_number INT NOT NULL, "
    "reveal_block INT NOT NULL, op TEXT NOT NULL, op_fee INT NOT NULL, txid TEXT NOT NULL, vtxindex INT NOT NULL, "
    "lifetime INT NOT NULL, coeff INT NOT NULL, base INT NOT NULL, buckets TEXT NOT NULL, "
    "nonalpha_discount INT NOT NULL, no_vowel_discount INT NOT NULL, ready_block INT NOT NULL, "
    "PRIMARY KEY (namespace_id, block_number)",
    "SELECT namespace_id, preorder_hash, version, sender, sender_pubkey, address, recipient, recipient_address, "
    "block_number, reveal_block, op, op_fee, txid, vtxindex, lifetime, coeff, base, buckets, nonalpha_discount, "
    "no_vowel_discount, ready_block FROM namespaces ORDER BY block_number, namespace_id",
)
_NAME_RECORDS = _Table(
    "name_records",
    "name TEXT NOT NULL, preorder_hash TEXT NOT NULL, name_hash128 TEXT NOT NULL, namespace_id TEXT NOT NULL, "
    "namespace_block_number INT NOT NULL, value_hash TEXT, sender TEXT NOT NULL, sender_pubkey TEXT, address TEXT, "
    "block_number INT NOT NULL, preorder_block_number INT NOT NULL, first_registered INT NOT NULL, "
    "last_renewed INT NOT NULL, revoked INT NOT NULL, op TEXT NOT NULL, txid TEXT NOT NULL, vtxindex INT NOT NULL, "
    "op_fee INT NOT NULL, importer TEXT, importer_address TEXT, consensus_hash TEXT, last_creation_op TEXT NOT NULL, "
    "PRIMARY KEY (name, block_number), FOREIGN KEY (namespace_id, namespace_block_number) "
    "REFERENCES namespaces (namespace_id, block_number)",
    "SELECT name, preorder_hash, name_hash128, namespace_id, namespace_block_number, value_hash, sender, "
    "sender_pubkey, address, block_number, preorder_block_number, first_registered, last_renewed, revoked, op, txid, "
    "vtxindex, op_fee, importer, importer_address, consensus_hash, last_creation_op FROM name_records "
    "ORDER BY block_number, name",
)
_CHAINSTATE = _Table(
    "chainstate",
    "txid TEXT NOT NULL, txindex INT NOT NULL, block_id INT NOT NULL, vtxindex INT NOT NULL, opcode TEXT NOT NULL, "
    "data_hex TEXT NOT NULL, senders TEXT NOT NULL, tx_hex TEXT NOT NULL, tx_merkle_path TEXT NOT NULL, "
    "fee INT NOT NULL, PRIMARY KEY (txid, block_id, vtxindex)",
    "SELECT txid, txindex, block_id, vtxindex, opcode, data_hex, senders, tx_hex, '', fee FROM chainstate "
    "ORDER BY block_id, vtxindex",
)
_SNAPSHOTS = _Table(
    "snapshots",
    "block_id INT NOT NULL, timestamp INT NOT NULL, consensus_hash TEXT NOT NULL, ops_hash TEXT, "
    "PRIMARY KEY (block_id)",
    "SELECT block_id, 0, consensus_hash, ops_hash FROM snapshots ORDER BY block_id",
)
_ZONEFILES = _Table(
    "zonefiles",
    "inv_index INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, zonefile_hash TEXT NOT NULL, "
    "txid TEXT UNIQUE NOT NULL, present INTEGER NOT NULL, tried_storage INTEGER NOT NULL, "
    "block_height INTEGER NOT NULL",
    "SELECT inv_index, name, zonefile_hash, txid, present, 0, block_height FROM atlas_zonefiles ORDER BY inv_index",
)
_PEERS = _Table(
    "peers",
    "peer_index INTEGER PRIMARY KEY AUTOINCREMENT, peer_slot INTEGER NOT NULL, peer_hostport TEXT UNIQUE NOT NULL, "
    "discovery_time INTEGER NOT NULL",
    "SELECT 1, 1, '', 1 WHERE FALSE",  # whoever restores it has peers of their own
)
_RECORDS = _Table(
    "subdomain_records",
    "fully_qualified_subdomain TEXT NOT NULL, domain TEXT NOT NULL, sequence INTEGER NOT NULL, owner TEXT NOT NULL, "
    "zonefile_hash TEXT NOT NULL, signature TEXT NOT NULL, block_height INTEGER NOT NULL, "
    "parent_zonefile_hash TEXT NOT NULL, parent_zonefile_index INTEGER NOT NULL, zonefile_offset INTEGER NOT NULL, "
    "txid TEXT NOT NULL, missing TEXT NOT NULL, accepted INTEGER NOT NULL, resolver TEXT, "
    "PRIMARY KEY (fully_qualified_subdomain, parent_zonefile_index)",
    "SELECT fully_qualified_subdomain, domain, sequence, owner, zonefile_hash, signature, block_height, "
    "parent_zonefile_hash, parent_zonefile_index, zonefile_offset, txid, missing, accepted, resolver "
    "FROM subdomain_records ORDER BY parent_zonefile_index, zonefile_offset",
)
_WAITING = _Table(
    "queue",
    "name TEXT NOT NULL, queue_id TEXT NOT NULL, data NOT NULL",
    "SELECT zonefile_hash, 'zonefiles', "
    "'{\"zonefile_hash\": \"' || zonefile_hash || '\", \"block_height\": ' || block_height || '}' "
    "FROM subdomain_queue WHERE processed IS NULL ORDER BY number",
)

_FILES: dict[str, Sequence[_Table]] = {
    NAMES: (_HISTORY, _PREORDERS, _NAMESPACES, _NAME_RECORDS),
    HASHES: (_CHAINSTATE, _SNAPSHOTS),
    ATLAS: (_ZONEFILES, _PEERS),
    SUBDOMAINS: (_RECORDS,),
    QUEUE: (_WAITING,),
}
_INDEXES = {
    NAMES: (
        "CREATE INDEX history_id_index ON history (history_id)",
        "CREATE INDEX hash_names_index ON name_records (name_hash128, name)",
        "CREATE INDEX value_hash_names_index ON name_records (value_hash, name)",
        "CREATE INDEX addr_names_index ON name_records (address, name)",
    ),
}


def write(source: sqlite3.Connection, directory: Path) -> None:
    """The five databases, from our own, which has the tables of bns.subdomains.offchain; each under its name."""
    for name, tables in _FILES.items():
        with closing(sqlite3.connect(directory / name, isolation_level=None)) as target:
            # No journal: what is interrupted here is thrown away.
            target.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")
            for table in tables:
                target.execute(f"CREATE TABLE {table.name} ({table.columns})")
                rows = source.execute(table.query)
                places = ", ".join("?" * len(rows.description))
                target.executemany(f"INSERT INTO {table.name} VALUES ({places})", rows)
            for index in _INDEXES.get(name, ()):
                target.execute(index)
            target.execute("COMMIT")


def read_subdomains(directory: Path) -> Iterator[Judged]:
    """The subdomain index of a snapshot, in the order of the chain."""
    query = (
        "SELECT fully_qualified_subdomain, parent_zonefile_index, accepted FROM subdomain_records "
        "ORDER BY parent_zonefile_index, zonefile_offset"
    )
    for name, index, accepted in _read(directory / SUBDOMAINS, "subdomain_records", query):
        yield Judged(str(name), _whole(index), bool(accepted))


def read_queue(directory: Path) -> Iterator[Queued]:
    """The zone files of a snapshot that wait for a block, in their order."""
    query = "SELECT data FROM queue WHERE queue_id = 'zonefiles' ORDER BY rowid"
    for (data,) in _read(directory / QUEUE, "queue", query):
        try:
            entry = json.loads(data)
            yield Queued(str(entry["zonefile_hash"]), int(entry["block_height"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise BadSnapshot(f"{QUEUE}: expected a zone file hash and a height, got {ascii(data)[:80]}") from None


def read_present(directory: Path) -> set[int]:
    """The places in the inventory (from 1) whose zone files the maker of a snapshot knew to be there."""
    query = "SELECT inv_index FROM zonefiles WHERE present <> 0"
    return {_whole(index) for (index,) in _read(directory / ATLAS, "zonefiles", query)}


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise BadSnapshot(f"expected a number, got {ascii(value)[:80]}")
    return value


def read_hashes(directory: Path) -> dict[int, str]:
    """Consensus hash by height."""
    query = "SELECT block_id, consensus_hash FROM snapshots"
    return {_whole(height): str(hash_) for height, hash_ in _read(directory / HASHES, "snapshots", query)}


def check_chainstate(directory: Path) -> None:
    """Whether there are transactions to replay. Raises BadSnapshot."""
    for _ in _read(directory / HASHES, "chainstate", "SELECT 1 FROM chainstate LIMIT 1"):
        pass


def _read(path: Path, table: str, query: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a query over one table, of a database that a stranger has made."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            kinds = connection.execute("SELECT type FROM sqlite_schema WHERE name = ?", (table,)).fetchall()
            if kinds != [("table",)]:  # a view could go on for ever
                raise BadSnapshot(f"{path.name}: expected the table {table}")
            yield from connection.execute(query)
    except (sqlite3.Error, OverflowError, ValueError, TypeError) as error:
        raise BadSnapshot(f"{path.name}: {type(error).__name__}: {error}") from None
