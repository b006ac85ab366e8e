"""Every query about subdomains by RPC and REST: what it answers, how it fails (spec 04 section 6.2, spec 06, 07)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bns.api.methods import call
from bns.api.records import NodeView, view
from bns.api.rest import rest_app
from bns.zonefiles.store import zonefile_hash
from bnslab.http import AsgiClient
from tests.subdomain_chain import DOMAIN, K1, K2, NAME, Publisher, address, carry, record

UNKNOWN, MALFORMED = "nobody.foo.test", "a.b.c.foo.test"
REFUSED = "never.foo.test"


@pytest.fixture(scope="module")
def publisher() -> Publisher:
    """A subdomain that was created and changed hands, one that was never accepted, and a resolver."""
    publisher = Publisher()
    publisher.publish(carry(record(0), record(5, name=REFUSED)))
    publisher.publish(carry(record(1, K2, K1), more='_resolver URI 1 1 "https://resolver"'))
    return publisher


@pytest.fixture(scope="module")
def node(publisher: Publisher) -> NodeView:
    return view(publisher.chain.state, publisher.offchain)


def rpc(node: NodeView, method: str, *arguments: Any) -> dict[str, Any]:
    answer = call(node, method, arguments, "127.0.0.1")
    return {key: value for key, value in answer.items() if key not in ("status", "indexing", "lastblock")}


def test_the_current_record(node: NodeView) -> None:
    found = rpc(node, "get_name_record", NAME)["record"]
    did = f"did:stack:v0:{rpc(node, 'get_name_DID', NAME)['did'].rpartition(':')[2]}"
    row = node.subdomains.operations_at(found["txid"])[0]
    assert found == {
        "address": address(K2),
        "block_number": row["block_height"],
        "did": did,
        "domain": DOMAIN,
        "name": NAME,
        "pending": False,
        "resolver": "https://resolver",
        "sequence": 1,
        "txid": row["txid"],
        "value_hash": zonefile_hash(b"version 1"),
        "zonefile": base64.b64encode(b"version 1").decode(),
    }
    assert rpc(node, "get_DID_record", did) == {"record": {key: found[key] for key in found if key != "did"}}


def test_all_that_was(node: NodeView) -> None:
    history = rpc(node, "get_name_blockchain_record", NAME)["record"]["history"]
    assert [[entry["sequence"] for entry in entries] for entries in history.values()] == [[0], [1]]
    assert rpc(node, "get_name_history_page", NAME, 0) == {"history": history}
    for number in (0, 1):
        hash_ = zonefile_hash(b"version %d" % number)
        assert rpc(node, "is_name_zonefile_hash", NAME, hash_) == {"result": True}
        assert rpc(node, "is_name_zonefile_hash", REFUSED, hash_) == {"result": False}


def test_lists(node: NodeView) -> None:
    assert rpc(node, "get_num_subdomains") == {"count": 1}
    assert rpc(node, "get_all_subdomains", 0, 100) == {"names": [NAME, REFUSED]}
    assert rpc(node, "get_all_subdomains", 1, 1) == {"names": [REFUSED]}
    for key in (K1, K2):
        assert rpc(node, "get_subdomains_owned_by_address", address(key)) == {"subdomains": [NAME]}
    txid = node.subdomains.history(NAME).popitem()[1][0]["txid"]
    (row,) = rpc(node, "get_subdomain_ops_at_txid", txid)["subdomain_ops"]
    assert (row["fully_qualified_subdomain"], row["accepted"], row["resolver"]) == (NAME, 1, "https://resolver")
    assert rpc(node, "get_subdomain_ops_at_txid", "00" * 32) == {"subdomain_ops": []}


FAILURES: dict[tuple[Any, ...], tuple[int, str]] = {
    ("get_name_record", UNKNOWN): (404, "Failed to load subdomain"),
    ("get_name_record", REFUSED): (404, "Failed to load subdomain"),
    ("get_name_record", MALFORMED): (400, "Invalid name or subdomain"),
    ("get_name_blockchain_record", UNKNOWN): (404, "Failed to load subdomain"),
    ("get_name_blockchain_record", MALFORMED): (400, "Invalid name or subdomain"),
    ("get_name_history_page", UNKNOWN, 0): (404, "Not found"),
    ("get_name_history_page", NAME, 1): (404, "Not found"),
    ("get_name_DID", MALFORMED): (400, "Invalid name or subdomain"),
}


@pytest.mark.parametrize("question", FAILURES, ids=lambda question: " ".join(map(str, question)))
def test_failures(node: NodeView, question: tuple[Any, ...]) -> None:
    status, error = FAILURES[question]
    method, *arguments = question
    assert rpc(node, method, *arguments) == {"error": error, "http_status": status}


@pytest.mark.parametrize(
    "question",
    [
        ("get_name_DID", UNKNOWN),
        ("get_DID_record", "did:stack:v0:x-0"),
        ("get_all_subdomains", 0, 101),
        ("get_all_subdomains", -1, 1),
        ("get_subdomain_ops_at_txid", "00"),
        ("get_subdomains_owned_by_address", "nobody"),
        ("is_name_zonefile_hash", NAME, "00"),
    ],
)
def test_what_cannot_be_asked(node: NodeView, question: tuple[Any, ...]) -> None:
    answer = rpc(node, question[0], *question[1:])
    assert answer["http_status"] in (400, 404)
    assert isinstance(answer["error"], str)


REST = {
    f"/v1/names/{NAME}": 200,
    f"/v1/names/{NAME}/history": 200,
    f"/v1/names/{NAME}/zonefile": 200,
    f"/v1/names/{NAME}/zonefile?raw=1": 200,
    f"/v1/names/{NAME}/zonefile/{zonefile_hash(b'version 0')}?raw=1": 200,
    f"/v1/names/{NAME}/zonefile/{'00' * 20}": 404,
    f"/v1/names/{UNKNOWN}": 301,
    f"/v1/names/{UNKNOWN}/history": 404,
    f"/v1/names/{UNKNOWN}/zonefile": 404,
    "/v1/names/bar.nobody.test": 404,
    f"/v1/names/{MALFORMED}": 400,
    f"/v1/subdomains/{'00' * 32}": 200,
    "/v1/subdomains?page=0": 200,
    "/v1/subdomains?page=x": 400,
    f"/v1/zonefiles/{zonefile_hash(b'version 1')}": 200,
    f"/v1/users/{NAME}": 404,
    f"/v1/users/{UNKNOWN}": 404,
}


@pytest.mark.parametrize("path", REST)
def test_rest(node: NodeView, path: str) -> None:
    answer = AsgiClient(rest_app(node)).get(path)
    assert answer.status == REST[path], answer.body


def test_redirects_to_the_resolver(node: NodeView) -> None:
    client = AsgiClient(rest_app(node))
    answer = client.get(f"/v1/names/{UNKNOWN}")
    assert (answer.json(), answer.headers["location"]) == (
        {"status": "redirect"},
        f"https://resolver/v1/names/{UNKNOWN}",
    )
    bare = Publisher()
    found = AsgiClient(rest_app(view(bare.chain.state, bare.offchain))).get(f"/v1/names/{UNKNOWN}")
    more = "failed to find parent domain's resolver"
    assert (found.status, found.json()) == (404, {"status": "available", "more": more})
