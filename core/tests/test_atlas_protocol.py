"""The rules of the peer network, one by one: whom a node asks what, and what it makes of the answers (spec 05)."""

from __future__ import annotations

import base64
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from bns.atlas import messages, walk
from bns.atlas.addresses import canonical, parse_hostport
from bns.atlas.constants import Constants
from bns.atlas.crawlers import HealthChecker, PeerCrawler, ZonefileCrawler
from bns.atlas.inventory import Popularity, as_integer, has_bit, mask_of, missing_count, with_bits
from bns.atlas.memory import Announced, MemoryHoldings
from bns.atlas.messages import Call, Pause, is_new_enough, read_info
from bns.atlas.node import INVENTORY_SLACK, AtlasNode, Identity
from bns.atlas.peers import EVENTS_KEPT, Peer, PeerRow
from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bns.atlas.messages import Exchange

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


def test_inventories() -> None:
    bits = with_bits(b"", [0, 2, 3, 7], present=True)
    assert (bits.hex(), b64(bits)) == ("b1", "sQ==")
    bits = with_bits(bits, [10], present=True)
    assert (bits.hex(), b64(bits)) == ("b120", "sSA=")
    longer = with_bits(bits, [20], present=False)
    assert (longer.hex(), b64(longer)) == ("b12000", "sSAA")
    cleared = with_bits(longer, [3], present=False)
    assert (cleared.hex(), b64(cleared)) == ("a12000", "oSAA")
    assert [place for place in range(30) if has_bit(cleared, place)] == [0, 2, 7, 10]
    assert with_bits(b"\xff", [], present=False) == b"\xff"
    assert missing_count(b"\xa1", b"\xb1\x20") == 2
    assert missing_count(b"\xb1\x20", b"\xa1") == 0


def test_sets_of_bits_and_how_often_each_is_in_some() -> None:
    chance = Random(7)
    inventories = [chance.randbytes(5) for _ in range(50)]
    popularity = Popularity()
    for inventory in inventories:
        popularity.add(as_integer(inventory, 5))
    for places in ([0], [39], [7, 8], list(range(40))):
        expected = sum(has_bit(inventory, place) for inventory in inventories for place in places)
        assert popularity.of(mask_of(places, 5)) == expected
    assert Popularity().of(1) == 0
    assert as_integer(b"\x80", 2) == mask_of([0], 2)
    assert as_integer(b"\x80\x01\xff", 2) == mask_of([0, 15], 2)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("peer.example", "peer.example:6264"),
        ("peer.example:1", "peer.example:1"),
        ("http://peer.example:80/path", "peer.example:80"),
        ("https://user@peer.example", "peer.example:6264"),
        ("peer.example:65534", "peer.example:65534"),
        ("peer.example:65535", None),
        ("peer.example:0", None),
        ("::1", None),
        ("", None),
        ("a b:1", None),
        ("x" * 256, None),
    ],
)
def test_addresses(text: str, meaning: str | None) -> None:
    assert parse_hostport(text, 6264) == meaning


def test_this_machine_has_one_name() -> None:
    assert [canonical(f"{host}:1") for host in ("127.0.0.1", "::1", "localhost", "a.b")] == ["localhost:1"] * 3 + [
        "a.b:1"
    ]


