"""Simulated peer networks: how fast zone files spread under loss and churn, and what hostile peers achieve."""

from __future__ import annotations

import statistics
from functools import partial
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from bns.atlas.byzantine import KINDS
from bns.atlas.constants import Constants
from bns.atlas.memory import Announced, MemoryHoldings
from bns.atlas.node import INVENTORY_SLACK
from bns.atlas.simulator import PORT, START, Conditions, Simulator
from bns.zonefiles.store import zonefile_hash
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bns.atlas.simulator import SimulatedPeer

GROWING = 600.0
"""Seconds before the first zone file."""

ANNOUNCING = 1200.0
"""Seconds in which the zone files come, a block a minute."""

CHURNING = 3600.0
"""Seconds in which peers come and go."""

PATIENCE = 4 * 3600.0
"""Seconds after which a network that has not spread its files never will."""

AWAY = 600.0
"""Seconds for which a peer that comes back is away, on average."""


class WrongNetwork(LabError):
    """A network did not do what it must; the text says which peer, and with which seed."""


class SpreadFigures(NamedTuple):
    """Peers, files and seed; when every live peer had every file (seconds after the last one was announced).

    median, p95 and slowest are seconds from the announcement of a file to its arrival at a peer that ran all the
    while; calls_per_peer counts those made until the end, which is `hours` after the start; largest_table and
    largest_inventories (bytes) are those of one peer.
    """

    peers: int
    files: int
    seed: int
    complete: float
    median: float
    p95: float
    slowest: float
    arrivals: int
    left: int
    hours: float
    calls_per_peer: float
    getinfo: float
    neighbours: float
    inventory: float
    zonefiles: float
    failed: float
    largest_table: int
    largest_inventories: int
    trace_hash: str


