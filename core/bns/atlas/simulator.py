"""A network in one thread and without a clock: many nodes, and what comes between them.

Time passes from event to event. Chance comes from one seed: the same seed and the same calls give the same run, which
trace_hash shows. What runs is bns.atlas.node and bns.atlas.crawlers, as in a node on sockets.
"""

from __future__ import annotations

import hashlib
import heapq
import zlib
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from bns.atlas.answers import Files, answer
from bns.atlas.constants import Constants
from bns.atlas.crawlers import HealthChecker, PeerCrawler, ZonefileCrawler
from bns.atlas.memory import MemoryHoldings
from bns.atlas.messages import Call, Pause
from bns.atlas.node import AtlasNode, Holdings, Identity
from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bns.atlas.memory import Announced
    from bns.atlas.messages import Process
    from bns.atlas.peers import PeerRow

START = 1_500_000_000.0
"""The time (Unix) at which a simulation begins."""

PORT = 6264
"""The port of simulated peers that callers are known by."""

_RECORD = Struct("<dIIHI")
_METHODS = ("getinfo", "atlas_peer_exchange", "get_atlas_peers", "get_zonefile_inventory", "get_zonefiles")


@dataclass(frozen=True)
class Conditions:
    """What lies between peers: the seconds that a call takes, from `fastest` to `slowest`, and the share that is lost.

    connects says whether a peer may reach another at a time (seconds since the start).
    """

    fastest: float = 0.02
    slowest: float = 0.2
    loss: float = 0.0
    connects: Callable[[float, str, str], bool] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.fastest <= self.slowest:
            raise InvalidInput("latency", (self.fastest, self.slowest), "0 <= fastest <= slowest")
        if not 0 <= self.loss < 1:
            raise InvalidInput("loss", self.loss, "a share below 1")


class Reply(NamedTuple):
    """What a peer sends back: a JSON object, and its size in bytes if it may be too large. None: nothing, ever."""

    body: dict[str, Any] | None
    size: int = 0


class Behaviour(Protocol):
    """How a peer answers that is not honest."""

    def reply(self, peer: SimulatedPeer, caller: str, call: Call, /) -> Reply:
        """What it sends back."""


class RememberedPeers:
    """The peers that a simulated node finds again after a restart."""

    def __init__(self) -> None:
        self.rows: dict[str, PeerRow] = {}

    def load(self) -> Sequence[PeerRow]:
        """See bns.atlas.peers.PeerStore."""
        return list(self.rows.values())

    def put(self, row: PeerRow, /) -> None:
        """See PeerStore."""
        self.rows[row.hostport] = row

    def remove(self, hostport: str, /) -> None:
        """See PeerStore."""
        self.rows.pop(hostport, None)


class SimulatedHoldings(Holdings, Files, Protocol):
    """The zone files of a simulated node."""


@dataclass
class SimulatedPeer:
    """A node in the simulation. reachable: whether others can call it; nodes behind NAT can only call."""

    address: str
    identity: Identity
    holdings: SimulatedHoldings
    reachable: bool
    behaviour: Behaviour | None
    store: RememberedPeers = field(default_factory=RememberedPeers)
    node: AtlasNode | None = None
    crawler: PeerCrawler | None = None
    processes: list[_Running] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self.node is not None


class _Running:
    """A process of a peer. Only the last event planned for it counts."""

    __slots__ = ("call", "peer", "planned", "process", "wakeable")

    def __init__(self, peer: SimulatedPeer, process: Process) -> None:
        self.peer = peer
        self.process = process
        self.planned = -1
        self.call: Call | None = None
        self.wakeable = False


