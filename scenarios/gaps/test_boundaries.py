"""The last block in which something goes, the block after it, and the one before (spec 10 section 4, items 7 and 8)."""

import pytest

from bnslab import Reason, each_epoch, epochs

AROUND = pytest.mark.parametrize("offset", [-1, 0, 1])
H1 = "11" * 20


@each_epoch
@AROUND
def test_the_age_of_a_preorder(lab, alice, bob, offset):
    lab.namespace("test", by=alice, lifetime=4)
    lab.name_preorder("foo.test", by=bob)
    lab.mine()
    last = lab.height + 4 * lab.next_epoch.lifetime_multiplier
    lab.mine_to(last + offset - 1)
    with lab.undecided():
        registration = lab.name_registration("foo.test", by=bob)
    assert registration.reason is (None if offset <= 0 else Reason.NOT_PREORDERED)


@epochs(1)
@AROUND
def test_a_preorder_does_not_expire_after_a_day(lab, alice, bob, offset):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.mine()
    lab.mine_to(lab.height + lab.params.name_preorder_expire + offset - 1)
    lab.name_registration("foo.test", by=bob)
    lab.mine()
    assert lab.name("foo.test").address == bob.address


@epochs(1)
@AROUND
def test_the_preorder_of_a_namespace_does_not_expire_after_a_day(lab, alice, offset):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.mine_to(lab.height + lab.params.namespace_preorder_expire + offset - 1)
    lab.namespace_reveal("test", by=alice)
    lab.mine()


@epochs(3, reveal_expire=5)
@pytest.mark.p2pkh("alice")
@pytest.mark.parametrize("offset", [-1, pytest.param(0, marks=pytest.mark.unrecorded), 1])
def test_the_end_of_a_reveal(lab, alice, bob, offset):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice)
    lab.mine()
    last = lab.height + 5
    lab.name_import("foo.test", by=alice, to=bob)
    lab.mine_to(last + offset - 1)
    with lab.undecided():
        first = lab.name_import("bar.test", by=alice, to=bob)
        again = lab.name_import("foo.test", by=alice, to=bob)
        ready = lab.namespace_ready("test", by=alice)
    late = Reason.NAMESPACE_NOT_REVEALED if offset == 1 else None
    assert (first.reason, ready.reason) == (late, late)
    assert again.reason is (Reason.FATAL_IMPORT_AT_REVEAL_EXPIRY if offset == 0 else late)


@epochs(3, lifetime=1, grace=5, receive_fees=6)
@AROUND
def test_the_period_of_the_creators_fees(lab, alice, bob, offset):
    namespace = lab.namespace("test", by=alice, lifetime=50, version=2)
    lab.register("foo.test", by=bob)
    lab.mine_to(namespace.reveal_block + 6 + offset - 1)
    lab.name_preorder("bar.test", by=bob, pay_to=alice.address)
    with lab.undecided():
        renewal = lab.renew("foo.test", by=bob, pay_to=alice.address)
    assert renewal.reason is (None if offset <= 0 else Reason.WRONG_FEE_ADDRESS)
    with lab.undecided():
        registration = lab.name_registration("bar.test", by=bob)
    assert registration.reason is renewal.reason, "the block of the preorder decides"


FEATURES = {
    "multisig owner": (1, 2, Reason.MULTISIG_NOT_SUPPORTED),
    "value hash at registration": (2, 3, Reason.INVALID_NAME),
    "renewal for another": (2, 3, Reason.RECIPIENT_NOT_OWNER),
    "version 2": (2, 3, Reason.VERSION_NOT_SUPPORTED),
}


def attempt(lab, alice, bob, feature):
    match feature:
        case "multisig owner":
            return lab.name_registration("bar.test", by=bob, to=lab.wallet("vault"))
        case "value hash at registration":
            return lab.name_registration("bar.test", by=bob, to="vault", value_hash=H1)
        case "renewal for another":
            return lab.renew("foo.test", by=bob, to=alice)
        case _:
            return lab.namespace_reveal("second", by=alice, version=2)


def feature_cases():
    for feature, (before, after, _) in FEATURES.items():
        for offset in (0, 1):
            mark = epochs(before, after, ends=(120,))
            yield pytest.param(feature, offset, marks=mark, id=f"{feature}-{'first' if offset else 'last'}")


