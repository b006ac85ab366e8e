"""Who may own how many names, and what owners can do at odd moments (spec 10 section 4, items 10, 12 and 14)."""

import pytest

from bns.bitcoin.script import p2wpkh, p2wsh
from bns.bitcoin.transaction import TxOut
from bns.operations import name_registration, name_transfer
from bnslab import Reason, each_epoch, epochs

FULL = 25
H1 = "11" * 20
OWNERS = {
    "p2pkh": ("p2pkh", 1, 1), "p2sh-multisig": ("p2sh-multisig", 2, 3), "p2sh-p2wpkh": ("p2sh-p2wpkh", 1, 1),
    "p2sh-p2wsh": ("p2sh-p2wsh", 2, 3),
}  # fmt: skip
EVERY_OWNER = pytest.mark.parametrize("owner", OWNERS.values(), ids=OWNERS)


def many(lab, count, by, to, first=0):
    """Register so many names for an owner, in two blocks."""
    names = [f"n{number}.test" for number in range(first, first + count)]
    for name in names:
        lab.name_preorder(name, by=by, to=to)
    lab.mine()
    for name in names:
        lab.name_registration(name, by=by, to=to)
    lab.mine()
    return names


@epochs(2, lifetime=1)
@EVERY_OWNER
def test_a_full_owner(lab, alice, bob, owner):
    kind, required, total = owner
    full = lab.wallet("full", kind, required=required, total=total)
    lab.namespace("test", by=alice)
    names = many(lab, FULL, bob, full)
    lab.register("gift.test", by=bob)
    with lab.rejects(Reason.TOO_MANY_NAMES):
        lab.transfer("gift.test", by=bob, to=full)
        lab.name_preorder("more.test", by=full)
        lab.renew(names[0], by=full)
    lab.update(names[0], by=full, value_hash=H1)
    lab.revoke(names[1], by=full)
    lab.mine()
    lab.transfer("gift.test", by=bob, to=full)
    lab.mine()
    assert lab.name("gift.test").address == full.address, "a revoked name does not count"


@epochs(3, lifetime=1, grace=0)
def test_expired_names_do_not_count(lab, alice, bob, carol):
    lab.namespace("test", by=alice, lifetime=4)
    many(lab, FULL, bob, carol)
    lab.mine(4)
    lab.register("more.test", by=bob, to=carol)
    assert lab.name("more.test").address == carol.address


@pytest.mark.parametrize("order", ["last in, last out", "reversed", "odd ones first"])
def test_the_26th_of_a_block(lab, alice, bob, carol, order):
    """24 names, then three more in one block: whichever comes third of those is out."""
    lab.namespace("test", by=alice)
    many(lab, FULL - 2, bob, carol)
    three = ["a.test", "b.test", "c.test"]
    for name in three:
        lab.name_preorder(name, by=bob, to=carol)
    lab.mine()
    three = {"last in, last out": three, "reversed": three[::-1], "odd ones first": three[::2] + three[1::2]}[order]
    with lab.undecided():
        sent = [lab.name_registration(name, by=bob, to=carol) for name in three]
    assert [one.reason for one in sent] == [None, None, Reason.TOO_MANY_NAMES]


