"""The life of a namespace (spec 02 sections 7.1 to 7.3)."""

from bnslab import Reason, each_epoch, epochs


@each_epoch
def test_preorder_reveal_ready(lab, alice, bob):
    lab.namespace_preorder("test", by=alice, to=bob)
    lab.mine()
    lab.namespace_reveal("test", by=alice, to=bob, lifetime=10, coeff=4, base=4)
    lab.mine()
    with lab.rejects(Reason.NOT_REVEALER):
        lab.namespace_ready("test", by=alice)
    lab.namespace_ready("test", by=bob)
    lab.mine()
    with lab.rejects(Reason.NAMESPACE_READY):
        lab.namespace_ready("test", by=bob)


@each_epoch
def test_a_namespace_must_be_paid_for(lab, alice):
    price = lab.next_epoch.namespace_prices.of("test")
    lab.namespace_preorder("test", by=alice, fee=price - 1)
    lab.mine()
    with lab.rejects(Reason.FEE_TOO_LOW):
        lab.namespace_reveal("test", by=alice)


def test_a_reveal_needs_its_preorder(lab, alice, bob):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    with lab.rejects(Reason.NOT_PREORDERED):
        lab.namespace_reveal("test", by=bob)


def test_the_same_preorder_twice(lab, alice):
    lab.namespace_preorder("test", by=alice)
    with lab.rejects(Reason.PREORDER_PENDING):
        lab.namespace_preorder("test", by=alice, fee=41_000_000)
    assert lab.height == lab.base.height + 1
    with lab.rejects(Reason.PREORDER_PENDING):
        lab.namespace_preorder("test", by=alice)


def test_two_reveals_in_one_block_both_lose(lab, alice, bob):
    lab.namespace_preorder("test", by=alice)
    lab.namespace_preorder("test", by=bob)
    lab.mine()
    with lab.rejects(Reason.COLLISION):
        lab.namespace_reveal("test", by=alice)
        lab.namespace_reveal("test", by=bob)
    lab.namespace_reveal("test", by=bob)
    lab.mine()


@epochs(3, reveal_expire=5)
def test_a_reveal_expires(lab, alice, bob):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice)
    lab.mine()
    lab.mine(5)
    with lab.rejects(Reason.NAMESPACE_NOT_REVEALED):
        lab.namespace_ready("test", by=alice)
    lab.namespace_preorder("test", by=bob)
    lab.mine()
    lab.namespace_reveal("test", by=bob)
    lab.mine()
    lab.namespace_ready("test", by=bob)
    lab.mine()


@epochs(2, 3, ends=(113,))
def test_creators_receive_fees_from_epoch_3_on(lab, alice, bob):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    with lab.rejects(Reason.VERSION_NOT_SUPPORTED):
        lab.namespace_reveal("test", by=alice, version=2)
    lab.mine()
    lab.namespace_reveal("test", by=alice, version=2)
    lab.mine()
    lab.namespace_ready("test", by=alice)
    lab.mine()
    before = alice.balance
    lab.register("foo.test", by=bob)
    assert alice.balance == before + lab.price("foo.test")


def test_an_announcement_by_nobody_in_particular(lab, alice):
    with lab.rejects(Reason.NOT_AN_ANNOUNCER):
        lab.announce("44" * 20, by=alice)


def test_an_announcer(lab, alice, bob):
    lab.namespace("id", by=alice)
    lab.register("muneeb.id", by=bob)
    announcement = lab.announce("44" * 20, by=bob)
    lab.mine()
    assert announcement.accepted
    assert announcement.record is None
