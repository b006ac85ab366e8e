"""Updates, transfers and revocations (spec 02 sections 7.7 to 7.10)."""

from bnslab import Reason, each_epoch, epochs


@each_epoch
def test_update(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    lab.update("foo.test", by=bob, value_hash="11" * 20)
    lab.mine()
    assert lab.name("foo.test").value_hash == "11" * 20
    with lab.rejects(Reason.NO_SUCH_NAME):
        lab.update("foo.test", by=carol, value_hash="22" * 20)
    with lab.rejects(Reason.NO_SUCH_NAME):
        lab.update("foo.test", by=bob, value_hash="33" * 20, consensus_hash="ab" * 16)


def test_several_updates_in_one_block(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    for digit in "123":
        lab.update("foo.test", by=bob, value_hash=digit * 40)
    lab.mine()
    assert lab.name("foo.test").value_hash == "3" * 40


@each_epoch
def test_transfer_keeps_or_drops_the_value_hash(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    lab.update("foo.test", by=bob, value_hash="11" * 20)
    lab.mine()
    lab.transfer("foo.test", by=bob, to=carol)
    lab.mine()
    foo = lab.name("foo.test")
    assert (foo.address, foo.value_hash, foo.record.sender_pubkey) == (carol.address, "11" * 20, None)
    lab.transfer("foo.test", by=carol, to=bob, keep_data=False)
    lab.mine()
    assert (lab.name("foo.test").address, lab.name("foo.test").value_hash) == (bob.address, None)


def test_a_transfer_repeats_the_consensus_hash_of_the_last_update(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    updated_with = lab.consensus_hash
    lab.update("foo.test", by=bob, value_hash="11" * 20)
    lab.mine()
    lab.transfer("foo.test", by=bob, to=carol)
    lab.mine()
    assert lab.name("foo.test").record.consensus_hash == updated_with


@each_epoch
def test_transfers_that_fail(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    with lab.rejects(Reason.NOT_OWNER):
        lab.transfer("foo.test", by=carol, to=alice)
    with lab.rejects(Reason.RECIPIENT_IS_OWNER):
        lab.transfer("foo.test", by=bob, to=bob)
    with lab.rejects(Reason.NAME_NOT_REGISTERED):
        lab.transfer("bar.test", by=bob, to=carol)
    with lab.rejects(Reason.STALE_CONSENSUS_HASH):
        lab.transfer("foo.test", by=bob, to=carol, consensus_hash="ab" * 16)


@epochs(1, 2, ends=(120,))
def test_a_multisig_owner_is_stuck_in_epoch_1(lab, alice, bob):
    vault = lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    lab.transfer("foo.test", by=bob, to=vault)
    lab.mine()
    with lab.rejects(Reason.MULTISIG_NOT_SUPPORTED):
        lab.transfer("foo.test", by=vault, to=bob)
    lab.mine_to(120)
    lab.transfer("foo.test", by=vault, to=bob)
    lab.mine()


@each_epoch
def test_revoke(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    with lab.rejects(Reason.NOT_OWNER):
        lab.revoke("foo.test", by=carol)
    lab.revoke("foo.test", by=bob)
    lab.mine()
    assert lab.name("foo.test").revoked
    with lab.rejects(Reason.NAME_REVOKED):
        lab.revoke("foo.test", by=bob)
    with lab.rejects(Reason.NO_SUCH_NAME):
        lab.update("foo.test", by=bob, value_hash="11" * 20)
    with lab.rejects(Reason.NAME_NOT_REGISTERED):
        lab.transfer("foo.test", by=bob, to=carol)
    with lab.rejects(Reason.NAME_REVOKED):
        lab.renew("foo.test", by=bob)
