"""Stores of zone files (spec 04 section 3)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput
from bns.zonefiles.store import MAX_ZONEFILE_SIZE, MemoryZonefiles, ZonefileStore, zonefile_hash

if TYPE_CHECKING:
    from bns.zonefiles.store import Zonefiles

DATA = b"$ORIGIN foo.test\n"
HASH = zonefile_hash(DATA)
CORE = Path(__file__).parents[1]


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Zonefiles:
    return MemoryZonefiles() if request.param == "memory" else ZonefileStore(tmp_path / "zonefiles")


def test_put_and_get(store: Zonefiles) -> None:
    assert store.get(HASH) is None
    assert store.put(DATA) == HASH
    assert store.put(DATA) == HASH
    assert store.get(HASH) == DATA
    assert store.get("00" * 20) is None


def test_the_greatest_zonefile(store: Zonefiles) -> None:
    data = b"x" * MAX_ZONEFILE_SIZE
    assert store.get(store.put(data)) == data
    with pytest.raises(InvalidInput, match="at most 40960 bytes, got 40961"):
        store.put(data + b"x")


def test_an_empty_zonefile_is_never_there(store: Zonefiles) -> None:
    assert store.get(store.put(b"")) is None


@pytest.mark.parametrize("hash_", ["", "..", "../../etc/passwd", "x" * 40, HASH.upper(), HASH + "0"])
def test_what_is_no_hash_is_not_found(store: Zonefiles, hash_: str) -> None:
    store.put(DATA)
    assert store.get(hash_) is None


def test_where_the_file_is(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "zonefiles"
    store = ZonefileStore(directory)
    store.put(DATA)
    path = directory / HASH[:2] / HASH[2:4] / f"{HASH}.txt"
    assert path.read_bytes() == DATA
    assert [found for found in directory.rglob("*") if found.is_file()] == [path]
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_old_place_is_read(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*(HASH[at : at + 2] for at in range(0, 40, 2)), "zonefile.txt")
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    store = ZonefileStore(tmp_path)
    assert store.get(HASH) == DATA
    store.path(HASH).write_bytes(b"damaged")
    assert store.get(HASH) == DATA


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA + b"x"])
def test_a_damaged_file_is_absent_until_it_is_put_again(tmp_path: Path, damage: bytes) -> None:
    store = ZonefileStore(tmp_path)
    store.put(DATA)
    store.path(HASH).write_bytes(damage)
    assert store.get(HASH) is None
    store.put(DATA)
    assert store.get(HASH) == DATA


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ZonefileStore(tmp_path)

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        store.put(DATA)
    assert store.get(HASH) is None
    assert not [found for found in tmp_path.rglob("*") if found.is_file()]


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """A second process rewrites the same zone files all the time; a reader finds each whole, each time."""
    files = [bytes([number]) * MAX_ZONEFILE_SIZE for number in range(1, 4)]
    store = ZonefileStore(tmp_path)
    hashes = [store.put(data) for data in files]
    writer = (
        "import sys; from pathlib import Path; from bns.zonefiles.store import *\n"
        "store = ZonefileStore(Path(sys.argv[1])); print('ready', flush=True)\n"
        "while True:\n  for n in (1, 2, 3): store.put(bytes([n]) * MAX_ZONEFILE_SIZE)"
    )
    command = [sys.executable, "-c", writer, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(CORE)}) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            for _ in range(300):
                assert [store.get(hash_) for hash_ in hashes] == files
        finally:
            process.kill()


def test_threads_may_put_the_same_zonefile(tmp_path: Path) -> None:
    store = ZonefileStore(tmp_path)
    threads = [Thread(target=lambda: [store.put(DATA) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(HASH) == DATA
    assert len([found for found in tmp_path.rglob("*") if found.is_file()]) == 1
