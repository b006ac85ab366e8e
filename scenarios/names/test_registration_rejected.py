"""Every common way to fail at a registration (spec 02 sections 7.5 and 7.6)."""

import pytest

from bns.errors import InvalidInput
from bnslab import Reason, each_epoch, epochs

EMPTY_CONSENSUS_HASH = "17ac43c1d8549c3181b200f1bf97eb7d"


@each_epoch
def test_wrong_price(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob, fee=lab.price("foo.test") - 1)
    lab.name_preorder("bar.test", by=bob, fee=lab.price("bar.test"))
    lab.mine()
    lab.name_registration("bar.test", by=bob)
    with lab.rejects(Reason.FEE_TOO_LOW):
        lab.name_registration("foo.test", by=bob)
    assert lab.name("foo.test") is None


def test_fee_to_the_wrong_address(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob, pay_to=alice.address)
    lab.mine()
    with lab.rejects(Reason.WRONG_FEE_ADDRESS):
        lab.name_registration("foo.test", by=bob)


@each_epoch
def test_wrong_payer(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.mine()
    with lab.rejects(Reason.NOT_PREORDERED):
        lab.name_registration("foo.test", by=carol)
    lab.name_registration("foo.test", by=bob)
    lab.mine()
    assert lab.name("foo.test").address == bob.address


def test_another_recipient_than_preordered(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob, to=carol)
    lab.mine()
    with lab.rejects(Reason.NOT_PREORDERED):
        lab.name_registration("foo.test", by=bob)


@each_epoch
def test_stale_consensus_hash(lab, alice, bob):
    lab.namespace("test", by=alice)
    stale = lab.consensus_hash
    lab.mine(lab.params.consensus_window - 1)
    lab.name_preorder("just.test", by=bob, consensus_hash=stale)
    lab.mine()
    with lab.rejects(Reason.STALE_CONSENSUS_HASH):
        lab.name_preorder("late.test", by=bob, consensus_hash=stale)
    with lab.rejects(Reason.STALE_CONSENSUS_HASH):
        lab.name_preorder("never.test", by=bob, consensus_hash="ab" * 16)


@each_epoch
def test_taken_name(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    lab.name_preorder("foo.test", by=carol)
    lab.mine()
    with lab.rejects(Reason.NAME_TAKEN):
        lab.name_registration("foo.test", by=carol)
    assert lab.name("foo.test").address == bob.address


def test_two_registrations_in_one_block_both_lose(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.name_preorder("foo.test", by=carol)
    lab.mine()
    with lab.rejects(Reason.COLLISION):
        lab.name_registration("foo.test", by=bob)
        lab.name_registration("foo.test", by=carol)
    lab.name_registration("foo.test", by=carol)
    lab.mine()
    assert lab.name("foo.test").address == carol.address


@each_epoch
def test_no_namespace(lab, bob):
    lab.name_preorder("foo.nowhere", by=bob)
    lab.mine()
    with lab.rejects(Reason.NAMESPACE_NOT_READY):
        lab.name_registration("foo.nowhere", by=bob)


def test_namespace_not_ready(lab, alice, bob):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice)
    lab.name_preorder("early.test", by=bob)
    lab.mine()
    with lab.rejects(Reason.NAMESPACE_NOT_READY):
        lab.name_registration("early.test", by=bob)
    lab.namespace_ready("test", by=alice)
    lab.mine()
    with lab.rejects(Reason.PREORDERED_BEFORE_READY):
        lab.name_registration("early.test", by=bob)


def test_the_26th_name_of_one_owner(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    for index in range(lab.params.max_names_per_sender):
        lab.name_preorder(f"name{index}.test", by=carol, to=bob)
    lab.mine()
    for index in range(lab.params.max_names_per_sender):
        lab.name_registration(f"name{index}.test", by=carol, to=bob)
    lab.name_preorder("more.test", by=carol, to=bob)
    lab.mine()
    with lab.rejects(Reason.TOO_MANY_NAMES):
        lab.name_registration("more.test", by=carol, to=bob)


@epochs(1, 2, ends=(120,))
def test_multisig_owners_came_with_epoch_2(lab, alice, bob):
    vault = lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob, to=vault)
    lab.mine()
    with lab.rejects(Reason.MULTISIG_NOT_SUPPORTED):
        lab.name_registration("foo.test", by=bob, to=vault)
    lab.mine_to(120)
    lab.name_registration("foo.test", by=bob, to=vault)
    lab.mine()
    assert lab.name("foo.test").address == vault.address


def test_a_name_against_the_rules_never_reaches_the_chain(lab, bob):
    lab.mine()
    with pytest.raises(InvalidInput, match=r"Foo\.test"):
        lab.name_preorder("Foo.test", by=bob)
