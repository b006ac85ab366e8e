"""What the chain announces, in one sequence, and which zone files are here (spec 05 sections 3 and 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.state.store import State
from bns.zonefiles.announcements import pack_bits
from bns.zonefiles.store import MemoryZonefiles, ZonefileStore, zonefile_hash
from tests.chain import ALICE, BOB, RV, VALUE, rules
from tests.subdomain_chain import Publisher, dump

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = b"one", b"two", b"three"


@pytest.mark.parametrize(
    ("present", "rows", "packed"),
    [
        ({0, 2, 3, 7}, 8, "b1"),
        ({0, 2, 3, 7, 10}, 11, "b120"),
        ({0, 2, 3, 7, 10}, 21, "b12000"),
        ({0, 2, 7, 10}, 21, "a12000"),
        ({0, 2, 3, 7, 9}, 10, "b140"),
        (set(), 0, ""),
        (set(), 1, "00"),
    ],
)
def test_bits(present: set[int], rows: int, packed: str) -> None:
    assert pack_bits(int(row in present) for row in range(rows)).hex() == packed


def test_which_operations_announce() -> None:
    publisher = Publisher("foo.test", "idle.test")
    chain, offchain = publisher.chain, publisher.offchain
    chain.must(chain.update("foo.test", ALICE, zonefile_hash(ONE)))
    chain.must(chain.renew("foo.test", ALICE))
    chain.must(chain.transfer("foo.test", ALICE, BOB))
    chain.must(chain.renew("foo.test", BOB, value=zonefile_hash(TWO)))
    chain.must(chain.revoke("idle.test", ALICE))
    chain.must(chain.preorder("new.test", BOB))
    chain.must(chain.register("new.test", BOB, value=zonefile_hash(THREE)))
    offchain.follow()
    found = [(entry.inv_index, entry.name, entry.zonefile_hash) for entry in offchain.announcements(0, 10**6, 0, 99)]
    assert found == [
        (1, "foo.test", zonefile_hash(ONE)),
        (2, "foo.test", zonefile_hash(ONE)),  # a renewal announces what it inherits
        (3, "foo.test", zonefile_hash(TWO)),
        (4, "new.test", zonefile_hash(THREE)),
    ]
    assert offchain.count() == 4
    assert len({entry.txid for entry in offchain.announcements(0, 10**6, 0, 99)}) == 4


def test_imports_announce_in_the_order_of_their_block() -> None:
    publisher = Publisher()
    chain = publisher.chain.revealed("import")
    chain.import_name("b.import", RV, ALICE, zonefile_hash(TWO))
    chain.import_name("a.import", RV, ALICE, zonefile_hash(ONE))
    chain.mine()
    publisher.offchain.follow()
    entries = publisher.offchain.announcements(0, 10**6, 0, 99)
    assert [entry.name for entry in entries] == ["b.import", "a.import"]
    assert [entry.block_height for entry in entries] == [publisher.height] * 2


def test_the_inventory_tells_what_is_here() -> None:
    publisher = Publisher()
    for data in (ONE, TWO, ONE, THREE):
        publisher.announce(data)
    offchain = publisher.offchain
    assert offchain.inventory() == b"\x00"
    assert offchain.put(ONE)
    assert offchain.inventory() == b"\xa0"
    assert offchain.put(ONE)
    assert [entry.inv_index for entry in offchain.announced.missing()] == [2, 4]
    assert [entry.inv_index for entry in offchain.announced.missing(1, 5)] == [4]
    assert [entry.inv_index for entry in offchain.announced.by_hash(zonefile_hash(ONE))] == [1, 3]
    assert offchain.announced.misses_any("foo.test", {2})
    assert not offchain.announced.misses_any("foo.test", {2, 4})
    publisher.announce(ONE)
    assert offchain.inventory() == b"\xa8"


def test_what_is_not_let_in() -> None:
    publisher = Publisher()
    big = b"x" * 40_961
    publisher.announce(big)
    assert not publisher.offchain.put(big)
    assert not publisher.offchain.put(ONE)
    assert publisher.zonefiles.get(zonefile_hash(ONE)) is None
    assert publisher.offchain.inventory() == b"\x00"


def test_pages_of_announcements() -> None:
    publisher = Publisher()
    heights = [publisher.announce(data) for data in (ONE, TWO, THREE)]
    offchain = publisher.offchain
    assert [entry.inv_index for entry in offchain.announcements(heights[1], heights[2], 0, 100)] == [2, 3]
    assert [entry.inv_index for entry in offchain.announcements(heights[0], heights[2], 1, 1)] == [2]
    assert offchain.announcements(heights[2] + 1, 10**7, 0, 100) == []


def test_numbers_are_given_again_after_a_reorganisation() -> None:
    publisher = Publisher()
    publisher.announce(ONE)
    fork = publisher.height
    publisher.announce(TWO)
    assert publisher.offchain.put(TWO)
    publisher.rollback_to(fork)
    assert publisher.offchain.count() == 1
    assert publisher.offchain.inventory() == b"\x00"
    publisher.announce(THREE)
    publisher.announce(TWO)
    entries = publisher.offchain.announcements(0, 10**6, 0, 99)
    assert [(entry.inv_index, entry.zonefile_hash, entry.present) for entry in entries] == [
        (1, zonefile_hash(ONE), False),
        (2, zonefile_hash(THREE), False),
        (3, zonefile_hash(TWO), True),  # it stayed in the store
    ]


def test_a_state_that_went_back_and_grew_unseen_is_gone_through_again() -> None:
    publisher = Publisher()
    publisher.announce(ONE)
    publisher.announce(TWO)
    chain = publisher.chain
    chain.state.rollback_to(publisher.height - 2)
    chain.must(chain.update("foo.test", ALICE, zonefile_hash(THREE)))
    chain.mine(2)
    publisher.offchain.follow()
    assert [entry.zonefile_hash for entry in publisher.offchain.announcements(0, 10**6, 0, 9)] == [zonefile_hash(THREE)]


def test_blocks_may_be_followed_one_by_one_or_many_at_once() -> None:
    publisher = Publisher()
    lagging = Publisher()
    for data in (ONE, TWO, ONE):
        publisher.announce(data)
        lagging.chain.must(lagging.chain.update("foo.test", ALICE, zonefile_hash(data)))
    lagging.offchain.follow()
    assert dump(publisher.offchain) == dump(lagging.offchain)


def test_a_group_of_blocks_that_fails_leaves_nothing() -> None:
    publisher = Publisher()
    publisher.announce(ONE)
    before = dump(publisher.offchain)

    def fail() -> None:
        with publisher.chain.state.group():
            publisher.announce(TWO)
            assert publisher.offchain.put(TWO)
            assert publisher.offchain.inventory() == b"\x40"
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fail()
    assert dump(publisher.offchain) == before
    publisher.announce(THREE)
    assert [entry.inv_index for entry in publisher.offchain.announcements(0, 10**6, 0, 9)] == [1, 2]


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    path, params = tmp_path / "names.db", rules()
    zonefiles = ZonefileStore(tmp_path / "zonefiles")
    publisher = Publisher(state=State.create(path, params), zonefiles=zonefiles)
    for data in (ONE, TWO):
        publisher.announce(data)
    assert publisher.offchain.put(TWO)
    before = dump(publisher.offchain)
    chain = publisher.chain
    chain.must(chain.update("foo.test", ALICE, zonefile_hash(THREE)))  # the process ends before this is followed
    chain.state.close()

    chain.state = chain.engine.state = State.open(path, params)
    again = publisher.open()
    assert again.count() == 3
    assert again.announcements(0, publisher.height - 1, 0, 9) == before[1][:2]  # type: ignore[index]
    chain.state.rollback_to(publisher.height - 1)
    chain.state.close()

    chain.state = State.open(path, params)
    assert dump(publisher.open()) == before
    chain.state.close()


def test_a_hash_is_an_announcement_whatever_it_stands_for() -> None:
    publisher = Publisher()
    chain = publisher.chain
    chain.must(chain.update("foo.test", ALICE, VALUE))
    publisher.offchain.follow()
    assert publisher.offchain.announced.first_height(VALUE) == publisher.height
    assert publisher.offchain.announced.last_block() == publisher.height
    assert publisher.offchain.peers("localhost:16264") == ()


def test_two_nodes_number_alike() -> None:
    """One was there from the beginning, the other reads the whole chain later."""
    publisher = Publisher("foo.test", "bar.test")
    for name, data in (("foo.test", ONE), ("bar.test", TWO), ("foo.test", THREE)):
        publisher.announce(data, name=name)
    late = Publisher.__new__(Publisher)
    late.chain, late.zonefiles = publisher.chain, MemoryZonefiles()
    for table in ("atlas_zonefiles", "subdomain_records", "subdomain_queue", "subdomain_undo"):
        publisher.chain.state.connection.execute(f"DROP TABLE {table}")
    entries = late.open().announcements(0, 10**6, 0, 9)
    assert [(entry.inv_index, entry.name) for entry in entries] == [(1, "foo.test"), (2, "bar.test"), (3, "foo.test")]
