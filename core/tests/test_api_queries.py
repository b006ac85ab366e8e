"""Look-ups in a state with many names: what they find, and that they find it by an index."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from bns.api import listings, lookups
from bns.api.methods import call
from bns.api.records import NodeView
from bns.api.text import json_text
from bns.params import Params
from bns.state import queries
from bns.state.store import State
from tests.api_nodes import make_node

if TYPE_CHECKING:
    from collections.abc import Iterator

CREATOR = "mr6nrMvvh44sR5MiX929mMXP5hqgaTr6fx"
MANY = 2000
FIRST = 1000
EXPIRED = 10_000_000


def test_a_price_beyond_64_bits() -> None:
    node = make_node("fuzz/wild_3")
    namespace = node.state.namespace("id")
    assert namespace is not None
    node.state._namespaces["id"] = replace(namespace, coeff=255, base=255, buckets=(15,) * 16)
    try:
        amount = listings.name_cost(node, "aei.id")["amount"]
        assert amount > 2**64
        assert json.loads(json_text(call(node, "get_name_cost", ["aei.id"])))["amount"] == amount
    finally:
        node.state._namespaces["id"] = namespace


def test_json_is_ascii() -> None:
    assert json_text({"a": "ö<&"}) == '{"a": "\\u00f6<&"}'
    assert json.loads(json_text("plain")) == "plain"


@pytest.mark.parametrize(
    ("name", "height", "ops"),
    [
        ("foo1.test", 691, None),
        ("foo1.test", 692, ["?"]),
        ("foo1.test", 693, [":"]),
        ("foo1.test", 694, ["+"]),
        ("foo1.test", 695, ["+"]),
        ("foo1.test", EXPIRED, None),
        ("nosuch.test", 693, None),
    ],
)
def test_names_at_a_block(name: str, height: int, ops: list[str] | None) -> None:
    node = make_node()
    states = lookups.name_at(node, name, height)["records"]
    assert (states and [state["op"] for state in states]) == ops
    historic = lookups.historic_name_at(node, name, height)["records"]
    assert historic == (states if height < EXPIRED else lookups.name_at(node, name, 694)["records"])


def test_operations_come_in_one_sequence() -> None:
    node = make_node("name_pre_reg_quota_sameblock")
    heights = range(node.params.first_block, node.state.last_block + 1)
    height = max(heights, key=lambda at: queries.count_operations_at(node.state, at))
    count = call(node, "get_num_blockstack_ops_at", [height])["count"]
    assert count > 20
    pages = [call(node, "get_blockstack_ops_at", [height, at, 10])["nameops"] for at in range(0, count + 10, 10)]
    joined = [operation["txid"] for page in pages for operation in page]
    assert len(joined) == len(set(joined)) == count
    assert pages[-1] == []


# A state with many names of one creator


@pytest.fixture(scope="module")
def crowd() -> Iterator[State]:
    source = make_node("name_pre_reg_up_xfer").state
    state = State.memory(Params.from_reference_env({}))
    source.connection.backup(state.connection)
    crowded = State(state.connection, source.params)
    execute = crowded.connection.execute
    columns = [row[1] for row in execute("PRAGMA table_info(name_records)")]
    row = dict(zip(columns, execute("SELECT * FROM name_records").fetchone(), strict=True))
    for index in range(MANY):
        values = {**row, "name": f"many{index:05d}.test", "address": CREATOR, "revoked": index % 2}
        marks = ", ".join(f":{column}" for column in columns)
        execute(f"INSERT INTO name_records VALUES ({marks})", values)
        execute(
            "INSERT INTO history SELECT txid, ?, ?, ?, ?, ':', opcode, value_hash, history_data FROM history "
            "WHERE creator_address IS NOT NULL LIMIT 1",
            (values["name"], CREATOR, FIRST + index // 10, index % 10),
        )
    yield crowded
    crowded.close()
    state.close()


def plan(state: State, call: Any) -> list[str]:
    """How SQLite finds what a call asks for."""
    asked: list[str] = []
    state.connection.set_trace_callback(asked.append)
    try:
        call()
    finally:
        state.connection.set_trace_callback(None)
    rows = [state.connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall() for query in asked]
    return [detail for steps in rows for *_, detail in steps]


def test_identifiers_are_counted_in_their_index_alone(crowd: State) -> None:
    steps = plan(crowd, lambda: queries.creation_index(crowd, "many01999.test"))
    assert any("USING COVERING INDEX history_creator (creator_address=?" in step for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps)
    assert queries.creation_index(crowd, "many01999.test") == (CREATOR, MANY - 1)
    assert queries.creation_index(crowd, "many00000.test") == (CREATOR, 0)
    found = queries.creation(crowd, CREATOR, MANY - 1)
    assert found == ("many01999.test", FIRST + 199, 9)
    assert queries.creation(crowd, CREATOR, MANY) is None
    assert queries.creation(crowd, CREATOR, 10**18) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda state: queries.names_owned_by(state, CREATOR),
        lambda state: queries.states_at(state, "foo.test", 693),
        lambda state: queries.history_page(state, "foo.test", 0, 20),
        lambda state: queries.has_used_value_hash(state, "foo.test", "0" * 40),
        lambda state: queries.count_operations_at(state, 693),
        lambda state: queries.operations_at(state, 693),
        lambda state: queries.creations(state, CREATOR, 10, 10),
    ],
)
def test_no_look_up_reads_a_whole_table(crowd: State, call: Any) -> None:
    steps = plan(crowd, lambda: call(crowd))
    assert steps
    assert [step for step in steps if step.startswith("SCAN") and not re.search("CONSTANT|subquery", step)] == []


def test_lists_of_names(crowd: State) -> None:
    node = NodeView(crowd, lambda _: None)
    assert queries.count_names(crowd) == MANY + 1
    pages = [listings.all_names(node, at, 100)["names"] for at in range(0, MANY + 200, 100)]
    joined = [name for page in pages for name in page]
    assert joined == sorted(joined)
    assert len(set(joined)) == MANY + 1
    assert queries.names_page(crowd, 0, 100, namespace_id="test") == pages[0]
    assert queries.names_page(crowd, 0, 100, namespace_id="other") == []
    owned = queries.names_owned_by(crowd, CREATOR)
    assert len([name for name in owned if name.startswith("many")]) == MANY // 2
