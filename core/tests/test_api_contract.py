"""Everything that the interfaces document is reached through them, and what they do not document is called so."""

from __future__ import annotations

import json
import re
import xmlrpc.client
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bns.api import contract
from bns.api.methods import METHODS
from bns.api.openapi import document
from bns.api.records import NodeView
from bns.api.rest import rest_app
from bns.api.rpc import rpc_app
from bns.api.sources import Output
from bnslab.http import AsgiClient
from tests.api_nodes import OWNER, SUBDOMAIN_DID, make_node

if TYPE_CHECKING:
    from collections.abc import Sequence

LAST = 695
HASH = "11" * 20
VALID: dict[str, tuple[Any, ...]] = {
    "get_name_record": ("foo1.test",),
    "get_name_blockchain_record": ("foo1.test",),
    "get_name_history_page": ("foo1.test", 0),
    "is_name_zonefile_hash": ("foo1.test", HASH),
    "get_name_at": ("foo1.test", LAST),
    "get_historic_name_at": ("foo1.test", LAST),
    "get_name_DID": ("foo1.test",),
    "get_DID_record": (SUBDOMAIN_DID,),
    "get_names_owned_by_address": (OWNER,),
    "get_subdomains_owned_by_address": (OWNER,),
    "get_historic_names_by_address": (OWNER, 0, 10),
    "get_num_historic_names_by_address": (OWNER,),
    "get_name_cost": ("foo1.test",),
    "get_namespace_cost": ("test",),
    "get_namespace_blockchain_record": ("test",),
    "get_num_names_in_namespace": ("test",),
    "get_names_in_namespace": ("test", 0, 100),
    "get_all_names": (0, 100),
    "get_all_names_cumulative": (0, 100),
    "get_all_subdomains": (0, 100),
    "get_subdomain_ops_at_txid": ("22" * 32,),
    "get_num_blockstack_ops_at": (LAST,),
    "get_blockstack_ops_at": (LAST, 0, 10),
    "get_blockstack_ops_hash_at": (LAST,),
    "get_consensus_at": (LAST,),
    "get_consensus_hashes": ([LAST, LAST - 1],),
    "get_block_from_consensus": ("33" * 16,),
    "get_zonefiles": ([HASH],),
    "put_zonefiles": (["eA=="],),
    "get_zonefiles_by_block": (LAST - 5, LAST, 0, 100),
    "get_zonefile_inventory": (0, 10),
    "atlas_peer_exchange": ("127.0.0.1:6264",),
}
WRONG: tuple[Any, ...] = (3.5, "x", -1, 2**31 - 1, [], [1.5], ["x"], [1] * 1000, ["00" * 20] * 101, ["eA=="] * 6)

UNKNOWN_DID = f"did:stack:v0:{OWNER}-99"
NO_METHOD = "No such method"


