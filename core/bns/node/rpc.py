"""A lean JSON-RPC client of bitcoind: one kept-open connection, batches, exact amounts, typed errors."""

from __future__ import annotations

import base64
import json
import select
import socket
import threading
from copy import copy
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Self

import orjson

from bns.node.errors import RpcError, SourceError, SourceTimeout, SourceUnavailable, WrongCredentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.node.config import BitcoindSettings

_CHUNK = 1 << 18


class RpcClient:
    """Calls to the RPC server at `address`, (host, port). Threads may share it; their calls then wait for each other.

    Numbers with a decimal point come back as Decimal, so amounts in BTC are exact; Decimals may be passed in.
    `timeout` is in seconds and bounds one wait for the server, not a whole answer. A call is never sent twice.
    """

    rpc_error: ClassVar[type[RpcError]] = RpcError
    """What a call raises when the server answers it with an error."""

    def __init__(self, address: tuple[str, int], user: str, password: str, *, timeout: float = 300.0) -> None:
        host, port = address
        self.name = f"bitcoind at {f'[{host}]' if ':' in host else host}:{port}"
        self._address = address
        self._timeout = timeout
        self._ids = count(1)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._incoming = select.poll()
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._head = (
            f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Basic {secret}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()

    @classmethod
    def of(cls, settings: BitcoindSettings, timeout: float | None = None) -> Self:
        """A client of the bitcoind of a configuration, whose timeout holds unless another one is given."""
        address = settings.server, settings.port
        return cls(address, settings.user, settings.passwd, timeout=timeout or settings.timeout)

    def twin(self) -> Self:
        """Another connection to the same server, for calls that go on at the same time."""
        twin = copy(self)
        twin._lock, twin._socket, twin._incoming = threading.Lock(), None, select.poll()
        return twin

    def call(self, method: str, *params: object) -> Any:  # noqa: ANN401 - the shape depends on the method
        """The result of one call; RpcError if the server answers with an error, SourceError if it does not answer."""
        answer = self._ask({"id": next(self._ids), "method": method, "params": params})
        return self._result(answer, method)

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """The results of `calls`, each (method, params), made in one round trip and in that order.

        All are carried out; the first that failed raises its RpcError.
        """
        for result in (results := self.attempt(calls)):
            if isinstance(result, RpcError):
                raise result
        return results

    def attempt(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """The same, with the RpcError itself in the place of each call that failed."""
        if not calls:
            return []
        answers = self._ask([{"id": n, "method": method, "params": params} for n, (method, params) in enumerate(calls)])
        if isinstance(answers, dict):
            answers = [answers] * len(calls)
        return [self._outcome(answer, method) for answer, (method, _) in zip(answers, calls, strict=True)]

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        connection, self._socket = self._socket, None
        if connection is not None:
            self._incoming.unregister(connection)
            connection.close()

    def _outcome(self, answer: dict[str, Any], method: str) -> Any:  # noqa: ANN401 - the shape depends on the method
        try:
            error = answer.get("error")
            if error is None:
                return answer["result"]
            return self.rpc_error(int(error["code"]), str(error["message"]), method)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise SourceUnavailable(self.name, f"answered {method} with no JSON-RPC: {str(answer)[:200]}") from None

    def _result(self, answer: dict[str, Any], method: str) -> Any:  # noqa: ANN401 - the shape depends on the method
        result = self._outcome(answer, method)
        if isinstance(result, RpcError):
            raise result
        return result

    def _ask(self, question: object) -> Any:  # noqa: ANN401 - JSON
        body = orjson.dumps(question, default=encode_decimal)
        with self._lock:
            try:
                connection = self._connection()
                connection.sendall(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))
                status, answer = self._read(connection)
            except (OSError, ValueError) as error:
                self.close()
                raise self._no_answer(error) from error
            except BaseException:
                # Interrupted half-way: the answer still to come must not be taken for the next call's.
                self.close()
                raise
        if status == 401:
            self.close()
            raise WrongCredentials(self.name, "refuses our credentials")
        try:
            return json.loads(answer, parse_float=Decimal) if b"." in answer else orjson.loads(answer)
        except ValueError:
            text = answer[:200].decode(errors="replace").strip()
            raise SourceUnavailable(self.name, f"answered HTTP {status}: {text}") from None

    def _no_answer(self, error: Exception) -> SourceError:
        kind = SourceTimeout if isinstance(error, TimeoutError) else SourceUnavailable
        return kind(self.name, f"gave no answer: {error}")

    def _connection(self) -> socket.socket:
        if self._socket is not None and self._incoming.poll(0):
            # Between calls only the end of the connection can be waiting.
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._timeout)
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


def encode_decimal(value: object) -> orjson.Fragment:
    """The JSON number of a Decimal, for orjson."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"no JSON for {type(value).__name__}")
