"""States in files through everything that can happen to a file and to the process that writes it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from bns.engine import Engine
from bns.params import Params
from bns.state import files
from bns.state.files import DatabaseError, DatabaseLocked
from bns.state.store import State
from tests.files import PARAMS, assert_in_step, busy_blocks, fresh, index, names_in, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bns.engine import Block


@pytest.fixture
def blocks() -> Sequence[Block]:
    return busy_blocks()


def test_kill_and_power_cut_are_provided_for(tmp_path: Path) -> None:
    state = State.create(tmp_path / "bns.db", PARAMS)
    assert state.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert state.connection.execute("PRAGMA synchronous").fetchone() == (1,)  # NORMAL
    state.close()
    assert names_in(tmp_path) == ["bns.db", "bns.db.lock"]


# Several at once

_WRITER = """
import sys
from pathlib import Path
from bns.params import Params
from bns.state.store import State
state = State.create(Path(sys.argv[1]), Params.regtest(first_block=100))
print("writing", flush=True)
sys.stdin.read()
"""


def test_another_process_that_writes_is_noticed_and_so_is_its_death(tmp_path: Path) -> None:
    path, params = tmp_path / "bns.db", Params.regtest(first_block=100)
    command = [sys.executable, "-c", _WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        with pytest.raises(DatabaseLocked, match=r"bns\.db: another process writes to it: stop that one first"):
            State.open(path, params)
        writer.kill()
        writer.wait()
    State.open(path, params).close()


def test_another_program_that_keeps_the_database_locked(
    tmp_path: Path, blocks: Sequence[Block], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.05)
    path = tmp_path / "bns.db"
    state = State.create(path, PARAMS)
    index(state, blocks[:3])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLocked, match="another program has kept it locked"):
            index(state, blocks)
        assert_in_step(state)
        other.execute("ROLLBACK")
    index(state, blocks)
    assert tables(state) == fresh(blocks)
    state.close()


def test_readers_see_whole_blocks_only(tmp_path: Path, blocks: Sequence[Block]) -> None:
    path = tmp_path / "bns.db"
    state = State.create(path, PARAMS)
    engine = Engine(PARAMS, state)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        for block in blocks[:20]:
            before = reader.execute("SELECT max(block_id), (SELECT count(*) FROM history) FROM snapshots").fetchone()
            with state.group():
                engine.apply(block)
                query = "SELECT max(block_id), (SELECT count(*) FROM history) FROM snapshots"
                assert reader.execute(query).fetchone() == before
            assert reader.execute("SELECT max(block_id) FROM snapshots").fetchone() == (block.height,)
    state.close()


# Interruptions


class Interrupting:
    """A connection that is interrupted right after a statement, as by a signal."""

    def __init__(self, connection: sqlite3.Connection, after: str) -> None:
        self._connection = connection
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        cursor = self._connection.execute(statement, *values)
        if statement.startswith(self._after):
            self._after = "nothing any more"
            raise KeyboardInterrupt
        return cursor


@pytest.mark.parametrize(
    "after", ["BEGIN", "INSERT INTO history", "INSERT INTO snapshots", "DELETE FROM undo", "COMMIT"]
)
def test_an_interrupted_block_is_stored_or_not(tmp_path: Path, blocks: Sequence[Block], after: str) -> None:
    path = tmp_path / "bns.db"
    state = State.create(path, PARAMS)
    index(state, blocks[:5])
    connection = state.connection
    state.connection = Interrupting(connection, after)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        index(state, blocks)
    state.connection = connection
    assert_in_step(state)
    assert tables(state) == fresh([block for block in blocks if block.height <= state.last_block])
    index(state, blocks)
    assert tables(state) == fresh(blocks)
    state.close()


@pytest.mark.parametrize("after", ["BEGIN", "DELETE FROM preorders", "DELETE FROM undo", "COMMIT"])
def test_an_interrupted_roll_back_happened_or_not(tmp_path: Path, blocks: Sequence[Block], after: str) -> None:
    state = State.create(tmp_path / "bns.db", PARAMS)
    index(state, blocks)
    connection = state.connection
    state.connection = Interrupting(connection, after)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        state.rollback_to(blocks[20].height)
    state.connection = connection
    assert_in_step(state)
    index(state, blocks)
    found, wanted = tables(state), fresh(blocks)
    del found["meta"], wanted["meta"]  # how far one can roll back
    assert found == wanted
    state.close()


def fail_in(context: AbstractContextManager[None], act: Callable[[], object]) -> None:
    with context:
        act()
        raise ZeroDivisionError


def test_an_error_in_a_group_undoes_the_group(blocks: Sequence[Block]) -> None:
    state = State.memory(PARAMS)
    index(state, blocks[:5])
    before = tables(state)
    with pytest.raises(ZeroDivisionError):
        fail_in(state.group(), lambda: index(state, blocks[:30]))
    assert_in_step(state)
    assert tables(state) == before
    with state.group():
        index(state, blocks)
    assert tables(state) == fresh(blocks)


def test_a_block_that_failed_is_not_stored_by_a_group_that_goes_on(blocks: Sequence[Block]) -> None:
    state = State.memory(PARAMS)
    before = tables(state)

    def swallow() -> None:
        with state.group():
            index(state, blocks[:5])
            with pytest.raises(ZeroDivisionError):
                fail_in(state.block(state.last_block + 1), lambda: state.connection.execute("DELETE FROM snapshots"))

    with pytest.raises(sqlite3.OperationalError, match="no transaction is active"):
        swallow()
    assert_in_step(state)
    assert tables(state) == before


# What a killed or careless process leaves


def copy(source: Path, target: Path, *suffixes: str) -> Path:
    target.mkdir()
    for suffix in suffixes:
        (target / f"bns.db{suffix}").write_bytes(source.with_name(source.name + suffix).read_bytes())
    return target / "bns.db"


def listing(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Every file but the lock, with its bytes and the time of its last change."""
    entries = (entry for entry in directory.iterdir() if entry.suffix != ".lock")
    return {entry.name: (entry.read_bytes(), entry.stat().st_mtime_ns) for entry in entries}


