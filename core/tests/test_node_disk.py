"""States on disks that are full or cannot be written to."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

from bns.state.files import DatabaseError, DiskFull
from bns.state.store import State
from tests.files import PARAMS, assert_in_step, busy_blocks, fresh, index, names_in, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bns.engine import Block


@pytest.fixture
def blocks() -> Sequence[Block]:
    return busy_blocks()


@contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    """A small file system in memory; the test is skipped, and says so, where none can be mounted."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a file system (needs root): {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def test_a_full_disk_as_sqlite_tells_it(tmp_path: Path, blocks: Sequence[Block]) -> None:
    path = tmp_path / "bns.db"
    state = State.create(path, PARAMS)
    (pages,) = state.connection.execute("PRAGMA page_count").fetchone()
    state.connection.execute(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(DiskFull, match=r"bns\.db: the disk is full: make room and start again") as full:
        index(state, blocks)
    assert full.value.path == path
    assert_in_step(state)
    reached = state.last_block
    assert tables(state) == fresh([block for block in blocks if block.height <= reached])
    state.connection.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    index(state, blocks)
    assert tables(state) == fresh(blocks)
    state.close()


def test_a_full_disk_as_the_system_tells_it(tmp_path: Path, blocks: Sequence[Block]) -> None:
    place = tmp_path / "small"
    with mounted(place, "size=1m"):
        path = place / "bns.db"
        state = State.create(path, PARAMS)
        for _ in range(3):
            with pytest.raises(DiskFull, match="make room and start again"):
                index(state, blocks)
            assert_in_step(state)
        reached = state.last_block
        assert PARAMS.first_block < reached < blocks[-1].height
        state.close()
        remount(place, "size=16m")
        state = State.open(path, PARAMS)
        assert state.last_block == reached
        index(state, blocks)
        assert tables(state) == fresh(blocks)
        state.close()


def test_a_disk_too_full_to_begin_on(tmp_path: Path) -> None:
    place = tmp_path / "small"
    with mounted(place, "size=16k"):
        with pytest.raises(DiskFull):
            State.create(place / "bns.db", PARAMS)
        assert names_in(place) == ["bns.db.lock"]


def test_a_group_on_a_full_disk_is_given_up_as_a_whole(tmp_path: Path, blocks: Sequence[Block]) -> None:
    state = State.create(tmp_path / "bns.db", PARAMS)
    index(state, blocks[:5])
    before = tables(state)
    (pages,) = state.connection.execute("PRAGMA page_count").fetchone()
    state.connection.execute(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(DiskFull), state.group():
        index(state, blocks)
    assert_in_step(state)
    assert tables(state) == before
    state.close()


def test_a_place_that_cannot_be_written_to(tmp_path: Path, blocks: Sequence[Block]) -> None:
    """A directory without the right to write; for root, whom rights do not stop, a file system mounted read-only."""
    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    with nullcontext() if os.geteuid() else mounted(place, "size=16m"):
        state = State.create(place / "bns.db", PARAMS)
        index(state, blocks[:3])
        state.close()
        (place / "bns.db.lock").unlink()
        if os.geteuid():
            place.chmod(0o555)
        else:
            remount(place, "ro")
        with pytest.raises(DatabaseError, match=r"bns\.db: cannot be used: (Read-only|Permission)"):
            State.open(place / "bns.db", PARAMS)
        with pytest.raises(DatabaseError, match=r"new\.db: cannot be used"):
            State.create(place / "new.db", PARAMS)
        assert names_in(place) == ["bns.db"]
