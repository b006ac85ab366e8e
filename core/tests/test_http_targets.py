"""What requests ask for, in every spelling, by every method, from every origin; what busy and late nodes say."""

from __future__ import annotations

import json
import re
import threading
import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from bns.api import chain
from bns.api.rest import OPENAPI_PATH, rest_app
from bns.api.routes import ENDPOINTS
from bns.api.rpc import rpc_app
from bns.api.sources import Passes
from bns.zonefiles.store import ZonefileStore
from tests.api_nodes import OWNER, make_node
from tests.sockets import Site, rest_of, statuses, undisturbed, with_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PING = xmlrpc.client.dumps((), "ping").encode()
NOWHERE = {"error": "No such endpoint"}


@pytest.fixture(scope="module")
def rest() -> Iterator[Site]:
    with Site(rest_app(make_node())) as site:
        yield site


@pytest.fixture(scope="module")
def rpc() -> Iterator[Site]:
    with Site(rpc_app(make_node())) as site:
        yield site


def rpc_result(body: bytes) -> object:
    ((text,), _) = xmlrpc.client.loads(body)
    return json.loads(str(text))


# Paths

UP = ["..", "%2e%2e", ".%2e", "%2E%2E", "%252e%252e", "..%00", "%c0%ae%c0%ae", "%uff0e%uff0e", "..;", "....//"]
SLASH = ["/", "%2f", "%5c", "\\", "%252f", "//", "/./", "%c0%af"]


def climbing() -> Iterator[str]:
    for up in UP:
        for slash in SLASH:
            yield slash.join([up] * 8 + ["etc", "passwd"])


def test_no_path_leads_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for you")
    hash_ = "ab" * 20
    store = ZonefileStore(tmp_path / "zonefiles")
    with Site(rest_app(make_node(zonefile=store.get))) as site, undisturbed(site):
        for path in (*climbing(), "..%2fsecret", "../secret", str(secret), f"file://{secret}", hash_, hash_ + "%00"):
            for start in ("/v1/zonefiles/", "/v1/names/", "/v1/names/foo1.test/zonefile/", "/v1/users/", "/", ""):
                sent = f"GET {start}{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                answer = site.all_of(sent.encode("latin-1"), half_close=True)
                assert statuses(answer)[0] in (400, 404), sent
                assert b"not for you" not in answer
                assert b"root:" not in answer


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://elsewhere.example/v1/ping", 200),
        ("http://elsewhere.example:1/v1/ping?x=1", 200),
        ("http://elsewhere.example", 400),
        ("//elsewhere.example/v1/ping", 404),
        ("/v1/ping#/v1/nosuch", 200),
        ("/v1/./ping", 200),
        ("/v1/names/../ping", 200),
        ("/v1/ping/", 200),
        ("/v1//ping", 200),
        ("/V1/ping", 404),
        ("/v1/ping%00", 404),
        ("/v1/ping%0a", 404),
        ("/v1/pin%67", 200),
        ("/v1/%70ing", 200),
        ("/v1%2fping", 200),
        ("/v1/ping?a=1&a=2", 400),
        ("/v1/names?page=0&page=1", 400),
        ("/v1/names?page=%30", 200),
        ("*", 404),
        ("v1/ping", 400),
        ("/v1/p\xefng", 400),
    ],
)
def test_spellings_of_a_target(rest: Site, target: str, status: int) -> None:
    answer = rest.all_of(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1"), half_close=True)
    assert statuses(answer) == [status]


def test_absolute_targets_of_rpc(rpc: Site) -> None:
    for target in (b"http://elsewhere.example/RPC2", b"http://elsewhere.example/"):
        answer = rpc.all_of(with_body(PING, start=b"POST %s HTTP/1.1" % target), half_close=True)
        assert b"alive" in answer
    for target in (b"/RPC2/../RPC2", b"/rpc2", b"http://elsewhere.example/x"):
        answer = rpc.all_of(with_body(PING, start=b"POST %s HTTP/1.1" % target), half_close=True)
        assert statuses(answer) == [404]


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "HTTP/1.10", "FTP/1.1", "HTTP/1.1 x"])
def test_other_protocols(rest: Site, version: str) -> None:
    assert statuses(rest.all_of(f"GET /v1/ping {version}\r\n\r\n".encode(), half_close=True)) == [400]


