"""A lean JSON-RPC client: one kept-open connection, batches, exact amounts, typed errors."""

from __future__ import annotations

import base64
import json
import select
import socket
import threading
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson

from bnslab.bitcoind.errors import RpcConnectionLost, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CHUNK = 1 << 18


class RpcClient:
    """Calls to the RPC server at 127.0.0.1:`port`. Safe to share between threads; calls then wait for each other.

    Numbers with a decimal point come back as Decimal, so amounts in BTC are exact; Decimals may be passed in.
    `lost` is called when a connection breaks: it raises NodeDied when the node is the reason, else RpcConnectionLost
    follows. `timeout` is in seconds and bounds one wait for the server, not a whole answer. A call is never sent twice.
    """

    def __init__(
        self, port: int, user: str, password: str, *, lost: Callable[[], None] = lambda: None, timeout: float = 120.0
    ) -> None:
        self.port = port
        self._lost = lost
        self._timeout = timeout
        self._ids = count(1)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._incoming = select.poll()
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._head = (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {secret}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()

    def call(self, method: str, *params: object) -> Any:  # noqa: ANN401 - the shape depends on the method
        """The result of one call; raises RpcError, NodeDied or RpcConnectionLost."""
        answer = self._ask({"id": next(self._ids), "method": method, "params": params})
        return _result(answer, method)

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """The results of `calls`, each (method, params), made in one round trip and in that order.

        All are carried out; the first that failed raises its RpcError.
        """
        if not calls:
            return []
        answers = self._ask([{"id": n, "method": method, "params": params} for n, (method, params) in enumerate(calls)])
        if isinstance(answers, dict):
            return [_result(answers, "batch")]
        return [_result(answer, method) for answer, (method, _) in zip(answers, calls, strict=True)]

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._socket is not None:
            self._incoming.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def _ask(self, question: object) -> Any:  # noqa: ANN401 - JSON
        body = orjson.dumps(question, default=_encode)
        with self._lock:
            try:
                connection = self._connection()
                connection.sendall(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))
                status, answer = self._read(connection)
            except OSError as error:
                self.close()
                self._lost()
                raise RpcConnectionLost(f"bitcoind at port {self.port} gave no answer: {error}") from error
            except BaseException:
                # Interrupted half-way: the answer still to come must not be taken for the next call's.
                self.close()
                raise
        if status == 401:
            self.close()
            raise RpcConnectionLost(f"the server at port {self.port} refuses our credentials: it is not our node")
        try:
            return json.loads(answer, parse_float=Decimal) if b"." in answer else orjson.loads(answer)
        except ValueError:
            text = answer[:200].decode(errors="replace").strip()
            raise RpcConnectionLost(f"bitcoind at port {self.port} answered HTTP {status}: {text}") from None

    def _connection(self) -> socket.socket:
        if self._socket is not None and self._incoming.poll(0):
            # Between calls only the end of the connection can be waiting.
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._incoming.register(self._socket, select.POLLIN)
        return self._socket

    def _read(self, connection: socket.socket) -> tuple[int, bytes]:
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += _receive(connection)
        head = bytes(received[:end]).lower()
        length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        while len(received) < end + 4 + length:
            received += _receive(connection)
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head[9:12]), bytes(received[end + 4 :])


def _receive(connection: socket.socket) -> bytes:
    chunk = connection.recv(_CHUNK)
    if not chunk:
        raise ConnectionResetError("connection closed")
    return chunk


def _result(answer: dict[str, Any], method: str) -> Any:  # noqa: ANN401 - the shape depends on the method
    error = answer.get("error")
    if error is not None:
        raise RpcError(int(error["code"]), str(error["message"]), method)
    return answer["result"]


def _encode(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"no JSON for {type(value).__name__}")
