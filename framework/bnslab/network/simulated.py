"""Networks of simulated peers (bns.atlas.simulator) around a lab.

Each has a store of its own and follows the chain of the lab, and what it runs is what a node runs. The main node is the
lab's own: what is published there spreads from there.
"""

from __future__ import annotations

import zlib
from functools import partial
from typing import TYPE_CHECKING, TypedDict

from bns.atlas.constants import SIMULATION, Constants
from bns.atlas.memory import Announced, MemoryHoldings
from bns.atlas.service import OffchainHoldings
from bns.atlas.simulator import Conditions, Simulator
from bnslab.errors import CheckFailed
from bnslab.network.common import announced_by, hand_over, require_same_inventories
from bnslab.network.topology import host_of, topology_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.atlas.simulator import SimulatedHoldings, SimulatedPeer
    from bnslab.lab import Lab
    from bnslab.network.topology import Topology

PATIENCE = 4 * 3600.0
"""Simulated seconds within which every zone file must have reached every node by the end of a scenario."""

_PORT = 6264


class NetworkOptions(TypedDict, total=False):
    """The keywords of Network: what its nodes have to live with."""

    loss: float
    latency: tuple[float, float]
    constants: Constants
    seed: int


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
        found = topology_of(nodes, topology)
        self._lab = lab
        self._announced = Announced()
        self._numbers = {f"{host_of(number)}:{_PORT}": number for number in range(nodes + 1)}
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

    def publish(self, peer: SimulatedPeer, *zonefiles: bytes) -> None:
        """Hand zone files to one of the nodes, as lab.publish does to the main one; CheckFailed if it keeps one not."""
        self._follow()
        hand_over(self._lab, peer, zonefiles)

    def lacking(self) -> dict[str, list[str]]:
        """The nodes that run and lack zone files that others have: host and hashes."""
        missing = {peer.address: set(peer.holdings.missing()) for peer in self.nodes if peer.is_up}
        nowhere = set.intersection(*missing.values()) if missing else set()
        lacking = {host.partition(":")[0]: sorted(hashes - nowhere) for host, hashes in missing.items()}
        return {host: hashes for host, hashes in lacking.items() if hashes}

    def verify(self) -> None:
        """After sync: CheckFailed unless all nodes that run tell the same inventory."""
        inventories = {peer.address.partition(":")[0]: peer.holdings.inventory() for peer in self.nodes if peer.is_up}
        require_same_inventories(inventories, announced_by(self._lab), self._lab.height)

    def close(self) -> None:
        """Nothing: it is all in memory."""

    def _add(self, number: int, nodes: int, topology: Topology, holdings: SimulatedHoldings) -> SimulatedPeer:
        seeds = [f"{host_of(other)}:{_PORT}" for other in topology.seeds(number, nodes + 1) if other != number]
        reachable = number == 0 or not topology.hidden
        return self.simulator.add(host_of(number), seeds=seeds, holdings=holdings, reachable=reachable)

    def _connects(self, connects: Callable[[float, int, int], bool], time: float, source: str, target: str) -> bool:
        return connects(time, self._numbers[source], self._numbers.get(target, self._numbers[source]))

    def _follow(self) -> None:
        """Let all nodes follow the chain of the lab to its last block."""
        lab, announced = self._lab, self._announced
        announced.extend(announced_by(lab)[len(announced.hashes) :])
        announced.height, announced.consensus_hash = lab.height, lab.consensus_hash


class _MainHoldings(OffchainHoldings):
    """The zone files of the lab's node, which may be another one after a branch of the scenario."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lambda: lab.node.offchain)
        self._lab = lab

    def put(self, data: bytes, /) -> bool:
        """See bns.atlas.node.Holdings; what comes from peers is published, too."""
        self._lab.publish(data)
        return True

    def inventory(self) -> bytes:
        """See bns.atlas.answers.Files."""
        return self._offchain().inventory()

    def stored(self, hash_: str, /) -> bytes | None:
        """See bns.atlas.answers.Files."""
        return self._offchain().zonefiles.get(hash_)
