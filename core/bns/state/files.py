"""The file a state lives in: made in one step, looked at before it is touched, locked, its errors told apart.

Blocks, or groups of them, are transactions in SQLite's write-ahead log. With synchronous = NORMAL a killed process
loses nothing that was committed, and a power cut at most the last few transactions, each of them as a whole.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bns.errors import BnsError, InvalidInput
from bns.state.schema import APPLICATION_ID, SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

QUICK_CHECK_LIMIT = 64 << 20
"""Bytes up to which a whole file is checked when it is opened: a third of a second."""

REMEDY = "restore a backup, or index again into a new database"
"""What to do about a damaged file."""

BUSY_SECONDS = 10.0
"""How long to wait for another program that has locked the database, such as a backup."""

_LOG_BYTES_KEPT = 32 << 20
_CACHE_KIB = 16 << 10
_READ_CACHE_KIB = 8 << 10
_NO_ROOM = 1 << 20
_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100


class DatabaseError(BnsError):
    """A database cannot be used; path says which, problem what is wrong and what to do."""

    def __init__(self, path: Path | str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class DatabaseLocked(DatabaseError):
    """Another process, or another part of this one, writes to the database."""


class DiskFull(DatabaseError):
    """There is no room for what is to be written."""


class FileLock:
    """The right to write to a database, held through a file beside it that stays; gone with the process that holds it.

    Raises DatabaseLocked if another holds it, DatabaseError if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(beside(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise os_error(error, path) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise DatabaseLocked(path, "another process writes to it: stop that one first") from None
            raise os_error(error, path) from None

    def release(self) -> None:
        """Let others write."""
        os.close(self._file)


def make(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """A new database, filled by `fill` in one transaction; nothing is at path before it is complete.

    Raises InvalidInput if something is there already, DatabaseError if the place cannot be written.
    """
    lock = FileLock(path)
    unfinished = beside(path, ".new")
    try:
        if path.exists():
            raise InvalidInput("new database", str(path), "a path where nothing is")
        unfinished.unlink(missing_ok=True)
        with typed_errors(path), closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
            # No journal: what is interrupted here is thrown away.
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = FULL; BEGIN")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            fill(connection)
            connection.execute("COMMIT")
        unfinished.rename(path)
        sync(path.parent)
    except OSError as error:
        raise os_error(error, path) from None
    finally:
        unfinished.unlink(missing_ok=True)
        lock.release()


def check(path: Path) -> None:
    """Look at the head of a file without touching it; DatabaseError if it is none of ours, too short, or too new."""
    header = _read_header(path)
    if header.application_id != APPLICATION_ID:
        raise DatabaseError(path, "expected a bns database, got one of another program")
    if header.version != SCHEMA_VERSION:
        raise DatabaseError(
            path, f"expected schema {SCHEMA_VERSION}, got {header.version}: index again into a new database"
        )
    if header.missing_bytes and not _has_log(path):
        raise DatabaseError(path, f"truncated, {header.missing_bytes} bytes are missing: {REMEDY}")


def open_checked(path: Path, expected_meta: Mapping[str, str]) -> sqlite3.Connection:
    """A connection to a database whose lock this process holds.

    DatabaseError if it belongs to another chain or is damaged; it is then as it was before.
    """
    _check_content(path, expected_meta)
    with typed_errors(path):
        connection = _connect(path, "mode=rw")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES_KEPT}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        except BaseException:
            connection.close()
            raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, to a database that this process has open for writing already."""
    with typed_errors(path):
        connection = _connect(path, "mode=ro")
        try:
            connection.execute(f"PRAGMA cache_size = -{_READ_CACHE_KIB}")
        except BaseException:
            connection.close()
            raise
    return connection


def _check_content(path: Path, expected_meta: Mapping[str, str]) -> None:
    # Without the log that a killed process left, the file alone may be in the middle of a change. With it, SQLite
    # makes a file of shared memory, even to read.
    mode = "mode=ro" if _has_log(path) else "mode=ro&immutable=1"
    shared = beside(path, "-shm")
    kept = shared.exists()
    try:
        with typed_errors(path), closing(_connect(path, mode)) as connection:
            meta = dict(connection.execute("SELECT key, value FROM meta"))
            for key, expected in expected_meta.items():
                if meta.get(key) != expected:
                    raise DatabaseError(path, f"expected {key} {expected}, got {meta.get(key)}")
            if path.stat().st_size <= QUICK_CHECK_LIMIT:
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if found != "ok":
                    raise DatabaseError(path, f"damaged ({found}): {REMEDY}")
    finally:
        if not kept:
            shared.unlink(missing_ok=True)


def put_in_place(new: Path, path: Path) -> None:
    """Replace a database by another in one step, both being closed. Raises OSError."""
    sync(new)
    # What a killed process left in the log belongs to the old file, and would be taken for the new one's.
    if path.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)
    new.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or what a directory says, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def beside(path: Path, suffix: str) -> Path:
    """The file whose name is that of the database and a suffix."""
    return path.with_name(path.name + suffix)


@contextmanager
def typed_errors(path: Path | str) -> Iterator[None]:
    """Raise what the disk and the file are to blame for as DatabaseError; errors of the program stay as they are."""
    try:
        yield
    except sqlite3.Error as error:
        problem = _typed(error, path)
        if problem is None:
            raise
        raise problem from error


def os_error(error: OSError, path: Path) -> DatabaseError:
    """The typed form of an error of the operating system."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(path, _FULL)
    return DatabaseError(path, f"cannot be used: {error.strerror or error}")


_FULL = "the disk is full: make room and start again; all blocks up to the last one indexed are safe"


def _typed(error: sqlite3.Error, path: Path | str) -> DatabaseError | None:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return DiskFull(path, _FULL)
        case sqlite3.SQLITE_IOERR if isinstance(path, Path) and _free_bytes(path) < _NO_ROOM:
            return DiskFull(path, _FULL)
        case sqlite3.SQLITE_IOERR:
            return DatabaseError(path, f"cannot be read or written ({error}): look for trouble with the disk")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return DatabaseError(path, f"cannot be written ({error}): look at the permissions of file and directory")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DatabaseError(path, f"damaged ({error}): {REMEDY}")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseLocked(path, f"another program has kept it locked for {BUSY_SECONDS:g} s: stop that one")
        case _:
            return None


def _free_bytes(path: Path) -> int:
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return _NO_ROOM


class _Header(NamedTuple):
    application_id: int
    version: int
    missing_bytes: int


def _read_header(path: Path) -> _Header:
    try:
        with path.open("rb") as file:
            raw = file.read(_HEADER_SIZE)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise os_error(error, path) from None
    if len(raw) < _HEADER_SIZE or not raw.startswith(_MAGIC):
        raise DatabaseError(path, "expected a bns database, got a file of another kind")

    def number(offset: int, length: int = 4) -> int:
        return int.from_bytes(raw[offset : offset + length], "big")

    page_size = number(16, 2) if number(16, 2) > 1 else 1 << 16
    counted = number(28) if number(24) == number(92) else 0
    return _Header(number(68), number(60), max(0, counted * page_size - size))


def _has_log(path: Path) -> bool:
    log = beside(path, "-wal")
    return log.exists() and log.stat().st_size > 0


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
    )
