"""Documents from the web that strangers name: bounded in time and size, and never from this machine's own networks."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin

import anyio
import anyio.to_thread
import httpcore

from bns.errors import BnsError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class NotFetched(BnsError):
    """A document was not to be had."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost: seconds in all, redirects included; bytes of its body; redirects."""

    seconds: float = 5.0
    size: int = 1 << 20
    redirects: int = 5


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet; the one inside an address that embeds another counts too."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public(str(embedded))
    return ip.is_global and not ip.is_multicast


class Web:
    """Fetches over HTTP and HTTPS. Addresses are checked where connections are made, so no name server can play tricks.

    allow_loopback lets it ask this machine too, for tests. resolve looks up hosts, like socket.getaddrinfo; what it
    finds is connected to, the port included.
    """

    def __init__(
        self,
        limits: Limits = Limits(),
        *,
        allow_loopback: bool = False,
        resolve: Callable[..., Sequence[tuple[Any, ...]]] = socket.getaddrinfo,
    ) -> None:
        self._limits = limits
        self._backend = _Guarded(resolve, allow_loopback=allow_loopback)

    async def get(self, url: str) -> bytes:
        """The body of the 200 that a URL, or where it redirects to, answers; NotFetched otherwise."""
        try:
            with anyio.fail_after(self._limits.seconds):
                async with httpcore.AsyncConnectionPool(network_backend=self._backend) as pool:
                    return await self._follow(pool, url)
        except TimeoutError:
            raise NotFetched(f"{url}: expected an answer within {self._limits.seconds:g} s") from None
        except NotFetched as error:
            raise NotFetched(f"{url}: {error}") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise NotFetched(f"{url}: {str(error) or type(error).__name__}") from None
        except (httpcore.UnsupportedProtocol, ValueError, TypeError) as error:
            raise NotFetched(f"{url}: expected a URL of HTTP or HTTPS: {error}") from None

    async def _follow(self, pool: httpcore.AsyncConnectionPool, url: str) -> bytes:
        for _ in range(self._limits.redirects + 1):
            # a body that comes compressed could be of any size
            headers = [("accept", "application/json, */*"), ("accept-encoding", "identity"), ("connection", "close")]
            async with pool.stream("GET", url, headers=headers) as answer:
                if answer.status not in _REDIRECTS:
                    return await self._body(answer)
                location = next((value for name, value in answer.headers if name.lower() == b"location"), b"")
            url = urljoin(url, location.decode("latin-1"))
        raise NotFetched(f"expected at most {self._limits.redirects} redirects")

    async def _body(self, answer: httpcore.Response) -> bytes:
        if answer.status != 200:
            raise NotFetched(f"expected status 200, got {answer.status}")
        body = bytearray()
        stream = cast("AsyncGenerator[bytes]", answer.aiter_stream())
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > self._limits.size:
                    raise NotFetched(f"expected at most {self._limits.size} bytes")
        return bytes(body)


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to what a host resolves to, if that may be."""

    def __init__(self, resolve: Callable[..., Sequence[tuple[Any, ...]]], *, allow_loopback: bool) -> None:
        self._resolve = resolve
        self._allow_loopback = allow_loopback
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        find = partial(self._resolve, host, port, type=socket.SOCK_STREAM)
        found = await anyio.to_thread.run_sync(find, abandon_on_cancel=True)
        addresses = [(str(entry[4][0]), int(entry[4][1])) for entry in found]
        address = next((each for each in addresses if self._may_connect(each[0])), None)
        if address is None:
            known = ", ".join(dict.fromkeys(ip for ip, _ in addresses)) or "no address"
            raise NotFetched(f"expected {host} to be on the internet, got {known}")
        return await self._inner.connect_tcp(*address, timeout, local_address, socket_options)

    def _may_connect(self, address: str) -> bool:
        return is_public(address) or (self._allow_loopback and ipaddress.ip_address(address).is_loopback)
