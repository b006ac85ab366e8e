"""Where subdomain records are kept: the table, the queue of zone files to look into, and what undoes a block.

Spec 04 section 5.2. The columns are those of the reference, and the digest that saves reading the embedded zone file
again when a signature is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bns.state.store import UNDO_DEPTH
from bns.subdomains.machine import Entry, Subdomain
from bns.subdomains.records import is_independent

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_TABLES = (
    """CREATE TABLE IF NOT EXISTS subdomain_records (
        fully_qualified_subdomain TEXT NOT NULL, domain TEXT NOT NULL, sequence INT NOT NULL, owner TEXT NOT NULL,
        zonefile_hash TEXT NOT NULL, signature TEXT NOT NULL, block_height INT NOT NULL,
        parent_zonefile_hash TEXT NOT NULL, parent_zonefile_index INT NOT NULL, zonefile_offset INT NOT NULL,
        txid TEXT NOT NULL, missing TEXT NOT NULL, accepted INT NOT NULL, resolver TEXT, digest BLOB NOT NULL,
        PRIMARY KEY (fully_qualified_subdomain, parent_zonefile_index)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS subdomain_creations ON subdomain_records "
    "(owner, sequence, parent_zonefile_index, zonefile_offset, accepted)",
    "CREATE INDEX IF NOT EXISTS subdomain_domain ON subdomain_records (domain, parent_zonefile_index)",
    "CREATE INDEX IF NOT EXISTS subdomain_resolver ON subdomain_records (domain, sequence, parent_zonefile_index) "
    "WHERE resolver <> ''",
    "CREATE INDEX IF NOT EXISTS subdomain_txid ON subdomain_records (txid)",
    """CREATE TABLE IF NOT EXISTS subdomain_queue (
        number INTEGER PRIMARY KEY, zonefile_hash TEXT NOT NULL, block_height INT NOT NULL, processed INT
    )""",
    "CREATE INDEX IF NOT EXISTS subdomain_queue_processed ON subdomain_queue (processed)",
    "CREATE UNIQUE INDEX IF NOT EXISTS subdomain_queue_waiting ON subdomain_queue (zonefile_hash, block_height) "
    "WHERE processed IS NULL",
    """CREATE TABLE IF NOT EXISTS subdomain_undo (
        number INTEGER PRIMARY KEY, block_id INT NOT NULL, fully_qualified_subdomain TEXT NOT NULL,
        parent_zonefile_index INT NOT NULL, accepted INT
    )""",
    "CREATE INDEX IF NOT EXISTS subdomain_undo_block ON subdomain_undo (block_id)",
)
_ENTRIES = (
    "SELECT parent_zonefile_index, sequence, owner, signature, digest, domain, accepted FROM subdomain_records "
    "WHERE fully_qualified_subdomain = ?"
)
_INSERT = "INSERT INTO subdomain_records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_MARK = "UPDATE subdomain_records SET accepted = ? WHERE fully_qualified_subdomain = ? AND parent_zonefile_index = ?"
_DELETE = "DELETE FROM subdomain_records WHERE fully_qualified_subdomain = ? AND parent_zonefile_index = ?"
_REMEMBER = (
    "INSERT INTO subdomain_undo (block_id, fully_qualified_subdomain, parent_zonefile_index, accepted) "
    "VALUES (?, ?, ?, ?)"
)
_WIPED = ""
"""In place of a name in the undo log: the table was built anew."""


class Row(NamedTuple):
    """A row of the table, in the order of its columns."""

    name: str
    domain: str
    sequence: int
    owner: str
    zonefile_hash: str
    signature: str
    block_height: int
    parent_zonefile_hash: str
    parent_zonefile_index: int
    zonefile_offset: int
    txid: str
    missing: str
    accepted: int
    resolver: str | None
    digest: bytes


class Queued(NamedTuple):
    """A zone file to look into, and the block from which its name's zone files are looked into again."""

    zonefile_hash: str
    block_height: int


