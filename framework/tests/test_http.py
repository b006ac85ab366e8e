"""The harness's HTTP: an application called in process, and the same one behind a real socket."""

from __future__ import annotations

import asyncio
import socket
import threading
import types
from typing import TYPE_CHECKING

import orjson
import pytest

from bnslab.http import AsgiClient, Client, HttpClient, HttpFailed, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send


async def body_of(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def answer(send: Send, status: int, *parts: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    length = (b"content-length", str(sum(map(len, parts))).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells what was asked; never suspends in process."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    told = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "colour": headers.get("x-colour"),
        "length": headers.get("content-length"),
        "body": (await body_of(receive)).decode(),
    }
    whole = orjson.dumps(told)
    await answer(send, 207, whole[:5], whole[5:], headers=((b"X-Told", b"all"),))


@pytest.fixture(params=["in process", "socket"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    if request.param == "in process":
        yield AsgiClient(echo)
    else:
        with LoopbackServer(echo) as server, HttpClient(server.url) as talking:
            yield talking


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(echo) as running:
        yield running


def test_what_the_application_sees_and_says(client: Client) -> None:
    got = client.request("POST", "/a/%62%20c?x=1&y=%3F", body=b"text", headers={"X-Colour": "blue"})
    assert (got.status, got.headers["x-told"]) == (207, "all")
    assert got.json() == {
        "method": "POST",
        "path": "/a/b c",
        "raw_path": "/a/%62%20c",
        "query": "x=1&y=%3F",
        "colour": "blue",
        "length": "4",
        "body": "text",
    }


def test_get(client: Client) -> None:
    told = client.get("/").json()
    assert (told["method"], told["path"], told["query"], told["body"], told["length"]) == ("GET", "/", "", "", None)


def test_an_answer_to_head_has_no_body(client: Client) -> None:
    got = client.request("HEAD", "/")
    assert got.body == b""
    assert int(got.headers["content-length"]) > 0


@pytest.mark.parametrize("target", ["", "v1/names", "http://127.0.0.1/", "/f\u00f6\u00f6"])
def test_a_target_is_ascii_and_starts_with_a_slash(client: Client, target: str) -> None:
    with pytest.raises(HttpFailed, match="expected ASCII that starts with a slash"):
        client.get(target)


def test_a_body_that_is_not_json() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 200, b"<html>")

    with pytest.raises(HttpFailed, match="expected a JSON body, got b'<html>' "):
        AsgiClient(app).get("/").json()


# In process


@types.coroutine
def pause() -> Generator[None]:
    """Suspends once, without need of an event loop."""
    yield


async def pausing(_: Scope, __: Receive, send: Send) -> None:
    await pause()
    await answer(send, 200, b"paused")


async def working(_: Scope, __: Receive, send: Send) -> None:
    name = await asyncio.get_running_loop().run_in_executor(None, lambda: threading.current_thread().name)
    await answer(send, 200, name.encode())


@pytest.mark.parametrize(("app", "expected"), [(pausing, b"paused"), (working, b"asyncio_0")])
def test_an_application_that_suspends(app: ASGIApp, expected: bytes) -> None:
    assert AsgiClient(app).get("/").body == expected


@pytest.mark.parametrize("wait", [True, False])
def test_what_changes_something_is_called_once(*, wait: bool) -> None:
    calls = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        calls.append(scope["method"])
        if wait:
            await pause()
        await answer(send, 200)

    AsgiClient(app).request("POST", "/")
    assert calls == ["POST"]


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyError("broken")])
def test_an_exception_of_the_application_passes_through(error: Exception) -> None:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        raise error

    with pytest.raises(type(error), match="broken"):
        AsgiClient(app).get("/")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "http.response.start", "status": 200, "headers": []}],
        [
            {"type": "http.response.start", "status": 200, "headers": []},
            {"type": "http.response.body", "body": b"half", "more_body": True},
        ],
    ],
)
def test_an_application_that_does_not_answer(messages: list[dict[str, object]]) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with pytest.raises(HttpFailed, match="GET /x: expected a whole answer"):
        AsgiClient(app).get("/x")


# Over sockets


def test_servers_have_ports_of_their_own(server: LoopbackServer) -> None:
    with LoopbackServer(echo) as other:
        assert other.port != server.port
        for each in (server, other):
            with HttpClient(each.url) as talking:
                assert talking.get("/").status == 207


def test_one_connection_serves_many_requests() -> None:
    clients = set()

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        if scope["type"] == "http":
            clients.add(tuple(scope["client"]))
            await answer(send, 200)

    with LoopbackServer(app) as server, HttpClient(server.url) as talking:
        for _ in range(5):
            talking.get("/")
        assert len(clients) == 1


def test_a_connection_that_the_server_dropped_is_opened_again() -> None:
    served = []

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                served.append(connection.recv(65536).split(b" ")[1])
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with HttpClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as talking:
            assert [talking.get("/1").body, talking.get("/2").body] == [b"ok", b"ok"]
        thread.join()
    assert served == [b"/1", b"/2"]


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with HttpClient(url) as talking, pytest.raises(HttpFailed, match=f"GET {url}/x: .*refused"):
        talking.get("/x")


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with HttpClient(url, seconds=0.05) as talking, pytest.raises(HttpFailed, match="timed out"):
            talking.get("/")


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "127.0.0.1:1", "http://127.0.0.1:1/v1"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(HttpFailed, match="address of a server: expected one like"):
        HttpClient(url)


def test_stopping_closes_idle_connections_and_the_port() -> None:
    server = LoopbackServer(echo)
    server.start()
    with HttpClient(server.url) as talking:
        talking.get("/")
        server.stop()
        with pytest.raises(HttpFailed, match="refused"):
            talking.get("/")
    server.stop()
    assert "bnslab-http" not in {thread.name for thread in threading.enumerate()}


def test_stopping_waits_for_the_answer_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, shutting_down = threading.Event(), asyncio.Event()
    order, got = [], []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await echo(scope, receive, send)
            order.append("application ended")
            return
        entered.set()
        await shutting_down.wait()
        for _ in range(20):
            await pause()
        await answer(send, 200, b"late")
        order.append("answered")

    server = LoopbackServer(app)
    shutdown = server._server.shutdown

    async def announced(sockets: list[socket.socket] | None = None) -> None:
        shutting_down.set()
        await shutdown(sockets)
        order.append("server ended")

    monkeypatch.setattr(server._server, "shutdown", announced)
    server.start()
    with HttpClient(server.url) as talking:
        asking = threading.Thread(target=lambda: got.append(talking.get("/").body))
        asking.start()
        assert entered.wait(10)
        server.stop()
        asking.join()
    assert order == ["answered", "application ended", "server ended"]
    assert got == [b"late"]


def test_an_application_that_does_not_start() -> None:
    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no disk"})

    server = LoopbackServer(app)
    with pytest.raises(HttpFailed, match="expected the application to start"):
        server.start()
    server.stop()


def test_a_server_that_is_never_started_gives_its_port_back() -> None:
    server = LoopbackServer(echo)
    server.stop()
    with HttpClient(server.url) as talking, pytest.raises(HttpFailed, match="refused"):
        talking.get("/")
