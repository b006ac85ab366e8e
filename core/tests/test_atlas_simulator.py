"""Networks of simulated peers: what comes between them, and that all files get through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.atlas.constants import SIMULATION
from bns.atlas.memory import Announced, MemoryHoldings
from bns.atlas.simulator import Conditions, Simulator
from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.atlas.simulator import SimulatedPeer

FILES = [b"zone file %d" % number for number in range(12)]
HOUR = 3600.0


def network(
    seed: int = 1, peers: int = 8, *, conditions: Conditions | None = None, reachable: bool = True
) -> Simulator:
    """A seed with all files, and peers that know it."""
    simulator = Simulator(seed, Announced(map(zonefile_hash, FILES), height=1), conditions)
    source = simulator.add("seed")
    for data in FILES:
        source.holdings.put(data)
    for number in range(peers):
        simulator.add(f"peer{number}", seeds=["seed:6264"], reachable=reachable)
    for peer in simulator.peers.values():
        simulator.start(peer)
    return simulator


def everywhere(simulator: Simulator) -> bool:
    return all(not peer.holdings.missing() for peer in simulator.peers.values())


def table(peer: SimulatedPeer) -> set[str]:
    assert peer.node is not None
    return set(peer.node.table)


def test_every_file_reaches_every_peer() -> None:
    simulator = network(conditions=Conditions(loss=0.1))
    assert simulator.run_until(lambda: everywhere(simulator), HOUR) is not None
    for peer in simulator.peers.values():
        assert isinstance(peer.holdings, MemoryHoldings)
        assert dict(peer.holdings.files()) == {zonefile_hash(data): data for data in FILES}
        assert peer.address not in table(peer)
    assert simulator.calls["failed"] / sum(simulator.calls.values()) == pytest.approx(0.09, abs=0.05)


def trace(seed: int, loss: float = 0.05) -> str:
    simulator = network(seed, conditions=Conditions(loss=loss))
    simulator.run(HOUR)
    return simulator.trace_hash()


def test_the_same_seed_gives_the_same_run() -> None:
    assert trace(1) == trace(1)
    assert len({trace(1), trace(2), trace(1, 0.06)}) == 3


def test_a_partition_keeps_files_away_until_it_heals() -> None:
    def connects(time: float, source: str, target: str) -> bool:
        apart = {"peer0:6264", "peer1:6264"}
        return time > 2 * HOUR or (source in apart) == (target in apart)

    simulator = network(conditions=Conditions(connects=connects))
    simulator.run(2 * HOUR - 1)
    lacking = [peer.address for peer in simulator.peers.values() if peer.holdings.missing()]
    assert lacking == ["peer0:6264", "peer1:6264"]
    assert simulator.run_until(lambda: everywhere(simulator), HOUR) is not None


def test_peers_that_nobody_can_call_get_everything_from_one_that_all_can() -> None:
    simulator = network(reachable=False)
    assert simulator.run_until(lambda: everywhere(simulator), HOUR) is not None
    for number in range(8):
        assert table(simulator.peers[f"peer{number}:6264"]) == {"seed:6264"}
    assert table(simulator.peers["seed:6264"]) == set()


def test_what_is_lost_on_the_way_never_arrives() -> None:
    simulator = network(conditions=Conditions(connects=lambda *_: False))
    simulator.run(HOUR)
    assert all(peer.holdings.missing() for address, peer in simulator.peers.items() if address != "seed:6264")
    made = sum(simulator.calls.values()) - simulator.calls["failed"]
    assert made - 3 * len(simulator.peers) <= simulator.calls["failed"] <= made  # some are under way


def test_a_peer_that_comes_back_knows_its_peers_and_its_files() -> None:
    simulator = network()
    peer = simulator.peers["peer0:6264"]
    simulator.run_until(lambda: everywhere(simulator), HOUR)
    before = table(peer)
    simulator.stop(peer)
    assert not peer.is_up
    simulator.run(HOUR)
    simulator.start(peer)
    assert table(peer) == before
    assert not peer.holdings.missing()
    simulator.announced.extend([zonefile_hash(b"new")])
    simulator.peers["seed:6264"].holdings.put(b"new")
    assert simulator.run_until(lambda: everywhere(simulator), HOUR) is not None
    simulator.remove(peer)
    assert peer.address not in simulator.peers


def test_the_numbers_of_the_reference_s_simulator_make_it_quick() -> None:
    simulator = Simulator(1, Announced(map(zonefile_hash, FILES), height=1), constants=SIMULATION)
    peers = [simulator.add(f"peer{number}", seeds=[f"peer{number - 1}:6264"] if number else []) for number in range(8)]
    for data in FILES:
        peers[0].holdings.put(data)
    for peer in peers:
        simulator.start(peer)
    took = simulator.run_until(lambda: everywhere(simulator), 60)
    assert took is not None
    assert took < 60


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Conditions(fastest=2, slowest=1),
        lambda: Conditions(fastest=-1),
        lambda: Conditions(loss=1),
        lambda: network().add("seed"),
    ],
)
def test_what_cannot_be_simulated(wrong: Callable[[], object]) -> None:
    with pytest.raises(InvalidInput):
        wrong()


def test_memory_holdings_take_what_was_announced_and_nothing_else() -> None:
    arrived: list[str] = []
    holdings = MemoryHoldings(
        Announced([zonefile_hash(b"a"), zonefile_hash(b"b"), zonefile_hash(b"a")]), arrived.append
    )
    assert holdings.put(b"a")
    assert holdings.put(b"a")
    assert not holdings.put(b"c")
    assert not holdings.put(b"x" * 40_961)
    assert holdings.inventory() == b"\xa0"
    assert holdings.missing() == {zonefile_hash(b"b"): [1]}
    assert (holdings.stored(zonefile_hash(b"a")), holdings.stored(zonefile_hash(b"b"))) == (b"a", None)
    assert arrived == [zonefile_hash(b"a")]
    assert holdings.put(b"b")
    assert holdings.has_all()