def call(method: str, arguments: Sequence[Any], node: NodeView | None = None) -> Any:
    client = AsgiClient(rpc_app(node or make_node()))
    body = xmlrpc.client.dumps(tuple(arguments), method).encode()
    reply = client.request("POST", "/RPC2", body=body)
    ((text,), _) = xmlrpc.client.loads(reply.body.decode())
    assert isinstance(text, str)
    assert contract.fault_of_answer(method, text) is None
    return json.loads(text)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_answers(method: str) -> None:
    answer = call(method, VALID.get(method, ()))
    assert contract.outcome_of(method, answer) == (
        method,
        contract.ANSWER if METHODS[method].shapes else "No such method",
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_method_counts_its_arguments(method: str) -> None:
    answer = call(method, (*VALID.get(method, ()), 1))
    assert contract.outcome_of(method, answer) == (method, contract.CRASHED)


REFUSED = [
    pytest.param(method, place, checked, id=f"{method} {place} {checks[checked].text}")
    for method, found in METHODS.items()
    for place, checks in enumerate(found.arguments)
    for checked in range(len(checks))
]


@pytest.mark.parametrize(("method", "place", "checked"), REFUSED)
def test_an_argument_is_refused_in_the_words_of_its_check(method: str, place: int, checked: int) -> None:
    checks, node = METHODS[method].arguments[place], make_node()
    passes = [value for value in WRONG if all(check.accepts(node, value) for check in checks[:checked])]
    wrong = next(value for value in passes if not checks[checked].accepts(node, value))
    arguments = [*VALID[method][:place], wrong, *VALID[method][place + 1 :]]
    assert call(method, arguments) == {"error": checks[checked].text, "http_status": 400}


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("get_name_record", ["none.test"], "Not found."),
        ("get_name_record", ["none.foo1.test"], "Failed to load subdomain"),
        ("get_name_blockchain_record", ["none.test"], "Not found."),
        ("get_name_blockchain_record", ["none.foo1.test"], "Failed to load subdomain"),
        ("get_name_history_page", ["none.test", 0], "Not found"),
        ("get_name_DID", ["none.test"], "No DID for this name"),
        ("get_DID_record", ["did:stack:v1:x"], "Invalid DID"),
        ("get_DID_record", [SUBDOMAIN_DID.replace("-0", "-9")], "Failed to load subdomain"),
        ("get_DID_record", [UNKNOWN_DID], "Failed to resolve DID to a non-revoked name"),
        ("get_name_cost", ["foo.none"], "Unknown/invalid namespace"),
        ("get_namespace_blockchain_record", ["none"], "No such namespace"),
        ("atlas_peer_exchange", ["a:b:c"], "Invalid remote peer address"),
    ],
)
def test_what_is_not_there(method: str, arguments: list[Any], error: str) -> None:
    assert contract.outcome_of(method, call(method, arguments)) == (method, error)


@pytest.mark.parametrize(
    "method",
    [name for name, texts in contract.FAILURES.items() if {"No data", "Not an atlas node"} & set(texts)],
)
def test_a_node_without_zone_files(method: str) -> None:
    whole = make_node()
    answer = call(method, VALID.get(method, ()), NodeView(whole.state, whole.zonefile))
    assert contract.outcome_of(method, answer) in {(method, "No data"), (method, "Not an atlas node")}


def paths() -> list[str]:
    examples = {"name": "foo1.test", "namespace_id": "test", "chain": "bitcoin", "address": OWNER, "height": "690"}
    examples |= {"hash_": HASH, "txid": "22" * 32, "did": SUBDOMAIN_DID}
    return [path.format(**examples) for path, verbs in document()["paths"].items() if "get" in verbs]


@pytest.mark.parametrize("path", paths())
def test_a_doubled_parameter_is_refused_everywhere(path: str) -> None:
    reply = AsgiClient(rest_app(make_node())).get(f"{path}?page=0&page=0")
    assert (reply.status, reply.body) == (400, b"")
    assert contract.fault_of_reply("GET", path, reply.status, "text/plain", reply.body) is None


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (f"/v1/addresses/bitcoins/{OWNER}", "Unsupported blockchain"),
        ("/v1/blockchains/bitcoins/name_count", "Unsupported blockchain"),
        ("/v1/blockchains/bitcoins/names/foo1.test", "Unsupported blockchain"),
        ("/v1/blockchains/bitcoins/operations/690", "Unsupported blockchain"),
        ("/v1/blockchains/bitcoins/subdomains_count", "Unsupported blockchain"),
        ("/v1/blockchains/bitcoins/consensus", "Unsupported blockchain"),
        (f"/v1/names/foo1.test/zonefile/{'22' * 20}", "No such zonefile"),
        ("/v1/prices/names/foo.none", "Unknown/invalid namespace"),
        ("/v2/prices/names/foo.none", "Unknown/invalid namespace"),
    ],
)
def test_what_rest_does_not_find(path: str, error: str) -> None:
    reply = AsgiClient(rest_app(make_node())).get(path)
    assert (reply.status, reply.json()) == (404, {"error": error})
    assert contract.fault_of_reply("GET", path, 404, "application/json", reply.body) is None


