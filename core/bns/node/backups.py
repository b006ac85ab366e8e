"""Backups of the state: made at regular heights, pruned, restored (spec 03 section 15, spec 08 sections 2 and 9).

As in the reference the backup made after block B is labelled B - 1. There is one database where the reference has five,
so every backup is complete. Zone files are not part of it: they are files that never change.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from bns.errors import BnsError
from bns.state import files
from bns.state.store import State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bns.params import Params

DIRECTORY = "backups"


class NoBackup(BnsError):
    """There is no backup to restore."""


class Backups:
    """The backups of a database, in a directory beside it. frequency and max_age are numbers of blocks."""

    def __init__(self, database: Path, frequency: int, max_age: int) -> None:
        self.database = database
        self.directory = database.parent / DIRECTORY
        self._frequency = frequency
        self._max_age = max_age
        self._label = re.compile(re.escape(database.name) + r"\.bak\.(\d+)")

    def path(self, label: int) -> Path:
        """Where the backup with a label is kept: it holds the state after block label + 1."""
        return self.directory / f"{self.database.name}.bak.{label}"

    def labels(self) -> list[int]:
        """The labels of all backups, ascending."""
        if not self.directory.is_dir():
            return []
        found = (self._label.fullmatch(entry.name) for entry in self.directory.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def is_due(self, height: int, target: int) -> bool:
        """Whether to make a backup after a block.

        None is made, on the way to a far target, that would be pruned when the target is reached.
        """
        due = height % self._frequency == 0 and height - 1 + self._max_age >= target
        return due and not self.path(height - 1).exists()

    def make(self, height: int) -> Path:
        """Copy the database as it is after block `height`, while others read it; where the copy is.

        Whoever writes blocks calls this, so that the height holds.
        """
        path = self.path(height - 1)
        unfinished = path.with_name(path.name + ".new")
        with files.typed_errors(path):
            try:
                self.directory.mkdir(mode=0o700, exist_ok=True)
                _copy(self.database, unfinished)
                unfinished.replace(path)
            except OSError as error:
                raise files.os_error(error, path) from None
            finally:
                unfinished.unlink(missing_ok=True)
        return path

    def prune(self, height: int) -> None:
        """Remove the backups that are too old after block `height`."""
        self._drop(label for label in self.labels() if label + self._max_age < height)

    def drop_above(self, height: int) -> None:
        """Remove backups that hold blocks above a height: their chain is dead."""
        self._drop(label for label in self.labels() if label >= height)

    def _drop(self, labels: Iterable[int]) -> None:
        for label in labels:
            self.path(label).unlink(missing_ok=True)

    def restore(self, label: int | None, params: Params) -> int:
        """Put a backup, or the newest one, in the place of the database; the height of its last block.

        Raises NoBackup if there is no such backup, DatabaseError if it is damaged or of another chain; the database is
        then as it was. DatabaseLocked if the database is in use.
        """
        labels = self.labels()
        if not labels:
            raise NoBackup(f"{self.directory}: there are no backups of {self.database.name}")
        if label is not None and label not in labels:
            raise NoBackup(f"{self.directory}: no backup {label}; there are {', '.join(map(str, labels))}")
        copy = files.beside(self.database, ".restored")
        lock = files.FileLock(self.database)
        try:
            shutil.copyfile(self.path(labels[-1] if label is None else label), copy)
            with closing(State.open(copy, params)) as state:
                height = state.last_block
            files.put_in_place(copy, self.database)
        except OSError as error:
            raise files.os_error(error, copy) from None
        finally:
            for suffix in ("", ".lock", "-wal", "-shm"):
                files.beside(copy, suffix).unlink(missing_ok=True)
            lock.release()
        return height


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reader,
        closing(sqlite3.connect(target)) as writer,
    ):
        reader.backup(writer)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            files.beside(target, suffix).unlink()
    files.sync(target)
