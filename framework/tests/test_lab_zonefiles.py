"""Zone files and subdomains in a lab: made, signed, handed over, looked at, recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash
from bnslab.commands.replay import indexed
from bnslab.consume import Difference, compare
from bnslab.errors import CheckFailed
from bnslab.fixtures import load, save
from bnslab.recording import record

if TYPE_CHECKING:
    from pathlib import Path

    from bnslab.lab import Lab
    from tests.labs import Labs


@pytest.fixture
def lab(make_lab: Labs) -> Lab:
    """With a namespace by alice."""
    lab = make_lab()
    lab.namespace("test", by="alice")
    return lab


def publish(lab: Lab, name: str, zonefile: bytes) -> None:
    """Announce a zone file, hand it over, and mine the block from which it counts."""
    if lab.name(name) is None:
        lab.register(name, by="bob", zonefile=zonefile)
    else:
        lab.update(name, by="bob", zonefile=zonefile)
        lab.mine()
    lab.publish(zonefile)
    lab.mine()


def test_the_text_of_a_zonefile(lab: Lab) -> None:
    text = lab.zonefile(
        "foo.test",
        uri="https://example.com/profile.json",
        txt={"pubkey": "pubkey:data:abc"},
        resolver="https://resolver",
        registrar="https://registrar",
        missing=[1, 3],
        lines=["anything at all \xff"],
    )
    assert text.decode("latin-1").splitlines() == [
        "$ORIGIN foo.test",
        "$TTL 3600",
        'pubkey TXT "pubkey:data:abc"',
        '_missing TXT "1,3"',
        '_https._tcp URI 10 1 "https://example.com/profile.json"',
        '_resolver URI 10 1 "https://resolver"',
        '_registrar URI 10 1 "https://registrar"',
        "anything at all \xff",
    ]


def test_subdomains_from_creation_to_transfer(lab: Lab) -> None:
    carol, vault = lab.wallet("carol"), lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    first = lab.subdomain("bar.foo.test", owner="carol")
    second = first.transfer(to=vault, uri="https://example.com/second")
    third = second.update(zonefile=b"anything")
    assert lab.resolve("bar.foo.test") is None
    for draft in (first, second, third):
        publish(lab, "foo.test", lab.zonefile("foo.test", draft))
        found = lab.resolve("bar.foo.test")
        assert found is not None
        assert found.holds(draft)
        assert (found.address, found.domain, found.sequence) == (draft.owner.address, "foo.test", draft.sequence)
        assert (found.zonefile, found.pending, found.resolver) == (draft.zonefile, False, None)
        assert not any(found.holds(other) for other in (first, second, third) if other is not draft)
    assert (first.owner, third.owner, third.zonefile) == (carol, vault, b"anything")
    assert b"https://example.com/second" in second.zonefile


def test_another_domain_carries_an_update(lab: Lab) -> None:
    first = lab.subdomain("bar.foo.test", owner="carol", zonefile=b"0", signed=False)
    second = first.update(uri="https://example.com")
    publish(lab, "foo.test", lab.zonefile("foo.test", first))
    publish(lab, "qux.test", lab.zonefile("qux.test", second))
    found = lab.resolve("bar.foo.test")
    assert found is not None
    assert found.holds(second)
    assert found.domain == "qux.test"


@pytest.mark.parametrize("kind", ["p2sh-p2wpkh", "p2sh-p2wsh"])
def test_nobody_believes_witness_wallets_and_strangers(lab: Lab, kind: str) -> None:
    owner = lab.wallet("segwit", kind)
    first = lab.subdomain("bar.foo.test", owner=owner)
    other = lab.subdomain("baz.foo.test", owner="carol")
    publish(lab, "foo.test", lab.zonefile("foo.test", first, other))
    publish(lab, "foo.test", lab.zonefile("foo.test", first.update(), other.update(by=lab.wallet("bob"))))
    for draft in (first, other):
        found = lab.resolve(draft.name)
        assert found is not None
        assert found.holds(draft)
    assert len(lab.node.offchain.subdomains.rows()) == 4


def test_every_operation_that_sets_a_value_takes_a_zonefile(make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace_preorder("test", by="alice")
    lab.mine()
    lab.namespace_reveal("test", by="alice")
    lab.mine()
    lab.name_import("foo.test", by="alice", to="bob", zonefile=b"imported")
    lab.namespace_ready("test", by="alice")
    lab.mine()
    for send, data in ((lab.update, b"updated"), (lab.renew, b"renewed")):
        send("foo.test", by="bob", zonefile=data)
        lab.mine()
        found = lab.name("foo.test")
        assert found is not None
        assert found.value_hash == zonefile_hash(data)
    lab.publish(b"imported", b"updated", b"renewed")
    assert lab.node.offchain.announced.bits() == "111"


def test_a_value_hash_beside_a_zonefile(lab: Lab) -> None:
    for value_hash, zonefile in (("11" * 20, b"x"), (None, None)):
        with pytest.raises(InvalidInput, match="value hash: expected"):
            lab.update("foo.test", by="bob", value_hash=value_hash, zonefile=zonefile)


@pytest.mark.parametrize("name", ["foo.test", "bar.foo", "Bar.foo.test", "a.b.foo.test", ""])
def test_a_subdomain_that_is_none(lab: Lab, name: str) -> None:
    with pytest.raises(InvalidInput, match=r"subdomain: expected label\.name\.namespace"):
        lab.subdomain(name, owner="carol")


def test_a_zonefile_that_is_not_kept_or_should_not_be(lab: Lab) -> None:
    with pytest.raises(CheckFailed, match=r"zone file [0-9a-f]{40} of 7 bytes\n.*\n  expected  saved\n  actual    not"):
        lab.publish(b"unknown")
    lab.publish(b"unknown", saved=False)
    lab.register("foo.test", by="bob", zonefile=b"known")
    with pytest.raises(CheckFailed, match="expected  not saved"):
        lab.publish(b"known", saved=False)
    with pytest.raises(InvalidInput, match="zone files to publish"):
        lab.publish()


def test_a_zonefile_that_is_too_long(lab: Lab) -> None:
    longest, longer = b"x" * 40_960, b"x" * 40_961
    lab.register("foo.test", by="bob", zonefile=longest)
    lab.register("bar.test", by="bob", zonefile=longer)
    lab.publish(longest)
    lab.publish(longer, saved=False)
    assert lab.node.get(f"/v1/zonefiles/{zonefile_hash(longest)}").body == longest
    assert lab.node.get(f"/v1/zonefiles/{zonefile_hash(longer)}").status == 404


# Fixtures


def test_zonefiles_and_what_they_gave_go_into_the_fixture(lab: Lab, tmp_path: Path) -> None:
    first = lab.subdomain("bar.foo.test", owner="carol")
    publish(lab, "foo.test", lab.zonefile("foo.test", first))
    lab.register("qux.test", by="bob", zonefile=b"never handed over")
    publish(lab, "foo.test", lab.zonefile("foo.test", first.update()))
    fixture = record(lab)
    save(tmp_path / "it.json.gz", fixture)
    again = load(tmp_path / "it.json.gz")
    assert again == fixture
    assert [entry.saved for entry in again.zonefiles] == [1, 1]
    assert again.expected is not None
    assert again.expected.atlas_zonefile_inventory == "101"
    compare(again, ("consensus", "tables"))
    assert indexed(again) == again


def test_a_fixture_with_another_index_is_noticed(lab: Lab) -> None:
    publish(lab, "foo.test", lab.zonefile("foo.test", lab.subdomain("bar.foo.test", owner="carol")))
    assert lab.node.state.connection.execute("UPDATE subdomain_records SET accepted = 0").rowcount == 1
    with pytest.raises(Difference, match=r"tables: subdomains \(1 rows expected, 1 there\)"):
        compare(record(lab), ("tables",))


def test_without_zonefiles_a_fixture_says_nothing_of_them(lab: Lab) -> None:
    lab.register("foo.test", by="bob", value_hash="11" * 20)
    fixture = record(lab)
    assert fixture.expected is not None
    assert (fixture.zonefiles, bytes(fixture.expected.subdomains)) == ([], b"")
    assert fixture.expected.atlas_zonefile_inventory is None


# Profiles


def test_a_profile_from_the_store_of_the_lab(lab: Lab) -> None:
    bob, carol = lab.wallet("bob"), lab.wallet("carol")
    bar = lab.subdomain("bar.foo.test", owner=carol, uri=lab.gaia.profile(carol, {"name": "Carol"}))
    zonefile = lab.zonefile("foo.test", bar, uri=lab.gaia.profile(bob, {"name": "Bob"}))
    publish(lab, "foo.test", zonefile)
    assert lab.profile("foo.test") == {"name": "Bob"}
    assert lab.profile("bar.foo.test") == {"name": "Carol"}
    did = lab.call("get_name_DID", "bar.foo.test")["did"]
    document = lab.node.get(f"/v1/dids/{did}").json()
    assert document["public_key"] == carol.keys[0].public_key.hex()
    assert document["document"]["publicKey"][0]["id"] == did
    lab.gaia.profile(bob, {"name": "Robert"})
    assert lab.profile("foo.test") == {"name": "Robert"}
    lab.gaia.store(f"hub/{bob.address}/profile.json", b"nonsense")
    assert lab.profile("foo.test") is None


def test_nobody_else_signs_a_profile_and_nothing_else_is_on_the_web(lab: Lab) -> None:
    thief = lab.gaia.profile(lab.wallet("carol"), {"name": "Bob"})
    for uri in (thief, "http://example.com/profile.json", thief.replace("profile.json", "other.json")):
        publish(lab, "foo.test", lab.zonefile("foo.test", uri=uri))
        assert lab.profile("foo.test") is None


def test_zonefiles_that_name_the_store_are_always_the_same(make_lab: Labs) -> None:
    labs = make_lab(), make_lab()
    assert len({lab.gaia.address for lab in labs}) == 2
    urls = {lab.gaia.profile(lab.wallet("bob"), {"name": "Bob"}) for lab in labs}
    assert urls == {"http://gaia.localhost/hub/mvHj7sRP1FUooBaVDo6DU9khD31ui2EiPp/profile.json"}
    with pytest.raises(InvalidInput, match="path in the profile store"):
        labs[0].gaia.store("/etc", b"")
