"""The rules of the peer network, one by one: whom a node asks what, and what it makes of the answers (spec 05)."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

import pytest

from bns.atlas import messages
from bns.atlas.addresses import canonical, parse_hostport
from bns.atlas.constants import Constants
from bns.atlas.crawlers import ZonefileCrawler
from bns.atlas.inventory import Popularity, as_integer, has_bit, mask_of, missing_count, with_bits
from bns.atlas.messages import Call, is_new_enough, read_info
from bns.atlas.node import INVENTORY_SLACK
from bns.atlas.peers import EVENTS_KEPT, Peer
from bns.zonefiles.store import zonefile_hash
from tests.atlas_world import FILES, HASHES, INFO, OK, Here, answering, b64, silence


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