class Simulator:
    """The network. announced is the chain that all nodes follow, consensus_hash that of its last block."""

    def __init__(
        self,
        seed: int,
        announced: Announced,
        conditions: Conditions | None = None,
        constants: Constants | None = None,
    ) -> None:
        self.chance = Random(seed)
        self.announced = announced
        self.conditions = conditions or Conditions()
        self.constants = constants or Constants()
        self.now = START
        self.peers: dict[str, SimulatedPeer] = {}
        self.calls: Counter[str] = Counter()
        """Calls so far, by method, and those that were not answered as `failed`."""
        self._aliases: list[tuple[str, SimulatedPeer]] = []
        self._events: list[tuple[float, int, _Running | Callable[[], None]]] = []
        self._planned = 0
        self._trace = hashlib.blake2b(digest_size=16)

    # Peers

    def add(
        self,
        host: str,
        *,
        seeds: Sequence[str] = (),
        blacklist: Sequence[str] = (),
        port: int = PORT,
        holdings: SimulatedHoldings | None = None,
        reachable: bool = True,
        behaviour: Behaviour | None = None,
    ) -> SimulatedPeer:
        """A new peer, not running yet. seeds are addresses as host:port; InvalidInput for a host that is there."""
        address = f"{host}:{port}"
        if address in self.peers:
            raise InvalidInput("new peer", address, "an address that is not taken")
        identity = Identity(address, PORT, tuple(seeds), tuple(blacklist))
        peer = SimulatedPeer(address, identity, holdings or MemoryHoldings(self.announced), reachable, behaviour)
        self.peers[address] = peer
        return peer

    def start(self, peer: SimulatedPeer) -> None:
        """Run a peer. What it knew of others before it was stopped is lost, but for their addresses."""
        node = AtlasNode(
            peer.identity, peer.holdings, self.announced,
            clock=lambda: self.now, chance=Random(self.chance.randrange(2**64)), constants=self.constants,
            store=peer.store, peer_added=lambda: self._wake(peer),
        )  # fmt: skip
        peer.node, peer.crawler = node, PeerCrawler(node)
        if peer.behaviour is None:
            processes = peer.crawler.run(), HealthChecker(node).run(), ZonefileCrawler(node).run()
            peer.processes = [_Running(peer, process) for process in processes]
            for running in peer.processes:
                self._resume(running, None)

    def stop(self, peer: SimulatedPeer) -> None:
        """End a peer; its zone files stay."""
        for running in peer.processes:
            running.planned = -1
        peer.processes, peer.node, peer.crawler = [], None, None

    def remove(self, peer: SimulatedPeer) -> None:
        """End a peer for good."""
        self.stop(peer)
        del self.peers[peer.address]

    def alias(self, prefix: str, peer: SimulatedPeer) -> None:
        """Have a peer answer at all addresses that begin like this."""
        self._aliases.append((prefix, peer))

    # Time

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        self._plan(self.now + seconds, action)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self._next()
        self.now = end

    def run_until(self, done: Callable[[], bool], seconds: float, every: float = 1.0) -> float | None:
        """Let time pass until something is done, which is looked at each `every` seconds: how long it took.

        None if it is not done after so many seconds.
        """
        begun = self.now
        while not done():
            if self.now - begun >= seconds:
                return None
            self.run(min(every, begun + seconds - self.now))
        return self.now - begun

    def trace_hash(self) -> str:
        """A hash of all that has happened (32 hex)."""
        return self._trace.hexdigest()

    def _plan(self, time: float, what: _Running | Callable[[], None]) -> int:
        self._planned += 1
        heapq.heappush(self._events, (time, self._planned, what))
        return self._planned

    def _next(self) -> None:
        self.now, number, what = heapq.heappop(self._events)
        if not isinstance(what, _Running):
            what()
        elif what.planned == number:
            call = what.call
            self._resume(what, None if call is None else self._answer(what.peer, call))

    def _wake(self, peer: SimulatedPeer) -> None:
        for running in peer.processes:
            if running.wakeable:
                running.wakeable = False
                running.planned = self._plan(self.now, running)

    def _resume(self, running: _Running, reply: dict[str, Any] | None) -> None:
        event = running.process.send(reply)
        if isinstance(event, Pause):
            running.call, running.wakeable = None, event.wakeable
            running.planned = self._plan(event.until, running)
        else:
            running.call, running.wakeable = event, False
            running.planned = self._plan(self.now + self._duration(running, event), running)

    # Calls

    def _duration(self, running: _Running, call: Call) -> float:
        """Decide what becomes of a call on its way; how long the caller will wait."""
        conditions = self.conditions
        self.calls[call.method] += 1
        if self.chance.random() < conditions.loss:
            running.call = call._replace(peer="")
            return call.timeout
        source, since = running.peer.address, self.now - START
        if conditions.connects is not None and not conditions.connects(since, source, call.peer):
            running.call = call._replace(peer="")
        return min(call.timeout, conditions.fastest + self.chance.random() * (conditions.slowest - conditions.fastest))

    def _answer(self, caller: SimulatedPeer, call: Call) -> dict[str, Any] | None:
        """What comes back from a call, now."""
        found = self._find(call.peer)
        body = None
        if found is not None and found.node is not None and found.reachable:
            if found.behaviour is None:
                body = honest(found, self.announced.consensus_hash, caller.address, call)
            else:
                reply = found.behaviour.reply(found, caller.address, call)
                body = reply.body if reply.size <= call.limit else None
        self._note(caller.address, call, body)
        return body

    def _find(self, address: str) -> SimulatedPeer | None:
        found = self.peers.get(address)
        if found is None:
            for prefix, peer in self._aliases:
                if address.startswith(prefix):
                    return peer
        return found

    def _note(self, caller: str, call: Call, body: dict[str, Any] | None) -> None:
        outcome = 0xFFFFFFFF
        if body is None:
            self.calls["failed"] += 1
        else:
            content = body.get("inv") or body.get("peers") or body.get("zonefiles")
            outcome = len(content) if isinstance(content, dict) else zlib.crc32(str(content).encode())
        method = _METHODS.index(call.method)
        record = _RECORD.pack(self.now, zlib.crc32(caller.encode()), zlib.crc32(call.peer.encode()), method, outcome)
        self._trace.update(record)


def honest(peer: SimulatedPeer, consensus_hash: str, caller: str, call: Call) -> dict[str, Any]:
    """What an honest peer answers. A caller is known by the host it calls from, and the port that all have."""
    assert peer.node is not None, "asked of running peers"
    return answer(peer.node, peer.holdings, consensus_hash, caller, call)
