"""The addresses of peers in a file, which is that of the reference (spec 05 section 2.2)."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from bns.atlas.peers import PeerRow
from bns.state.files import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_TABLE = """CREATE TABLE IF NOT EXISTS peers (
    peer_index INTEGER PRIMARY KEY AUTOINCREMENT, peer_slot INTEGER NOT NULL, peer_hostport TEXT UNIQUE NOT NULL,
    discovery_time INTEGER NOT NULL
)"""


class PeerFile:
    """Keeps peers in SQLite, each change a transaction. Raises DatabaseError if the file cannot be used.

    It may be called from several threads, one at a time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error
        try:
            # Losing the last few peers in a power cut does no harm: they are found again.
            self._execute("PRAGMA synchronous = OFF")
            self._execute(_TABLE)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def load(self) -> Iterable[PeerRow]:
        """See PeerStore."""
        query = "SELECT peer_hostport, peer_slot, discovery_time FROM peers ORDER BY peer_index"
        return [PeerRow(str(host), int(slot), int(time)) for host, slot, time in self._execute(query)]

    def put(self, row: PeerRow, /) -> None:
        """See PeerStore."""
        statement = "INSERT OR REPLACE INTO peers (peer_hostport, peer_slot, discovery_time) VALUES (?, ?, ?)"
        self._execute(statement, *row)

    def remove(self, hostport: str, /) -> None:
        """See PeerStore."""
        self._execute("DELETE FROM peers WHERE peer_hostport = ?", hostport)

    def _execute(self, statement: str, *values: object) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> DatabaseError:
        remedy = "look at its permissions, or remove it: peers are found again"
        return DatabaseError(self._path, f"cannot be used for peers ({error}): {remedy}")
