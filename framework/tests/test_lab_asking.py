"""Scenarios ask the node's interfaces, and every answer is held against its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bnslab.checks import CHECKS
from bnslab.errors import CheckFailed
from tests.defects import rpc_changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnslab.nodes.inprocess import InProcessNode
    from tests.labs import Labs


def test_a_scenario_asks(make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace("test", by="alice")
    lab.register("foo.test", by="bob")
    bob = lab.wallet("bob").address
    assert lab.get("/v1/names/foo.test").json()["address"] == bob
    assert lab.call("get_name_record", "foo.test")["record"]["address"] == bob
    assert lab.call("get_name_record", "a<b>&c.test")["error"] == "Invalid name or subdomain"
    assert lab.call("get_consensus_hashes", [lab.height])["consensus_hashes"] == {str(lab.height): lab.consensus_hash}
    assert len(lab.exchanges) == 4
    lab.finish()


def test_the_identifier_of_a_name_whose_namespace_has_gone(make_lab: Labs) -> None:
    lab = make_lab(reveal_expire=4)
    lab.namespace_preorder("test", by="alice")
    lab.mine()
    lab.namespace_reveal("test", by="alice")
    lab.mine()
    lab.name_import("foo.test", by="alice", to="bob")
    lab.mine()
    did = lab.call("get_name_DID", "foo.test")["did"]
    assert lab.call("get_DID_record", did)["record"]["name"] == "foo.test"
    lab.mine(4)
    assert lab.call("get_DID_record", did)["error"] == "DID does not resolve to an existing name"
    lab.finish()


def within(key: str, **members: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda answer: {**answer, key: {**answer[key], **members}} if key in answer else answer


LIES: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]], str]] = {
    "consensus": ("get_consensus_at", lambda a: {**a, "consensus": "00" * 16}, "get_consensus_at"),
    "last block": ("get_consensus_at", lambda a: {**a, "lastblock": 1}, "get_consensus_at"),
    "ops hash": ("get_blockstack_ops_hash_at", lambda a: {**a, "ops_hash": "00" * 32}, "get_blockstack_ops_hash_at"),
    "count": ("get_num_blockstack_ops_at", lambda a: {**a, "count": 7}, "get_num_blockstack_ops_at"),
    "operations": ("get_blockstack_ops_at", lambda a: {**a, "nameops": []}, "/v1/blockchains/bitcoin/operations/"),
    "owner": ("get_name_blockchain_record", within("record", address="thief"), "get_name_blockchain_record"),
    "expiry": ("get_name_blockchain_record", within("record", expire_block=9), "/v1/blockchains/bitcoin/names/"),
    "history": ("get_name_blockchain_record", within("record", history={}), "history of foo.test"),
    "no record": ("get_name_blockchain_record", lambda _: {"error": "Not found."}, "/v1/names/foo.test"),
    "namespace": ("get_namespace_blockchain_record", within("record", lifetime=9), "get_namespace_blockchain_record"),
    "owned": ("get_names_owned_by_address", lambda a: {**a, "names": ["x.test"]}, "get_names_owned_by_address"),
    "no object": ("get_names_owned_by_address", lambda a: [a], "get_names_owned_by_address"),  # type: ignore[dict-item, return-value]
    "block": ("get_block_from_consensus", lambda a: {**a, "block_id": 1}, "get_block_from_consensus"),
    "all names": ("get_num_names_cumulative", lambda a: {**a, "count": 9}, "get_num_names_cumulative"),
    "all namespaces": ("get_all_namespaces", lambda a: {**a, "namespaces": []}, "get_all_namespaces"),
}  # fmt: skip


def play(make_lab: Labs, node: type[InProcessNode]) -> None:
    lab = make_lab(node=node, skip=[check for check in CHECKS if check != "rpc"])
    lab.namespace("test", by="alice")
    lab.register("foo.test", by="bob")
    lab.finish()


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_wrong_answer_is_found(
    make_lab: Labs, lie: tuple[str, Callable[[dict[str, Any]], dict[str, Any]], str]
) -> None:
    method, change, subject = lie
    with pytest.raises(CheckFailed) as caught:
        play(make_lab, rpc_changed(method, change))
    assert caught.value.check == "rpc"
    assert caught.value.subject.startswith(subject)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (within("record", more=1), "not OneName: Object contains unknown field `more`"),
        (within("record", op_fee="1"), "not OneName: Expected `float`"),
        (lambda a: {**a, "indexing": 0}, "not OneName: Expected `bool`"),
        (lambda _: {"error": "no", "http_status": 404}, "the error 'no'"),
    ],
)
def test_an_answer_of_another_shape_is_found(make_lab: Labs, change: Any, fault: str) -> None:
    lab = make_lab(node=rpc_changed("get_name_record", change))
    lab.namespace("test", by="alice")
    lab.register("foo.test", by="bob")
    lab.call("get_name_record", "foo.test")
    with pytest.raises(CheckFailed) as caught:
        lab.mine()
    assert (caught.value.check, caught.value.expected) == ("schemas", "a documented answer")
    assert caught.value.subject == 'get_name_record("foo.test")'
    assert caught.value.reason.startswith(fault)


def test_what_a_scenario_asks_last_is_looked_at_too(make_lab: Labs) -> None:
    lab = make_lab(node=rpc_changed("ping", lambda a: {**a, "more": 1}))
    lab.mine()
    lab.call("ping")
    with pytest.raises(CheckFailed, match=r"ping\(\)"):
        lab.finish()


def test_a_target_that_is_none(make_lab: Labs) -> None:
    with pytest.raises(Exception, match="expected ASCII that starts with a slash"):
        make_lab().get("v1/info")
