"""Identifiers of names that expired, were revoked and registered again (spec 10 section 3.17)."""

from bnslab import epochs

NAMES = ("foo1.test", "foo2.test", "foo3.test")
MEMBERS = ("name", "address", "value_hash", "txid", "last_renewed")
FIRST, CHANGED, SECOND = ("11", "22", "33"), ("1b", "2b", "3b"), ("1a", "2a", "3a")


def register(lab, hashes, same_block=False):
    for name in NAMES:
        lab.name_preorder(name, by=lab.wallet("w2"), to=lab.wallet("w3"))
    if not same_block:
        lab.mine()
    for name, digits in zip(NAMES, hashes, strict=True):
        lab.name_registration(name, by=lab.wallet("w2"), to=lab.wallet("w3"), value_hash=digits * 20)
    lab.mine()


def record_of(lab, did):
    return lab.call("get_DID_record", did).get("record")


def dids_of(lab, first):
    """The identifiers that w3 has, one for each name from a number on; each leads to its name and back."""
    dids = [f"did:stack:v0:{lab.wallet('w3').address}-{first + place}" for place in range(len(NAMES))]
    for name, did in zip(NAMES, dids, strict=True):
        assert lab.call("get_name_DID", name)["did"] == did
        assert record_of(lab, did)["name"] == name
        assert record_of(lab, did)["value_hash"] == lab.name(name).value_hash
    return dids


def expire_and_come_back(lab, same_block):
    lab.namespace("test", by=lab.wallet("w0"), lifetime=2)
    register(lab, FIRST, same_block)
    old = dids_of(lab, 0)
    kept = [record_of(lab, did) for did in old]
    lab.mine(5)
    register(lab, SECOND, same_block)
    dids_of(lab, 3)
    for did, record in zip(old, kept, strict=True):
        found = record_of(lab, did)
        assert [found[key] for key in MEMBERS] == [record[key] for key in MEMBERS]


@epochs(3, lifetime=1, grace=0)
def test_name_pre_regup_expire_reregup_dids(lab):
    """The identifiers of names that expired lead to what the names were, whatever they are now."""
    expire_and_come_back(lab, same_block=False)


@epochs(3, lifetime=1, grace=0)
def test_name_pre_regup_expire_reregup_sameblock_dids(lab):
    expire_and_come_back(lab, same_block=True)


def change_expire_and_come_back(lab, same_block):
    owner, other = lab.wallet("w3"), lab.wallet("w4")
    lab.namespace("test", by=lab.wallet("w0"), lifetime=5)
    register(lab, FIRST, same_block)
    old = dids_of(lab, 0)
    for name, digits in zip(NAMES, CHANGED, strict=True):
        lab.update(name, by=owner, value_hash=digits * 20)
    if not same_block:
        lab.mine()
    lab.revoke("foo1.test", by=owner)
    for name in NAMES[1:]:
        lab.transfer(name, by=owner, to=other)
    lab.mine()
    assert record_of(lab, old[0]) is None
    kept = [record_of(lab, did) for did in old[1:]]
    assert [(record["address"], record["value_hash"]) for record in kept] == [
        (other.address, digits * 20) for digits in CHANGED[1:]
    ]
    lab.mine(5)
    register(lab, SECOND, same_block)
    dids_of(lab, 3)
    assert record_of(lab, old[0]) is None
    for did, record in zip(old[1:], kept, strict=True):
        found = record_of(lab, did)
        assert [found[key] for key in MEMBERS] == [record[key] for key in MEMBERS]


@epochs(3, lifetime=1, grace=0)
def test_name_pre_regup_ops_expire_reregup_dids(lab):
    """What happened to a name before it expired is what its identifier leads to; one that was revoked leads nowhere."""
    change_expire_and_come_back(lab, same_block=False)


@epochs(3, lifetime=1, grace=0)
def test_name_pre_regup_ops_expire_reregup_sameblock_dids(lab):
    change_expire_and_come_back(lab, same_block=True)


@epochs(2, lifetime=1)
def test_name_pre_reg_revoke_reregister_dids(lab):
    payer, owner = lab.wallet("w2"), lab.wallet("w3")
    heirs = [lab.wallet(f"w{number}") for number in range(3)]
    lab.namespace("test", by=heirs[0], lifetime=4)
    for step in (lab.name_preorder, lab.name_registration):
        for name in NAMES:
            step(name, by=payer, to=owner)
        lab.mine()
    old = [f"did:stack:v0:{owner.address}-{place}" for place in range(3)]
    assert [record_of(lab, did)["name"] for did in old] == list(NAMES)
    lab.revoke("foo1.test", by=owner)
    lab.mine(4)
    for step in (lab.name_preorder, lab.name_registration):
        for name, heir in zip(NAMES, heirs, strict=True):
            step(name, by=lab.wallet("w4"), to=heir)
        lab.mine()
    new = [f"did:stack:v0:{heir.address}-0" for heir in heirs]
    assert record_of(lab, old[0]) is None
    assert [record_of(lab, did)["address"] for did in old[1:]] == [owner.address] * 2
    assert [record_of(lab, did)["address"] for did in new] == [heir.address for heir in heirs]
    for name, heir in zip(NAMES, heirs, strict=True):
        if heir is not owner:
            lab.transfer(name, by=heir, to=owner)
    lab.mine()
    assert [record_of(lab, did)["address"] for did in (*old[1:], *new)] == [owner.address] * 5
    assert record_of(lab, old[0]) is None