def test_an_unfinished_new_database_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "bns.db.new").write_bytes(b"SQLite format 3\0 and no more")
    State.create(tmp_path / "bns.db", PARAMS).close()
    assert names_in(tmp_path) == ["bns.db", "bns.db.lock"]


def test_the_log_of_a_killed_process_is_taken_up(tmp_path: Path, blocks: Sequence[Block]) -> None:
    state = State.create(tmp_path / "bns.db", PARAMS)
    index(state, blocks)
    left = copy(tmp_path / "bns.db", tmp_path / "left", "", "-wal")
    state.close()
    state = State.open(left, PARAMS)
    assert state.last_block == blocks[-1].height
    assert tables(state) == fresh(blocks)
    state.close()


@pytest.mark.parametrize(
    ("kept", "message"), [(-1, "truncated, 1 bytes are missing"), (8192, "truncated, "), (512, "truncated, ")]
)
def test_a_truncated_database_is_refused(tmp_path: Path, blocks: Sequence[Block], kept: int, message: str) -> None:
    path = tmp_path / "bns.db"
    state = State.create(path, PARAMS)
    index(state, blocks)
    state.close()
    path.write_bytes(path.read_bytes()[:kept])
    before = listing(tmp_path)
    with pytest.raises(DatabaseError, match=rf"bns\.db: {message}.*: restore a backup, or index again"):
        State.open(path, PARAMS)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("with_log", [False, True])
@pytest.mark.parametrize("page", [7, 20, 30])
def test_a_damaged_page_is_found(tmp_path: Path, blocks: Sequence[Block], page: int, with_log: bool) -> None:
    state = State.create(tmp_path / "bns.db", PARAMS)
    index(state, blocks)
    state.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    state.rollback_to(blocks[-2].height)
    if not with_log:
        state.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = copy(tmp_path / "bns.db", tmp_path / "left", "", "-wal")
    state.close()
    data = bytearray(path.read_bytes())
    data[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    path.write_bytes(data)
    if not with_log:
        (tmp_path / "left" / "bns.db-wal").unlink()
    before = listing(tmp_path / "left")
    with pytest.raises(DatabaseError, match=r"bns\.db: (damaged|expected)"):
        State.open(path, PARAMS)
    assert listing(tmp_path / "left") == before


def test_missing_blocks_are_noticed(tmp_path: Path, blocks: Sequence[Block]) -> None:
    path = tmp_path / "bns.db"
    state = State.create(path, PARAMS)
    index(state, blocks)
    state.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM snapshots WHERE block_id = ?", (blocks[7].height,))
        connection.commit()
    with pytest.raises(DatabaseError, match=r"damaged \(blocks are missing\)"):
        State.open(path, PARAMS)
    with pytest.raises(DatabaseError, match=r"damaged \(blocks are missing\)"):  # and the lock was given back
        State.open(path, PARAMS)


def test_damage_that_shows_later_is_named(
    tmp_path: Path, blocks: Sequence[Block], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a database that is too large to be checked as a whole."""
    monkeypatch.setattr(files, "QUICK_CHECK_LIMIT", 0)
    path = tmp_path / "bns.db"
    state = State.create(path, PARAMS)
    index(state, blocks[:40])
    state.close()
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'history'").fetchone()
    data = bytearray(path.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(data)
    state = State.open(path, PARAMS)
    with pytest.raises(DatabaseError, match=r"bns\.db: damaged \(database disk image is malformed\)"):
        index(state, blocks)
    assert_in_step(state)
    state.close()