@pytest.mark.parametrize(
    "path",
    [
        "/v1/info",
        "/v1/ping",
        "/v1/node/ping",
        "/v1/blockchains/bitcoin/consensus",
        "/v1/blockchains/bitcoin/name_count",
        "/v1/blockchains/bitcoin/subdomains_count",
    ],
)
def test_what_rest_tells_of_the_node(path: str) -> None:
    reply = AsgiClient(rest_app(make_node())).get(path)
    assert reply.status == 200
    assert contract.fault_of_reply("GET", path, 200, "application/json", reply.body) is None


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/zonefiles/{'g' * 40}",
        f"/v1/subdomains/{'g' * 64}",
        f"/v1/namespaces/{'a' * 41}/names",
        f"/v1/namespaces/{'a' * 41}/name_count",
        f"/v1/prices/namespaces/{'a' * 41}",
        f"/v2/prices/namespaces/{'a' * 41}",
    ],
)
def test_what_a_pattern_does_not_let_through(path: str) -> None:
    reply = AsgiClient(rest_app(make_node())).get(path)
    assert (reply.status, reply.json()) == (404, {"error": "No such endpoint"})
    assert contract.reply_of("GET", path, 404) in contract.documented_replies()


def unspent(address: str) -> list[Output]:
    return [Output("44" * 32, 0, 5000, "76a9", 1)]


def out_of_reach(address: str) -> list[Output]:
    raise OSError


@pytest.mark.parametrize("route", ["balance", "unconfirmedBalance", "utxo"])
def test_coins_in_and_outside_of_test_mode(route: str) -> None:
    node = make_node(unspents=unspent)
    for seen, status in ((node, 200), (replace(node, unspents=out_of_reach), 502), (replace(node, unspents=None), 404)):
        reply = AsgiClient(rest_app(seen)).get(f"/insight-api/addr/{OWNER}/{route}")
        assert reply.status == status
        media_type = reply.headers["content-type"]
        assert (
            contract.fault_of_reply("GET", f"/insight-api/addr/{OWNER}/{route}", status, media_type, reply.body) is None
        )


@pytest.mark.parametrize("name", ["\u00f6.test", "\u0660" * 40])
def test_text_that_is_not_ascii_is_a_fault(name: str) -> None:
    with pytest.raises(xmlrpc.client.Fault, match="expected arguments in ASCII") as caught:
        call("get_name_record", [name])
    assert caught.value.faultCode == 1


# What is not documented

JSON = "application/json"


@pytest.mark.parametrize(
    ("target", "status", "media_type", "body", "fault"),
    [
        ("/v1/info", 500, JSON, b"{}", "status 500, where 200, 400, 404 are documented"),
        ("/v1/ping", 200, JSON, b'{"status": "dead", "version": "1"}', "not Ping: .*status"),
        ("/v1/ping", 200, JSON, b"<html>", "not Ping: "),
        ("/v1/ping", 200, "application/octet-stream", b"", "bytes as application/octet-stream"),
        ("/v1/names", 400, JSON, b'{"message": "no"}', "not Error: "),
        ("/v1/none", 404, JSON, b"", "not Error: "),
        (f"/v1/names/foo.test/zonefile/{HASH}", 204, JSON, b"x", "none is documented"),
    ],
)
def test_a_reply_that_is_not_documented(target: str, status: int, media_type: str, body: bytes, fault: str) -> None:
    found = contract.fault_of_reply("GET", target, status, media_type, body)
    assert found is not None
    assert re.match(fault, found), found


@pytest.mark.parametrize(
    ("method", "answer", "fault"),
    [
        ("ping", {"status": "dead", "version": "1"}, "not Ping"),
        ("ping", {"error": "no", "http_status": 500}, "the error 'no'"),
        (
            "ping",
            {"error": "ValueError: the call failed inside the node", "traceback": []},
            ".*a failure inside the node",
        ),
        ("get_num_names", {"status": True, "indexing": False, "lastblock": 1}, "not Total"),
        ("none", {"status": "alive"}, "no method is called 'none'"),
    ],
)
def test_an_answer_that_is_not_documented(method: str, answer: dict[str, Any], fault: str) -> None:
    found = contract.fault_of_answer(method, json.dumps(answer))
    assert found is not None
    assert re.match(fault, found), found


def test_an_unknown_method_is_answered_as_documented() -> None:
    text = json.dumps({"error": "KeyError: 'rpc_none'", "traceback": []})
    assert contract.fault_of_answer("none", text) is None
