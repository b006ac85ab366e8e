"""The zone files of subdomains, which come inside others (spec 04 section 3).

They are small and many: they are kept in the state's database, where they are stored together with their records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.zonefiles.store import zonefile_hash

if TYPE_CHECKING:
    import sqlite3

    from bns.zonefiles.store import Zonefiles

_TABLE = """
CREATE TABLE IF NOT EXISTS embedded_zonefiles (zonefile_hash BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID
"""


class AllZonefiles:
    """Every zone file that a node has: those of names in a store of their own, and embedded ones."""

    def __init__(self, connection: sqlite3.Connection, announced: Zonefiles) -> None:
        self._connection = connection
        self._announced = announced
        connection.execute(_TABLE)

    def get(self, hash_: str, /) -> bytes | None:
        """See Zonefiles."""
        data = self._announced.get(hash_)
        return data if data is not None else self.embedded(hash_) or None

    def put(self, data: bytes, /) -> str:
        """See Zonefiles."""
        return self._announced.put(data)

    def embedded(self, hash_: str) -> bytes | None:
        """An embedded zone file, which may be empty, by its hash (40 hex)."""
        try:
            key = bytes.fromhex(hash_)
        except ValueError:
            return None
        if key.hex() != hash_:  # capitals are no hash
            return None
        query = "SELECT data FROM embedded_zonefiles WHERE zonefile_hash = ?"
        row = self._connection.execute(query, (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def embed(self, data: bytes) -> str:
        """Store an embedded zone file of any size; its hash. Callers see to transactions."""
        hash_ = zonefile_hash(data)
        row = (bytes.fromhex(hash_), data)
        self._connection.execute("INSERT OR IGNORE INTO embedded_zonefiles VALUES (?, ?)", row)
        return hash_
