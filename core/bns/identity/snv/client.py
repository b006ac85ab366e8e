"""A node that answers by XML-RPC, asked so that it can neither flood nor hold up whoever asks (spec 06 section 6.8)."""

from __future__ import annotations

import socket
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from xmlrpc.client import Error, Unmarshaller, dumps

import orjson
from defusedxml.common import DefusedXmlException
from defusedxml.xmlrpc import DefusedExpatParser

from bns.errors import InvalidInput
from bns.identity.snv.errors import BadAnswer, SnvError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MOST_BYTES = 1 << 20
"""Bytes of a reply that are read. Ten operations, the most there are in one, take a few thousand."""

MOST_OPERATIONS = 20_000
"""Operations that a block can hold, and more."""

_PAGE = 10
_CHUNK = 1 << 16
_DEFAULT_PORT = 6264


class NoAnswer(SnvError):
    """A node cannot be reached, or does not answer in time."""


class Refused(SnvError):
    """A node answers with an error of its own."""


class Node(NamedTuple):
    """Where a node answers XML-RPC."""

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, text: str) -> Node:
        """From `http://host:port`, `https://host:port` or `host:port`; the port is 6264 if there is none."""
        parts = urlsplit(text if "://" in text else f"http://{text}")
        try:
            port = parts.port
        except ValueError:
            port = 0
        extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or extra:
            raise InvalidInput("node", text, "http://host:port")
        return cls(parts.hostname, port or _DEFAULT_PORT, parts.scheme == "https")

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


class RpcSource:
    """Asks a node; see proof.Source. Raises NoAnswer, Refused and BadAnswer.

    timeout is the longest that one call may take, in seconds by `clock`, from connecting to the last byte.
    """

    def __init__(self, node: Node, *, timeout: float = 30.0, clock: Callable[[], float] = monotonic) -> None:
        self.node = node
        self._timeout = timeout
        self._clock = clock

    def height_of(self, consensus_hash: str, /) -> int | None:
        """get_block_from_consensus."""
        height = self.call("get_block_from_consensus", consensus_hash).get("block_id")
        return None if height is None else self._number("block of a consensus hash", height)

    def ops_hash_at(self, height: int, /) -> str | None:
        """get_blockstack_ops_hash_at."""
        found: str | None = self.call("get_blockstack_ops_hash_at", height).get("ops_hash")
        return found

    def consensus_hashes(self, heights: Sequence[int], /) -> Mapping[int, str | None]:
        """get_consensus_hashes."""
        found = self.call("get_consensus_hashes", list(heights)).get("consensus_hashes")
        if not isinstance(found, dict):
            raise BadAnswer(f"{self.node}: expected an object of consensus hashes, got {_short(found)}")
        return {height: found.get(str(height)) for height in heights}

    def operations_at(self, height: int, /) -> Sequence[Mapping[str, Any]]:
        """get_num_blockstack_ops_at, and as many pages of get_blockstack_ops_at."""
        count = self._number("number of operations", self.call("get_num_blockstack_ops_at", height).get("count"))
        if count > MOST_OPERATIONS:
            raise BadAnswer(f"{self.node}: block {height}: {count} operations, more than a block can hold")
        found: list[Mapping[str, Any]] = []
        while len(found) < count:
            page = self.call("get_blockstack_ops_at", height, len(found), _PAGE).get("nameops")
            if not isinstance(page, list) or not 0 < len(page) <= _PAGE:
                problem = f"expected the next of {count} operations, got {_short(page)}"
                raise BadAnswer(f"{self.node}: block {height}: {problem}")
            found += page
        return found

    def call(self, method: str, *arguments: object) -> dict[str, Any]:
        """The reply to a call: an object without `error`."""
        body = dumps(arguments, method, allow_none=True).encode()  # type: ignore[arg-type]
        reply = self._parse(method, self._post(body))
        if not isinstance(reply, dict):
            raise BadAnswer(f"{self.node}: {method}: expected an object, got {_short(reply)}")
        if "error" in reply:
            raise Refused(f"{self.node}: {method}: {_short(reply['error'])}")
        return reply

    def _number(self, what: str, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise BadAnswer(f"{self.node}: {what}: expected a number, got {_short(value)}")
        return value

    def _parse(self, method: str, body: bytes) -> object:
        """The JSON in the string in the XML."""
        unmarshaller = Unmarshaller()
        try:
            parser = DefusedExpatParser(unmarshaller, forbid_dtd=True)
            parser.feed(body)
            parser.close()
            (text,) = unmarshaller.close()
            return orjson.loads(str(text))
        except Error as fault:
            raise Refused(f"{self.node}: {method}: {_short(str(fault))}") from None
        except DefusedXmlException as error:
            raise BadAnswer(f"{self.node}: {method}: XML with declarations: {_short(str(error))}") from None
        except Exception as error:  # noqa: BLE001 - the unmarshaller raises whatever it stumbles over
            problem = f"expected XML-RPC with JSON inside ({type(error).__name__}: {error})"
            raise BadAnswer(f"{self.node}: {method}: {_short(problem)}") from None

    def _post(self, body: bytes) -> bytes:
        head = (
            f"POST /RPC2 HTTP/1.0\r\nHost: {self.node.host}:{self.node.port}\r\nContent-Type: text/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        deadline = self._clock() + self._timeout
        try:
            with self._connect() as connection:
                connection.sendall(head.encode("ascii") + body)
                received = self._receive(connection, deadline)
        except TimeoutError:
            raise NoAnswer(f"{self.node}: no answer within {self._timeout:g} s") from None
        except (OSError, UnicodeError) as error:
            raise NoAnswer(f"{self.node}: {getattr(error, 'strerror', None) or error}") from None
        status, _, rest = received.partition(b"\r\n")
        _, end, content = rest.partition(b"\r\n\r\n")
        if not end or status.split(b" ")[1:2] != [b"200"]:
            raise BadAnswer(f"{self.node}: expected HTTP status 200, got {_short(status.decode('latin-1'))}")
        return content

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((self.node.host, self.node.port), self._timeout)
        if not self.node.tls:
            return connection
        return ssl.create_default_context().wrap_socket(connection, server_hostname=self.node.host)

    def _receive(self, connection: socket.socket, deadline: float) -> bytes:
        """Everything until the node closes, which it does after one answer to HTTP/1.0."""
        received = bytearray()
        while True:
            left = deadline - self._clock()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
            chunk = connection.recv(_CHUNK)
            if not chunk:
                return bytes(received)
            received += chunk
            if len(received) > MOST_BYTES:
                raise BadAnswer(f"{self.node}: a reply of more than {MOST_BYTES} bytes")


def _short(value: object) -> str:
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= 120 else f"{text[:117]}..."