def test_health() -> None:
    peer = Peer(0, 0)
    assert (peer.health, peer.answers) == (0.0, 0)
    for time, answered in ((1, True), (2, False), (3, True)):
        peer.record(time, answered=answered, lifetime=100)
    assert (round(peer.health, 3), peer.answers) == (0.667, 2)
    peer.record(101, answered=False, lifetime=100)  # the first is just young enough
    assert (peer.health, peer.answers) == (0.5, 2)
    peer.record(102.5, answered=False, lifetime=100)
    assert (peer.health, peer.answers) == (1 / 3, 1)
    for time in range(2 * EVENTS_KEPT):
        peer.record(200 + time / 1000, answered=time % 2 == 0, lifetime=100)
    assert (peer.health, peer.answers) == (0.5, EVENTS_KEPT // 2)


@pytest.mark.parametrize(
    "change",
    [
        {"last_block_seen": -1},
        {"last_block_processed": None},
        {"last_block_processed": True},
        {"consensus": 1},
        {"server_version": None},
        {"server_alive": 1},
        {"indexing": "no"},
        {"stale": True},
        {"stale": 1},
        {"warning": 1},
        {"testnet": None},
        {"zonefile_count": "3"},
        {"error": "x"},
    ],
)
def test_who_cannot_be_used(change: dict[str, Any]) -> None:
    assert read_info(INFO, testnet=True) == (10, "11" * 16, "19.0.8.1")
    assert read_info(INFO | change, testnet=True) is None
    for key in ("last_block_seen", "last_block_processed", "consensus", "server_version", "server_alive", "indexing"):
        assert read_info({k: v for k, v in INFO.items() if k != key}, testnet=True) is None
    assert read_info({k: v for k, v in INFO.items() if k not in ("testnet", "zonefile_count")}, testnet=False)


@pytest.mark.parametrize(
    ("version", "enough"),
    [("0.17.0", True), ("0.16.9", False), ("1.0.0", True), ("0.16", True), ("19.0.8.1", True), ("a.b.c", False)],
)
def test_versions(version: str, enough: bool) -> None:
    assert is_new_enough(version) == enough


@pytest.mark.parametrize(
    ("change", "welcome"),
    [
        ({}, True),
        ({"consensus": "22" * 16}, False),
        ({"consensus": "22" * 16, "last_block_processed": 11}, True),
        ({"last_block_processed": 9}, True),
        ({"server_version": "0.14.2"}, False),
        ({"stale": True}, False),
    ],
)
def test_who_is_welcome(change: dict[str, Any], welcome: bool) -> None:
    here = Here()
    assert here.run(here.node.is_welcome("a:1"), lambda _: INFO | change) == welcome
    assert here.calls == [Call("a:1", "getinfo", (), 3.0, messages.SHORT_ANSWER)]


def test_a_slot_is_kept_by_a_peer_that_answers_and_given_up_by_one_that_does_not() -> None:
    here = Here(constants=Constants(slots=1), seeds=["seed.example"])
    assert here.run(here.node.try_admit("a:1"), lambda _: INFO) is False
    assert here.run(here.node.try_admit("a:1"), silence) is True  # the seed stays: it is never removed
    assert list(here.node.table) == ["seed.example:6264", "a:1"]
    assert here.run(here.node.try_admit("b:1"), lambda call: INFO if call.peer == "a:1" else None) is False
    assert here.run(here.node.try_admit("b:1"), silence) is True
    assert list(here.node.table) == ["seed.example:6264", "b:1"]
    assert here.run(here.node.try_admit("b:1"), silence) is True  # it is there


def test_neighbours_are_asked_for_in_the_old_way_where_the_new_one_is_not_known() -> None:
    here = Here()
    peers = ["b.example:6264", "127.0.0.1:6270", "me.example:6264"]

    def answers(call: Call) -> dict[str, Any]:
        if call.method == "atlas_peer_exchange":
            return {"error": "KeyError: 'rpc_atlas_peer_exchange'", "traceback": []}
        return {**OK, "peers": peers}

    assert here.run(here.node.neighbours("a:1"), answers) == ["b.example:6264", "localhost:6270"]
    assert [(call.method, call.arguments) for call in here.calls] == [
        ("atlas_peer_exchange", ("me.example:6264",)),
        ("get_atlas_peers", ()),
    ]


@pytest.mark.parametrize(
    "peers",
    [None, "a:10", ["a"], ["a:9"], ["a:b:10"], [1], [":10"], ["a:10", "a:100000"], ["a:10\n"], ["a:10"] * 1001],
)
def test_one_bad_neighbour_spoils_the_answer(peers: object) -> None:
    here = Here()
    here.know("a:1", answered=0)
    assert here.run(here.node.neighbours("a:1"), lambda _: {**OK, "peers": peers}) == []
    entry = here.node.table.get("a:1")
    assert entry is not None
    assert entry.health == 0
    assert here.run(here.node.neighbours("a:1"), lambda _: {**OK, "peers": ["a:10"] * 1000}) == ["a:10"] * 1000
    assert entry.health == 0.5


def test_who_is_told_of_whom() -> None:
    here = Here()
    here.know(*(f"p{number}:6264" for number in range(100)))
    here.know("dead:6264", answered=0)
    told = here.node.peers("p1:6264")
    assert len(told) == len(set(told)) == 80
    assert not {"p1:6264", "dead:6264"} & set(told)
    assert here.node.callers == []
    for number in range(2000):
        here.node.peers(f"new{number}:6264")
    assert len(here.node.callers) == here.node.constants.pending == 800
    assert len(here.run(here.node.neighbours(here.node.address), silence)) == 80  # of ourselves, without a call
    assert here.calls == []


def test_an_inventory_is_kept_no_longer_than_ours_and_a_bit() -> None:
    here = Here()
    here.know("a:1", inventory=b"\x01")
    entry = here.node.table.get("a:1")
    assert entry is not None
    here.run(here.node.refresh_inventory("a:1"), lambda _: {**OK, "inv": b64(b"\xff" * 524_288)})
    assert here.calls == [Call("a:1", "get_zonefile_inventory", (0, 524_288), 10.0, messages.INVENTORY_ANSWER)]
    assert entry.inventory == b"\xff" * (3 + INVENTORY_SLACK)
    for bad in (None, {**OK, "inv": "?"}, {**OK, "inv": b64(b"\xff" * 524_289)}, {"inv": "", "error": "x"}, OK):
        here.run(here.node.refresh_inventory("a:1"), partial(answering, bad))
        assert (entry.inventory, entry.last_refresh) == (b"", here.now)
    assert entry.health == pytest.approx(2 / 7)


def test_nobody_is_asked_for_an_inventory_before_the_first_announcement() -> None:
    here = Here()
    here.announced.hashes.clear()
    here.know("a:1")
    here.run(here.node.refresh_inventory("a:1"), silence)
    assert here.calls == []


def test_zone_files_come_in_batches_and_one_bad_batch_spoils_all() -> None:
    here = Here()
    many = [zonefile_hash(b"%d" % number) for number in range(250)]
    files = {hash_: b"%d" % number for number, hash_ in enumerate(many)}
    bad: set[str] = set()

    def answers(call: Call) -> dict[str, Any] | None:
        (asked,) = call.arguments
        return None if bad & set(asked) else {**OK, "zonefiles": {hash_: b64(files[hash_]) for hash_ in asked}}

    assert here.run(here.node.zonefiles("a:1", many), answers) == files
    assert [len(call.arguments[0]) for call in here.calls] == [100, 100, 50]
    assert {(call.timeout, call.limit) for call in here.calls} == {(30.0, messages.LONGEST_ANSWER)}
    bad.add(many[150])
    assert here.run(here.node.zonefiles("a:1", many), answers) == {}
    assert len(here.calls) == 5


@pytest.mark.parametrize(
    "files",
    [
        None,
        [],
        {HASHES[0]: b64(b"other")},
        {HASHES[0]: "*"},
        {HASHES[0]: None},
        {HASHES[0].upper(): b64(FILES[0])},
        {HASHES[0]: b64(FILES[0]), HASHES[1]: b64(FILES[0])},
        {"x": b64(FILES[0])},
        {zonefile_hash(b"x" * 40_963): b64(b"x" * 40_963)},
    ],
)
def test_one_wrong_file_spoils_the_answer(files: object) -> None:
    here = Here()
    here.know("a:1", inventory=b"\xff", answered=0)
    assert here.run(ZonefileCrawler(here.node).step(), lambda _: {**OK, "zonefiles": files}) == 0
    assert not here.holdings.files()
    entry = here.node.table.get("a:1")
    assert entry is not None
    assert entry.health == 0.5  # a failure, and an answer all the same: quirk A5
    assert entry.inventory == bytes(1)


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