def test_http_1_0(rest: Site, rpc: Site) -> None:
    assert statuses(rest.all_of(b"GET /v1/ping HTTP/1.0\r\n\r\n")) == [200]
    assert statuses(rpc.all_of(with_body(PING, start=b"POST /RPC2 HTTP/1.0"))) == [200]


# Methods

VALUES = {
    "name": "foo1.test", "namespace_id": "test", "chain": "bitcoin", "address": OWNER, "height": "695", "more": "",
    "hash_": "00" * 20, "txid": "00" * 32, "did": f"did:stack:v0:{OWNER}-0",
}  # fmt: skip
PATHS = [re.sub(r"\{(\w+):\w+\}", lambda found: VALUES[found[1]], endpoint.path) for endpoint in ENDPOINTS]


@pytest.mark.parametrize("path", sorted({*PATHS, OPENAPI_PATH}))
def test_every_method_everywhere(rest: Site, path: str) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        reply = rest.ask(method, path, b"{}")
        assert (reply.status, json.loads(reply.body)) == (404, NOWHERE)
        assert reply.headers["access-control-allow-origin"] == "*"
    head = rest.ask("HEAD", path)
    assert (head.status, head.body) == (404, b"")
    options = rest.ask("OPTIONS", path)
    assert options.status == (200 if path.startswith("/v1/") else 404)
    for method in ("TRACE", "PROPFIND", "LINK"):
        reply = rest.ask(method, path)
        assert (reply.status, reply.headers["content-type"]) == (501, "text/html; charset=utf-8")
    other = "GET" if path == "/v1/zonefile" else "POST"
    assert rest.ask(other, path, None if other == "GET" else b"{}").status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/RPC2", "/x"])
def test_rpc_is_posted(rpc: Site, method: str, path: str) -> None:
    reply = rpc.ask(method, path)
    assert (reply.status, reply.headers["content-type"]) == (501, "text/html")


@pytest.mark.parametrize("method", ["", "get", "G ET", "GE\x00T", "x" * 100])
def test_methods_that_are_none(rest: Site, rpc: Site, method: str) -> None:
    for site in (rest, rpc):
        answer = site.all_of(f"{method} /v1/ping HTTP/1.1\r\n\r\n".encode(), half_close=True)
        assert statuses(answer) == [400]


# Origins


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/ping", 200),
        ("/v1/names/foo1.test", 200),
        ("/v1/names", 400),
        ("/v1/names/nosuch.test", 404),
        ("/v1/names/nosuch.foo1.test", 301),
        ("/v1/ping?a=1&a=2", 400),
        ("/v1/zonefiles/" + "00" * 20, 404),
        (OPENAPI_PATH, 200),
        ("/nosuch", 404),
    ],
)
def test_everyone_may_read(rest: Site, target: str, status: int) -> None:
    for origin in ("https://elsewhere.example", "null", "http://localhost"):
        reply = rest.ask("GET", target, Origin=origin, Cookie="a=b", Authorization="bearer x")
        assert reply.status == status
        assert reply.headers["access-control-allow-origin"] == "*"
        assert not {"access-control-allow-credentials", "set-cookie"} & reply.headers.keys()


def test_preflights(rest: Site) -> None:
    asked: Any = {"Origin": "https://elsewhere.example", "Access_Control_Request_Method": "POST"}
    for path in ("/v1/names/foo1.test", "/v1/zonefile/", "/v1/nosuch"):
        reply = rest.ask("OPTIONS", path, **asked)
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["access-control-allow-methods"] == "GET, PUT, POST, DELETE"
        assert reply.headers["access-control-allow-headers"] == "content-type, authorization, range"
        assert "content-type" not in reply.headers
    for path in ("/v1", "/v2/prices/names/foo1.test", "/"):
        assert json.loads(rest.ask("OPTIONS", path, **asked).body) == NOWHERE


