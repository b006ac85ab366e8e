"""Networks of real nodes around a lab: processes that follow the bitcoind of its chain."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from typing import TYPE_CHECKING, NoReturn

from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash
from bnslab.chain.bitcoind import BitcoindBackend
from bnslab.errors import CheckFailed
from bnslab.network.common import announced_by, hand_over, require_same_inventories
from bnslab.network.peer import PeerProcess, Ports
from bnslab.network.topology import host_of, topology_of
from bnslab.nodes.child import NodeFailed, new_directory
from bnslab.nodes.process import PORT_ATTEMPTS, configure, is_of_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnslab.bitcoind import RegtestNode
    from bnslab.lab import Lab
    from bnslab.network.topology import Topology

PATIENCE = 60.0
"""Seconds within which every node must be at the last block, and every zone file at every node."""


class ProcessNetwork:
    """A main node, which is handed what the lab publishes, and its peers: real processes, in real time.

    They follow the bitcoind of the lab's chain, and look at each other every second. The lab's own node is not among
    them: sync hands what the lab has published to the main one, and publishes in the lab what that one has from others.
    clock is for the longest waits only.
    """

    def __init__(
        self,
        lab: Lab,
        nodes: int,
        topology: str | Topology,
        *,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
        clock: Callable[[], float] = time.monotonic,
        **conditions: object,
    ) -> None:
        """Start them and wait until all answer; NodeFailed if one does not.

        InvalidInput for a chain without a bitcoind, for a topology that keeps nodes apart, and for any conditions: only
        a simulator can make them.
        """
        found = topology_of(nodes, topology)
        for name, value in conditions.items():
            raise InvalidInput(name, value, "no conditions in a network of processes: they are for simulated ones")
        if found.connects is not None:
            expected = "mesh, line or nat: processes cannot be kept apart"
            raise InvalidInput("topology", topology, expected)
        if not isinstance(lab.chain, BitcoindBackend):
            raise InvalidInput("--chain", lab.chain.name, "bitcoind: a network of processes follows a real one")
        announced_by(lab)  # which is where a branch is refused
        self._lab = lab
        self._token = token
        self._clock = clock
        self._changed = threading.Condition()
        for attempts_left in reversed(range(PORT_ATTEMPTS)):
            self.nodes = [*self._configured(lab.chain.node, nodes, found)]
            try:
                self._start()
                break
            except BaseException as error:
                self.close()
                if not (is_of_ports(error) and attempts_left):
                    raise

    @property
    def main(self) -> PeerProcess:
        """The node that is handed what the lab publishes."""
        return self.nodes[0]

    @property
    def peers(self) -> list[PeerProcess]:
        """All others."""
        return self.nodes[1:]

    def run(self, seconds: float) -> NoReturn:
        """InvalidInput: real time passes by itself."""
        raise InvalidInput("network.run()", seconds, "network.sync(): the time of processes is real")

    def sync(self, within: float | None = None) -> float:
        """Wait until all that run are at the last block and have every announced zone file that any node was handed.

        How many seconds it took; CheckFailed after more than `within`, by default PATIENCE, NodeFailed if a node ends.
        """
        within = PATIENCE if within is None else within
        began = self._clock()
        announced = self._follow(within)
        if not self._wait(lambda: not self._lacking(announced), began + within - self._clock()):
            host, hashes = next(iter(self._lacking(announced).items()))
            actual = f"{host} lacks {len(hashes)}, such as {hashes[0]}"
            raise CheckFailed("network", self._lab.height, "zone files", f"on every node after {within:g} s", actual)
        self._take_home(announced)
        return self._clock() - began

    def publish(self, peer: PeerProcess, *zonefiles: bytes) -> None:
        """Hand zone files to one of the nodes, as lab.publish does to the main one; CheckFailed if it keeps one not."""
        self._follow(PATIENCE)
        hand_over(self._lab, peer, zonefiles)

    def lacking(self) -> dict[str, list[str]]:
        """The nodes that run and lack zone files that others have: host and hashes."""
        return self._lacking(self._follow(PATIENCE))

    def verify(self) -> None:
        """After sync, ask all that run: CheckFailed unless they have the lab's consensus hash at every height, the same
        inventory, and every zone file.
        """
        lab, announced, running = self._lab, announced_by(self._lab), self._running()
        for peer in running:
            for height, actual in peer.consensus_hashes(lab.params.first_block, lab.height).items():
                expected = lab.node.state.consensus_hash(height)
                if actual != expected:
                    raise CheckFailed("network", height, f"consensus hash of {peer.host}", str(expected), str(actual))
        require_same_inventories({peer.host: peer.holdings.inventory() for peer in running}, announced, lab.height)
        handed = [hash_ for hash_ in dict.fromkeys(announced) if any(hash_ in peer.files for peer in self.nodes)]
        for peer in running:
            files = peer.holdings.several(handed)
            for hash_ in handed:
                if hash_ not in files or zonefile_hash(files[hash_]) != hash_:
                    subject = f"zone file {hash_} of {peer.host}"
                    raise CheckFailed("network", lab.height, subject, "there", repr(files.get(hash_)))

    def close(self) -> None:
        """Kill all, and remove their files."""
        for peer in self.nodes:
            peer.close()

    def _configured(self, bitcoind: RegtestNode, nodes: int, topology: Topology) -> list[PeerProcess]:
        every = []
        for number in range(nodes + 1):
            rpc, rest = bitcoind.ports.take(), bitcoind.ports.take()
            told = bitcoind.ports.take() if topology.hidden and number else rpc
            directory = new_directory(bitcoind.run_dir, self._token())
            every.append(PeerProcess(host_of(number), directory, Ports(rpc, rest, told), self._changed))
        for number, peer in enumerate(every):
            seeds = [every[other].address for other in topology.seeds(number, nodes + 1) if other != number]
            network = {
                "atlas_hostname": "127.0.0.1", "atlas_port": peer.ports.told, "atlas_seeds": ",".join(seeds),
            }  # fmt: skip
            configure(peer.directory, self._lab.params, bitcoind, peer.ports.rpc, peer.ports.rest, network)
        return every

    def _start(self) -> None:
        for peer in self.nodes:
            peer.start()
        if not self._wait(lambda: all(peer.ready for peer in self.nodes), PATIENCE):
            late = next(peer for peer in self.nodes if not peer.ready)
            raise NodeFailed(f"{late.host} does not answer within {PATIENCE:g} s", ())

    def _follow(self, within: float) -> list[str]:
        """Wait until all that run are where the lab is, and hand over what it has published; what is announced."""
        lab, announced = self._lab, announced_by(self._lab)
        if not self._wait(lambda: not self._behind(), within):
            peer = self._behind()[0]
            expected = f"at block {lab.tip} after {within:g} s"
            raise CheckFailed("network", lab.height, peer.host, expected, str(peer.tips.get(lab.height)))
        if self.main.is_up:
            for entry in lab.published:
                data = base64.b64decode(entry.base64)
                if entry.saved and zonefile_hash(data) not in self.main.files:
                    self.main.holdings.put(data)
        return announced

    def _take_home(self, announced: list[str]) -> None:
        """Publish in the lab what the main node has from others."""
        if not self.main.is_up:
            return
        published = {zonefile_hash(base64.b64decode(entry.base64)) for entry in self._lab.published}
        for hash_ in dict.fromkeys(announced):
            if hash_ in self.main.files and hash_ not in published:
                self._lab.publish(self.main.holdings.several([hash_])[hash_])

    def _behind(self) -> list[PeerProcess]:
        lab, running = self._lab, self._running()
        return [peer for peer in running if not peer.ready or (lab.mined and peer.tips.get(lab.height) != lab.tip)]

    def _running(self) -> list[PeerProcess]:
        return [peer for peer in self.nodes if peer.is_up]

    def _lacking(self, announced: list[str]) -> dict[str, list[str]]:
        with self._changed:
            every = {hash_ for peer in self.nodes for hash_ in peer.files}.intersection(announced)
            lacking = {peer.host: sorted(every - peer.files) for peer in self._running()}
        return {host: hashes for host, hashes in lacking.items() if hashes}

    def _wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait for what the nodes tell; whether it was done in time. NodeFailed if one ends."""

        def has_come() -> bool:
            for peer in self.nodes:
                peer.require_running()
            return done()

        with self._changed:
            return self._changed.wait_for(has_come, max(0.0, seconds))
