"""Subdomains from block to block: zone files that come late or never, reorganisations, restarts, rebuilds."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice, permutations
from typing import TYPE_CHECKING

import pytest

from bns.state.store import State
from bns.subdomains.records import SubdomainRecord
from bns.zonefiles.store import MemoryZonefiles, ZonefileStore, zonefile_hash
from tests.chain import ALICE, rules
from tests.subdomain_chain import DOMAIN, K1, K2, K3, NAME, Publisher, address, carry, dump, record

if TYPE_CHECKING:
    from pathlib import Path


def test_a_zonefile_counts_from_the_next_block_on() -> None:
    publisher = Publisher()
    data = carry(record(0))
    publisher.announce(data)
    publisher.mine()
    assert publisher.offchain.put(data)
    assert publisher.accepted() == []
    publisher.mine()
    assert publisher.accepted() == [1]
    assert publisher.offchain.zonefiles.get(zonefile_hash(b"version 0")) == b"version 0"


def test_a_zonefile_that_is_here_counts_in_the_block_that_announces_it() -> None:
    publisher = Publisher()
    data = carry(record(0))
    publisher.zonefiles.put(data)
    publisher.announce(data)
    assert publisher.accepted() == [1]


def test_a_chain_of_updates_and_transfers() -> None:
    publisher = Publisher()
    for entry in (record(0), record(1), record(2, K2, K1), record(3, K3, K1), record(3, K3, K2)):
        publisher.publish(carry(entry))
    assert publisher.accepted() == [1, 2, 3, 5]
    current = publisher.offchain.subdomains.record(NAME)
    assert current is not None
    assert (current["address"], current["sequence"]) == (address(K3), 3)


def test_all_updates_in_one_block_for_many_subdomains() -> None:
    publisher = Publisher()
    names = [f"n{number}.{DOMAIN}" for number in range(30)]
    publisher.publish(carry(*(record(0, name=name) for name in names)))
    publisher.publish(carry(*(record(1, K2, K1, name=name) for name in reversed(names))))
    assert all(publisher.accepted(name) == [1, 2] for name in names)
    assert publisher.offchain.subdomains.count() == 30


def test_holes_are_filled_by_what_comes_late() -> None:
    publisher = Publisher()
    files = [carry(record(number)) for number in range(4)]
    for data in files:
        publisher.announce(data)
    for number, accepted in ((3, []), (0, [1]), (2, [1]), (1, [1, 2, 3, 4])):
        assert publisher.offchain.put(files[number])
        publisher.mine()
        assert publisher.accepted() == accepted


def test_an_earlier_owner_takes_back_what_followed() -> None:
    """A late transfer undoes what the owner did in between, and cascades."""
    publisher = Publisher()
    transfer = carry(record(1, K2, K1))
    publisher.publish(carry(record(0)))
    publisher.announce(transfer)
    publisher.publish(carry(record(1)))
    publisher.publish(carry(record(2)))
    assert publisher.accepted() == [1, 3, 4]
    assert publisher.offchain.put(transfer)
    publisher.mine()
    assert publisher.accepted() == [1, 2]


def test_another_domain_may_carry_updates_but_neither_create_nor_transfer() -> None:
    publisher = Publisher(DOMAIN, "qux.test")

    def foreign(entry: SubdomainRecord) -> bytes:
        return carry(entry, domain="qux.test")

    stolen = record(0, name="first.foo.test", domain="qux.test")
    publisher.publish(foreign(stolen), name="qux.test")
    publisher.publish(carry(record(0, name="first.foo.test")))
    assert publisher.accepted("first.foo.test") == []
    publisher.publish(carry(record(0)))
    publisher.publish(foreign(record(1, domain="qux.test")), name="qux.test")
    publisher.publish(foreign(record(2, K2, K1, domain="qux.test")), name="qux.test")
    publisher.publish(carry(record(2, K2, K1)))
    assert publisher.accepted() == [3, 4, 6]


def test_the_same_zonefile_announced_twice_is_stored_twice() -> None:
    publisher = Publisher()
    data = carry(record(0))
    publisher.publish(data)
    publisher.announce(data)
    assert len(publisher.offchain.subdomains.rows()) == 2
    assert publisher.accepted() == [1]


def test_a_zonefile_of_another_name_holds_no_records() -> None:
    publisher = Publisher(DOMAIN, "qux.test")
    publisher.publish(carry(record(0)), name="qux.test")
    assert publisher.offchain.subdomains.rows() == []


def test_records_that_end_the_reference_do_no_harm() -> None:
    """An embedded zone file that is empty, owners that are no address, signatures that are none, huge sequences."""
    publisher = Publisher()
    strange = [
        SubdomainRecord("empty.foo.test", DOMAIN, address(K1), 0, b""),
        SubdomainRecord("owner.foo.test", DOMAIN, "garbage", 0, b"x"),
        SubdomainRecord("min.foo.test", DOMAIN, "", -(2**63), b"x"),
        SubdomainRecord("max.foo.test", DOMAIN, "\xff\0", 2**63 - 1, b"x"),
    ]
    publisher.publish(carry(*strange))
    publisher.publish(carry(*(replace(entry, sequence=1, signature="AA==") for entry in strange[:2])))
    queries = publisher.offchain.subdomains
    rows = {row["fully_qualified_subdomain"]: row for row in queries.rows() if row["accepted"]}
    assert sorted(rows) == ["empty.foo.test", "owner.foo.test"]
    current = queries.record("empty.foo.test")
    assert current is not None
    assert (current["zonefile"], current["sequence"]) == ("", 0)
    assert queries.did("owner.foo.test") is None
    assert queries.owned_by("garbage") == ["owner.foo.test"]
    assert [row["owner"] for row in queries.rows() if row["sequence"] == 2**63 - 1] == ["\xff\0"]


def test_a_thousand_zonefiles_at_a_block() -> None:
    publisher = Publisher()
    table = publisher.offchain._table
    data = carry(record(0))
    publisher.announce(data)
    for number in range(1500):
        table.enqueue(f"{number:040x}", publisher.height)
    assert publisher.offchain.put(data)
    publisher.mine()
    assert publisher.accepted() == []
    publisher.mine()
    assert publisher.accepted() == [1]
    assert table.queued(10) == []


# Rebuilding


def test_a_rebuild_is_the_canonical_index() -> None:
    """The one case of spec 04 section 5.6 in which the order of arrival shows."""
    publisher = Publisher(DOMAIN, "qux.test")
    early, late = carry(record(1, domain="qux.test"), domain="qux.test"), carry(record(0))
    publisher.announce(early, name="qux.test")
    publisher.publish(late)
    assert publisher.offchain.put(early)
    publisher.mine()
    assert publisher.accepted() == [1, 2]
    publisher.offchain.reindex()
    assert publisher.accepted() == [2]


TREE = {
    "root": record(0),
    "a": record(1, K2, K1),
    "b": record(1, K3, K1),
    "b1": record(2, K1, K3),
    "a1": record(2, K1, K2),
    "b2": record(2, K2, K3),
    "a2": record(2, K3, K2),
}
FILES = [carry(entry, more=f"; {label}") for label, entry in TREE.items()]


def test_orders_in_which_seven_competing_zonefiles_can_come() -> None:
    """A sample; test_subdomains_machine.py goes through all of them without the chain around."""
    orders = list(permutations(range(7)))
    random.Random(7).shuffle(orders)
    publisher = Publisher()
    for data in FILES:
        publisher.announce(data)
    fork = publisher.height
    for order in islice(orders, 12):
        for number in order:
            assert publisher.offchain.put(FILES[number])
            publisher.mine()
        live = dump(publisher.offchain)
        assert publisher.accepted() == [1, 2, 5]
        publisher.offchain.reindex()
        assert dump(publisher.offchain) == live
        publisher.zonefiles._data.clear()  # type: ignore[attr-defined]
        publisher.rollback_to(fork)


def test_a_rebuild_begins_where_it_is_told() -> None:
    publisher = Publisher()
    publisher.publish(carry(record(0)))
    state = publisher.chain.state
    state.params = replace(state.params, first_subdomain_block=publisher.height)
    publisher.offchain.reindex()
    assert publisher.offchain.subdomains.rows() == []


# Reorganisations and restarts


def branch(publisher: Publisher, seed: int, length: int) -> None:
    """Blocks in which two domains announce records about one subdomain; zone files come at once, late or never."""
    choice = random.Random(seed)
    withheld: list[bytes] = []
    for number in range(length):
        domain = choice.choice([DOMAIN, DOMAIN, "qux.test"])
        keys = [choice.choice([K1, K2]) for _ in range(2)]
        entry = record(choice.randrange(4), *keys, domain=domain, zonefile=b"%d-%d" % (seed, number))
        data = carry(entry, domain=domain)
        publisher.announce(data, name=domain)
        withheld.append(data)
        choice.shuffle(withheld)
        while withheld and choice.random() < 0.6:
            publisher.put(withheld.pop())
    publisher.mine()


@pytest.mark.parametrize("seed", range(8))
def test_after_a_reorganisation_all_is_as_if_the_other_branch_had_never_been(seed: int) -> None:
    one, other = (Publisher(DOMAIN, "qux.test") for _ in range(2))
    branch(other, seed, 6)
    one.replay(other.events)
    fork, before = one.height, dump(one.offchain)
    assert before == dump(other.offchain)
    branch(one, seed + 100, 8)
    one.rollback_to(fork)
    assert dump(one.offchain) == before
    winning = len(other.events)
    branch(other, seed + 200, 9)
    one.replay(other.events[winning:])
    assert dump(one.offchain) == dump(other.offchain)


def test_zonefiles_that_came_in_blocks_undone_count_from_the_next_block_on() -> None:
    publisher = Publisher()
    files = [carry(record(number)) for number in range(2)]
    publisher.announce(files[0])
    fork = publisher.height
    assert publisher.offchain.put(files[0])
    publisher.announce(files[1])
    assert publisher.offchain.put(files[1])
    publisher.mine()
    assert publisher.accepted() == [1, 2]
    publisher.rollback_to(fork)
    assert publisher.accepted() == []
    publisher.mine()
    assert publisher.accepted() == [1]
    publisher.announce(files[1])
    assert publisher.accepted() == [1, 2]


def test_a_block_undone_below_a_rebuild() -> None:
    publisher = Publisher()
    publisher.publish(carry(record(0)))
    fork = publisher.height
    publisher.publish(carry(record(1)))
    publisher.offchain.reindex()
    publisher.rollback_to(fork)
    assert publisher.accepted() == [1]
    publisher.publish(carry(record(1), more="; again"))
    assert publisher.accepted() == [1, 2]


def test_undo_data_is_dropped_in_time() -> None:
    publisher = Publisher()
    publisher.publish(carry(record(0)))
    publisher.mine(288)
    publisher.publish(carry(record(1)))
    heights = publisher.chain.state.connection.execute("SELECT block_id FROM subdomain_undo").fetchall()
    assert heights == [(publisher.height,)]


def test_a_restart_between_a_zonefile_and_its_block(tmp_path: Path) -> None:
    path, params = tmp_path / "names.db", rules()
    zonefiles = ZonefileStore(tmp_path / "zonefiles")
    publisher = Publisher(state=State.create(path, params), zonefiles=zonefiles)
    data = carry(record(0))
    publisher.announce(data)
    assert publisher.offchain.put(data)
    publisher.chain.state.close()
    chain = publisher.chain
    chain.state = chain.engine.state = State.open(path, params)
    publisher.offchain = publisher.open()
    assert publisher.accepted() == []
    publisher.mine()
    assert publisher.accepted() == [1]
    live = dump(publisher.offchain)
    chain.state.close()
    chain.state = State.open(path, params)
    assert dump(publisher.open()) == live
    chain.state.close()


def test_a_restart_after_a_block_was_undone_that_only_looked_into_a_zonefile() -> None:
    publisher = Publisher()
    data = carry(record(0))
    publisher.announce(data)
    publisher.put(data)
    publisher.mine()
    assert publisher.accepted() == [1]
    publisher.chain.state.rollback_to(publisher.height - 1)
    publisher.offchain = publisher.open()
    assert publisher.accepted() == []
    publisher.mine()
    assert publisher.accepted() == [1]


def test_a_late_node_with_all_zonefiles_comes_to_the_same_index() -> None:
    publisher = Publisher(DOMAIN, "qux.test")
    branch(publisher, 3, 12)
    publisher.offchain.reindex()
    canonical = dump(publisher.offchain)
    for table in ("atlas_zonefiles", "subdomain_records", "subdomain_queue", "subdomain_undo"):
        publisher.chain.state.connection.execute(f"DROP TABLE {table}")
    late = publisher.open()
    late.reindex()
    assert dump(late) == canonical


def test_a_node_without_zonefiles_knows_what_it_misses() -> None:
    publisher = Publisher(zonefiles=MemoryZonefiles())
    chain = publisher.chain
    chain.must(chain.update(DOMAIN, ALICE, zonefile_hash(carry(record(0)))))
    publisher.offchain.follow()
    assert publisher.offchain.subdomains.rows() == []
    assert [entry.inv_index for entry in publisher.offchain.announced.missing()] == [1]
