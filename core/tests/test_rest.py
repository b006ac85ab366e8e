"""The RESTful API: names, and the replies that all endpoints share."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from bns.api.records import NodeView, name_record
from bns.api.rest import rest_app
from bns.api.sources import NoSubdomains
from bns.params import INFINITE_LIFETIME
from bns.state import queries
from bnslab.http import AsgiClient, HttpClient, LoopbackServer
from tests.api_nodes import OWNER, SUBDOMAIN, SUBDOMAIN_DID, golden, make_node

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_SUCH_ENDPOINT = {"error": "No such endpoint"}


@pytest.mark.parametrize("name", ["name_import_nextepoch_epoch3_expire_grace", "name_pre_reg_up_xfer", "fuzz/wild_3"])
def test_name_records_are_those_of_the_reference(name: str) -> None:
    node = make_node(name)
    compared = 0
    for call, reply in golden(name)["expected"]["rpc"].items():
        found = re.fullmatch(r'get_name_record\("([^".]+\.[^".]+)"\)', call)
        if found and "record" in reply:
            record = {key: reply["record"][key] for key in reply["record"].keys() - {"did", "resolver"}}
            # as text, which tells an integer from a float
            assert json.dumps(name_record(node, found[1]), sort_keys=True) == json.dumps(record, sort_keys=True)
            compared += 1
    assert compared


# One state for the tests below: foo1.test has a subdomain and a resolver.


@pytest.fixture
def node() -> NodeView:
    return make_node()


@pytest.fixture
def client(node: NodeView) -> AsgiClient:
    return AsgiClient(rest_app(node))


def with_zonefile(node: NodeView, text: bytes) -> AsgiClient:
    return AsgiClient(rest_app(NodeView(node.state, lambda _: text, node.atlas)))


@pytest.mark.parametrize(
    "target",
    [
        "/v1/names/foo1.test/",
        "/v1//names///foo1.test",
        "/v1/./names/foo1.test",
        "/v1/names/other.test/../foo1.test",
        "/v1/names/%66oo1%2etest",
        "/v1/names/foo1.test?",
        "/v1/names/foo1.test?page=1&all=2",
        "/v1/names/foo1.test?page=&page=1",
        "/v1/names/foo1.test#history",
    ],
)
def test_paths_that_mean_the_same(client: AsgiClient, target: str) -> None:
    plain = client.get("/v1/names/foo1.test")
    assert plain.status == 200
    assert client.get(target) == plain


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v1",
        "/v1/",
        "//v1/names/foo1.test",
        "/V1/names/foo1.test",
        "/v1/names/foo1.test/nosuch",
        "/v1/names/foo1.test%0A",
        "/v1/names/foo1.test%00",
        "/v1/names/foo%2B1.test",
        "/v1/names/" + "a" * 257,
        "/v1/namespaces/" + "a" * 41,
        "/v1/blockchains/" + "b" * 41 + "/consensus",
        "/v1/accounts/mxZLn1d4iEsxFtm3ZvwqvtYDfGqBKfsSgf/STACKS/balance",
    ],
)
def test_unknown_endpoints(client: AsgiClient, target: str) -> None:
    answer = client.get(target)
    assert (answer.status, answer.json()) == (404, NO_SUCH_ENDPOINT)


def test_longest_segments(client: AsgiClient) -> None:
    assert client.get("/v1/names/" + "a" * 256).json() == {"error": "Invalid name or subdomain"}
    assert client.get("/v1/namespaces/" + "a" * 40).json() == {"error": "Invalid namespace"}
    assert client.get("/v1/blockchains/" + "b" * 40 + "/consensus").json() == {"error": "Unsupported blockchain"}


@pytest.mark.parametrize("path", ["/v1/names/foo1.test", "/v1/nosuch"])
@pytest.mark.parametrize("query", ["a=1&a=2", "a=1&b=2&a=1", "a=1&%61=1"])
def test_a_parameter_given_twice(client: AsgiClient, path: str, query: str) -> None:
    answer = client.get(f"{path}?{query}")
    assert (answer.status, answer.headers["content-type"], answer.body) == (400, "text/plain", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods(client: AsgiClient, method: str) -> None:
    answer = client.request(method, "/v1/names/foo1.test", body=b"{}")
    assert (answer.status, answer.json()) == (404, NO_SUCH_ENDPOINT)
    assert "allow" not in answer.headers


def test_preflight(client: AsgiClient) -> None:
    answer = client.request("OPTIONS", "/v1/anything/")
    assert (answer.status, answer.body, answer.headers) == (
        200,
        b"",
        {
            "access-control-allow-origin": "*",
            "access-control-allow-methods": "GET, PUT, POST, DELETE",
            "access-control-allow-headers": "content-type, authorization, range",
            "access-control-expose-headers": "content-length, content-range",
            "access-control-max-age": "21600",
            "content-length": "0",
        },
    )


@pytest.mark.parametrize("target", ["/v1", "/v1/", "/v2/prices/names/foo.test", "/"])
def test_no_preflight_elsewhere(client: AsgiClient, target: str) -> None:
    answer = client.request("OPTIONS", target)
    assert (answer.status, answer.json()) == (404, NO_SUCH_ENDPOINT)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/v1/names/foo1.test", 200),
        ("GET", "/v1/names/x.foo1.test", 301),
        ("GET", "/v1/names/nodot", 400),
        ("GET", "/v1/names?a=1&a=1", 400),
        ("GET", "/v1/names/nosuch.test", 404),
        ("GET", "/v1/nosuch", 404),
        ("POST", "/v1/names/foo1.test", 404),
        ("HEAD", "/v1/names/foo1.test", 404),
    ],
)
def test_every_reply_may_be_read_by_any_page(client: AsgiClient, method: str, target: str, status: int) -> None:
    answer = client.request(method, target)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "*")


# Names


def test_a_subdomain(client: AsgiClient) -> None:
    answer = client.get(f"/v1/names/{SUBDOMAIN}")
    body = answer.json()
    assert (answer.status, body["status"]) == (200, "registered_subdomain")
    assert (body["address"], body["did"]) == (OWNER, SUBDOMAIN_DID)
    assert body["zonefile"].startswith("$ORIGIN bar.foo1.test\n")


def test_unknown_subdomain_of_a_domain_with_a_resolver(client: AsgiClient) -> None:
    answer = client.get("/v1/names/zap.foo1.test")
    assert (answer.status, answer.json()) == (301, {"status": "redirect"})
    assert answer.headers["location"] == "http://resolver.foo/v1/names/zap.foo1.test"


def test_unknown_subdomains_of_other_domains(node: NodeView, client: AsgiClient) -> None:
    unresolved = {"status": "available", "more": "failed to find parent domain's resolver"}
    unknown = {"status": "available", "more": "failed to look up parent domain"}
    bare = AsgiClient(rest_app(make_node(subdomains=NoSubdomains())))
    expired = AsgiClient(rest_app(make_node("name_pre_reg_expire_isdead")))
    assert expired.get("/v1/names/foo.test").json() == {"error": "Name expired"}
    for answer, expected in [
        (bare.get("/v1/names/zap.foo1.test"), unresolved),
        (client.get("/v1/names/zap.nosuch.test"), unknown),
        (expired.get("/v1/names/zap.foo.test"), unknown),
    ]:
        assert (answer.status, answer.json()) == (404, expected)


@pytest.mark.parametrize("name", ["a.b.c.test", "a..test", ".foo.test", "A.foo.test", "foo.test-", "~.test"])
def test_what_is_no_name(client: AsgiClient, name: str) -> None:
    expected = {"foo.test-": (404, {"status": "available"})}
    answer = client.get(f"/v1/names/{name}")
    assert (answer.status, answer.json()) == expected.get(name, (400, {"error": "Invalid name or subdomain"}))


def test_a_zone_file_that_is_not_utf8_is_still_served(node: NodeView) -> None:
    answer = with_zonefile(node, b"\xff_https._tcp\n").get("/v1/names/foo1.test")
    assert (answer.status, answer.json()["zonefile"]) == (200, "\ufffd_https._tcp\n")


def test_names_of_a_namespace_without_end_do_not_expire(node: NodeView) -> None:
    name, namespace = node.state.name("foo1.test"), node.state.namespace("test")
    assert name is not None
    assert namespace is not None
    assert queries.term(node.state, name.last_renewed, namespace).expire_block > 0
    endless = queries.term(node.state, name.last_renewed, replace(namespace, lifetime=INFINITE_LIFETIME))
    assert endless == (queries.NEVER, queries.NEVER)
    assert not endless.is_expired(node.state.last_block)
    assert not endless.in_grace(node.state.last_block)


# The node under it


def test_answers_are_given_under_the_lock(node: NodeView) -> None:
    taken = []

    def zonefile(_: str) -> None:
        other = threading.Thread(target=lambda: taken.append(lock.acquire(blocking=False)))
        other.start()
        other.join()

    lock = threading.Lock()
    locked = NodeView(node.state, zonefile, reading=lock)
    assert AsgiClient(rest_app(locked)).get("/v1/names/foo1.test").status == 200
    assert taken
    assert not any(taken)
    assert lock.acquire(blocking=False)


def test_a_failure_inside_shows_nothing_of_itself(node: NodeView) -> None:
    def zonefile(_: str) -> bytes:
        raise LookupError("disk gone")

    app = rest_app(NodeView(node.state, zonefile))
    with LoopbackServer(app) as server, HttpClient(server.url) as client:
        answer = client.get("/v1/names/foo1.test")
        assert (answer.status, answer.headers["content-type"], answer.body) == (500, "text/plain", b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert client.get("/v1/namespaces/test").status == 200
    with pytest.raises(LookupError, match="disk gone"):
        AsgiClient(app).get("/v1/names/foo1.test")


def golden_requests(name: str) -> Iterator[tuple[str, str]]:
    for request in golden(name)["expected"]["rest"]:
        method, target = request.split(" ", 1)
        yield method, target


def test_answers_over_a_socket_are_the_same(node: NodeView, client: AsgiClient) -> None:
    requests = list(golden_requests("name_pre_regup_subdomain_lookups"))
    assert len(requests) > 300
    requests = requests[::8]
    with LoopbackServer(rest_app(node)) as server, HttpClient(server.url) as socket_client:
        for method, target in requests:
            near, far = client.request(method, target), socket_client.request(method, target)
            assert (far.status, far.body) == (near.status, near.body), f"{method} {target}"
            assert near.headers.items() <= far.headers.items() | {("content-length", "0")}
