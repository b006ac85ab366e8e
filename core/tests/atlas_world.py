"""A node of the peer network alone in a world that a test makes up, without I/O."""

from __future__ import annotations

import base64
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from bns.atlas.constants import Constants
from bns.atlas.memory import Announced, MemoryHoldings
from bns.atlas.node import AtlasNode, Identity
from bns.zonefiles.store import zonefile_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bns.atlas.messages import Call, Exchange

T = TypeVar("T")
Answering = "Callable[[Call], dict[str, Any] | None]"
INFO: dict[str, Any] = {
    "last_block_seen": 10, "last_block_processed": 10, "consensus": "11" * 16, "server_version": "19.0.8.1",
    "server_alive": True, "indexing": False, "testnet": "1", "zonefile_count": 3,
}  # fmt: skip
OK = {"status": True, "indexing": False, "lastblock": 10}
FILES = [b"file %d" % number for number in range(20)]
HASHES = [zonefile_hash(data) for data in FILES]


class Here:
    """A node in a world that a test makes up: time stands still, peers answer what `answers` gives."""

    def __init__(
        self, *, constants: Constants | None = None, seeds: Iterable[str] = (), blacklist: Iterable[str] = ()
    ) -> None:
        self.now = 1_000_000.0
        self.announced = Announced(HASHES, height=10, consensus_hash="11" * 16)
        self.holdings = MemoryHoldings(self.announced)
        self.calls: list[Call] = []
        self.node = AtlasNode(
            Identity("me.example:6264", seeds=tuple(seeds), blacklist=tuple(blacklist), testnet=True),
            self.holdings, self.announced,
            clock=lambda: self.now, chance=Random(1), constants=constants or Constants(),
        )  # fmt: skip

    def run(self, exchange: Exchange[T], answers: Callable[[Call], dict[str, Any] | None]) -> T:
        """Let an exchange run to its end."""
        answer = None
        while True:
            try:
                call = exchange.send(answer)
            except StopIteration as stop:
                result: T = stop.value
                return result
            self.calls.append(call)
            answer = answers(call)

    def know(self, *peers: str, inventory: bytes = b"", answered: int = 1) -> None:
        for peer in peers:
            entry = self.node.admit(peer)
            entry.inventory = inventory
            for _ in range(answered):
                entry.record(self.now, answered=True, lifetime=3600)


def silence(_: Call) -> None:
    return None


def answering(answer: dict[str, Any] | None, _: Call) -> dict[str, Any] | None:
    return answer


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