def test_no_page_may_call_by_rpc(rpc: Site) -> None:
    """A browser sends text/plain without asking first, but does not show the page what came back."""
    asked: Any = {"Origin": "https://elsewhere.example", "Content_Type": "text/plain"}
    reply = rpc.ask("POST", "/RPC2", PING, **asked)
    assert not [name for name in reply.headers if name.startswith("access-control-")]
    assert rpc.ask("OPTIONS", "/RPC2", **asked).status == 501


# Overload and staleness, while others ask as fast as they can


def test_nodes_that_are_busy() -> None:
    overloaded = {"status": False, "indexing": False, "lastblock": -1, "error": "overloaded", "http_status": 429}
    node = make_node()
    with ExitStack() as stack:
        rpc = stack.enter_context(Site(rpc_app(node, at_once=20)))
        rest = stack.enter_context(Site(rest_app(node, at_once=20)))
        slow = [stack.enter_context(rpc.connect()) for _ in range(20)]
        slow += [stack.enter_context(rest.connect()) for _ in range(20)]
        for number, connection in enumerate(slow):
            start = b"POST /RPC2 HTTP/1.1" if number < 20 else b"POST /v1/zonefile HTTP/1.1"
            connection.sendall(with_body(PING, b"Expect: 100-continue", start=start)[: -len(PING)])
            assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        with ThreadPoolExecutor(16) as clients:
            calls = list(clients.map(lambda _: rpc.ask("POST", "/RPC2", PING), range(200)))
            looks = list(clients.map(lambda _: rest.ask("GET", "/v1/ping"), range(200)))
        assert all(reply.status == 200 and rpc_result(reply.body) == overloaded for reply in calls)
        assert {(reply.status, reply.body) for reply in looks} == {(429, b"Too many requests")}
        assert {reply.headers["access-control-allow-origin"] for reply in looks} == {"*"}
        for connection in slow:
            connection.sendall(PING)
            assert statuses(connection.recv(4096)) == [200 if connection in slow[:20] else 400]
        assert rest.ask("GET", "/v1/ping").status == 200
        assert rpc_result(rpc.ask("POST", "/RPC2", PING).body) == {"status": "alive", "version": chain.VERSION}


def test_nodes_that_are_late() -> None:
    now = [1000.0]
    passes = Passes(lambda: now[0], seconds=5)
    node = make_node(progress=passes)
    call = xmlrpc.client.dumps(("foo1.test",), "get_name_record").encode()
    seen: list[object] = []
    enough = threading.Event()

    def ask(site: Site) -> None:
        while not enough.is_set():
            record = rpc_result(site.ask("POST", "/RPC2", call).body)
            assert isinstance(record, dict)
            seen.append((record.get("stale"), record.get("warning"), record["record"]["name"]))

    with Site(rpc_app(node)) as rpc, Site(rest_app(node)) as rest, ThreadPoolExecutor(4) as clients:
        asking = [clients.submit(ask, rpc) for _ in range(4)]
        try:
            assert rpc_result(rpc.ask("POST", "/RPC2", PING).body) == {"status": "alive", "version": chain.VERSION}
            now[0] += 6
            assert rpc_result(rpc.ask("POST", "/RPC2", PING).body) == {"status": "stale", "version": chain.VERSION}
            assert json.loads(rest.ask("GET", "/v1/info").body)["stale"] is True
            assert json.loads(rest.ask("GET", "/v1/ping").body)["status"] == "alive"
            assert rest.ask("GET", "/v1/names/foo1.test").status == 200
        finally:
            enough.set()
        for asked in asking:
            asked.result()
    late = (True, "Daemon has not reindexed since 1000.0", "foo1.test")
    assert set(seen) == {(None, None, "foo1.test"), late}


def test_a_server_that_stops_finishes_what_it_is_about(rest: Site) -> None:
    with Site(rest_app(make_node())) as site:
        connection = site.connect()
        connection.sendall(b"GET /v1/ping HTTP/1.1\r\n\r\nGET /v1/ping")
        assert statuses(connection.recv(4096)) == [200]
    with connection:
        assert rest_of(connection) == b""
