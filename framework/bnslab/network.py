"""Networks of nodes around a lab: zone files that one of them gets reach all others.

The peers are simulated (bns.atlas.simulator): each has a store of its own and follows the chain of the lab, and what
it runs is what a node runs. The main node is the lab's own: what is published there spreads from there.
"""

from __future__ import annotations

import zlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bns.atlas.constants import SIMULATION, Constants
from bns.atlas.memory import Announced, MemoryHoldings
from bns.atlas.service import OffchainHoldings
from bns.atlas.simulator import Conditions, Simulator
from bns.errors import InvalidInput
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bns.atlas.simulator import SimulatedHoldings, SimulatedPeer
    from bnslab.lab import Lab

MAIN = "main"
"""The host of the lab's own node."""

PATIENCE = 4 * 3600.0
"""Simulated seconds within which every zone file must have reached every node by the end of a scenario."""

_PORT = 6264
_WINDOW = 8
_MAIN_PLACE = 4  # of the main node in the circle of a network under churn


class Topology(NamedTuple):
    """Who knows whom at first, and who can reach whom.

    seeds gives the numbers of the nodes (0 is the main node) that a node knows, connects says whether a node may call
    another at a time (seconds since the start). Nodes of a hidden network can be called by nobody.
    """

    seeds: Callable[[int, int], Sequence[int]]
    connects: Callable[[int, float, int, int], bool] | None = None
    hidden: bool = False


def _line_seeds(node: int, nodes: int) -> Sequence[int]:
    return [other for other in (node - 1, node + 1) if 0 <= other < nodes]


def _is_next(_: int, _time: float, one: int, other: int) -> bool:
    return abs(one - other) == 1


def _churn_seeds(node: int, nodes: int) -> Sequence[int]:
    half = (nodes + 1) // 2
    return [0] if node <= half else [half, 0] if node == nodes - 1 else [half]


def _in_window(nodes: int, time: float, one: int, other: int) -> bool:
    """At any second only eight nodes in a row of the circle can talk, the next second those one further on."""
    first = int(time) % nodes
    places = (node - 1 if 0 < node <= _MAIN_PLACE else _MAIN_PLACE if node == 0 else node for node in (one, other))
    return all((place - first) % nodes < _WINDOW for place in places)


TOPOLOGIES = {
    "mesh": Topology(lambda _node, _nodes: [0]),
    "chain": Topology(_line_seeds, _is_next),
    "nat": Topology(lambda _node, _nodes: [0], hidden=True),
    "churn": Topology(_churn_seeds, _in_window),
}
"""Networks by name. mesh: all know the main node; chain: each talks to its neighbours in a line; nat: only the main
node can be called; churn: a window of eight nodes that can talk moves round a circle."""


class Network:
    """The main node of a lab and simulated peers. Time passes in `sync` and `run` only, in seconds of the simulation.

    loss is the share of calls that are lost, latency the seconds that a call takes at least and at most; constants are
    by default those of the reference's own simulated peers.
    """

    def __init__(
        self,
        lab: Lab,
        nodes: int,
        topology: str | Topology,
        *,
        loss: float = 0.0,
        latency: tuple[float, float] = (0.02, 0.2),
        constants: Constants = SIMULATION,
        seed: int = 0,
    ) -> None:
        if type(nodes) is not int or nodes < 1:
            raise InvalidInput("nodes", nodes, "a number from 1 on, the main node not counted")
        found = TOPOLOGIES.get(topology) if isinstance(topology, str) else topology
        if found is None:
            raise InvalidInput("topology", topology, f"one of {', '.join(TOPOLOGIES)}, or a Topology")
        self._lab = lab
        self._announced = Announced()
        self._numbers = {f"{self._host(number)}:{_PORT}": number for number in range(nodes + 1)}
        connects = None if found.connects is None else partial(self._connects, partial(found.connects, nodes + 1))
        conditions = Conditions(*latency, loss=loss, connects=connects)
        identity = zlib.crc32(f"{lab.identity}/{seed}".encode())
        self.simulator = Simulator(identity, self._announced, conditions, constants)
        self.main = self._add(0, nodes, found, _MainHoldings(lab))
        self.peers = [
            self._add(number, nodes, found, MemoryHoldings(self._announced)) for number in range(1, nodes + 1)
        ]
        self._follow()
        for peer in self.nodes:
            self.simulator.start(peer)

    @property
    def nodes(self) -> list[SimulatedPeer]:
        """The main node and all others."""
        return [self.main, *self.peers]

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self._follow()
        self.simulator.run(seconds)

    def sync(self, within: float | None = None) -> float:
        """Let time pass until every zone file that any node has, and that is announced, has reached all that run.

        How many seconds it took; CheckFailed after more than `within`, by default PATIENCE.
        """
        within = PATIENCE if within is None else within
        self._follow()
        took = self.simulator.run_until(lambda: not self.lacking(), within)
        if took is None:
            host, hashes = next(iter(self.lacking().items()))
            actual = f"{host} lacks {len(hashes)}, such as {hashes[0]}"
            raise CheckFailed("network", self._lab.height, "zone files", f"on every node after {within:g} s", actual)
        return took

    def lacking(self) -> dict[str, list[str]]:
        """The nodes that run and lack zone files that others have: host and hashes."""
        missing = {peer.address: set(peer.holdings.missing()) for peer in self.nodes if peer.is_up}
        nowhere = set.intersection(*missing.values()) if missing else set()
        lacking = {host.partition(":")[0]: sorted(hashes - nowhere) for host, hashes in missing.items()}
        return {host: hashes for host, hashes in lacking.items() if hashes}

    def _add(self, number: int, nodes: int, topology: Topology, holdings: SimulatedHoldings) -> SimulatedPeer:
        seeds = [f"{self._host(other)}:{_PORT}" for other in topology.seeds(number, nodes + 1) if other != number]
        reachable = number == 0 or not topology.hidden
        return self.simulator.add(self._host(number), seeds=seeds, holdings=holdings, reachable=reachable)

    def _host(self, number: int) -> str:
        return f"peer{number}" if number else MAIN

    def _connects(self, connects: Callable[[float, int, int], bool], time: float, source: str, target: str) -> bool:
        return connects(time, self._numbers[source], self._numbers.get(target, self._numbers[source]))

    def _follow(self) -> None:
        """Let all nodes follow the chain of the lab to its last block."""
        lab, announced = self._lab, self._announced
        if lab.branching:
            raise InvalidInput("network", "a branch of the scenario", "time to pass outside of lab.branch()")
        entries = lab.node.offchain.announcements(0, lab.height, len(announced.hashes), -1)
        announced.extend(entry.zonefile_hash for entry in entries)
        announced.height, announced.consensus_hash = lab.height, lab.consensus_hash


class _MainHoldings(OffchainHoldings):
    """The zone files of the lab's node, which may be another one after a branch of the scenario."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lambda: lab.node.offchain)

    def inventory(self) -> bytes:
        """See bns.atlas.answers.Files."""
        return self._offchain().inventory()

    def stored(self, hash_: str, /) -> bytes | None:
        """See bns.atlas.answers.Files."""
        return self._offchain().zonefiles.get(hash_)
