"""Random snapshots and near-misses, made from a seed, and read as a node reads them (benchmarks/fuzz_parsers.py)."""

from __future__ import annotations

import bz2
import io
import sqlite3
import tarfile
import tempfile
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bns.bitcoin.keys import PrivateKey
from bns.node.snapshots import archive, contents, databases
from bns.node.snapshots.archive import BadSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

KEY = PrivateKey.from_label("fuzz")
NAMES = (
    "./backups/blockstack-server.snapshots.bak.7", "./backups/subdomains.db.bak.7",
    "./backups/subdomains.db.queue.bak.7", "./backups/atlas.db.bak.7", "./backups/atlas.db.bak.8", "./test.keychain",
    "./zonefiles/aa/bb/x.txt", "./zonefiles", "../x", "/x", "./zonefiles/../../x", "./backups/x", "",
    "./" + "z" * 300, "./zonefiles/\udcff",
)  # fmt: skip
KINDS = (b"0", b"0", b"0", b"0", b"\0", b"5", b"1", b"2", b"3", b"S", b"x", b"g", b"L", b"K", b"7", b"?")
HEX = b"0123456789abcdefg x"


@cache
def database(place: int) -> bytes:
    """One of the databases that are read, with a few rows."""
    tables = (
        "CREATE TABLE snapshots (block_id, timestamp, consensus_hash, ops_hash); CREATE TABLE chainstate (x);"
        "INSERT INTO snapshots VALUES (7, 0, 'aa', NULL), (8, 0, 'bb', 'cc')",
        "CREATE TABLE subdomain_records (fully_qualified_subdomain, parent_zonefile_index, accepted, zonefile_offset);"
        "INSERT INTO subdomain_records VALUES ('a.b.c', 1, 1, 0), ('d.b.c', 1, 0, 1)",
        "CREATE TABLE queue (name, queue_id, data);"
        """INSERT INTO queue VALUES ('aa', 'zonefiles', '{"zonefile_hash": "aa", "block_height": 7}')""",
        "CREATE TABLE zonefiles (inv_index, present); INSERT INTO zonefiles VALUES (1, 1), (2, 0)",
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(f"PRAGMA page_size = 512; {tables[place]}")
        return bytes(connection.serialize())


def spoiled(choose: Random, data: bytes) -> bytes:
    """With some bytes changed, removed or added."""
    changed = bytearray(data)
    for _ in range(choose.choice((0, 0, 1, 1, 3, 20))):
        if changed:
            changed[choose.randrange(len(changed))] = choose.randrange(256)
    return bytes(
        changed[: choose.choice((len(changed), len(changed), len(changed), choose.randrange(len(changed) + 1)))]
    )


def tar(choose: Random) -> bytes:
    """A tar of things that a node packs and of others."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=choose.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))) as made:
        for _ in range(choose.choice((0, 1, 2, 5))):
            place = choose.randrange(len(NAMES))
            data = (
                spoiled(choose, database(min(place, 3))) if place < 5 else choose.randbytes(choose.choice((0, 10, 600)))
            )
            entry = tarfile.TarInfo(NAMES[place])
            entry.type, entry.size, entry.linkname = choose.choice(KINDS), len(data), choose.choice(("", "../x", "/x"))
            made.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def snapshot(choose: Random) -> bytes:
    """A snapshot, spoiled at one of its layers."""
    layer = choose.randrange(4)
    plain = tar(choose)
    payload = bz2.compress(spoiled(choose, plain) if layer == 0 else plain, choose.choice((1, 9)))
    file = io.BytesIO(spoiled(choose, payload) if layer == 1 else payload)
    archive.sign_new(file, KEY)
    whole = file.getvalue()
    if layer == 2:
        return whole[:-8] + bytes(choose.choices(HEX, k=8))
    return spoiled(choose, whole) if layer == 3 else whole


def junk(choose: Random) -> bytes:
    """Any bytes, with an end that may pass for a trailer."""
    return choose.randbytes(choose.choice((0, 5, 100, 2000))) + choose.choice(
        (b"", b"00000000", b"AAAA0000000400000001")
    )


MAKERS: tuple[Callable[[Random], bytes], ...] = (snapshot, snapshot, snapshot, junk)


def read(data: bytes) -> bool:
    """Everything that looks at a snapshot before its transactions are replayed; signatures are not insisted on."""
    file = io.BytesIO(data)
    try:
        trailer = archive.read_trailer(file)
        with suppress(archive.NotSigned):
            archive.verify(file, [KEY.public_key], 1)
        for member in contents.members(file, trailer.payload_size):
            content = member.read()
            if member.kind == "database":
                _look_into(member.name, content)
    except BadSnapshot:
        return False
    return True


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Goes with the process."""
    return tempfile.TemporaryDirectory(prefix="bnslab-fuzz-")


def _look_into(name: str, content: bytes) -> None:
    directory = Path(_scratch().name)
    (directory / name).write_bytes(content)
    match name:
        case contents.HASHES:
            databases.check_chainstate(directory)
            databases.read_hashes(directory)
        case contents.SUBDOMAINS:
            list(databases.read_subdomains(directory))
        case contents.QUEUE:
            list(databases.read_queue(directory))
        case contents.ATLAS:
            databases.read_present(directory)
        case _:
            pass