class Spread:
    """One run: a network grows, files are announced and handed to seeds, peers come and go, all files arrive."""

    def __init__(
        self, peers: int, files: int, seed: int, *, loss: float = 0.05, churn: float = 0.1, churning: float = CHURNING
    ) -> None:
        self._count, self._files, self._seed = peers, files, seed
        self._churn, self._churning = churn, churning
        self._chance = Random(seed)
        self._announced = Announced(height=1)
        self.simulator = Simulator(seed, self._announced, Conditions(loss=loss))
        self._born: dict[str, float] = {}
        self._published: dict[str, float] = {}
        self._delays: list[float] = []
        self._left = 0
        seeds = max(1, min(5, peers // 20))
        self._seeds = [self._join(f"seed{number}") for number in range(seeds)]
        self._others = [self._join(f"peer{number}") for number in range(peers - seeds)]

    def run(self) -> SpreadFigures:
        """Let it happen. WrongNetwork if some peer never gets some file."""
        simulator = self.simulator
        blocks = int(ANNOUNCING // 60)
        for block in range(blocks):
            files = range(self._files * block // blocks, self._files * (block + 1) // blocks)
            simulator.after(GROWING + 60 * block, partial(self._announce, files))
        if self._churn:
            self._plan_churn()
        simulator.run(max(GROWING + ANNOUNCING - 60, self._churning if self._churn else 0))
        last = START + GROWING + ANNOUNCING - 60
        if simulator.run_until(self._is_complete, PATIENCE, every=10) is None:
            lacking = [peer.address for peer in self._live() if not _all_of(peer)]
            raise WrongNetwork(f"seed {self._seed}: {len(lacking)} of {self._count} peers lack files, as {lacking[0]}")
        return self._figures(simulator.now - last)

    def _figures(self, complete: float) -> SpreadFigures:
        calls, peers = self.simulator.calls, self._count
        total = sum(count for method, count in calls.items() if method != "failed")
        self._delays.sort()
        return SpreadFigures(
            peers, self._files, self._seed, complete,
            statistics.median(self._delays), self._delays[len(self._delays) * 95 // 100], self._delays[-1],
            len(self._delays), self._left, (self.simulator.now - START) / 3600,
            total / peers, calls["getinfo"] / peers, calls["atlas_peer_exchange"] / peers,
            calls["get_zonefile_inventory"] / peers, calls["get_zonefiles"] / peers, calls["failed"] / total,
            max(len(peer.node.table) for peer in self._live() if peer.node),
            max(map(inventory_bytes, self._live())), self.simulator.trace_hash(),
        )  # fmt: skip

    def _live(self) -> list[SimulatedPeer]:
        return [peer for peer in self.simulator.peers.values() if peer.is_up]

    def _is_complete(self) -> bool:
        return len(self._published) == self._files and all(map(_all_of, self._live()))

    def _join(self, host: str) -> SimulatedPeer:
        address = f"{host}:{PORT}"
        holdings = MemoryHoldings(self._announced, partial(self._arrived, address))
        seeds = [f"seed{number}:{PORT}" for number in range(max(1, min(5, self._count // 20)))]
        peer = self.simulator.add(host, seeds=seeds, holdings=holdings)
        self._start(peer)
        return peer

    def _start(self, peer: SimulatedPeer) -> None:
        self._born[peer.address] = self.simulator.now
        self.simulator.start(peer)

    def _arrived(self, address: str, hash_: str) -> None:
        published = self._published[hash_]
        if published < self.simulator.now and self._born[address] <= published:
            self._delays.append(self.simulator.now - published)

    def _announce(self, numbers: Iterable[int]) -> None:
        files = [zone_file(number) for number in numbers]
        self._announced.extend(map(zonefile_hash, files))
        self._announced.height += 1
        for data in files:
            self._published[zonefile_hash(data)] = self.simulator.now
            self._chance.choice(self._seeds).holdings.put(data)

    def _plan_churn(self) -> None:
        self.simulator.after(self._chance.expovariate(self._churn * self._count / 3600), self._leave)

    def _leave(self) -> None:
        """A peer goes, and comes back after a while, or another one comes in its place."""
        if self.simulator.now - START >= self._churning:
            return
        self._plan_churn()
        place = self._chance.randrange(len(self._others))
        peer = self._others[place]
        if not peer.is_up:
            return
        self._left += 1
        if self._chance.random() < 0.5:
            self.simulator.stop(peer)
            self.simulator.after(self._chance.expovariate(1 / AWAY), partial(self._start, peer))
        else:
            self.simulator.remove(peer)
            self._others[place] = self._join(f"later{self._left}")


class SiegeFigures(NamedTuple):
    """Honest and hostile peers; when the honest ones had all files (seconds); the largest of what one of them holds."""

    seed: int
    honest: int
    hostile: int
    complete: float
    table: int
    candidates: int
    callers: int
    inventories: int
    trace_hash: str


def besiege(seed: int, *, peers: int = 20, files: int = 30) -> SiegeFigures:
    """A network with a minority of hostile peers of all kinds, some as seeds; they also make themselves known.

    Raises WrongNetwork if an honest peer stores what is not announced, holds more than it may, or lacks a file after
    four hours.
    """
    chance = Random(seed)
    data = [zone_file(number) for number in range(files)]
    constants = Constants(slots=128)
    simulator = Simulator(seed, Announced(map(zonefile_hash, data), height=1), Conditions(loss=0.05), constants)
    hostile = chance.randrange(1, (peers + 1) // 2)
    addresses = [f"peer{number}:{PORT}" for number in range(peers)]
    honest: list[SimulatedPeer] = []
    for number in range(peers):
        known = ["peer0:6264", *chance.sample(addresses, 3)]
        kind = KINDS[chance.randrange(len(KINDS))] if number and number <= hostile else None
        behaviour = kind and kind(simulator, chance)
        peer = simulator.add(f"peer{number}", seeds=known, behaviour=behaviour)
        if behaviour is None:
            honest.append(peer)
        else:
            simulator.alias(f"sybil-{number}", peer)
    simulator.alias("sybil-", simulator.peers[addresses[1]])
    for entry in data:
        honest[0].holdings.put(entry)
    for peer in simulator.peers.values():
        simulator.start(peer)
    _flood(simulator, honest, chance)
    sizes: list[_Sizes] = []

    def done() -> bool:
        sizes.extend(_inspect(peer, seed, constants) for peer in honest)
        return all(map(_all_of, honest))

    complete = simulator.run_until(done, PATIENCE, every=60)
    if complete is None:
        raise WrongNetwork(f"seed {seed}: honest peers lack zone files after {PATIENCE:.0f} s")
    largest = _Sizes(*map(max, zip(*sizes, strict=True)))
    return SiegeFigures(seed, len(honest), hostile, complete, *largest, trace_hash=simulator.trace_hash())


def _flood(simulator: Simulator, honest: list[SimulatedPeer], chance: Random) -> None:
    """Have hosts that are not there ask every honest peer for its neighbours, again and again."""
    for peer in honest:
        if peer.node is not None:
            for _ in range(200):
                peer.node.peers(f"nobody{chance.randrange(10**9)}:{PORT}")
    simulator.after(300, partial(_flood, simulator, honest, chance))


class _Sizes(NamedTuple):
    """What one peer holds: peers, candidates and callers by number, inventories in bytes."""

    table: int
    candidates: int
    callers: int
    inventories: int


def _inspect(peer: SimulatedPeer, seed: int, constants: Constants) -> _Sizes:
    """What a peer holds; WrongNetwork if it is too much, or a file is wrong."""
    node, crawler, holdings = peer.node, peer.crawler, peer.holdings
    assert node is not None, "it runs"
    assert crawler is not None, "it runs"
    assert isinstance(holdings, MemoryHoldings), "it was made with them"
    for hash_, data in holdings.files().items():
        if zonefile_hash(data) != hash_ or hash_ not in holdings.announced.places:
            raise WrongNetwork(f"seed {seed}: {peer.address} has stored {data[:40]!r} as {hash_}")
    kept = sum(entry.is_kept for _, entry in node.table.items())
    sizes = _Sizes(len(node.table), len(crawler.candidates), len(node.callers), inventory_bytes(peer))
    inventories = len(node.table) * (node.inventory_size() + INVENTORY_SLACK)
    limits = _Sizes(constants.slots + kept, constants.pending, constants.pending, inventories)
    if any(size > limit for size, limit in zip(sizes, limits, strict=True)):
        raise WrongNetwork(f"seed {seed}: {peer.address} holds {sizes}, at most {limits} is allowed")
    return sizes


def inventory_bytes(peer: SimulatedPeer) -> int:
    """The bytes of all inventories that a peer remembers."""
    return sum(len(entry.inventory) for _, entry in peer.node.table.items()) if peer.node else 0


def zone_file(number: int) -> bytes:
    """A zone file as users have them."""
    return b'$ORIGIN name%d.test\n$TTL 3600\n_http._tcp URI 10 1 "http://example.com/%d"\n' % (number, number)


def _all_of(peer: SimulatedPeer) -> bool:
    return not peer.holdings.missing()


def campaign(seeds: Iterable[int], report: Callable[[SiegeFigures], None] = lambda _: None) -> list[SiegeFigures]:
    """besiege with each of the seeds."""
    figures = []
    for seed in seeds:
        figures.append(besiege(seed))
        report(figures[-1])
    return figures