def test_transfers_do_not_see_the_registrations_of_their_block(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    many(lab, FULL - 1, bob, carol)
    lab.register("gift.test", by=bob)
    lab.name_preorder("last.test", by=bob, to=carol)
    lab.mine()
    lab.name_registration("last.test", by=bob, to=carol)
    lab.transfer("gift.test", by=bob, to=carol)
    lab.mine()
    assert lab.name("gift.test").address == carol.address
    with lab.rejects(Reason.TOO_MANY_NAMES):
        lab.update("gift.test", by=carol, value_hash=H1)


@each_epoch
def test_transfers_to_every_kind_of_owner(lab, alice, bob):
    lab.namespace("test", by=alice)
    for place, (kind, required, total) in enumerate(OWNERS.values()):
        lab.register(f"name{place}.test", by=bob)
        owner = lab.wallet(f"owner {kind}", kind, required=required, total=total)
        lab.transfer(f"name{place}.test", by=bob, to=owner)
        lab.mine()
        assert lab.name(f"name{place}.test").address == owner.address
        with lab.undecided():
            back = lab.transfer(f"name{place}.test", by=owner, to=bob)
        stuck = kind != "p2pkh" and lab.next_epoch.number == 1
        assert back.reason is (Reason.MULTISIG_NOT_SUPPORTED if stuck else None)


@each_epoch
@pytest.mark.parametrize("script", [p2wpkh(b"\x07" * 20), p2wsh(b"\x07" * 32)], ids=["p2wpkh", "p2wsh"])
@pytest.mark.otherwise_on("reference", "it has no schema for records of such owners: REST answers 502")
def test_native_segwit_owners(lab, alice, bob, script):
    """A transfer there is for good."""
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    payload = name_transfer.encode("foo.test", lab.consensus_hash, keep_data=True)
    sent = lab.send_payload(payload, by=bob, outputs=[TxOut(5_500, script), None])
    lab.mine()
    assert sent.accepted
    assert lab.name("foo.test").address.startswith("tb1")


@each_epoch
@pytest.mark.unrecorded
@pytest.mark.parametrize("script", [p2wpkh(b"\x07" * 20), p2wsh(b"\x07" * 32)], ids=["p2wpkh", "p2wsh"])
@pytest.mark.otherwise_on("reference", "it aborts at such a registration")
def test_registration_for_native_segwit_owners(lab, alice, bob, script):
    """The reference stops at it; it is refused."""
    lab.namespace("test", by=alice)
    with lab.rejects(Reason.FATAL_BECH32_RECIPIENT):
        payload = name_registration.encode("bar.test", None)
        lab.send_payload(payload, by=bob, outputs=[TxOut(5_500, script), None])


@each_epoch
def test_owner_scripts_of_no_address(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    payload = name_transfer.encode("foo.test", lab.consensus_hash, keep_data=True)
    with lab.rejects(Reason.OUTPUT_WITHOUT_ADDRESS):
        lab.send_payload(payload, by=bob, outputs=[TxOut(5_500, b"\x51"), None])


@each_epoch
@pytest.mark.parametrize(("required", "total"), [(1, 1), (1, 2), (3, 3), (5, 7), (1, 15), (15, 15)])
def test_other_numbers_of_keys(lab, alice, bob, required, total):
    vault = lab.wallet("vault", "p2sh-multisig", required=required, total=total)
    lab.namespace("test", by=vault)
    lab.register("foo.test", by=bob)
    lab.transfer("foo.test", by=bob, to=vault)
    lab.mine()
    if lab.next_epoch.number == 1:
        with lab.rejects(Reason.RECIPIENT_NOT_OWNER):
            lab.renew("foo.test", by=vault, to=bob)
    lab.update("foo.test", by=vault, value_hash=H1)
    lab.mine()


@epochs(3, lifetime=1, grace=3)
def test_a_revoked_name_in_and_after_its_grace_period(lab, alice, bob, carol):
    lab.namespace("test", by=alice, lifetime=4)
    lab.register("foo.test", by=bob)
    lab.revoke("foo.test", by=bob)
    lab.mine_to(lab.name("foo.test").expire_block)
    with lab.rejects(Reason.NAME_REVOKED):
        lab.renew("foo.test", by=bob)
    with lab.rejects(Reason.NAME_REVOKED):
        lab.revoke("foo.test", by=bob)
    lab.mine_to(lab.name("foo.test").renewal_deadline + 1)
    with lab.rejects(Reason.NOT_PREORDERED):
        lab.renew("foo.test", by=bob)
    lab.register("foo.test", by=carol)
    assert not lab.name("foo.test").revoked


@pytest.mark.p2pkh("alice")
def test_revocation_of_an_imported_name(lab, alice, bob, carol):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice)
    lab.mine()
    lab.name_import("foo.test", by=alice, to=bob)
    lab.mine()
    with lab.rejects(Reason.NAMESPACE_NOT_READY):
        lab.revoke("foo.test", by=bob)
    lab.name_import("foo.test", by=alice, to=carol)
    lab.namespace_ready("test", by=alice)
    lab.mine()
    lab.revoke("foo.test", by=carol)
    lab.mine()
    with lab.rejects(Reason.NAMESPACE_NOT_REVEALED):
        lab.name_import("foo.test", by=alice, to=bob)
    assert lab.name("foo.test").revoked


@each_epoch
def test_a_value_hash_at_registration_and_renewal(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.register("bar.test", by=bob)
    with lab.undecided():
        registration = lab.name_registration("foo.test", by=bob, value_hash=H1)
        renewal = lab.renew("bar.test", by=bob, value_hash=H1)
    early = None if lab.next_epoch.number == 3 else Reason.INVALID_NAME
    assert (registration.reason, renewal.reason) == (early, early)
