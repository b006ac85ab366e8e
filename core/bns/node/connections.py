"""The connections of a server, whoever is at the other end: what they may take up, and for how long.

The protocol is uvicorn's. What it does not bound is bounded here: the head of a request, the time that a request or
its answer may take, requests sent ahead of their turn, the number of connections and the memory of all of them.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD_AT_ONCE = 1024
"""Bytes of heads that are parsed before a look whether requests wait for their turn: a few dozen requests at most."""


class Limits(NamedTuple):
    """What the connections of a server may take up.

    seconds is how long a client may take to send a request, to think of the next one, and to take an answer that does
    not fit into the system's buffers. held_bytes is for bodies and answers of all connections together. Where a limit
    is reached, the client that has kept the server waiting longest is the one to go.
    """

    connections: int = 4096
    head_bytes: int = 32 * 1024
    held_bytes: int = 64 << 20
    seconds: float = 60.0


class Waiting:
    """Connections that keep the server waiting, the longest first; those that do for too long are dropped."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._since)

    def begin(self, connection: Connection) -> None:
        """From now on the server waits for this one."""
        self._since.pop(connection, None)
        self._since[connection] = connection.loop.time()
        if self._timer is None:
            self._timer = connection.loop.call_later(self._seconds, self._look, connection.loop)

    def end(self, connection: Connection) -> None:
        """It has done what was waited for."""
        self._since.pop(connection, None)

    def stop(self) -> None:
        """Drop nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._since:
            connection, since = next(iter(self._since.items()))
            if since + self._seconds > loop.time():
                self._timer = loop.call_at(since + self._seconds, self._look, loop)
                return
            del self._since[connection]
            connection.drop(HTTPStatus.REQUEST_TIMEOUT)


class Room:
    """What all connections of a server take up together."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.open = 0
        self.held = 0
        self.asking = Waiting(limits.seconds)
        self.taking = Waiting(limits.seconds)
        self._stopping = False
        self._left = asyncio.Event()

    def enter(self, connection: Connection) -> None:
        """A connection was made; another one has to go if they are too many."""
        self.open += 1
        if self._stopping:
            connection.transport.close()
        elif self.open > self.limits.connections:
            next(iter(self.asking), connection).drop(HTTPStatus.SERVICE_UNAVAILABLE)

    def leave(self, connection: Connection) -> None:
        """A connection is lost."""
        self.open -= 1
        self.asking.end(connection)
        self.taking.end(connection)
        self.release(connection)
        if self._stopping and not self.open:
            self._left.set()

    def hold(self, connection: Connection, size: int) -> None:
        """So many more bytes are kept for a connection; others have to go if they are too many."""
        self.held += size
        connection.held += size
        if self.held <= self.limits.held_bytes:
            return
        holders = [other for waiting in (self.taking, self.asking) for other in waiting if other.held]
        for other in (*holders, connection):
            if self.held <= self.limits.held_bytes:
                return
            other.drop(HTTPStatus.SERVICE_UNAVAILABLE)

    def release(self, connection: Connection) -> None:
        """Nothing is kept for a connection any more."""
        self.held -= connection.held
        connection.held = 0

    def stop(self) -> None:
        """Drop nobody any more; close those that were accepted and are made only now."""
        self._stopping = True
        self.asking.stop()
        self.taking.stop()

    async def left(self) -> None:
        """After stop, wait until no connection is left."""
        made = asyncio.Event()
        asyncio.get_running_loop().call_soon(made.set)
        await made.wait()  # and so are those that were accepted before stop
        if self.open:
            await self._left.wait()


class Connection(HttpToolsProtocol):
    """A connection that stays within its room."""

    def __init__(self, room: Room, **parts: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**parts)
        self.room = room
        self.held = 0
        self._begun = False
        self._head = 0  # bytes so far of the head that is being read
        self._in_head = True
        self._due = 0  # bytes that the body still lacks
        self._ahead = b""  # what came while requests waited for their turn
        self._deaf = False
        self._ended = False

    # What uvicorn tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self.room.asking.begin(self)
        self.room.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.room.leave(self)
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._ahead:
            self._ahead += data
        else:
            self._parse(data)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends no more; it is answered what it has sent."""
        if not self._is_busy() or self.cycle.more_body:
            return None
        self._ended = True
        if not self._ahead:
            self._last_answer()
        return True

    def pause_writing(self) -> None:
        """The client does not take its answer."""
        super().pause_writing()
        self.room.taking.begin(self)
        self.room.hold(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self.room.taking.end(self)
        self.room.release(self)

    # What the parser tells

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._begun = True
        self.room.asking.begin(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or what a body in chunks has at its end and nobody asks for."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            raise ValueError("expected HTTP/1.0 or HTTP/1.1")
        super().on_headers_complete()
        self._in_head = self._begun = False
        self._head = self._due = 0
        for name, value in self.headers:
            if name == b"content-length":
                self._due = int(value)
            elif name == b"transfer-encoding":  # whatever follows is not to be taken for another request
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Part of a body."""
        super().on_body(body)
        self._due = max(0, self._due - len(body))
        if not self.cycle.response_complete:
            self.room.hold(self, len(body))

    def on_message_complete(self) -> None:
        """The request is complete."""
        super().on_message_complete()
        self._in_head = True
        if self._is_busy():
            self.room.asking.end(self)

    def on_response_complete(self) -> None:
        """An answer was given: the next request has its turn."""
        self.server_state.total_requests += 1
        if not self.flow.write_paused:
            self.room.release(self)
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self.room.asking.begin(self)
        ahead, self._ahead = self._ahead, b""
        if ahead:
            self._parse(ahead)
            if self._ended and not self._ahead:
                self._last_answer() if self._is_busy() else self.transport.close()

    # What goes beyond

    def drop(self, status: HTTPStatus) -> None:
        """Close the connection; a client that is in the middle of a request is told why."""
        if self.transport.is_closing():
            return
        self.room.asking.end(self)
        self.room.release(self)
        in_head = (self._begun or self._head > 0) and not self._is_busy()
        in_body = not self._in_head and not self.cycle.response_started and not self.pipeline
        if in_head or in_body:
            self._say(status)
            self.transport.close()
        else:
            self.transport.abort()

    def _parse(self, data: bytes) -> None:
        start = 0
        while start < len(data) and not (self._deaf or self.transport.is_closing()):
            if self.pipeline:
                self._ahead = data[start:]
                self.flow.pause_reading()
                return
            size = _HEAD_AT_ONCE if self._in_head else max(_HEAD_AT_ONCE, self._due)
            piece = data[start : start + size] if start or size < len(data) else data
            start += size
            if self._in_head:
                self._head += len(piece)
                if self._head > self.room.limits.head_bytes + _HEAD_AT_ONCE:
                    self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                    return
            self._feed(piece)

    def _feed(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        except httptools.HttpParserUpgrade:
            self._last_answer()

    def _refuse(self, status: HTTPStatus) -> None:
        """Hear no more; what was asked before is still answered."""
        if self._is_busy() and not self.cycle.more_body:
            self._last_answer()
        else:
            self._deaf = True
            self.drop(status)

    def _last_answer(self) -> None:
        self._deaf = True
        self._ahead = b""
        self.cycle.keep_alive = False

    def _is_busy(self) -> bool:
        """Whether a request is to be answered, complete or not."""
        return self.cycle is not None and not self.cycle.response_complete

    def _say(self, status: HTTPStatus) -> None:
        body = status.phrase.encode()
        head = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
