"""Verification of a database against one consensus hash, on chains that the reference has indexed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput
from bns.node.expected import Diverged, UnreadableSnapshots, read_expected
from bns.node.verify import BadChainstate, verify
from bns.state.store import State
from tests.api_nodes import replay
from tests.files import PARAMS, busy_blocks, index

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LAST = busy_blocks()[-1].height
NONE: Mapping[int, str] = {}


def keep(state: State, directory: Path) -> Path:
    """The state as a file; the directory."""
    directory.mkdir(exist_ok=True)
    with closing(sqlite3.connect(directory / "blockstack-server.db")) as target:
        state.connection.backup(target)
    return directory


@pytest.fixture
def indexed() -> State:
    state = State.memory(PARAMS)
    index(state, busy_blocks())
    return state


def tip_hash(state: State) -> str:
    hash_ = state.consensus_hash(state.last_block)
    assert hash_ is not None
    return hash_


@pytest.mark.parametrize("name", ["name_pre_regup_subdomain_lookups", "extra_many_ops", "name_imp_xfer_up"])
def test_chains_of_the_reference(name: str, tmp_path: Path) -> None:
    node = replay(name)
    last = node.state.last_block
    directory = keep(node.state, tmp_path)
    fresh = State.memory(node.params)
    heights: list[int] = []
    verify(directory, fresh, last, tip_hash(node.state), expected=NONE, report=heights.append)
    assert heights == list(range(node.params.first_block, last + 1))
    for height in heights:
        assert fresh.consensus_hash(height) == node.state.consensus_hash(height)


def test_a_database_in_the_form_of_the_reference(indexed: State, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "blockstack-server.snapshots")) as target:
        target.execute("CREATE TABLE snapshots (block_id INT, timestamp INT, consensus_hash TEXT, ops_hash TEXT)")
        columns = "txid, txindex, block_id, vtxindex, opcode, data_hex, senders, tx_hex, tx_merkle_path, fee"
        target.execute(f"CREATE TABLE chainstate ({columns})")
        rows = indexed.connection.execute("SELECT block_id, 0, consensus_hash, ops_hash FROM snapshots")
        target.executemany("INSERT INTO snapshots VALUES (?, ?, ?, ?)", rows)
        rows = indexed.connection.execute(f"SELECT {columns.replace('tx_merkle_path', chr(39) * 2)} FROM chainstate")
        target.executemany("INSERT INTO chainstate VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        target.commit()
    expected = read_expected(tmp_path / "blockstack-server.snapshots")
    assert expected[LAST] == tip_hash(indexed)
    verify(tmp_path, State.memory(PARAMS), LAST, tip_hash(indexed), expected=expected)


@pytest.mark.parametrize(
    "forgery",
    [
        "DELETE FROM chainstate WHERE block_id = {middle} AND vtxindex = 0",
        "UPDATE chainstate SET senders = replace(senders, '76a9', '76a8') WHERE block_id = {middle}",
        "UPDATE chainstate SET block_id = block_id + 1 WHERE block_id = {last}",
    ],
)
def test_forgeries_are_found(forgery: str, indexed: State, tmp_path: Path) -> None:
    directory = keep(indexed, tmp_path)
    with closing(sqlite3.connect(directory / "blockstack-server.db")) as forged:
        forged.execute(forgery.format(middle=LAST - 20, last=LAST))
        forged.commit()
    with pytest.raises(Diverged, match=f"block {LAST}: expected consensus hash {tip_hash(indexed)}, got "):
        verify(directory, State.memory(PARAMS), LAST, tip_hash(indexed), expected=NONE)


def test_what_the_tables_of_names_say_does_not_count(indexed: State, tmp_path: Path) -> None:
    directory = keep(indexed, tmp_path)
    with closing(sqlite3.connect(directory / "blockstack-server.db")) as forged:
        forged.execute("DELETE FROM name_records")
        forged.execute("UPDATE snapshots SET consensus_hash = 'forged'")
        forged.commit()
    fresh = State.memory(PARAMS)
    verify(directory, fresh, LAST, tip_hash(indexed), expected=NONE)
    assert fresh.name("name3.test") == indexed.name("name3.test")


def test_expected_hashes_below_count_too(indexed: State, tmp_path: Path) -> None:
    directory = keep(indexed, tmp_path)
    with pytest.raises(Diverged) as found:
        verify(directory, State.memory(PARAMS), LAST, tip_hash(indexed), expected={LAST - 5: "00" * 16})
    assert found.value.height == LAST - 5


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("UPDATE chainstate SET tx_hex = '00'", "ParseError"),
        ("UPDATE chainstate SET txid = 'aa'", "transaction aa: its bytes are those of"),
        ("UPDATE chainstate SET senders = '[]'", r"1 inputs, 0 senders"),
        ("UPDATE chainstate SET senders = '{}}'", "JSONDecodeError"),
        ("DROP TABLE chainstate", "expected a database with the table chainstate"),
    ],
)
def test_damage_is_named(damage: str, complaint: str, indexed: State, tmp_path: Path) -> None:
    directory = keep(indexed, tmp_path)
    with closing(sqlite3.connect(directory / "blockstack-server.db")) as damaged:
        damaged.execute(damage)
        damaged.commit()
    with pytest.raises(BadChainstate, match=complaint):
        verify(directory, State.memory(PARAMS), LAST, tip_hash(indexed), expected=NONE)


def test_heights_that_are_not_there(indexed: State, tmp_path: Path) -> None:
    directory = keep(indexed, tmp_path)
    for height in (PARAMS.first_block - 1, LAST + 1):
        with pytest.raises(InvalidInput, match="height to verify"):
            verify(directory, State.memory(PARAMS), height, "00" * 16, expected=NONE)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"snapshots": [1]}', '{"snapshots": {"x": "y"}}', '{"snapshots": {"5": "abc"}}']
)
def test_unreadable_expected_hashes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "expected.json"
    path.write_text(text)
    with pytest.raises(UnreadableSnapshots, match="expected"):
        read_expected(path)
    with pytest.raises(UnreadableSnapshots, match="No such file"):
        read_expected(tmp_path / "nothing")
