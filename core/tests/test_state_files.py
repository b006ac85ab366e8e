"""States in files: the same as in memory, and never the wrong file (spec 03 section 1)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.transaction import ParseError
from bns.engine import Block
from bns.errors import InvalidInput
from bns.params import Params
from bns.state.files import DatabaseError, DatabaseLocked
from bns.state.store import UNDO_DEPTH, State
from tests.chain import Chain, rules
from tests.golden import load
from tests.test_state import index, tables

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_holds_what_memory_holds(tmp_path: Path) -> None:
    golden = load("wild_3")
    memory = State.memory(golden.params)
    hashes = index(memory, golden.blocks)
    path = tmp_path / "state.db"
    half = len(golden.blocks) // 2
    state = State.create(path, golden.params)
    assert index(state, golden.blocks[:half]) == hashes[:half]
    state.close()
    state = State.open(path, golden.params)
    assert state.last_block == golden.blocks[half - 1].height
    assert index(state, golden.blocks[half:]) == hashes[half:]
    assert tables(state) == tables(memory)
    state.rollback_to(golden.blocks[half - 1].height)
    state.close()
    state = State.open(path, golden.params)
    assert index(state, golden.blocks[half:]) == hashes[half:]
    assert tables(state) == tables(memory)
    state.close()


@pytest.mark.parametrize("name", ["state?mode=ro", "50%20 off#1", "naïve ünïcode", "a'b\"c"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    chain = Chain(state=State.create(path, rules()))
    chain.mine()
    hash_ = chain.hash
    chain.state.close()
    state = State.open(path, rules())
    assert state.consensus_hash(state.last_block) == hash_
    state.close()


def test_a_failed_block_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    chain = Chain(state=State.create(path, rules())).revealed()
    before = tables(chain.state)
    chain.ready("test")
    failing = Block(chain.height, b"", chain.prevout)
    with pytest.raises(ParseError, match="80 bytes of block header"):
        chain.engine.apply(failing)
    chain.state.close()
    state = State.open(path, rules())
    assert tables(state) == before
    state.close()


def test_a_roll_back_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    chain = Chain(state=State.create(path, rules())).revealed()
    chain.mine(UNDO_DEPTH)
    chain.state.rollback_to(101)
    chain.state.close()
    state = State.open(path, rules())
    assert state.last_block == 101
    with pytest.raises(InvalidInput, match="roll-back height: expected 101 to 101, got 100"):
        state.rollback_to(100)
    state.close()


# What is not opened


def unchanged(path: Path, params: Params, message: str) -> None:
    """open refuses the file and leaves it, and what lies beside it, as it was."""
    before = {entry.name: entry.read_bytes() for entry in path.parent.iterdir() if entry.is_file()}
    with pytest.raises(DatabaseError, match=message):
        State.open(path, params)
    after = {entry.name: entry.read_bytes() for entry in path.parent.iterdir() if entry.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (Params.regtest(first_block=101), "expected first_block 101, got 100"),
        (Params(first_block=100), "expected network mainnet, got testnet"),
    ],
)
def test_another_chain_is_refused(tmp_path: Path, params: Params, message: str) -> None:
    path = tmp_path / "state.db"
    State.create(path, rules()).close()
    unchanged(path, params, message)
    State.open(path, rules()).close()


@pytest.mark.parametrize("content", [b"", b"not a database", b"not a database" * 1000, b"SQLite format 3\0"])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    unchanged(path, rules(), "expected a bns database")


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        connection.commit()
    unchanged(path, rules(), "expected a bns database, got one of another program")


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    State.create(path, rules()).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    unchanged(path, rules(), "expected schema 1, got 99")


def test_a_damaged_file_is_refused_as_often_as_it_is_tried(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    chain = Chain(state=State.create(path, rules())).opened()
    chain.state.close()
    content = bytearray(path.read_bytes())
    content[3 * 4096 :] = bytes(len(content) - 3 * 4096)  # all but the table that says whose file it is
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(DatabaseError, match="damaged"):
            State.open(path, rules())
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["missing.db", "missing/state.db", "."])
def test_where_nothing_can_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatabaseError):
        State.open(tmp_path / name, rules())
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"precious")
    with pytest.raises(InvalidInput, match="new database: expected a path where nothing is"):
        State.create(path, rules())
    assert path.read_bytes() == b"precious"


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = State.create(path, rules())
    with pytest.raises(DatabaseLocked):
        State.open(path, rules())
    state.close()
    State.open(path, rules()).close()
