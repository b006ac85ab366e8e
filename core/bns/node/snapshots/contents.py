"""The payload: a directory, packed by tar and bzip2, read as if its maker were an enemy (spec 08 section 11.1)."""

from __future__ import annotations

import bz2
import io
import re
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from bns.node.snapshots.archive import BadSnapshot
from bns.zonefiles.store import MAX_ZONEFILE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NAMES, HASHES, ATLAS, SUBDOMAINS, QUEUE = DATABASES = (
    "blockstack-server.db", "blockstack-server.snapshots", "atlas.db", "subdomains.db", "subdomains.db.queue",
)  # fmt: skip
"""The databases of the reference, each with the label of the backup behind its name."""

MOST_MEMBERS = 5_000_000
LONGEST_KEYCHAIN = 1 << 16
EXPANSION = 100
"""Bytes that a byte of the payload may unpack to, and some more for small ones."""

_FORMAT = tarfile.GNU_FORMAT
_FREE_BYTES = 64 << 20
_LONGEST_HEADER = 1 << 16
_READ_AT_ONCE = 1 << 18
_DATABASE = re.compile(rf"backups/({'|'.join(map(re.escape, DATABASES))})\.bak\.([0-9]{{1,9}})")
_KEYCHAIN = re.compile(r"([a-z0-9\-_]{1,19})\.keychain")


class Member(NamedTuple):
    """A file of the payload. kind is database, zonefile or keychain; name that of the database or namespace.

    label is that of the backup, None for the others; chunks gives the content, size bytes, once.
    """

    kind: str
    name: str
    label: int | None
    size: int
    chunks: Callable[[], Iterator[bytes]]

    def read(self) -> bytes:
        """The content of a small member."""
        return b"".join(self.chunks())


def pack(target: BinaryIO, files: Iterable[tuple[str, BinaryIO, int]]) -> None:
    """Write a payload of files (path, content, size in bytes); the same files give the same bytes."""
    made: set[str] = set()
    with bz2.open(target, "wb") as compressed, tarfile.open(fileobj=compressed, mode="w", format=_FORMAT) as tar:
        for path, content, size in files:
            parts = path.split("/")
            for depth in range(len(parts)):
                directory = "/".join([".", *parts[:depth]])
                if directory not in made:
                    made.add(directory)
                    tar.addfile(_entry(directory, tarfile.DIRTYPE, 0o700, 0))
            tar.addfile(_entry(f"./{path}", tarfile.REGTYPE, 0o600, size), content)


def _entry(path: str, kind: bytes, mode: int, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.size = kind, mode, size
    return entry


def members(file: BinaryIO, payload_size: int) -> Iterator[Member]:
    """The files of a payload, in its order; each must be read before the next is asked for.

    Raises BadSnapshot for what no node has packed: other paths, links, devices, a payload that grows out of all
    proportion or ends early.
    """
    stream = _Unpacked(file, payload_size)
    seen: set[tuple[str, str]] = set()
    with _typed_errors():
        tar = tarfile.open(fileobj=stream, mode="r:", errors="surrogateescape")  # noqa: SIM115 - nothing to close
    for count, entry in enumerate(_entries(tar)):
        if count > MOST_MEMBERS:
            raise BadSnapshot(f"more than {MOST_MEMBERS} files")
        member = _member(tar, entry)
        if member is None:
            continue
        if member.kind != "zonefile":
            if (member.kind, member.name) in seen:
                raise BadSnapshot(f"{_shown(entry.name)}: it is there twice")
            seen.add((member.kind, member.name))
        yield member


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while True:
        with _typed_errors():
            entry = tar.next()
        if entry is None:
            return
        tar.members = []  # type: ignore[attr-defined]  # it would keep them all
        yield entry


@contextmanager
def _typed_errors() -> Iterator[None]:
    """Whatever the library stumbles over, the payload is to blame."""
    try:
        yield
    except (tarfile.TarError, RecursionError, ValueError, EOFError, OSError) as error:
        raise BadSnapshot(f"damaged: {type(error).__name__}: {error}") from None


def _member(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Member | None:
    """A file, None for a directory."""
    path = entry.name.removeprefix("./")
    if entry.isdir() and ".." not in path.split("/") and not path.startswith("/"):
        return None
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.size < 0:
        raise BadSnapshot(f"{_shown(entry.name)}: expected a file or a directory, got an entry of type {entry.type!r}")

    def chunks() -> Iterator[bytes]:
        content = tar.extractfile(entry)
        assert content is not None, "it is a file"
        left = entry.size
        while left:
            with _typed_errors():
                chunk = content.read(min(left, _READ_AT_ONCE))
            if not chunk:
                raise BadSnapshot(f"{_shown(entry.name)}: {left} bytes are missing")
            left -= len(chunk)
            yield chunk

    if database := _DATABASE.fullmatch(path):
        return Member("database", database[1], int(database[2]), entry.size, chunks)
    if keychain := _KEYCHAIN.fullmatch(path):
        return _small(Member("keychain", keychain[1], None, entry.size, chunks), LONGEST_KEYCHAIN)
    if path.startswith("zonefiles/") and ".." not in path.split("/"):
        return _small(Member("zonefile", path, None, entry.size, chunks), MAX_ZONEFILE_SIZE)
    raise BadSnapshot(f"{_shown(entry.name)}: expected backups, zone files and keychains only")


def _small(member: Member, most: int) -> Member:
    if member.size > most:
        raise BadSnapshot(f"{_shown(member.name)}: {member.size} bytes, expected at most {most}")
    return member


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 80 else f"{name[:77]}...")


class _Unpacked(io.RawIOBase):
    """The tar in a payload, forward only and in small pieces, up to a size that fits that of the payload."""

    def __init__(self, file: BinaryIO, payload_size: int) -> None:
        self._file = file
        self._left = payload_size
        self._most = _FREE_BYTES + EXPANSION * payload_size
        self._decompressor = bz2.BZ2Decompressor()
        self._position = 0
        file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position < self._position:
            raise BadSnapshot("damaged: expected files one after the other")
        while self._position < position:
            if not self.read(min(position - self._position, _READ_AT_ONCE)):
                raise BadSnapshot("damaged: it ends in the middle of a file")
        return position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _READ_AT_ONCE:
            raise BadSnapshot(f"damaged: expected headers of at most {_LONGEST_HEADER} bytes")
        pieces = bytearray()
        while len(pieces) < size:
            piece = self._some(size - len(pieces))
            if not piece:
                break
            pieces += piece
        self._position += len(pieces)
        if self._position > self._most:
            raise BadSnapshot(f"it unpacks to more than {self._most} bytes, {EXPANSION} for each that it has")
        return bytes(pieces)

    def _some(self, most: int) -> bytes:
        decompressor = self._decompressor
        while not decompressor.eof:
            given = b""
            if decompressor.needs_input:
                given = self._file.read(min(self._left, _READ_AT_ONCE))
                self._left -= len(given)
                if not given:
                    raise BadSnapshot("damaged: the compressed data end early")
            piece = decompressor.decompress(given, most)
            if piece:
                return piece
        return b""