@pytest.mark.parametrize(("feature", "offset"), list(feature_cases()))
def test_a_feature_comes_with_its_epoch(lab, alice, bob, feature, offset):
    lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    lab.namespace_preorder("second", by=alice)
    lab.name_preorder("bar.test", by=bob, to="vault")
    lab.mine_to(119 + offset)
    with lab.undecided():
        sent = attempt(lab, alice, bob, feature)
    assert sent.reason is (None if offset else FEATURES[feature][2])


@epochs(2, 3, ends=(118,))
@AROUND
def test_the_block_of_the_preorder_sets_the_price(lab, alice, bob, offset):
    lab.namespace("test", by=alice)
    lab.mine_to(118 + offset - 1)
    tenth = lab.price("foo.test") if offset == 1 else lab.price("foo.test") // 10
    lab.name_preorder("foo.test", by=bob, fee=tenth)
    lab.mine_to(119 + offset)
    with lab.undecided():
        registration = lab.name_registration("foo.test", by=bob)
    assert registration.reason is (None if offset == 1 else Reason.FEE_TOO_LOW)


@each_epoch
def test_an_infinite_lifetime(lab, alice, bob):
    lab.namespace("test", by=alice, lifetime=2**32 - 1)
    lab.register("foo.test", by=bob)
    lab.mine(20)
    foo = lab.name("foo.test")
    assert (foo.expire_block, foo.renewal_deadline) == (-1, -1)
    lab.update("foo.test", by=bob, value_hash=H1)
    lab.mine()


@epochs(1)
def test_a_lifetime_of_nothing(lab, alice, bob):
    """A name lives in its own block, and a preorder serves in its own block only."""
    lab.namespace("test", by=alice, lifetime=0)
    lab.name_preorder("foo.test", by=bob)
    lab.mine()
    with lab.rejects(Reason.NOT_PREORDERED):
        lab.name_registration("foo.test", by=bob)
    lab.name_preorder("bar.test", by=bob)
    lab.name_registration("bar.test", by=bob)
    lab.mine()
    lab.update("bar.test", by=bob, value_hash=H1)
    lab.mine()
    with lab.rejects(Reason.NO_SUCH_NAME):
        lab.update("bar.test", by=bob, value_hash=H1)


AGES = pytest.mark.parametrize("age", [23, 24, 25])
STALE = {
    "namespace preorder": (
        lambda lab, a, b, hash_: lab.namespace_preorder("second", by=a, consensus_hash=hash_),
        Reason.STALE_CONSENSUS_HASH,
    ),
    "preorder": (
        lambda lab, a, b, hash_: lab.name_preorder("bar.test", by=b, consensus_hash=hash_),
        Reason.STALE_CONSENSUS_HASH,
    ),
    "update": (
        lambda lab, a, b, hash_: lab.update("foo.test", by=b, value_hash=H1, consensus_hash=hash_),
        Reason.NO_SUCH_NAME,
    ),
    "transfer": (
        lambda lab, a, b, hash_: lab.transfer("foo.test", by=b, to=a, consensus_hash=hash_),
        Reason.STALE_CONSENSUS_HASH,
    ),
}


@AGES
@pytest.mark.parametrize(("operation", "reason"), STALE.values(), ids=STALE)
def test_the_age_of_a_consensus_hash(lab, alice, bob, operation, reason, age):
    """Item 9: that of the block 24 before is the oldest one that counts."""
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    old, height = lab.consensus_hash, lab.height
    lab.mine_to(height + age - 1)
    with lab.undecided():
        sent = operation(lab, alice, bob, old)
    assert sent.height - height == age
    assert sent.reason is (reason if age == 25 else None)


@pytest.mark.reorganised
@pytest.mark.parametrize(("operation", "reason"), STALE.values(), ids=STALE)
def test_the_consensus_hash_of_the_future(lab, alice, bob, operation, reason):
    """An operation cannot know the hash of its own block, however well it guesses."""
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    lab.mine()
    future = lab.consensus_hash
    lab.reorg(1)
    with lab.rejects(reason):
        operation(lab, alice, bob, future)
