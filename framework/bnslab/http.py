"""HTTP for the harness: a client that calls an ASGI application in process, one that uses sockets, and a server."""

from __future__ import annotations

import asyncio
import http.client
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

import orjson
import uvicorn

from bns.node.servers import listen
from bnslab.errors import LabError

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine, Mapping
    from types import TracebackType

    from starlette.types import ASGIApp, Message, Scope

# A request with one of these may be sent a second time (RFC 9110 section 9.2.1).
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_HEADERS: Mapping[str, str] = {}


class HttpFailed(LabError):
    """A request got no answer, or one that is not what it should be."""


class Response(NamedTuple):
    """An answer: status code, headers by lower-case name, body bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the JSON holds
        """The body as parsed JSON; HttpFailed if it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise HttpFailed(f"expected a JSON body, got {self.body[:80]!r} (status {self.status}): {error}") from None


class Client(ABC):
    """Sends requests and waits for their answers. Redirects are not followed."""

    @abstractmethod
    def request(
        self, method: str, target: str, *, body: bytes = b"", headers: Mapping[str, str] = _NO_HEADERS
    ) -> Response:
        """Send a request for a target (path, and query after `?`, ASCII); HttpFailed if there is no whole answer."""

    def get(self, target: str) -> Response:
        """GET a target."""
        return self.request("GET", target)


class AsgiClient(Client):
    """Calls an ASGI application in this thread, without a socket; the application's own exceptions pass through.

    An application that never suspends is driven by hand, which needs no event loop. One that does is called in an event
    loop of its own; so is every request that is not safe to repeat, because the attempt by hand comes first.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def request(
        self, method: str, target: str, *, body: bytes = b"", headers: Mapping[str, str] = _NO_HEADERS
    ) -> Response:
        """Call the application once, or a second time if by hand it did not come to its end."""
        scope = _scope(method, target, headers, body)
        exchange = _Exchange(body)
        if method not in _SAFE or not _drive(self._call(scope, exchange)):
            exchange = _Exchange(body)
            asyncio.run(self._call(scope, exchange))
        return exchange.response(method, target)

    async def _call(self, scope: Scope, exchange: _Exchange) -> None:
        await self._app(dict(scope), exchange.receive, exchange.send)


def _drive(call: Coroutine[Any, Any, None]) -> bool:
    """Run a coroutine to its end without an event loop; whether that was possible."""
    try:
        call.send(None)
    except StopIteration:
        return True
    except RuntimeError:  # no running event loop; if it is something else, the second attempt shows it
        return False
    call.close()
    return False


class _Exchange:
    """One request and what the application sent in answer."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._start: Message | None = None
        self._parts: list[bytes] = []
        self._ended = False

    async def receive(self) -> Message:
        if self._body is None:
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._parts.append(message.get("body", b""))
            self._ended = not message.get("more_body", False)

    def response(self, method: str, target: str) -> Response:
        if self._start is None or not self._ended:
            raise HttpFailed(f"{method} {target}: expected a whole answer, the application stopped before its end")
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._start["headers"]}
        return Response(self._start["status"], headers, b"" if method == "HEAD" else b"".join(self._parts))


def _require_target(target: str) -> None:
    if not (target.startswith("/") and target.isascii()):
        raise HttpFailed(f"target of a request: expected ASCII that starts with a slash, got {target!r}")


def _scope(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Scope:
    _require_target(target)
    path, _, query = target.partition("?")
    given = {"Host": "localhost", **({"Content-Length": str(len(body))} if body else {}), **headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path) if "%" in path else path,
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


class HttpClient(Client):
    """Talks to `http://host:port` over one connection that it keeps open; a context manager.

    seconds is the longest wait for the server at any moment.
    """

    def __init__(self, url: str, *, seconds: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None or parts.path.strip("/"):
            raise HttpFailed(f"address of a server: expected one like http://127.0.0.1:16268, got {url!r}")
        self._url = url.rstrip("/")
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)

    def request(
        self, method: str, target: str, *, body: bytes = b"", headers: Mapping[str, str] = _NO_HEADERS
    ) -> Response:
        """Send a request and read the answer."""
        _require_target(target)
        if method not in _SAFE:
            self._connection.close()
        kept = self._connection.sock is not None
        try:
            try:
                return self._exchange(method, target, body, headers)
            except ConnectionError:
                self._connection.close()
                if not kept:
                    raise
                # the server has let go of the connection since the last request
                return self._exchange(method, target, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise HttpFailed(f"{method} {self._url}{target}: {str(error) or type(error).__name__}") from error

    def _exchange(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Response:
        self._connection.request(method, target, body or None, dict(headers))
        answer = self._connection.getresponse()
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class LoopbackServer:
    """Serves an ASGI application on 127.0.0.1, once, in a thread of its own; a context manager.

    Without a port it is a free one. CannotListen, which says what for, if it is not to be had.
    """

    def __init__(self, app: ASGIApp, port: int = 0, what: str = "server") -> None:
        self._server = _Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none", date_header=False))
        self._socket = listen(what, "127.0.0.1", port)
        self._thread = threading.Thread(target=self._run, name="bnslab-http", daemon=True)
        self._failure: BaseException | None = None
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to answer; HttpFailed if the application does not start."""
        self._thread.start()
        self._server.ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise HttpFailed(f"expected the application to start, got {self._failure!r}") from self._failure

    def stop(self) -> None:
        """Finish what is being answered, close all connections and end the thread."""
        if self._thread.is_alive():
            self._server.stop()
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        try:
            self._server.run([self._socket])
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failure = error
        finally:
            self._socket.close()
            self._server.ready.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class _Server(uvicorn.Server):
    """uvicorn that starts and stops by events, where the original looks every tenth of a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self.ready.set()
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        for server in self.servers:
            await server.wait_closed()
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """Ask the loop to end, from another thread."""
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
