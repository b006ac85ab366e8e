"""Zone files of every kind and size, and the profiles that they lead to (spec 10 sections 3.3, 3.4 and 3.18)."""

import base64
import json

import pytest

from bns.bitcoin.keys import PrivateKey
from bns.identity.tokens import BadToken, read_profile, sign_token
from bns.zonefiles.store import zonefile_hash
from bnslab import epochs

LONGEST = 40_960


@epochs(3)
@pytest.mark.parametrize(
    "zonefile",
    [json.dumps({"type": "text"}).encode(), bytes(range(256)), b"\0", b"$ORIGIN other.test\n$TTL 1\n"],
    ids=["json", "all-bytes", "one-byte", "of-another-name"],
)
def test_name_pre_reg_up_nonstandard_zonefile(lab, alice, bob, zonefile):
    """Any bytes that were announced are kept and served as they are."""
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    lab.update("foo.test", by=bob, zonefile=zonefile)
    lab.mine()
    lab.publish(zonefile)
    assert lab.node.get("/v1/names/foo.test/zonefile?raw=1").body == zonefile
    assert lab.node.get(f"/v1/zonefiles/{zonefile_hash(zonefile)}").body == zonefile
    found = lab.call("get_zonefiles", [zonefile_hash(zonefile)])["zonefiles"]
    assert base64.b64decode(found[zonefile_hash(zonefile)]) == zonefile


def test_name_pre_regup_zonefile(lab, alice, bob):
    """Hashes of zone files that are never handed over."""
    lab.namespace("test", by=alice)
    for number in (1, 2, 3):
        data = f"foo{number}.test abcd".encode()
        lab.register(f"foo{number}.test", by=bob, zonefile=data)
        assert lab.name(f"foo{number}.test").value_hash == zonefile_hash(data)
        assert lab.node.get(f"/v1/zonefiles/{zonefile_hash(data)}").status == 404
    assert lab.node.offchain.announced.bits() == "000"


@pytest.mark.p2pkh("bob")  # who signs a profile
def test_name_pre_regup_sign_verify_profile(lab, alice, bob):
    lab.namespace("test", by=alice)
    claim = {"type": "Person", "account": []}
    token = sign_token(claim, bob.keys[0]).encode()
    assert read_profile(token, bob.address).claim == claim
    with pytest.raises(BadToken):
        read_profile(token, alice.address)
    standard = lab.zonefile("foo1.test", uri=lab.gaia.profile(bob, claim))
    for name, data in (("foo1.test", standard), ("foo2.test", bytes(range(6)))):
        lab.register(name, by=bob, zonefile=data)
        lab.publish(data)
    assert lab.profile("foo1.test") == claim
    assert lab.profile("foo2.test") is None
    error = lab.node.get("/v1/users/foo2.test").json()["error"]
    assert error == f"Failed to parse zone file {zonefile_hash(bytes(range(6)))} for foo2.test"


@epochs(3, lifetime=1, grace=5)
@pytest.mark.p2pkh("alice", "bob", "carol")
def test_profiles_of_names_that_expire(lab, alice, bob, carol):
    """As the reference's name_import_lookup_expire_grace_renewxferup: no profile in the grace period."""
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice, lifetime=4)
    lab.mine()
    first = lab.zonefile("foo.test", uri=lab.gaia.profile(bob, {"name": "Bob"}))
    lab.name_import("foo.test", by=alice, to=bob, zonefile=first)
    lab.mine()
    lab.publish(first)
    lab.namespace_ready("test", by=alice)
    lab.mine()
    expire = lab.name("foo.test").expire_block
    while lab.height < expire:
        assert lab.profile("foo.test") == {"name": "Bob"}
        lab.mine()
    lab.mine()
    assert lab.node.get("/v1/users/foo.test").json() == {"error": "Failed to get name record: Name expired"}
    second = lab.zonefile("foo.test", uri=lab.gaia.profile(carol, {"name": "Carol"}))
    lab.renew("foo.test", by=bob, to=carol, zonefile=second)
    lab.mine()
    lab.publish(second)
    assert lab.profile("foo.test") == {"name": "Carol"}


def test_a_profile_with_a_key_that_is_not_the_owners(lab, alice, bob):
    """Whoever else has the address of the zone file's URL can put a profile there, but not sign it."""
    lab.namespace("test", by=alice)
    other = sign_token({"name": "Mallory"}, PrivateKey.from_label("mallory"))
    uri = lab.gaia.store("stolen.json", json.dumps([{"token": other}]).encode())
    zonefile = lab.zonefile("foo.test", uri=uri)
    lab.register("foo.test", by=bob, zonefile=zonefile)
    lab.publish(zonefile)
    assert lab.node.get("/v1/users/foo.test").json() == {"error": "No profile found for this name"}


def longest(number):
    return b"%d\n" % number + b"x" * (LONGEST - len(b"%d\n" % number))


@epochs(1)
def test_blockstackd_100_big_zonefiles(lab, alice, bob):
    """Pushed in fives of twenty; one call gives all that are here."""
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    hashes = []
    for first in range(0, 100, 20):
        zonefiles = [longest(number) for number in range(first, first + 20)]
        for data in zonefiles:
            lab.update("foo.test", by=bob, zonefile=data)
        lab.mine()
        lab.publish(*zonefiles)
        hashes += map(zonefile_hash, zonefiles)
        found = lab.call("get_zonefiles", hashes)["zonefiles"]
        assert sorted(found) == sorted(hashes)
    assert all(base64.b64decode(found[hash_]) == longest(number) for number, hash_ in enumerate(hashes))


@epochs(1)
def test_blockstackd_big_request(lab, alice, bob):
    """Zone files around the greatest size. What the HTTP layer refuses is in the tests of the RPC server."""
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    fitting, too_long = [longest(1), longest(2)], longest(3) + b"x"
    for data in (*fitting, too_long):
        lab.update("foo.test", by=bob, zonefile=data)
        lab.mine()
        lab.publish(data, saved=len(data) <= LONGEST)
    answer = lab.call("get_zonefiles", [zonefile_hash(data) for data in (*fitting, too_long)])
    assert sorted(answer["zonefiles"]) == sorted(map(zonefile_hash, fitting))
