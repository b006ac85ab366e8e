"""The tables of a node elsewhere, copied after each block, so that scenarios and checks read them as they read ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from bns.errors import BnsError
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bns.params import Params
    from bns.zonefiles.store import Zonefiles

Places = tuple[tuple["Path", "Mapping[str, str]"], ...]
"""Database files, with the names of their tables by those of the tables that are copied from them."""


class Mirror:
    """A state in memory with the rows of a node's databases; they and its zone files are only read.

    absent gives values for columns that the node's tables lack.
    """

    def __init__(self, params: Params, zonefiles: Zonefiles, absent: Mapping[str, Any]) -> None:
        self._params = params
        self._zonefiles = zonefiles
        self._absent = absent
        self._database = State.memory(params)  # as long as it is kept, so is what is in it
        self.state = self._database
        self.offchain = self._offchain()
        connection = self.state.connection
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        self._columns = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}

    def copy(self, places: Places) -> None:
        """Take over all rows; LabError if a database cannot be read."""
        connection = self.state.connection
        for path, tables in places:
            try:
                with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
                    for table, theirs in tables.items():
                        self._copy(source, table, theirs)
            except sqlite3.Error as error:
                raise LabError(f"the node's database {path} cannot be read: {error}") from error
        try:
            # caches belong to the rows of the block before
            self.state = State(connection, self._params)
            self.offchain = self._offchain()
        except BnsError as error:
            raise LabError(f"the node's database makes no sense: {error}") from error

    def _copy(self, source: sqlite3.Connection, table: str, theirs: str) -> None:
        there = {row[1] for row in source.execute(f"PRAGMA table_info({theirs})")}
        columns = [name for name in self._columns[table] if name in there or name in self._absent]
        values = [name if name in there else f":{name}" for name in columns]
        rows = source.execute(f"SELECT {', '.join(values)} FROM {theirs}", self._absent).fetchall()
        insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        connection = self.state.connection
        connection.execute("BEGIN")
        connection.execute(f"DELETE FROM {table}")
        connection.executemany(insert, rows)
        connection.execute("COMMIT")

    def _offchain(self) -> Offchain:
        return Offchain(self.state, self._zonefiles)

    def close(self) -> None:
        """Forget the rows."""
        self._database.close()
