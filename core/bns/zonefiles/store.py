"""Where the bytes of zone files are kept, found by their hash (spec 04 sections 1 and 3)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Protocol

from bns.bitcoin.hashes import hash160
from bns.errors import InvalidInput

MAX_ZONEFILE_SIZE = 40_960
"""Bytes of the greatest zone file that is stored."""

_HEX = frozenset("0123456789abcdef")


class Zonefiles(Protocol):
    """A store of zone files."""

    def get(self, hash_: str, /) -> bytes | None:
        """The bytes that have this hash (40 lower-case hex), None if they are not here; never an empty zone file."""

    def put(self, data: bytes, /) -> str:
        """Store bytes; their hash. InvalidInput above 40,960 bytes."""


def zonefile_hash(data: bytes) -> str:
    """The hash of a zone file: HASH160 of its exact bytes, 40 hex. Spec 04 section 1."""
    return hash160(data).hex()


class MemoryZonefiles:
    """A store that lives as long as the process."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def get(self, hash_: str, /) -> bytes | None:
        """See Zonefiles."""
        return self._data.get(hash_) or None

    def put(self, data: bytes, /) -> str:
        """See Zonefiles."""
        _check_size(data)
        hash_ = zonefile_hash(data)
        self._data[hash_] = bytes(data)
        return hash_


class ZonefileStore:
    """A store in a directory, one file per zone file, readable by the reference and able to read its files.

    Writes are atomic: a reader, also one in another process, finds the whole file or none. Reads check the hash, so a
    damaged file counts as absent until it is put again. Spec 04 section 3.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._root = str(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def get(self, hash_: str, /) -> bytes | None:
        """See Zonefiles."""
        if len(hash_) != 40 or not _HEX.issuperset(hash_):
            return None
        # Most look-ups of names come here, and a Path takes longer to make than a file to read.
        now = f"{self._root}/{hash_[:2]}/{hash_[2:4]}/{hash_}.txt"
        return _read(now, hash_) or _read(self._legacy(hash_), hash_)

    def put(self, data: bytes, /) -> str:
        """See Zonefiles."""
        _check_size(data)
        hash_ = zonefile_hash(data)
        path = self.path(hash_)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)
        return hash_

    def path(self, hash_: str) -> Path:
        """Where a zone file is kept."""
        return self.place(self.directory, hash_)

    def _legacy(self, hash_: str) -> str:
        return "/".join((self._root, *(hash_[at : at + 2] for at in range(0, len(hash_), 2)), "zonefile.txt"))

    @staticmethod
    def place(directory: Path, hash_: str) -> Path:
        """Where a zone file is kept in a store of this directory."""
        return directory / hash_[:2] / hash_[2:4] / f"{hash_}.txt"


def _read(place: str, hash_: str) -> bytes | None:
    """The bytes of a file, None if they do not have this hash."""
    try:
        with open(place, "rb", buffering=0) as file:  # noqa: PTH123 - see above
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return data if data and zonefile_hash(data) == hash_ else None


def _check_size(data: bytes) -> None:
    if len(data) > MAX_ZONEFILE_SIZE:
        raise InvalidInput("size of a zone file", len(data), f"at most {MAX_ZONEFILE_SIZE} bytes")


def _sync_directory(path: Path) -> None:
    # the rename is on disk only when its directory is
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
