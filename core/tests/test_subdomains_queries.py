"""What the API asks about subdomains (spec 04 section 6 and 8.3)."""

from __future__ import annotations

from typing import Any

from bns.zonefiles.store import zonefile_hash
from tests.subdomain_chain import DOMAIN, K1, K2, K3, NAME, Publisher, address, carry, record


def test_pending_and_missing() -> None:
    publisher = Publisher()
    queries = publisher.offchain.subdomains
    lost = carry(record(1), more="; lost")
    publisher.publish(carry(record(0)))
    assert not queries.is_pending(NAME)
    publisher.announce(lost)
    assert queries.is_pending(NAME)
    current = queries.record(NAME)
    assert current is not None
    assert current["pending"] is True
    publisher.publish(carry(record(1), more='_missing TXT "7,2"'))
    assert not queries.is_pending(NAME)
    publisher.publish(carry(record(2)))
    assert queries.is_pending(NAME)  # the newest zone file's list counts, and it has none
    assert not queries.is_pending("bar.nobody.test")


def test_resolvers() -> None:
    publisher = Publisher()
    queries = publisher.offchain.subdomains
    publisher.publish(carry(record(0)))
    assert queries.resolver(DOMAIN) is None
    publisher.publish(carry(record(1), more='_resolver URI 1 1 "https://high"'))
    publisher.publish(carry(record(0, name="new.foo.test"), more='_resolver URI 1 1 "https://newer"'))
    assert queries.resolver(DOMAIN) == "https://high"
    assert queries.resolver("qux.test") is None
    current = queries.record(NAME)
    assert current is not None
    assert current["resolver"] == "https://high"


def test_dids_count_creations_of_an_owner() -> None:
    publisher = Publisher(DOMAIN, "qux.test")
    queries = publisher.offchain.subdomains
    names = ["b.foo.test", "a.foo.test"]
    publisher.publish(carry(*(record(0, name=name) for name in names)))
    publisher.publish(carry(record(0, name="c.qux.test", domain="qux.test"), domain="qux.test"), name="qux.test")
    publisher.publish(carry(record(1, K2, K1, name="a.foo.test")))
    dids = [queries.did(name) for name in (*names, "c.qux.test")]
    assert [did and did.rpartition("-")[2] for did in dids] == ["0", "1", "2"]
    records = [queries.did_record(address(K1), index) for index in range(4)]
    assert [found and found["name"] for found in records] == [*names, "c.qux.test", None]
    assert records[1] is not None
    assert records[1]["address"] == address(K2)
    assert queries.did("nobody.foo.test") is None
    assert queries.did_record(address(K1), 10**18) is None


def test_refused_creations_count_only_when_a_did_is_looked_up() -> None:
    publisher = Publisher(DOMAIN, "qux.test")
    publisher.publish(carry(record(0, name="z.qux.test", domain=DOMAIN)))
    publisher.publish(carry(record(0)))
    queries = publisher.offchain.subdomains
    did = queries.did(NAME)
    assert did is not None
    assert did.endswith("-0")
    assert queries.did_record(address(K1), 0) is None
    found = queries.did_record(address(K1), 1)
    assert found is not None
    assert found["name"] == NAME


def test_lists_and_histories() -> None:
    publisher = Publisher()
    queries = publisher.offchain.subdomains
    publisher.publish(carry(record(0), record(5, name="never.foo.test")))
    publisher.publish(carry(record(1, K2, K1)))
    assert queries.names(0, 100) == [NAME, "never.foo.test"]
    assert queries.names(1, 1) == ["never.foo.test"]
    assert queries.count() == 1
    assert queries.owned_by(address(K1)) == queries.owned_by(address(K2)) == [NAME]
    assert queries.owned_by(address(K3)) == []
    assert queries.has_zonefile_hash("never.foo.test", zonefile_hash(b"version 5"))
    assert not queries.has_zonefile_hash(NAME, zonefile_hash(b"version 5"))
    history = queries.history(NAME)
    assert [[entry["sequence"] for entry in entries] for entries in history.values()] == [[0], [1]]
    assert all("pending" not in entry for entries in history.values() for entry in entries)
    txid = queries.rows()[0]["txid"]
    assert [row["zonefile_offset"] for row in queries.operations_at(txid)] == [0, 1]
    assert queries.operations_at("00" * 32) == []
    assert queries.record("never.foo.test") is None
    assert queries.history("never.foo.test") == {}


def test_pages_of_a_history() -> None:
    publisher = Publisher()
    for number in range(45):
        publisher.publish(carry(record(number)))
    pages: list[dict[str, Any]] = [publisher.offchain.subdomains.history_page(NAME, page) for page in range(4)]
    sequences = [[entry["sequence"] for entries in page.values() for entry in entries] for page in pages]
    assert sequences == [list(range(20)), list(range(20, 45)), list(range(40, 45)), []]


def test_a_record_whose_zonefile_is_lost_is_not_served() -> None:
    publisher = Publisher()
    publisher.publish(carry(record(0)))
    publisher.chain.state.connection.execute("DELETE FROM embedded_zonefiles")
    assert publisher.offchain.subdomains.record(NAME) is None
    assert publisher.offchain.subdomains.history(NAME) == {}


def test_embedded_zonefiles_are_found_by_their_hash() -> None:
    publisher = Publisher()
    publisher.publish(carry(record(0)))
    zonefiles = publisher.offchain.zonefiles
    hash_ = zonefile_hash(b"version 0")
    assert zonefiles.get(hash_) == b"version 0"
    for other in (hash_.upper(), f" {hash_}", hash_[:-1], "x", ""):
        assert zonefiles.get(other) is None
