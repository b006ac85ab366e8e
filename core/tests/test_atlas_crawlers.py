"""What the crawlers of the peer network do step by step: what they ask whom first, and whom they drop (spec 05)."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from bns.atlas import walk
from bns.atlas.constants import Constants
from bns.atlas.crawlers import HealthChecker, PeerCrawler, ZonefileCrawler
from bns.atlas.inventory import has_bit, with_bits
from bns.atlas.memory import Announced, MemoryHoldings
from bns.atlas.messages import Call, Pause
from bns.atlas.node import AtlasNode, Identity
from bns.atlas.peers import PeerRow
from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash
from tests.atlas_world import FILES, HASHES, INFO, OK, Here, b64, silence

if TYPE_CHECKING:
    from collections.abc import Iterable


def test_rare_files_come_first_and_each_peer_is_asked_once() -> None:
    here = Here()
    here.know("common:1", "other:1", inventory=with_bits(b"", [0, 1, 2], present=True))
    here.know("rare:1", inventory=with_bits(b"", [0, 19], present=True))
    unasked = {zonefile_hash(b"unasked"): b64(b"unasked")}

    def answers(call: Call) -> dict[str, Any]:
        have = {"common:1": {2}, "other:1": {0, 1, 2}, "rare:1": {19}}[call.peer]
        files = {HASHES[place]: b64(FILES[place]) for place in have if HASHES[place] in call.arguments[0]}
        return {**OK, "zonefiles": files | unasked}

    assert here.run(ZonefileCrawler(here.node).step(), answers) == 4
    assert here.calls[0].peer == "rare:1"
    assert here.calls[0].arguments == ([HASHES[0], HASHES[19]],)
    assert here.calls[1].peer == "other:1"  # of equal health, the greater address
    assert [call.peer for call in here.calls] == ["rare:1", "other:1"]
    assert set(here.holdings.files()) == {HASHES[place] for place in (0, 1, 2, 19)}
    rare = here.node.table.get("rare:1")
    assert rare is not None
    assert not has_bit(rare.inventory, 0)  # it did not deliver: forgotten until it is asked again


def test_the_healthiest_peer_is_asked_first_and_others_when_it_fails() -> None:
    here = Here()
    here.know("ill:1", "well:1", inventory=with_bits(b"", [5], present=True))
    ill = here.node.table.get("ill:1")
    assert ill is not None
    ill.record(here.now, answered=False, lifetime=3600)
    delivered = {**OK, "zonefiles": {HASHES[5]: b64(FILES[5])}}
    assert here.run(ZonefileCrawler(here.node).step(), lambda call: delivered if call.peer == "ill:1" else None) == 1
    assert [call.peer for call in here.calls] == ["well:1", "ill:1"]
    assert here.run(ZonefileCrawler(here.node).step(), silence) == 0
    assert len(here.calls) == 2


def test_a_file_announced_twice_is_fetched_from_who_says_so_at_either_place() -> None:
    here = Here()
    here.announced.extend([HASHES[0]])
    here.know("a:1", inventory=with_bits(b"", [20], present=True))
    delivered = {**OK, "zonefiles": {HASHES[0]: b64(FILES[0])}}
    assert here.run(ZonefileCrawler(here.node).step(), lambda _: delivered) == 1
    assert here.holdings.inventory() == with_bits(with_bits(b"", [0, 20], present=True), [23], present=False)


def test_unhealthy_peers_go_but_not_seeds_nor_those_on_the_blacklist() -> None:
    here = Here(seeds=["seed.example"], blacklist=["http://black.example:7000"])
    here.know(*(f"p{number:02}:1" for number in range(12)), answered=0)
    for peer in ("p00:1", "p01:1", "seed.example:6264", "black.example:7000"):
        entry = here.node.table.get(peer)
        assert entry is not None
        for number in range(30):
            entry.record(here.now, answered=number < 10, lifetime=3600)
    crawler = PeerCrawler(here.node)
    assert here.run(crawler.step(), silence) == 2
    gone = {"p00:1", "p01:1"}
    assert not gone & set(here.node.table)
    assert len(here.node.table) == 12  # those that never answered stay: quirk A4


def test_old_peers_must_answer_again() -> None:
    here = Here(constants=Constants(max_peer_age=100, clean_interval=50))
    here.know("alive:1", "dead:1", answered=0)
    crawler = PeerCrawler(here.node)
    here.now += 101
    here.calls.clear()
    here.run(crawler.step(), lambda call: INFO if call.peer == "alive:1" else None)
    assert list(here.node.table) == ["alive:1"]
    entry = here.node.table.get("alive:1")
    assert entry is not None
    assert entry.discovery_time == here.now
    here.now += 30
    here.calls.clear()
    here.run(crawler.step(), silence)
    assert "getinfo" not in [call.method for call in here.calls]  # not before the next cleaning


def test_candidates_come_from_callers_and_from_the_walk() -> None:
    here = Here(seeds=["seed.example"])
    here.node.peers("caller:6264")
    here.node.peers("me.example:6264")

    def answers(call: Call) -> dict[str, Any] | None:
        if call.method == "getinfo":
            return INFO if call.peer == "caller:6264" else None
        return {**OK, "peers": [f"p{number}:6264" for number in range(15)]}

    crawler = PeerCrawler(here.node)
    assert here.run(crawler.step(), answers) == 1
    assert list(here.node.table) == ["seed.example:6264", "caller:6264"]
    assert len(crawler.candidates) == 16
    here.calls.clear()
    assert here.run(crawler.step(), answers) == 0
    assert sum(call.method == "getinfo" for call in here.calls) == 10
    assert len(crawler.candidates) == 16  # those that did not answer are tried again: quirk A7


def test_candidates_are_no_more_than_800() -> None:
    here = Here(seeds=["seed.example"])
    peers = [f"p{number}:6264" for number in range(1000)]
    crawler = PeerCrawler(here.node)
    here.run(crawler.step(), lambda call: None if call.method == "getinfo" else {**OK, "peers": peers})
    assert len(set(crawler.candidates)) == 800


class Dice(Random):
    """Chance that has been decided: fractions one after the other, and always the first of several."""

    def __init__(self, *fractions: float) -> None:
        super().__init__(0)
        self.fractions = list(fractions)

    def random(self) -> float:
        return self.fractions.pop(0)

    def choice(self, seq: Any) -> Any:
        return seq[0]


@pytest.mark.parametrize(
    ("before", "fractions", "goes_to"),
    [
        (None, [0.0], "b:10"),
        (None, [0.9], "here:10"),  # 2 neighbours here, 4 there: it stays with a chance of one half
        ("x:10", [0.5], "b:10"),
        ("b:10", [0.0, 0.2], "c:10"),  # on the way back it may turn
        ("b:10", [0.0, 0.3], "b:10"),
    ],
)
def test_steps_of_the_walk(before: str | None, fractions: list[float], goes_to: str) -> None:
    graph = {"here:10": ["b:10", "c:10"], "b:10": ["x:10"] * 4, "c:10": ["y:10"] * 4}
    here = Here()
    here.node.chance = Dice(*fractions)
    start = walk.Walk(walk.Place("here:10", graph["here:10"]), walk.Place(before, ["x:10"]) if before else None)
    after = here.run(walk.step(here.node, start), lambda call: {**OK, "peers": graph[call.peer]})
    assert after is not None
    assert after.here == (goes_to, graph[goes_to])
    assert after.before == start.here
    here.node.chance = Dice(*fractions)
    assert here.run(walk.step(here.node, start), silence) is None


def test_the_health_checker_asks_when_a_peer_is_new_and_when_its_inventory_is_old() -> None:
    here = Here()
    here.know("a:1", "b:1")
    process = HealthChecker(here.node).run()
    full = {**OK, "inv": b64(b"\xff")}
    first, second = process.send(None), process.send(full)
    assert [call.peer for call in (first, second) if isinstance(call, Call)] == ["a:1", "b:1"]
    assert process.send(full) == Pause(here.now + 1)
    assert process.send(None) == Pause(here.now + 600, wakeable=True)
    here.now += 5
    here.know("c:1")
    woken = process.send(None)
    assert isinstance(woken, Call)
    assert woken.peer == "c:1"
    assert process.send(full) == Pause(here.now + 1)
    here.node.table.remove("a:1")
    here.now += 595
    again = process.send(None)
    assert isinstance(again, Pause)
    again = process.send(None)
    assert isinstance(again, Call)
    assert again.peer == "b:1"


def test_peers_are_found_again_after_a_restart() -> None:
    class Kept:
        def __init__(self) -> None:
            self.rows = {"old:1": PeerRow("old:1", 7, 5)}

        def load(self) -> Iterable[PeerRow]:
            return list(self.rows.values())

        def put(self, row: PeerRow, /) -> None:
            self.rows[row.hostport] = row

        def remove(self, hostport: str, /) -> None:
            del self.rows[hostport]

    kept = Kept()
    announced = Announced(HASHES)
    identity = Identity("me:6264", seeds=["seed.example", "bad:port", "me"])
    node = AtlasNode(
        identity, MemoryHoldings(announced), announced, clock=lambda: 9.7, chance=Random(1), store=kept
    )  # fmt: skip
    assert list(node.table) == ["old:1", "seed.example:6264"]
    assert kept.rows["seed.example:6264"].discovery_time == 9
    assert node.take_unvisited() == ["old:1", "seed.example:6264"]
    assert node.table.remove("old:1")
    assert not node.table.remove("seed.example:6264")
    assert list(kept.rows) == ["seed.example:6264"]


def test_constants_that_are_overridden() -> None:
    env = {"BLOCKSTACK_ATLAS_NUM_NEIGHBORS": "10", "BLOCKSTACK_ATLAS_MIN_PEER_HEALTH": "0.25"}
    constants = Constants.from_reference_env(env, test_mode=True)
    assert (constants.max_neighbours, constants.min_health, constants.crawl_period) == (10, 0.25, 1.0)
    assert constants.pending == 100
    for name, value in (("NUM_NEIGHBORS", "x"), ("NUM_NEIGHBORS", "0"), ("PEER_LIFETIME", "nan")):
        with pytest.raises(InvalidInput, match=f"got .*{value}"):
            Constants.from_reference_env({f"BLOCKSTACK_ATLAS_{name}": value}, test_mode=False)
