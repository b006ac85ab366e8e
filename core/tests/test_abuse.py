"""Clients that want no answers: what they send is refused with a clear status, and nobody else notices."""

from __future__ import annotations

import gzip
import json
import socket
import xmlrpc.client
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bns.api.rest import rest_app
from bns.api.rest_names import MAX_PUSH
from bns.api.rpc import MAX_REQUEST, rpc_app
from bns.node.connections import Limits
from tests.api_nodes import make_node
from tests.sockets import SHORT, WAIT_SECONDS, Site, allow_files, rest_of, statuses, undisturbed, with_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

PING = xmlrpc.client.dumps((), "ping").encode()
GET = b"GET /v1/ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
PUSH = b"POST /v1/zonefile HTTP/1.1"
JSON = b"Content-Type: application/json"


@pytest.fixture(scope="module")
def rest() -> Iterator[Site]:
    with Site(rest_app(make_node())) as site:
        yield site


@pytest.fixture(scope="module")
def rpc() -> Iterator[Site]:
    with Site(rpc_app(make_node())) as site:
        yield site


def fault_of(site: Site, body: bytes) -> str:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        xmlrpc.client.loads(site.ask("POST", "/RPC2", body).body)
    return str(caught.value.faultString)


# Bodies


def test_bodies_that_are_too_long(rpc: Site, rest: Site) -> None:
    with undisturbed(rest, megabytes=8):
        for site, start, most in ((rpc, b"POST /RPC2 HTTP/1.1", MAX_REQUEST + 1), (rest, PUSH, MAX_PUSH)):
            for length in (most, 10**8, 10**18):
                head = b"\r\n".join((start, b"Content-Length: %d" % length, JSON, b"", b""))
                with site.connect() as connection:
                    connection.sendall(head)  # no body is needed to be refused
                    assert statuses(connection.recv(4096)) == [400]
        assert rpc.ask("POST", "/RPC2", b" " * (MAX_REQUEST + 1)).status == 400
        assert rest.ask("POST", "/v1/zonefile", b" " * MAX_PUSH, Content_Type="application/json").status == 400


