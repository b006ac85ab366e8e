"""The sequence of zone file hashes that the chain announces, and which of the files are here (spec 05 section 3).

The sequence is the same on every node that has the same names: peers tell each other what they hold by places in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator

_TABLES = (
    """CREATE TABLE IF NOT EXISTS atlas_zonefiles (
        inv_index INTEGER PRIMARY KEY, name TEXT NOT NULL, zonefile_hash TEXT NOT NULL, txid TEXT NOT NULL UNIQUE,
        present INT NOT NULL, block_height INT NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS atlas_zonefiles_hash ON atlas_zonefiles (zonefile_hash)",
    "CREATE INDEX IF NOT EXISTS atlas_zonefiles_name ON atlas_zonefiles (name, block_height)",
    "CREATE INDEX IF NOT EXISTS atlas_zonefiles_missing ON atlas_zonefiles (name) WHERE present = 0",
    "CREATE INDEX IF NOT EXISTS atlas_zonefiles_block ON atlas_zonefiles (block_height)",
)
_COLUMNS = "inv_index, name, zonefile_hash, txid, present, block_height"


class Announcement(NamedTuple):
    """One announced hash (40 hex). inv_index counts all of them from 1; present: the zone file is here.

    name is the on-chain name and txid the transaction (64 hex) that announced it, block_height its block.
    """

    inv_index: int
    name: str
    zonefile_hash: str
    txid: str
    present: bool
    block_height: int


class Announcements:
    """The table of announcements in a state's database. Callers see to transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._inventory: bytes | None = None
        for statement in _TABLES:
            connection.execute(statement)

    def append(self, name: str, zonefile_hash: str, txid: str, block_height: int, *, present: bool) -> Announcement:
        """Add the next announcement of the chain."""
        new = Announcement(self.count() + 1, name, zonefile_hash, txid, present, block_height)
        self._connection.execute("INSERT INTO atlas_zonefiles VALUES (?, ?, ?, ?, ?, ?)", new)
        self._inventory = None
        return new

    def mark_present(self, zonefile_hash: str) -> bool:
        """Note that a zone file is here now; whether that is news for any of its announcements."""
        query = "UPDATE atlas_zonefiles SET present = 1 WHERE zonefile_hash = ? AND present = 0"
        news = self._connection.execute(query, (zonefile_hash,)).rowcount > 0
        if news:
            self._inventory = None
        return news

    def truncate(self, block_height: int) -> None:
        """Forget what was announced in blocks above a height."""
        self._connection.execute("DELETE FROM atlas_zonefiles WHERE block_height > ?", (block_height,))
        self._inventory = None

    def count(self) -> int:
        """How many there are, which is the inv_index of the last one."""
        return int(self._one("SELECT coalesce(max(inv_index), 0) FROM atlas_zonefiles"))

    def last_block(self) -> int | None:
        """The block of the last announcement."""
        height = self._one("SELECT max(block_height) FROM atlas_zonefiles")
        return None if height is None else int(height)

    def by_hash(self, zonefile_hash: str) -> list[Announcement]:
        """Everything that announced a hash, in order."""
        return self._rows("WHERE zonefile_hash = ? ORDER BY inv_index", (zonefile_hash,))

    def at(self, inv_index: int) -> list[Announcement]:
        """The announcement at a place in the sequence, if there is one."""
        return self._rows("WHERE inv_index = ?", (inv_index,))

    def first_height(self, zonefile_hash: str) -> int | None:
        """The lowest block that announced a hash."""
        height = self._one("SELECT min(block_height) FROM atlas_zonefiles WHERE zonefile_hash = ?", zonefile_hash)
        return None if height is None else int(height)

    def of_name(self, name: str, first: int = 0) -> list[Announcement]:
        """What a name announced from block `first` on, in order."""
        return self._rows("WHERE name = ? AND block_height >= ? ORDER BY inv_index", (name, first))

    def between(self, first: int, last: int, offset: int = 0, count: int = -1) -> list[Announcement]:
        """Some of what was announced in the blocks first to last, in order; all of it without a count."""
        where = "WHERE block_height BETWEEN ? AND ? ORDER BY inv_index LIMIT ? OFFSET ?"
        return self._rows(where, (first, last, count, offset))

    def missing(self, offset: int = 0, count: int = -1) -> list[Announcement]:
        """Announcements whose zone files are not here, in order."""
        return self._rows("WHERE present = 0 ORDER BY inv_index LIMIT ? OFFSET ?", (count, offset))

    def misses_any(self, name: str, excluded: Collection[int] = ()) -> bool:
        """Whether a zone file that a name announced is not here, other than those with excluded inv_indexes."""
        query = "SELECT inv_index FROM atlas_zonefiles WHERE name = ? AND present = 0"
        return any(index not in excluded for (index,) in self._connection.execute(query, (name,)))

    def inventory(self) -> bytes:
        """One bit for each announcement, the first one highest in the first byte: 1 if its zone file is here."""
        if self._inventory is not None:
            return self._inventory
        inventory = pack_bits(self._presence())
        if not self._connection.in_transaction:
            self._inventory = inventory
        return inventory

    def bits(self) -> str:
        """The inventory as text, a `1` or `0` for each announcement."""
        return "".join(map(str, self._presence()))

    def _presence(self) -> Iterator[int]:
        query = "SELECT present FROM atlas_zonefiles ORDER BY inv_index"
        return (present for (present,) in self._connection.execute(query))

    def _rows(self, where: str, values: tuple[Any, ...]) -> list[Announcement]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM atlas_zonefiles {where}", values)
        return [Announcement(*row)._replace(present=bool(row[4])) for row in rows]

    def _one(self, query: str, *values: str) -> Any:  # noqa: ANN401 - whatever a column holds
        return self._connection.execute(query, values).fetchone()[0]


def pack_bits(bits: Iterable[int]) -> bytes:
    """Bits (0 or 1) as bytes, the first one highest, zeros behind the last. Spec 05 section 4.1."""
    text = "".join("1" if bit else "0" for bit in bits)
    size = (len(text) + 7) // 8
    return int(text.ljust(size * 8, "0"), 2).to_bytes(size, "big") if text else b""
