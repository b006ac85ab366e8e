"""Calls to peers over TCP: XML-RPC in plain HTTP, whose one return value is JSON text (spec 06 section 1).

A peer gets the time that the call allows, all in all, however slowly it sends, and not a byte more than the limit.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any
from xmlrpc.client import Unmarshaller, dumps

import orjson
from defusedxml.xmlrpc import DefusedExpatParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.atlas.messages import Call

_CHUNK = 1 << 16
_HEAD = 16 << 10
_XML_OVERHEAD = 1 << 10


class PeerClient:
    """Makes calls, from several threads; close ends those under way. clock counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False

    def call(self, call: Call) -> dict[str, Any] | None:
        """The JSON object that a peer answers; None if it does not, too late, too much, or something else."""
        if self._closed:
            return None
        deadline = self._clock() + call.timeout
        host, _, port = call.peer.rpartition(":")
        try:
            with contextlib.closing(self._connect(host, int(port), deadline)) as connection:
                self._remember(connection)
                try:
                    raw = self._exchange(connection, _request(call), call.limit, deadline)
                finally:
                    with self._lock:
                        self._open.discard(connection)
        except (OSError, ValueError):  # ValueError: a host that cannot be a name
            return None
        return None if raw is None else read_response(raw)

    def close(self) -> None:
        """Have all calls end now, those to come too."""
        with self._lock:
            self._closed = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        problem = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                self._allow(connection, deadline)
                connection.connect(address)
            except OSError as error:
                connection.close()
                problem = error
            else:
                return connection
        raise problem

    def _remember(self, connection: socket.socket) -> None:
        with self._lock:
            if self._closed:
                raise ConnectionAbortedError
            self._open.add(connection)

    def _exchange(self, connection: socket.socket, request: bytes, limit: int, deadline: float) -> bytes | None:
        """All that comes back up to the end, or up to the length that the peer gave."""
        self._allow(connection, deadline)
        connection.sendall(request)
        raw, end = bytearray(), limit + _HEAD + _XML_OVERHEAD
        while len(raw) < end:
            self._allow(connection, deadline)
            chunk = connection.recv(_CHUNK)
            if not chunk:
                return bytes(raw)
            raw += chunk
            complete = _length(raw)
            if complete is not None and len(raw) >= complete:
                return bytes(raw[:complete])
        return None

    def _allow(self, connection: socket.socket, deadline: float) -> None:
        left = deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)


def _request(call: Call) -> bytes:
    body = dumps(call.arguments, call.method).encode()
    head = f"POST /RPC2 HTTP/1.0\r\nHost: {call.peer}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _length(raw: bytearray) -> int | None:
    """The length of a whole response, None if that is not known."""
    head = raw.find(b"\r\n\r\n", 0, _HEAD)
    if head < 0:
        return None
    for line in bytes(raw[:head]).split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return head + 4 + int(value)
    return None


def read_response(raw: bytes) -> dict[str, Any] | None:
    """The JSON object in an HTTP response; None if there is none."""
    head, found, body = raw.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)
    if not found or not head.startswith(b"HTTP/1.") or len(status) < 2 or status[1] != b"200":
        return None
    unmarshaller = Unmarshaller()
    parser = DefusedExpatParser(unmarshaller, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
        values = unmarshaller.close()
        value = orjson.loads(values[0]) if isinstance(values[0], str) else None
    except Exception:  # noqa: BLE001 - the parser's classes have no common base, and any answer may come
        return None
    return value if isinstance(value, dict) else None
