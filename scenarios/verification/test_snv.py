"""A light client that trusts one consensus hash, or a transaction that repeats one (spec 08 section 14)."""

from bnslab import epochs

EPOCH_1 = epochs(1)
HASH, OTHER, THIRD = "11" * 20, "22" * 20, "33" * 20


def opened(lab, creator, **rules):
    lab.namespace("test", by=creator, **rules)


def registered(lab, by, to):
    """foo.test, given to another wallet; the block it was registered in."""
    foo = lab.register("foo.test", by=by, to=to)
    return foo.height


def proven(lab, height, trust=None):
    """The one operation on foo.test in a block."""
    (operation,) = lab.snv("foo.test", height, trust)
    return operation


@EPOCH_1
def test_name_pre_reg_snv(lab, alice, bob, carol):
    opened(lab, alice)
    height = registered(lab, bob, carol)
    assert height == lab.height
    assert proven(lab, height, lab.consensus_hash)["address"] == carol.address


@EPOCH_1
def test_name_pre_reg_up_snv(lab, alice, bob, carol):
    opened(lab, alice)
    height = registered(lab, bob, carol)
    lab.update("foo.test", by=carol, value_hash=HASH)
    lab.mine()
    assert lab.name("foo.test").value_hash == HASH
    assert (proven(lab, height)["opcode"], proven(lab, height)["value_hash"]) == ("NAME_REGISTRATION", None)
    assert (proven(lab, lab.height)["opcode"], proven(lab, lab.height)["value_hash"]) == ("NAME_UPDATE", HASH)


@EPOCH_1
def test_name_pre_reg_xfer_snv(lab, alice, bob, carol, dave):
    opened(lab, alice)
    registered(lab, bob, carol)
    lab.transfer("foo.test", by=carol, to=dave)
    lab.mine()
    assert lab.name("foo.test").address == dave.address
    transferred = proven(lab, lab.height)
    assert (transferred["opcode"], transferred["address"]) == ("NAME_TRANSFER", dave.address)


@EPOCH_1
def test_name_pre_reg_renew_snv(lab, alice, bob, carol):
    opened(lab, alice)
    height = registered(lab, bob, carol)
    lab.mine(10)
    lab.renew("foo.test", by=carol)
    lab.mine()
    lab.mine()
    assert lab.name("foo.test").record.last_renewed == height + 11
    assert proven(lab, height)["opcode"] == "NAME_REGISTRATION"
    assert proven(lab, height + 11)["opcode"] == "NAME_RENEWAL"


@EPOCH_1
def test_name_pre_reg_revoke_snv(lab, alice, bob, carol):
    opened(lab, alice)
    height = registered(lab, bob, carol)
    lab.revoke("foo.test", by=carol)
    lab.mine()
    assert lab.name("foo.test").revoked
    assert proven(lab, height)["revoked"] is False
    assert proven(lab, height + 1)["revoked"] is True


@EPOCH_1
def test_name_pre_reg_expire_snv(lab, alice, bob, carol):
    opened(lab, alice, lifetime=5)
    height = registered(lab, bob, carol)
    lab.mine(10)
    lab.mine()
    assert lab.name("foo.test").renewal_deadline < lab.height
    assert proven(lab, height)["address"] == carol.address


@EPOCH_1
def test_name_pre_reg_multi_snv(lab, alice, bob, carol):
    opened(lab, alice)
    height = registered(lab, bob, carol)
    lab.mine(5)
    roots = []
    for name, payer, owner in (("bar.test", "five", "six"), ("baz.test", "seven", "eight")):
        preordered = lab.name_preorder(name, by=lab.wallet(payer), to=lab.wallet(owner))
        lab.mine()
        lab.name_registration(name, by=lab.wallet(payer), to=lab.wallet(owner))
        lab.mine(6)
        roots += [preordered.txid, f"{preordered.height}-{preordered.record.vtxindex}"]
        assert lab.name(name).address == lab.wallet(owner).address
    records = [proven(lab, height, root) for root in (lab.consensus_hash, *roots)]
    assert records == [records[0]] * 5
    assert records[0]["address"] == carol.address


@EPOCH_1
def test_name_imp_xfer_up_snv(lab, alice, carol, dave):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice)
    lab.mine()
    lab.name_import("foo.test", by=alice, to=carol, value_hash=HASH)
    lab.mine()
    height = lab.height
    lab.namespace_ready("test", by=alice)
    lab.mine()
    lab.transfer("foo.test", by=carol, to=dave)
    lab.mine()
    lab.update("foo.test", by=dave, value_hash=OTHER)
    lab.mine()
    assert (lab.name("foo.test").address, lab.name("foo.test").value_hash) == (dave.address, OTHER)
    imported = proven(lab, height)
    assert (imported["opcode"], imported["value_hash"], imported["importer_address"]) == (
        "NAME_IMPORT",
        HASH,
        alice.address,
    )


@EPOCH_1
def test_name_imp_xfer_up_multi_snv(lab, alice, carol, dave):
    five, six = lab.wallet("five"), lab.wallet("six")
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice)
    lab.mine()
    lab.name_import("foo.test", by=alice, to=carol, value_hash=HASH)
    lab.mine()
    height = lab.height
    lab.name_import("bar.test", by=alice, to=five, value_hash=THIRD)
    lab.mine()
    lab.name_import("baz.test", by=alice, to=six, value_hash=THIRD)
    lab.mine()
    lab.namespace_ready("test", by=alice)
    lab.mine()
    transferred = lab.transfer("bar.test", by=five, to=dave)
    lab.mine()
    lab.update("baz.test", by=six, value_hash=OTHER)
    lab.mine()
    assert lab.name("baz.test").value_hash == OTHER
    assert lab.name("bar.test").address == dave.address
    assert proven(lab, height) == proven(lab, height, transferred.txid)