def test_what_follows_a_refusal_is_not_kept(rpc: Site, rest: Site) -> None:
    with undisturbed(rest, megabytes=8), rpc.connect() as connection:
        connection.sendall(b"POST /RPC2 HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % 10**9)
        for _ in range(64):
            connection.sendall(bytes(1 << 20))
        assert statuses(connection.recv(4096)) == [400]


def test_compressed_bodies_are_not_inflated(rpc: Site, rest: Site) -> None:
    bomb = gzip.compress(bytes(100 << 20))
    assert len(bomb) < MAX_REQUEST
    with undisturbed(rest, megabytes=8):
        for coding in ("gzip", "GZIP", "deflate", "br", "gzip, identity"):
            assert rpc.ask("POST", "/RPC2", bomb, Content_Encoding=coding).status == 501
        reply = rest.ask("POST", "/v1/zonefile", bomb, Content_Encoding="gzip", Content_Type="application/json")
        assert (reply.status, json.loads(reply.body)) == (400, {"error": "Invalid request"})


def test_entities_are_not_expanded_and_nothing_is_fetched(rpc: Site, rest: Site) -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    laughs = f'<!DOCTYPE x [<!ENTITY l0 "lol">{levels}]><methodCall><methodName>&l11;</methodName></methodCall>'
    with socket.create_server(("127.0.0.1", 0)) as trap, undisturbed(rest, megabytes=8):
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/"
        for xml in (
            laughs,
            f'<!DOCTYPE x SYSTEM "{url}"><methodCall><methodName>ping</methodName></methodCall>',
            f'<!DOCTYPE x [<!ENTITY e SYSTEM "{url}">]><methodCall><methodName>&e;</methodName></methodCall>',
            f'<!DOCTYPE x [<!ENTITY % e SYSTEM "{url}"> %e;]><methodCall><methodName>ping</methodName></methodCall>',
            '<!DOCTYPE x [<!ENTITY e SYSTEM "/etc/passwd">]><methodCall><methodName>&e;</methodName></methodCall>',
        ):
            assert "DTDForbidden" in fault_of(rpc, xml.encode())
        trap.settimeout(0)
        with pytest.raises(BlockingIOError):
            trap.accept()


@pytest.mark.parametrize("opening", [b"<array><data><value>", b"<struct><member><name>a</name><value>"])
def test_values_deep_inside_others(rpc: Site, rest: Site, opening: bytes) -> None:
    closing = b"".join(b"</" + tag for tag in reversed(opening.replace(b"<name>a</name>", b"").split(b"<")[1:]))
    depth = (MAX_REQUEST - 1000) // len(opening + closing)
    call = b"<methodCall><methodName>%s</methodName><params><param><value>%s</value></param></params></methodCall>"
    with undisturbed(rest):
        for method in (b"get_zonefiles", b"get_name_record", b"put_zonefiles", b"nosuch"):
            reply = rpc.ask("POST", "/RPC2", call % (method, opening * depth + b"<int>1</int>" + closing * depth))
            assert "error" in json.loads(str(xmlrpc.client.loads(reply.body)[0][0]))
        assert fault_of(rpc, b"<a>" * (MAX_REQUEST // 3))


@pytest.mark.parametrize(
    "text", ["[" * (MAX_PUSH - 1), '{"zonefile":' * 80_000, '{"a":' * 100_000 + "1" + "}" * 100_000]
)
def test_json_deep_inside_other_json(rest: Site, text: str) -> None:
    with undisturbed(rest):
        reply = rest.ask("POST", "/v1/zonefile", text.encode(), Content_Type="application/json")
        assert (reply.status, json.loads(reply.body)) == (400, {"error": "Invalid request"})


# Slowness

SLOW = [
    (b"", []),
    (b"GET /v1/pi", [408]),
    (b"GET /v1/ping HTTP/1.1\r\nX: y\r\n", [408]),
    (with_body(b"12345", JSON, start=PUSH)[:-1], [408]),
    (GET, [200]),
    (GET + b"GET ", [200, 408]),
]


@pytest.mark.parametrize(("sent", "expected"), SLOW)
def test_nobody_is_waited_for_for_ever(sent: bytes, expected: list[int]) -> None:
    with Site(rest_app(make_node()), Limits(seconds=SHORT)) as site, undisturbed(site):
        assert statuses(site.all_of(sent)) == expected


def test_who_is_slow_with_an_rpc_body_is_told_so() -> None:
    with Site(rpc_app(make_node()), Limits(seconds=SHORT)) as site:
        answer = site.all_of(with_body(PING)[:-1])
        assert statuses(answer) == [408]
        assert b"\r\nconnection: close\r\n" in answer


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Short answers, and very long ones."""
    body = b"x" * (0 if scope["path"] == "/short" else 16 << 20)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def unread(site: Site, stack: ExitStack) -> socket.socket:
    """A connection whose answer is not taken."""
    connection = stack.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(WAIT_SECONDS)
    connection.connect(("127.0.0.1", site.port))
    connection.sendall(b"GET /long HTTP/1.1\r\n\r\n")
    return connection


def test_answers_that_nobody_takes() -> None:
    limits = Limits(seconds=SHORT)
    with Site(endless, limits) as site, ExitStack() as stack, undisturbed(site, "/short", megabytes=128):
        late = [unread(site, stack) for _ in range(4)]
        assert site.all_of(b"GET /short HTTP/1.1\r\n\r\n")  # its end comes after theirs
        for connection in late:
            assert len(rest_of(connection)) < 16 << 20


def test_the_memory_for_answers_that_nobody_takes_is_limited() -> None:
    limits = Limits(seconds=WAIT_SECONDS, held_bytes=32 << 20)
    with Site(endless, limits) as site, ExitStack() as stack, undisturbed(site, "/short", megabytes=128):
        late = [unread(site, stack) for _ in range(20)]
        assert len(rest_of(late[0])) < 16 << 20


def test_the_memory_for_unfinished_bodies_is_limited() -> None:
    limits = Limits(seconds=WAIT_SECONDS, held_bytes=8 << 20)
    part = with_body(bytes(MAX_REQUEST))[: -MAX_REQUEST // 2]
    node = make_node()
    with Site(rpc_app(node), limits) as site, ExitStack() as stack:
        unfinished = [stack.enter_context(site.connect()) for _ in range(64)]
        for connection in unfinished:
            connection.sendall(part)
        assert statuses(rest_of(unfinished[0])) == [503]
        assert site.ask("POST", "/RPC2", PING).status == 200


# Connections


def test_half_closed_connections(rest: Site, rpc: Site) -> None:
    with undisturbed(rest):
        assert statuses(rest.all_of(GET, half_close=True)) == [200]
        assert statuses(rest.all_of(GET * 3, half_close=True)) == [200] * 3
        assert statuses(rpc.all_of(with_body(PING), half_close=True)) == [200]
        assert rest.all_of(GET[:-2], half_close=True) == b""
        assert rpc.all_of(with_body(PING)[:-1], half_close=True) == b""
        assert rest.all_of(b"", half_close=True) == b""


def test_a_thousand_idle_connections(rest: Site) -> None:
    if not allow_files(4096):
        pytest.skip("the system allows too few open files")
    with ExitStack() as stack, undisturbed(rest, megabytes=40):
        for number in range(1000):
            connection = stack.enter_context(rest.connect())
            connection.sendall(b"GET /v1/pi"[: number % 10])
        assert rest.ask("GET", "/v1/names/foo1.test").status == 200


def test_who_has_waited_longest_makes_room() -> None:
    with Site(rest_app(make_node()), Limits(connections=8)) as site, ExitStack() as stack:
        idle = [stack.enter_context(site.connect()) for _ in range(8)]
        idle[0].sendall(GET)
        assert statuses(idle[0].recv(4096)) == [200]
        assert site.ask("GET", "/v1/ping").status == 200
        assert rest_of(idle[1]) == b""
        idle[0].sendall(GET)
        assert statuses(idle[0].recv(4096)) == [200]


@pytest.mark.parametrize(
    "flood",
    [
        b"GET /v1/ping HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
        b"GET /v1/ping HTTP/1.1\r\nX: " + b"y" * 200_000,
        b"GET /v1/ping HTTP/1.1\r\n" + b"x" * 200_000,
        b"GET /" + b"a" * 200_000,
        b"\r\n" * 100_000,
    ],
)
def test_heads_without_end(rest: Site, rpc: Site, flood: bytes) -> None:
    with undisturbed(rest, megabytes=8):
        for site in (rest, rpc):
            assert statuses(site.all_of(flood)) in ([431], [400], [])  # the last: it was still sending


def test_a_long_head_is_refused_with_a_status(rest: Site) -> None:
    with rest.connect() as connection:
        connection.sendall(b"GET /v1/ping HTTP/1.1\r\nX: " + b"y" * (34 * 1024))
        assert statuses(rest_of(connection)) == [431]
    assert rest.ask("GET", "/v1/ping", X="y" * (30 * 1024)).status == 200


def test_trailers_without_end(rest: Site) -> None:
    chunked = b"GET /v1/ping HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 100_000
    with undisturbed(rest, megabytes=8):
        assert statuses(rest.all_of(chunked)) in ([200], [])


# Requests sent ahead


def test_requests_sent_ahead_are_answered_in_order(rest: Site) -> None:
    targets = [b"/v1/ping", b"/v1/nosuch", b"/v1/names/foo1.test", b"/v1/names"]
    sent = b"".join(b"GET %s HTTP/1.1\r\n\r\n" % target for target in targets * 500)
    with undisturbed(rest, megabytes=32):
        assert statuses(rest.all_of(sent, half_close=True)) == [200, 404, 200, 400] * 500


def test_what_cannot_be_read_comes_after_the_answers_before_it(rest: Site) -> None:
    assert statuses(rest.all_of(GET * 3 + b"nonsense\r\n\r\n" + GET)) == [200] * 3
    assert statuses(rest.all_of(b"nonsense\r\n\r\n" + GET)) == [400]


# Where a request ends: nothing inside one is ever taken for another

SMUGGLED = b"GET /v1/nosuch HTTP/1.1\r\nHost: localhost\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(SMUGGLED)


@pytest.mark.parametrize(
    "headers",
    [
        LENGTH + b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\n" + LENGTH,
        b"Content-Length: 0\r\n" + LENGTH,
        LENGTH + LENGTH,
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 1_0\r\n",
        b"Content-Length: " + b"9" * 40 + b"\r\n",
        b"Content-Length : 0\r\n",
        b"Content-Length\r\n",
        b" Content-Length: 0\r\n",
        b"Content-Length: 0\r\n\tX: y\r\n Content-Length: 5\r\n",
        b"Content-Length: 0\nX: y\r\n",
        b"Content-Length:\x0b0\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding: chunked\x00\r\n",
        b'Transfer-Encoding: "chunked"\r\n',
        b"X: y\rContent-Length: 0\r\n",
        b"X\x00: y\r\n",
    ],
)
@pytest.mark.parametrize("start", [b"POST /v1/zonefile HTTP/1.1\r\n", b"POST /RPC2 HTTP/1.1\r\n"])
def test_lengths_that_can_be_read_in_two_ways(rest: Site, rpc: Site, start: bytes, headers: bytes) -> None:
    site = rpc if b"RPC2" in start else rest
    answers = statuses(site.all_of(start + b"Host: localhost\r\n" + headers + b"\r\n" + SMUGGLED, half_close=True))
    assert len(answers) <= 1
    assert all(status >= 400 for status in answers)


@pytest.mark.parametrize(
    "body",
    [b"5\r\nhello\r\n0\r\n\r\n", b"5;x=y\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"-1\r\n", b"fffffffffffffffff\r\n"],
)
def test_bodies_in_chunks_are_not_taken(rest: Site, rpc: Site, body: bytes) -> None:
    chunked = b"%s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body + SMUGGLED
    assert statuses(rpc.all_of(chunked % b"POST /RPC2", half_close=True)) in ([500], [400])
    assert statuses(rest.all_of(chunked % b"POST /v1/zonefile", half_close=True)) == [400]
    assert statuses(rest.all_of(chunked % b"GET /v1/ping", half_close=True)) in ([200], [400])


def test_the_body_of_a_get_is_no_request(rest: Site) -> None:
    sent = b"GET /v1/ping HTTP/1.1\r\n" + LENGTH + b"\r\n" + SMUGGLED
    assert statuses(rest.all_of(sent + GET, half_close=True)) == [200, 200]


def test_upgrades_are_not_made(rest: Site) -> None:
    for upgrade in (b"websocket", b"h2c", b"TLS/1.0"):
        sent = b"GET /v1/ping HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n" % upgrade
        assert statuses(rest.all_of(sent + SMUGGLED, half_close=True)) == [200]
    assert statuses(rest.all_of(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) in ([400], [404], [501])
