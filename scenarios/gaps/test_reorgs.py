"""Blocks that are taken back, with an operation of each kind in them (spec 10 section 4, item 1)."""

import pytest

from bnslab import Reason, epochs

H1, H2 = "11" * 20, "22" * 20

pytestmark = [pytest.mark.reorganised, pytest.mark.p2pkh("alice")]  # importers must show their keys


def revealed(lab, alice):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice)
    lab.mine()


def registered(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob, value_hash=H1)


def preordered(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.mine()


OPERATIONS = {
    "namespace preorder": (
        lambda lab, a, b: lab.mine(),
        lambda lab, a, b, c: lab.namespace_preorder("test", by=a),
    ),
    "reveal": (
        lambda lab, a, b: (lab.namespace_preorder("test", by=a), lab.mine()),
        lambda lab, a, b, c: lab.namespace_reveal("test", by=a),
    ),
    "import": (lambda lab, a, b: revealed(lab, a), lambda lab, a, b, c: lab.name_import("foo.test", by=a, to=b)),
    "ready": (lambda lab, a, b: revealed(lab, a), lambda lab, a, b, c: lab.namespace_ready("test", by=a)),
    "preorder": (
        lambda lab, a, b: lab.namespace("test", by=a),
        lambda lab, a, b, c: lab.name_preorder("foo.test", by=b),
    ),
    "registration": (preordered, lambda lab, a, b, c: lab.name_registration("foo.test", by=b)),
    "renewal": (registered, lambda lab, a, b, c: lab.renew("foo.test", by=b)),
    "renewal for another": (registered, lambda lab, a, b, c: lab.renew("foo.test", by=b, to=c, value_hash=H2)),
    "update": (registered, lambda lab, a, b, c: lab.update("foo.test", by=b, value_hash=H2)),
    "transfer": (registered, lambda lab, a, b, c: lab.transfer("foo.test", by=b, to=c, keep_data=False)),
    "revocation": (registered, lambda lab, a, b, c: lab.revoke("foo.test", by=b)),
}


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize(("prepare", "operation"), OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_is_taken_back_and_gone_for_good(lab, alice, bob, carol, prepare, operation, depth):
    prepare(lab, alice, bob)
    before = lab.consensus_hash, lab.name("foo.test"), lab.node.state.namespace("test")
    operation(lab, alice, bob, carol)
    lab.mine(depth)

    lab.reorg(depth)
    assert (lab.consensus_hash, lab.name("foo.test"), lab.node.state.namespace("test")) == before
    lab.mine(depth)

    lab.reorg(depth, *([] for _ in range(depth)))
    assert lab.receipts[-1].accepted == ()


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize(("prepare", "operation"), OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_moves_to_a_later_block(lab, alice, bob, carol, prepare, operation, depth):
    prepare(lab, alice, bob)
    sent = operation(lab, alice, bob, carol)
    lab.mine(depth)
    first = sent.height
    lab.reorg(depth, *([] for _ in range(depth)), [sent])
    assert sent.accepted
    assert sent.height == first + depth == lab.height


def test_the_same_operations_in_the_same_blocks_give_the_same_consensus_hashes(lab, alice, bob, carol):
    registered(lab, alice, bob)
    lab.update("foo.test", by=bob, value_hash=H2)
    lab.mine()
    lab.transfer("foo.test", by=bob, to=carol)
    lab.mine()
    hashes = [receipt.consensus_hash for receipt in lab.receipts]
    tips = {lab.tip}
    for depth in range(1, len(hashes) + 1):
        lab.reorg(depth, *[receipt_operations(lab, index) for index in range(len(hashes) - depth, len(hashes))])
        assert [receipt.consensus_hash for receipt in lab.receipts] == hashes
        tips.add(lab.tip)
    assert len(tips) == len(hashes) + 1, "the blocks are others each time"


def receipt_operations(lab, index):
    height = lab.receipts[index].height
    return [sent for sent in lab.sent.values() if sent.height == height]


def test_who_came_first_changes(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.name_preorder("foo.test", by=carol)
    lab.mine()
    by_bob = lab.name_registration("foo.test", by=bob)
    lab.mine()
    with lab.rejects(Reason.NAME_TAKEN):
        by_carol = lab.name_registration("foo.test", by=carol)
    assert lab.name("foo.test").address == bob.address
    lab.reorg(2, [by_carol])
    assert lab.name("foo.test").address == carol.address
    with lab.rejects(Reason.NAME_TAKEN):
        lab.name_registration("foo.test", by=bob)
    lab.reorg(2)
    lab.mine()
    assert lab.name("foo.test") is None
    assert by_bob.accepted, "what was never taken back again keeps the verdict it had"


def test_both_come_into_one_block_and_lose(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.name_preorder("foo.test", by=carol)
    lab.mine()
    by_bob = lab.name_registration("foo.test", by=bob)
    lab.mine()
    with lab.rejects(Reason.NAME_TAKEN):
        by_carol = lab.name_registration("foo.test", by=carol)
    with lab.rejects(Reason.COLLISION):
        lab.reorg(2, [by_bob, by_carol])
    assert lab.name("foo.test") is None


def test_the_consensus_hash_of_a_block_that_is_gone(lab, alice, bob, carol):
    registered(lab, alice, bob)
    lab.name_preorder("bar.test", by=carol)
    lab.mine()
    gone = lab.consensus_hash
    transfer = lab.transfer("foo.test", by=bob, to=carol)
    update = lab.update("foo.test", by=carol, value_hash=H2)
    preorder = lab.name_preorder("baz.test", by=carol)
    lab.mine()
    assert transfer.accepted
    lab.reorg(2, [])
    assert lab.consensus_hash != gone
    with lab.rejects(Reason.STALE_CONSENSUS_HASH):
        lab.transfer("foo.test", by=bob, to=carol, consensus_hash=gone)
        lab.name_preorder("baz.test", by=carol, consensus_hash=gone)
    with lab.rejects(Reason.NO_SUCH_NAME):
        lab.update("foo.test", by=bob, value_hash=H2, consensus_hash=gone)
    assert (update.accepted, preorder.accepted) == (True, True)


@epochs(3, lifetime=1, grace=2)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_across_expiry(lab, alice, bob, carol, depth):
    lab.namespace("test", by=alice, lifetime=4)
    lab.register("foo.test", by=bob)
    deadline = lab.name("foo.test").renewal_deadline
    lab.mine_to(deadline)
    lab.name_preorder("foo.test", by=carol)
    lab.mine()
    again = lab.name_registration("foo.test", by=carol)
    lab.mine()
    assert lab.name("foo.test").address == carol.address
    lab.reorg(depth)
    assert lab.name("foo.test").address == bob.address
    renewal = lab.height + 1 <= deadline + 1
    if renewal:
        lab.renew("foo.test", by=bob)
        lab.mine()
    else:
        with lab.rejects(Reason.NOT_PREORDERED):
            lab.renew("foo.test", by=bob)
    assert again.accepted


@epochs(2, 3, ends=(118,))
@pytest.mark.parametrize("height", [117, 118, 119, 120])
def test_across_the_end_of_an_epoch(lab, alice, bob, height):
    """A registration with value hash counts from block 119 on, whatever block it was in before."""
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.mine_to(118)
    registration = lab.name_registration("foo.test", by=bob, value_hash=H1)
    lab.mine(3)
    with lab.undecided():
        lab.reorg(5, *([] for _ in range(117, height)), [registration])
    assert registration.height == height
    assert registration.reason is (None if height >= 119 else Reason.INVALID_NAME)


@epochs(1, 2, ends=(116,))
def test_a_multisig_owner_goes_back_to_the_time_before_there_were_any(lab, alice, bob):
    vault = lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob, to=vault)
    lab.mine_to(116)
    registration = lab.name_registration("foo.test", by=bob, to=vault)
    lab.mine()
    with lab.rejects(Reason.MULTISIG_NOT_SUPPORTED):
        lab.reorg(2, [registration])
    assert lab.name("foo.test") is None


@epochs(3, reveal_expire=4)
def test_across_the_end_of_a_reveal(lab, alice, bob):
    revealed(lab, alice)
    lab.name_import("foo.test", by=alice, to=bob)
    lab.mine(4)
    with lab.rejects(Reason.NAMESPACE_NOT_REVEALED):
        ready = lab.namespace_ready("test", by=alice)
    lab.reorg(2, [ready])
    assert lab.node.state.namespace("test").op == "!"
    assert lab.name("foo.test").address == bob.address


def test_the_keychain_of_a_namespace_is_taken_back(lab, alice, bob):
    """The first importer is the revealer again: what a derived key imported before is gone."""
    revealed(lab, alice)
    lab.name_import("foo.test", by=alice, to=bob)
    lab.mine()
    child = lab.name_import("bar.test", by=alice.child(0), to=bob)
    lab.mine()
    with lab.rejects(Reason.NOT_AN_IMPORT_KEY):
        lab.reorg(2, [child])
    assert lab.name("bar.test") is None
