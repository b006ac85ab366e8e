"""The servers come to their end whatever comes to them at that time."""

from __future__ import annotations

import socket
import threading
import warnings
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bns.node import servers as module
from bns.node.servers import Servers, Service, listen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send


class Blocking:
    """An application that keeps all others waiting until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.set()
        self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


class Large:
    """An application with an answer that does not fit into any buffer."""

    size = 64 << 20

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", str(self.size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * self.size})


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def connect(port: int, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", port)))


def test_connections_that_come_at_the_end_are_closed(stack: ExitStack) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(10):
            app = Blocking()
            listener = listen("test", "127.0.0.1", 0)
            port = listener.getsockname()[1]
            servers = Servers([Service(app, listener)])
            servers.start()
            asking = connect(port, stack)
            asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert app.begun.wait(10)
            late = [connect(port, stack) for _ in range(5)]
            stopping = threading.Thread(target=servers.stop)
            stopping.start()
            app.go.set()
            stopping.join()
            assert b"".join(iter(partial(asking.recv, 4096), b"")).endswith(b"done")
            for each in late:
                assert closed(each)
    assert [str(warning.message) for warning in said] == []


def closed(connection: socket.socket) -> bool:
    """Whether the other end has closed it, accepted or not."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_client_that_takes_no_answer_keeps_nobody(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_ANSWERS_SECONDS", 0.1)
    listener = listen("test", "127.0.0.1", 0)
    servers = Servers([Service(Large(), listener)])
    servers.start()
    asking = connect(listener.getsockname()[1], stack)
    asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert asking.recv(9) == b"HTTP/1.1 "
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        servers.stop()
    assert [str(warning.message) for warning in said] == []