class SubdomainTable:
    """The records, the queue and the undo log in a state's database. Callers see to transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for statement in _TABLES:
            connection.execute(statement)

    def settle(self, height: int, name: str, arrivals: Iterable[Row]) -> None:
        """Store what arrived for a subdomain at a block, in the order of the chain, and judge again."""
        subdomain, before = self._load(name)
        rows = {row.parent_zonefile_index: row for row in arrivals}
        for row in rows.values():
            if row.parent_zonefile_index not in subdomain:
                independent = is_independent(name, row.domain)
                subdomain.store(
                    Entry(row.parent_zonefile_index, row.sequence, row.owner, row.signature, row.digest, independent)
                )
        subdomain.settle(list(rows))
        for entry in subdomain:
            old = before.get(entry.index)
            if old is None:
                self._connection.execute(_INSERT, rows[entry.index]._replace(accepted=int(entry.accepted)))
            elif old != entry.accepted:
                self._connection.execute(_MARK, (int(entry.accepted), name, entry.index))
            if old != entry.accepted:
                self._connection.execute(_REMEMBER, (height, name, entry.index, old))

    def wipe(self, height: int) -> None:
        """Forget every record, to build the table anew at a block."""
        self._connection.execute("DELETE FROM subdomain_records")
        self._connection.execute("DELETE FROM subdomain_undo")
        self._connection.execute(_REMEMBER, (height, _WIPED, 0, None))

    def add(self, row: Row) -> None:
        """Store a record as it is, in an index that was wiped at this height."""
        self._connection.execute(_INSERT, row)

    def replace_queue(self, entries: Iterable[Queued]) -> None:
        """Let these zone files wait, and no others."""
        self._connection.execute("DELETE FROM subdomain_queue")
        for entry in entries:
            self.enqueue(*entry)

    def rollback_to(self, height: int) -> bool:
        """Restore records and queue as they were after a block.

        False if that cannot be, because the table was built anew since: it is to be built anew once more.
        """
        execute = self._connection.execute
        execute("DELETE FROM subdomain_queue WHERE block_height > ?", (height,))
        execute("UPDATE OR IGNORE subdomain_queue SET processed = NULL WHERE processed > ?", (height,))
        execute("DELETE FROM subdomain_queue WHERE processed > ?", (height,))
        query = (
            "SELECT fully_qualified_subdomain, parent_zonefile_index, accepted FROM subdomain_undo "
            "WHERE block_id > ? ORDER BY number DESC"
        )
        restored = True
        for name, index, accepted in execute(query, (height,)).fetchall():
            if name == _WIPED:
                restored = False
            elif accepted is None:
                execute(_DELETE, (name, index))
            else:
                execute(_MARK, (accepted, name, index))
        execute("DELETE FROM subdomain_undo WHERE block_id > ?", (height,))
        return restored

    def last_block(self) -> int:
        """The last block at which something happened here that can be undone; 0 if there is none."""
        query = (
            "SELECT max(coalesce((SELECT max(block_id) FROM subdomain_undo), 0), "
            "coalesce((SELECT max(processed) FROM subdomain_queue), 0))"
        )
        return int(self._connection.execute(query).fetchone()[0])

    def enqueue(self, zonefile_hash: str, block_height: int) -> None:
        """Have a zone file looked into at the next block, if it does not wait for that already."""
        query = "INSERT OR IGNORE INTO subdomain_queue (zonefile_hash, block_height) VALUES (?, ?)"
        self._connection.execute(query, (zonefile_hash, block_height))

    def queued(self, count: int) -> list[Queued]:
        """The zone files that have waited longest."""
        query = (
            "SELECT zonefile_hash, block_height FROM subdomain_queue WHERE processed IS NULL ORDER BY number LIMIT ?"
        )
        return [Queued(*row) for row in self._connection.execute(query, (count,))]

    def dequeue(self, height: int, entries: Iterable[Queued]) -> None:
        """Take zone files off the queue, which a block looked into; it keeps them for as long as that can be undone."""
        query = "UPDATE subdomain_queue SET processed = ? WHERE processed IS NULL AND zonefile_hash = ?"
        self._connection.executemany(query, {(height, entry.zonefile_hash) for entry in entries})
        self._connection.execute("DELETE FROM subdomain_queue WHERE processed <= ?", (height - UNDO_DEPTH,))
        self._connection.execute("DELETE FROM subdomain_undo WHERE block_id <= ?", (height - UNDO_DEPTH,))

    def _load(self, name: str) -> tuple[Subdomain, dict[int, bool]]:
        subdomain, before = Subdomain(), {}
        for index, sequence, owner, signature, digest, domain, accepted in self._connection.execute(_ENTRIES, (name,)):
            independent = is_independent(name, domain)
            subdomain.store(Entry(index, sequence, owner, signature, digest, independent, bool(accepted)))
            before[index] = bool(accepted)
        return subdomain, before
