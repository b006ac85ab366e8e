"""Clients that speak HTTP as nobody should, and one that does as it should meanwhile."""

from __future__ import annotations

import http.client
import re
import resource
import socket
import statistics
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

from bns.node.connections import Limits
from bns.node.servers import Servers, Service, listen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

WAIT_SECONDS = 30.0
USUAL, SLOWEST = 2.0, 15.0
"""Seconds that a good client may wait meanwhile, on a machine that has other things to do."""

SHORT = 0.3
"""Seconds of patience of a server whose patience is tried."""

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Reply(NamedTuple):
    """An answer: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Site:
    """An application behind the node's server."""

    def __init__(self, app: ASGIApp, limits: Limits = Limits(seconds=WAIT_SECONDS)) -> None:  # noqa: B008 - frozen
        self._listener = listen("test", "127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self._servers = Servers([Service(app, self._listener)], limits)

    def __enter__(self) -> Site:
        self._servers.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.stop()

    def connect(self) -> socket.socket:
        """A connection."""
        return socket.create_connection(("127.0.0.1", self.port), WAIT_SECONDS)

    def all_of(self, sent: bytes, *, half_close: bool = False) -> bytes:
        """Everything that the server says to some bytes, up to the end of the connection."""
        with self.connect() as connection:
            try:
                connection.sendall(sent)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has heard enough
            return rest_of(connection)

    def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Reply:
        """A well-made request, and its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        try:
            connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()


def rest_of(connection: socket.socket) -> bytes:
    """What still comes on a connection."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def statuses(answers: bytes) -> list[int]:
    """The statuses of answers that came one after the other."""
    return [int(status) for status in _STATUS.findall(answers)]


def with_body(body: bytes, *headers: bytes, start: bytes = b"POST /RPC2 HTTP/1.1") -> bytes:
    """A request with a body and its length."""
    lines = (start, b"Host: localhost", b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join((*lines, b"", body))


@contextmanager
def undisturbed(site: Site, target: str = "/v1/ping", *, megabytes: float = 64) -> Iterator[None]:
    """Another client is answered all the time, soon, and memory stays within bounds."""
    done = threading.Event()
    times: list[float] = []
    problems: list[Any] = []

    def look() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=WAIT_SECONDS)
        try:
            first = True
            while first or not done.is_set():
                first = False
                started = time.perf_counter()
                connection.request("GET", target)
                answer = connection.getresponse()
                answer.read()
                times.append(time.perf_counter() - started)
                if answer.status != 200:
                    problems.append(answer.status)
        except (OSError, http.client.HTTPException) as error:
            problems.append(error)
        finally:
            connection.close()

    client = threading.Thread(target=look)
    process = psutil.Process()
    before = process.memory_info().rss
    client.start()
    try:
        yield
        grown = (process.memory_info().rss - before) / 1e6
    finally:
        done.set()
        client.join()
    assert not problems, problems[0]
    assert statistics.median(times) < USUAL
    assert max(times) < SLOWEST
    assert grown < megabytes


def allow_files(count: int) -> bool:
    """Raise this process's limit of open files; whether that is possible."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count <= hard or hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= count
