"""Ports for RPC servers: a range of its own for every worker, and a look whether a port is free."""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING

from bns.errors import InvalidInput
from bnslab.bitcoind.errors import PortTaken

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PORT = 20_000
PORTS_PER_WORKER = 120
WORKERS = 100
"""20,000 to 31,999: below 32768, where the system picks the ports of outgoing connections. A client that knocks at a
closed port up there can end up connected to itself."""


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
    """Ports of one worker, handed out in turn from a random place of its range.

    Workers of one run never share a port; two runs on one machine may, and then `is_free`, bitcoind's own refusal and
    the random credentials keep them apart. `worker` is 0 to 99; `choose(n)` gives a number below n.
    """

    def __init__(
        self,
        worker: int = 0,
        *,
        choose: Callable[[int], int] = secrets.randbelow,
        free: Callable[[int], bool] = is_free,
    ) -> None:
        if not 0 <= worker < WORKERS:
            raise InvalidInput("worker", worker, f"a number from 0 to {WORKERS - 1}")
        self._first = FIRST_PORT + worker * PORTS_PER_WORKER
        self._next = choose(PORTS_PER_WORKER)
        self._free = free

    def take(self) -> int:
        """The next port nobody listens on; raises PortTaken when none of the range is free."""
        for _ in range(PORTS_PER_WORKER):
            port = self._first + self._next
            self._next = (self._next + 1) % PORTS_PER_WORKER
            if self._free(port):
                return port
        raise PortTaken(range(self._first, self._first + PORTS_PER_WORKER))

    def is_free(self, port: int) -> bool:
        """Whether nobody listens on `port` now."""
        return self._free(port)
