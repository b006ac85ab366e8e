"""Renewals, expiry, the grace period and what follows (spec 02 sections 3.3 and 7.6)."""

import pytest

from bnslab import Reason, each_epoch, epochs

LIFETIME = 5
GRACE = 4
RULES = epochs(3, lifetime=1, grace=GRACE)


def registered(lab, alice, bob):
    """Register foo.test; the block from which it can no longer be changed, and the one of its deadline."""
    lab.namespace("test", by=alice, lifetime=LIFETIME)
    lab.register("foo.test", by=bob)
    foo = lab.name("foo.test")
    assert foo.renewal_deadline - foo.expire_block == GRACE
    return foo.expire_block, foo.renewal_deadline


@each_epoch
def test_renewal(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    before = lab.name("foo.test")
    lab.mine(3)
    lab.renew("foo.test", by=bob)
    lab.mine()
    after = lab.name("foo.test")
    assert after.record.last_renewed == lab.height
    assert after.record.first_registered == before.record.first_registered
    with lab.rejects(Reason.NOT_OWNER):
        lab.renew("foo.test", by=carol, to=bob)
    with lab.rejects(Reason.FEE_TOO_LOW):
        lab.renew("foo.test", by=bob, fee=lab.price("foo.test") - 1)
    with lab.rejects(Reason.NO_RENEWAL_FEE):
        lab.name_registration("foo.test", by=bob)


@epochs(3)
def test_renewal_with_transfer_and_value_hash(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob, value_hash="11" * 20)
    key = lab.name("foo.test").record.sender_pubkey
    lab.renew("foo.test", by=bob, to=carol, value_hash="22" * 20)
    lab.mine()
    foo = lab.name("foo.test")
    assert (foo.address, foo.value_hash) == (carol.address, "22" * 20)
    assert foo.record.sender_pubkey == key, "the registrant's key stays"


@epochs(2)
def test_a_renewal_could_not_transfer_before_epoch_3(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    with lab.rejects(Reason.RECIPIENT_NOT_OWNER):
        lab.renew("foo.test", by=bob, to=carol)


@epochs(2, 3, ends=(118,))
def test_a_value_hash_at_registration_came_with_epoch_3(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.mine()
    with lab.rejects(Reason.INVALID_NAME):
        lab.name_registration("foo.test", by=bob, value_hash="11" * 20)
    lab.mine_to(118)
    lab.name_registration("foo.test", by=bob, value_hash="11" * 20)
    lab.mine()
    assert lab.name("foo.test").value_hash == "11" * 20


@RULES
@pytest.mark.parametrize("offset", [-1, 0, GRACE - 1, GRACE, GRACE + 1, GRACE + 2])
def test_an_update_around_the_deadlines(lab, alice, bob, offset):
    expire_block, _ = registered(lab, alice, bob)
    lab.mine_to(expire_block + offset - 1)
    update = None
    with lab.undecided():
        update = lab.update("foo.test", by=bob, value_hash="11" * 20)
    expected = {
        -1: None,
        0: Reason.NAME_IN_GRACE_PERIOD,
        GRACE - 1: Reason.NAME_IN_GRACE_PERIOD,
        GRACE: None,
        GRACE + 1: None,
        GRACE + 2: Reason.NO_SUCH_NAME,
    }
    assert update.reason is expected[offset]


@RULES
@pytest.mark.parametrize("offset", [-1, 0, GRACE - 1, GRACE, GRACE + 1, GRACE + 2])
def test_a_renewal_around_the_deadlines(lab, alice, bob, offset):
    expire_block, _ = registered(lab, alice, bob)
    lab.mine_to(expire_block + offset - 1)
    with lab.undecided():
        renewal = lab.renew("foo.test", by=bob)
    assert renewal.reason is (Reason.NOT_PREORDERED if offset == GRACE + 2 else None)


@RULES
@pytest.mark.parametrize("offset", [-1, 0, GRACE - 1, GRACE, GRACE + 1, GRACE + 2])
def test_a_revocation_around_the_deadlines(lab, alice, bob, offset):
    expire_block, _ = registered(lab, alice, bob)
    lab.mine_to(expire_block + offset - 1)
    with lab.undecided():
        revocation = lab.revoke("foo.test", by=bob)
    expected = {
        -1: None,
        0: Reason.NAME_IN_GRACE_PERIOD,
        GRACE - 1: Reason.NAME_IN_GRACE_PERIOD,
        GRACE: None,
        GRACE + 1: Reason.NAME_EXPIRED,
        GRACE + 2: Reason.NAME_NOT_REGISTERED,
    }
    assert revocation.reason is expected[offset]


@RULES
@pytest.mark.parametrize("offset", [GRACE, GRACE + 1, GRACE + 2])
def test_registration_by_somebody_else_after_expiry(lab, alice, bob, carol, offset):
    expire_block, _ = registered(lab, alice, bob)
    first = lab.name("foo.test").record
    lab.mine_to(expire_block + offset - 2)
    lab.name_preorder("foo.test", by=carol)
    lab.mine()
    with lab.undecided():
        registration = lab.name_registration("foo.test", by=carol)
    assert registration.reason is (None if offset == GRACE + 2 else Reason.NAME_TAKEN)
    if registration.accepted:
        second = lab.name("foo.test").record
        assert second.address == carol.address
        assert second.block_number == first.block_number, "the first preorder of a name is remembered"


@epochs(1, 2, ends=(122,))
def test_a_longer_epoch_brings_an_expired_name_back(lab, alice, bob):
    lab.namespace("test", by=alice, lifetime=4)
    lab.register("foo.test", by=bob)
    expire_block = lab.name("foo.test").expire_block
    assert expire_block == lab.height + 4
    lab.mine_to(expire_block + 1)
    with lab.rejects(Reason.NO_SUCH_NAME):
        lab.update("foo.test", by=bob, value_hash="11" * 20)
    lab.mine_to(123)
    lab.update("foo.test", by=bob, value_hash="11" * 20)
    lab.mine()


@RULES
def test_a_revoked_name_is_free_after_its_expiry(lab, alice, bob, carol):
    _, deadline = registered(lab, alice, bob)
    lab.revoke("foo.test", by=bob)
    lab.mine_to(deadline + 1)
    lab.register("foo.test", by=carol)
    foo = lab.name("foo.test")
    assert not foo.revoked
    assert foo.address == carol.address


@RULES
def test_a_preorder_can_be_too_old(lab, alice, bob):
    lab.namespace("test", by=alice, lifetime=LIFETIME)
    lab.name_preorder("foo.test", by=bob)
    lab.name_preorder("bar.test", by=bob)
    lab.mine()
    preordered = lab.height
    lab.mine_to(preordered + LIFETIME - 1)
    lab.name_registration("foo.test", by=bob)
    lab.mine()
    with lab.rejects(Reason.NOT_PREORDERED):
        lab.name_registration("bar.test", by=bob)
    with lab.rejects(Reason.PREORDER_PENDING):
        lab.name_preorder("bar.test", by=bob)


@epochs(3, lifetime=1, grace=GRACE, receive_fees=8)
def test_fees_go_to_the_creator_for_a_while(lab, alice, bob):
    lab.namespace("test", by=alice, lifetime=50, version=2)
    revealed = lab.node.state.namespace("test").reveal_block
    lab.register("foo.test", by=bob)
    lab.mine_to(revealed + 7)
    lab.renew("foo.test", by=bob, pay_to=alice.address)
    lab.mine()
    with lab.rejects(Reason.WRONG_FEE_ADDRESS):
        lab.renew("foo.test", by=bob, pay_to=alice.address)
    lab.renew("foo.test", by=bob)
    lab.mine()
