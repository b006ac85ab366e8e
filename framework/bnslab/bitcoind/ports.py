"""Ports for RPC servers: a range of its own for every process that needs some, and a look whether a port is free."""

from __future__ import annotations

import os
import secrets
import socket
import weakref
from typing import TYPE_CHECKING, Self

from bns.errors import InvalidInput
from bnslab.bitcoind.errors import PortTaken

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PORT = 20_000
PORTS_IN_RANGE = 120
RANGES = 100
"""20,000 to 31,999: below 32768, where the system picks the ports of outgoing connections. A client that knocks at a
closed port up there can end up connected to itself."""

_FIRST_CLAIM = FIRST_PORT + RANGES * PORTS_IN_RANGE
"""The port whose owner has the first range; the others follow."""


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As bitcoind does it: without this a port is unusable for a minute after its last connection.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class PortPool:
    """Ports of a range, handed out in turn from a random place in it. `choose(n)` gives a number below n.

    A range that is claimed is shared with nobody. With others `is_free`, bitcoind's own refusal and the random
    credentials keep two processes apart, but the port of a node that is down for a moment can be gone.
    """

    def __init__(
        self,
        number: int = 0,
        *,
        choose: Callable[[int], int] = secrets.randbelow,
        free: Callable[[int], bool] = is_free,
    ) -> None:
        if not 0 <= number < RANGES:
            raise InvalidInput("number of a range of ports", number, f"a number from 0 to {RANGES - 1}")
        self._first = FIRST_PORT + number * PORTS_IN_RANGE
        self._next = choose(PORTS_IN_RANGE)
        self._free = free

    @classmethod
    def claimed(cls, *, choose: Callable[[int], int] = secrets.randbelow) -> Self:
        """A pool with a range that no other process of this machine claims, until it or this process is gone.

        If none is left, with any range.
        """
        first = choose(RANGES)
        for number in (*range(first, RANGES), *range(first)):
            if (claim := _claim(number)) is not None:
                pool = cls(number, choose=choose)
                weakref.finalize(pool, os.close, claim)
                return pool
        return cls(first, choose=choose)

    def take(self) -> int:
        """The next port nobody listens on; raises PortTaken when none of the range is free."""
        for _ in range(PORTS_IN_RANGE):
            port = self._first + self._next
            self._next = (self._next + 1) % PORTS_IN_RANGE
            if self._free(port):
                return port
        raise PortTaken(range(self._first, self._first + PORTS_IN_RANGE))

    def is_free(self, port: int) -> bool:
        """Whether nobody listens on `port` now."""
        return self._free(port)


def _claim(number: int) -> int | None:
    """A descriptor that holds on to a range; None if another one does."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as claim:
        try:
            claim.bind(("127.0.0.1", _FIRST_CLAIM + number))
        except OSError:
            return None
        return claim.detach()
