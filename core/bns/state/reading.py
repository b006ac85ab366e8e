"""A state as others read it while its owner writes: a read-only connection, one snapshot for each answer."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Self

from bns.state import files
from bns.state.store import State

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from bns.params import Params


class ReadState(State):
    """What was committed when `with` was entered, whole blocks all of it; nothing is read outside.

    Readers never wait for the writer, nor the writer for them; two threads that read wait for each other. Consensus
    hashes are looked up, not kept: only the writer needs many of them. DatabaseError if the file is to blame.
    """

    def __init__(self, connection: sqlite3.Connection, params: Params, path: Path) -> None:
        self.connection = connection
        self.params = params
        self.path = path
        self.version = -1
        self._namespaces = {}
        self._names = {}
        self._owned = {}
        self._height = None
        self._lock = None
        self._last_block = params.first_block - 1
        self._busy = Lock()

    @classmethod
    def beside(cls, state: State) -> Self:
        """The state in the file of another that writes to it, open until close."""
        assert state.path is not None, "only what is in a file has a second reader"
        return cls(files.open_to_read(state.path), state.params, state.path)

    def __enter__(self) -> Self:
        self._busy.acquire()
        try:
            self.connection.execute("BEGIN")
            version = self._stored_version()
            if version != self.version:
                self._follow(version)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.connection.in_transaction:
                self.connection.execute("COMMIT")
        finally:
            self._busy.release()

    def newest(self) -> int:
        """A number that is another one once more has been committed; to be asked outside of `with`."""
        with self._busy:
            return self._stored_version()

    def _stored_version(self) -> int:
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _follow(self, version: int) -> None:
        """Forget what belongs to an earlier version of the file."""
        self.version = -1
        self._forget()
        self._last_block = self._stored_last()
        self.version = version

    @property
    def last_block(self) -> int:
        """See State."""
        return self._last_block

    def consensus_hash(self, height: int) -> str | None:
        """See State."""
        snapshot = self.snapshot(height)
        return None if snapshot is None else snapshot.consensus_hash

    def consensus_hashes(self, first: int, last: int) -> list[str]:
        """See State."""
        query = "SELECT consensus_hash FROM snapshots WHERE block_id BETWEEN ? AND ? ORDER BY block_id"
        return [hash_ for (hash_,) in self.connection.execute(query, (first, last))]
