"""Requests made from the OpenAPI document, valid ones and others: the answers are as it says, and none is a failure.

`./lab bench requests` makes twenty times as many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as some
from schemathesis import GenerationMode

from bns.api import rest_chain
from bns.api.arguments import is_name
from bns.api.openapi import path_of
from bns.api.rest import OPENAPI_PATH, rest_app
from bns.api.routes import ENDPOINTS
from bns.bitcoin.address import base58check_encode
from tests.api_nodes import OWNER, SUBDOMAIN, SUBDOMAIN_DID, make_node
from tests.sockets import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bns.api.routes import Endpoint

CHECKED = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))

HASHES = some.binary(min_size=20, max_size=20)
VERSIONS = some.sampled_from([0, 5, 111, 196, 127, 142])
ADDRESSES = some.builds(base58check_encode, VERSIONS, HASHES).filter(lambda address: 26 <= len(address) <= 35)
DIDS = some.builds("did:stack:v0:{}-{}".format, ADDRESSES, some.integers(0, 10**30))
schemathesis.openapi.format("base58check", ADDRESSES)
schemathesis.openapi.format("stack-did", DIDS)

KNOWN = {
    "name": ["foo1.test", "foo2.test", SUBDOMAIN, "nosuch.foo1.test"],
    "namespace_id": ["test"],
    "address": [OWNER, "myaPViveUWiiZQQTb51KXCDde4iLC3Rf3K"],
    "did": [SUBDOMAIN_DID, f"did:stack:v0:{OWNER}-0"],
    "height": [str(height) for height in range(670, 697)],
    "hash_": [],
    "txid": [],
}
"""Things that the node knows: made up ones it never does."""

BLANK: tuple[Any, ...] = ("", [], {}, [""], None)
"""What is written as a parameter without a value, which is as if it were not there."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(rest_app(make_node(unspents=lambda _: []))) as site:
        yield site


@pytest.fixture(scope="module")
def schema(site: Site) -> Any:
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{site.port}{OPENAPI_PATH}")


def known() -> dict[str, list[str]]:
    node = make_node()
    records = [node.state.name(name) for name in ("foo1.test", "foo2.test")]
    hashes = [record.value_hash for record in records if record is not None and record.value_hash]
    rows = node.state.connection.execute("SELECT txid, zonefile_hash FROM subdomain_records").fetchall()
    return {**KNOWN, "txid": [row[0] for row in rows], "hash_": [*hashes, *(row[1] for row in rows)]}


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {path_of(endpoint)}"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=name_of)
def test_requests_that_the_document_allows(schema: Any, endpoint: Endpoint) -> None:
    operation = schema[path_of(endpoint)][endpoint.method]
    things = known()
    if endpoint.function is rest_chain.name_price:
        things["name"] = [name for name in things["name"] if is_name(name)]

    @CHECKED
    @given(operation.as_strategy(), some.data())
    def check(case: Any, data: some.DataObject) -> None:
        places = case.path_parameters or {}
        for name in places.keys() & things.keys():
            if data.draw(some.booleans()):
                places[name] = data.draw(some.sampled_from(things[name]))
        case.call_and_validate()

    check()


@pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if "{" in path_of(each) or each.query or each.method == "POST"], ids=name_of
)
def test_requests_that_the_document_does_not_allow(schema: Any, endpoint: Endpoint) -> None:
    operation = schema[path_of(endpoint)][endpoint.method]

    @settings(CHECKED, max_examples=CHECKED.max_examples // 5)
    @given(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def check(case: Any) -> None:
        assume(not any(value in BLANK for value in (case.query or {}).values()))
        case.call_and_validate()

    check()
