from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput
from bns.params import INFINITE_LIFETIME
from bnslab import Reason
from bnslab.chain import BaseChain, BlockRefused, MemoryBackend, Tip, base_chain
from bnslab.errors import CheckFailed, EmptyScenario, NotMined
from bnslab.lab import Lab
from bnslab.nodes.inprocess import InProcessNode
from bnslab.operations import UNPRICED_FEE
from bnslab.rules import scenario_params
from bnslab.transactions import MINER_FEE
from bnslab.wallets import FAUCET_FEE, InsufficientFunds
from tests.labs import FIRST_BLOCK, transaction_of, transactions_of

if TYPE_CHECKING:
    from tests.labs import Labs

HASH = "ab" * 20


def named(lab: Lab) -> Lab:
    """With a namespace by alice and foo.test, which is bob's."""
    lab.namespace("test", by="alice")
    lab.register("foo.test", by="bob")
    return lab


# The chain


def test_a_lab_stands_on_the_base_chain(make_lab: Labs) -> None:
    lab = make_lab()
    assert Tip(lab.height, lab.tip) == base_chain().tip
    assert lab.consensus_hash == lab.params.genesis_consensus_hash
    receipt = lab.mine()
    assert (lab.height, lab.tip, lab.consensus_hash) == (FIRST_BLOCK, receipt.block_hash, receipt.consensus_hash)
    assert receipt.height == FIRST_BLOCK


def test_the_first_block_is_the_one_above_the_base_chain() -> None:
    params, base = scenario_params(FIRST_BLOCK + 1, (3,), {}), base_chain()
    with pytest.raises(InvalidInput, match=rf"first block: expected {FIRST_BLOCK}, .* got {FIRST_BLOCK + 1}"):
        Lab("late", params, base, MemoryBackend(base), InProcessNode)


def test_another_base_chain_serves_too() -> None:
    base = BaseChain.build(101)
    lab = Lab("short", scenario_params(102, (3,), {}), base, MemoryBackend(base), InProcessNode)
    lab.wallet("alice")
    lab.name_preorder("foo.test", by="alice")
    assert lab.mine().height == 102
    lab.node.close()


def test_blocks_are_made_one_by_one_up_to_a_height(make_lab: Labs) -> None:
    lab = make_lab()
    assert lab.mine(3).height == FIRST_BLOCK + 2
    assert lab.mine_to(FIRST_BLOCK + 5).height == lab.height == FIRST_BLOCK + 5
    assert [receipt.height for receipt in lab.receipts] == list(range(FIRST_BLOCK, FIRST_BLOCK + 6))


@pytest.mark.parametrize("count", [0, -1, 1.0, "2", None])
def test_a_number_of_blocks_that_is_none(make_lab: Labs, count: int) -> None:
    lab = make_lab()
    with pytest.raises(InvalidInput, match=rf"number of blocks: expected .* at least 1, got {count!r}"):
        lab.mine(count)
    assert lab.receipts == []


@pytest.mark.parametrize("height", [FIRST_BLOCK - 1, 0, -1, 500.0, "500", None])
def test_a_height_that_cannot_be_mined_to(make_lab: Labs, height: int) -> None:
    lab = make_lab()
    with pytest.raises(InvalidInput, match=rf"expected a whole number above {FIRST_BLOCK - 1}, got {height!r}"):
        lab.mine_to(height)


def test_a_refusal_of_the_chain_reaches_the_author(make_lab: Labs) -> None:
    class Judge(MemoryBackend):
        def accept(self, raw: bytes) -> Tip:
            raise BlockRefused(Tip(FIRST_BLOCK, "00"), "bad-txns")

    lab = make_lab(chain=Judge(base_chain()))
    with pytest.raises(BlockRefused, match=f"block {FIRST_BLOCK} .* refused: bad-txns"):
        lab.mine()
    assert lab.height == base_chain().height


def test_a_refused_block_gives_its_coins_back(make_lab: Labs) -> None:
    class Judge(MemoryBackend):
        refusing = False

        def accept(self, raw: bytes) -> Tip:
            if self.refusing:
                raise BlockRefused(Tip(FIRST_BLOCK + 1, "00"), "bad-txns")
            return super().accept(raw)

    judge = Judge(base_chain())
    lab = make_lab(chain=judge)
    alice = lab.wallet("alice")
    lab.fund(alice, 10**9)
    lab.mine()
    coins = alice.coins
    judge.refusing = True
    lab.namespace_preorder("test", by=alice)
    assert alice.coins != coins
    with pytest.raises(BlockRefused):
        lab.mine()
    assert alice.coins == coins
    assert lab.sent == {}
    judge.refusing = False
    lab.namespace("test", by=alice)


def test_the_rules_are_those_of_the_pending_block(make_lab: Labs) -> None:
    lab = make_lab(1, 2, 3, ends=(FIRST_BLOCK, FIRST_BLOCK + 1))
    numbers = [lab.next_epoch.number]
    for _ in range(3):
        lab.mine()
        numbers.append(lab.next_epoch.number)
    assert numbers == [1, 2, 3, 3]


# Operations and what becomes of them


def test_an_operation_is_pending_until_its_block(make_lab: Labs) -> None:
    lab = make_lab()
    sent = lab.namespace_preorder("test", by="alice")
    for look in ("accepted", "reason", "record"):
        with pytest.raises(NotMined, match="NAMESPACE_PREORDER test by alice: mine a block first"):
            getattr(sent, look)
    assert (sent.verdict, sent.height) == ("pending", FIRST_BLOCK)
    lab.mine()
    assert (sent.accepted, sent.reason, sent.verdict) == (True, None, "accepted")
    assert sent.record is lab.receipts[-1].accepted[0].record
    assert repr(sent) == f"<NAMESPACE_PREORDER test by alice, block {FIRST_BLOCK}, accepted>"


def test_a_rejected_operation_says_why(make_lab: Labs) -> None:
    lab = named(make_lab())
    with lab.rejects(Reason.NOT_OWNER):
        sent = lab.revoke("foo.test", by="carol")
    assert (sent.accepted, sent.reason, sent.record) == (False, Reason.NOT_OWNER, None)
    assert sent.verdict == "rejected: NOT_OWNER: sender is not the owner"
    assert lab.wallets["carol"].address in sent.detail


def test_several_operations_of_one_wallet_in_one_block(make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace("test", by="alice")
    names = [f"name{index}.test" for index in range(6)]
    preorders = [lab.name_preorder(name, by="bob") for name in names]
    receipt = lab.mine()
    assert [entry.operation.carrier.txid for entry in receipt.accepted] == [sent.txid for sent in preorders]
    registrations = [lab.name_registration(name, by="bob") for name in names]
    lab.mine()
    assert all(sent.accepted and sent.height == lab.height for sent in registrations)
    assert all(sent.record.address == lab.wallets["bob"].address for sent in registrations)  # type: ignore[union-attr]


def test_a_wallet_is_filled_when_it_must_be_and_only_then(make_lab: Labs) -> None:
    lab = make_lab()
    lab.name_preorder("foo.test", by="alice")
    lab.name_preorder("bar.test", by="alice")
    lab.name_preorder("dear.test", by="bob", fee=300_000_000)
    lab.mine()
    filled_alice, _, _, filled_bob, _ = transactions_of(lab, FIRST_BLOCK)
    assert filled_alice.outputs[0] == lab.wallets["alice"].output(100_000_000)
    assert filled_bob.outputs[0] == lab.wallets["bob"].output(2 * (300_000_000 + MINER_FEE))
    assert lab.wallets["alice"].balance == 100_000_000 - 2 * (UNPRICED_FEE + MINER_FEE)
    assert lab.wallets["bob"].balance == 300_000_000 + MINER_FEE
    assert lab.wallets["carol"].balance == 0


def test_funds_come_from_the_faucet(make_lab: Labs) -> None:
    lab = make_lab()
    lab.fund("carol", 12_345)
    assert lab.wallets["carol"].balance == 12_345
    lab.mine()
    (payment,) = transactions_of(lab, FIRST_BLOCK)
    assert payment.outputs[0] == lab.wallets["carol"].output(12_345)
    assert payment.outputs[1].value == 50 * 100_000_000 - 12_345 - FAUCET_FEE


def test_more_than_the_faucet_has(make_lab: Labs) -> None:
    lab = make_lab()
    with pytest.raises(InsufficientFunds, match="wallet 'faucet' needs 2000000000030001 satoshis and has"):
        lab.name_preorder("foo.test", by="alice", fee=10**15)
    lab.mine()
    assert (lab.sent, transactions_of(lab, FIRST_BLOCK)) == ({}, [])


def test_any_payload(make_lab: Labs) -> None:
    lab = make_lab()
    output = lab.wallets["bob"].output(777)
    with lab.undecided():
        strange = lab.send_payload(b"id\x00...", by="alice", outputs=[output, None, output])
        silent = lab.send_payload(b"hello", by="alice")
    assert (strange.reason, silent.reason) == (Reason.UNKNOWN_OPCODE, Reason.UNKNOWN_OPCODE)
    assert "found no operation" in silent.detail
    assert [out == output for out in transaction_of(lab, strange).outputs] == [False, True, False, True]
    assert str(strange) == "PAYLOAD 6964002e2e2e by alice"


def test_a_namespace_in_three_blocks(make_lab: Labs) -> None:
    lab = make_lab()
    namespace = lab.namespace("test", by="alice", lifetime=7, coeff=9, version=2)
    assert [receipt.accepted[0].opcode for receipt in lab.receipts] == [
        "NAMESPACE_PREORDER",
        "NAMESPACE_REVEAL",
        "NAMESPACE_READY",
    ]
    assert (namespace.lifetime, namespace.coeff, namespace.version, namespace.ready_block) == (7, 9, 2, lab.height)


def test_a_registration_for_somebody_else(make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace("test", by="alice")
    lab.register("gift.test", by="bob", to="carol", value_hash=HASH)
    gift = lab.name("gift.test")
    assert gift is not None
    assert (gift.address, gift.value_hash, gift.revoked) == (lab.wallets["carol"].address, HASH, False)


# Expectations


def test_an_operation_must_be_accepted_unless_said_otherwise(make_lab: Labs) -> None:
    lab = named(make_lab())
    lab.revoke("foo.test", by="carol")
    with pytest.raises(CheckFailed, match=r"NAME_REVOKE foo\.test by carol") as caught:
        lab.mine()
    error = caught.value
    assert (error.check, error.height, error.expected) == ("expectations", lab.height, "accepted")
    assert error.actual == "rejected: NOT_OWNER: sender is not the owner"
    assert lab.wallets["carol"].address in error.reason


def test_the_reason_must_be_the_one_that_was_named(make_lab: Labs) -> None:
    lab = named(make_lab())
    with (
        pytest.raises(CheckFailed, match=r"NAME_REVOKE foo\.test by carol") as caught,
        lab.rejects(Reason.NAME_EXPIRED),
    ):
        lab.revoke("foo.test", by="carol")
    assert caught.value.expected == "rejected: NAME_EXPIRED: name expired"
    assert caught.value.actual == "rejected: NOT_OWNER: sender is not the owner"


def test_what_must_be_rejected_must_not_be_accepted(make_lab: Labs) -> None:
    lab = named(make_lab())
    with pytest.raises(CheckFailed) as caught, lab.rejects(Reason.NOT_OWNER):
        lab.revoke("foo.test", by="bob")
    assert (caught.value.expected[:19], caught.value.actual) == ("rejected: NOT_OWNER", "accepted")


def test_rejects_mines_what_is_pending_and_nothing_else(make_lab: Labs) -> None:
    lab = named(make_lab())
    before = lab.height
    with lab.rejects(Reason.NOT_OWNER):
        lab.revoke("foo.test", by="carol")
        lab.mine()
    assert lab.height == before + 1
    with lab.rejects(Reason.NOT_OWNER):
        lab.revoke("foo.test", by="carol")
    assert lab.height == before + 2


def test_rejects_without_an_operation_proves_nothing(make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace_preorder("test", by="alice")
    with pytest.raises(InvalidInput, match="an operation inside the with block"), lab.rejects(Reason.NOT_OWNER):
        lab.mine()
    with lab.undecided():
        pass
    assert lab.height == FIRST_BLOCK


@pytest.mark.parametrize("reason", ["NOT_OWNER", "sender is not the owner", None])
def test_a_reason_that_is_none(make_lab: Labs, reason: Reason) -> None:
    with pytest.raises(InvalidInput, match=f"reason: expected a member .* got {reason!r}"), make_lab().rejects(reason):
        raise AssertionError("nothing of this runs")


def test_expectations_end_with_the_block_that_holds_them(make_lab: Labs) -> None:
    lab = named(make_lab())
    with pytest.raises(KeyError, match="the author's"), lab.rejects(Reason.NOT_OWNER):
        raise KeyError("the author's")
    assert lab.update("foo.test", "bob", HASH).expected.name == "ACCEPTED"
    lab.mine()
    with lab.undecided():
        loose = lab.revoke("foo.test", by="carol")
        with lab.rejects(Reason.NOT_OWNER):
            strict = lab.revoke("foo.test", by="carol")
        assert not loose.accepted
        again = lab.revoke("foo.test", by="carol")
    assert [sent.expected.name for sent in (loose, strict, again)] == ["ANYTHING", "NOT_OWNER", "ANYTHING"]
    lab.revoke("foo.test", by="bob")
    lab.mine()


def test_undecided_takes_either_verdict(make_lab: Labs) -> None:
    lab = named(make_lab())
    with lab.undecided():
        wrong, right = lab.revoke("foo.test", by="carol"), lab.revoke("foo.test", by="bob")
    assert (wrong.accepted, right.accepted) == (False, True)


# The end


def test_the_end_mines_what_is_pending(make_lab: Labs) -> None:
    lab = make_lab()
    sent = lab.namespace_preorder("test", by="alice")
    lab.finish()
    assert (sent.accepted, lab.height) == (True, FIRST_BLOCK)
    lab.finish()
    assert lab.height == FIRST_BLOCK


def test_a_scenario_without_a_block_is_an_error(make_lab: Labs) -> None:
    with pytest.raises(EmptyScenario, match="an idle one: expected at least one block: send an operation or call"):
        make_lab(identity="an idle one").finish()


# Fees and deadlines by epoch


@pytest.mark.parametrize(
    ("epoch", "name", "price"),
    [
        (1, "foo.test", 6_400_000),
        (2, "foo.test", 6_400_000),
        (3, "foo.test", 640_000),
        (3, "a-very-long-one.test", 250),
    ],
)
def test_names_are_paid_for_at_the_price_of_the_epoch(make_lab: Labs, epoch: int, name: str, price: int) -> None:
    lab = make_lab(epoch)
    lab.namespace("test", by="alice")
    assert lab.price(name) == price
    lab.register(name, by="bob")
    assert lab.receipts[-2].accepted[0].record.op_fee == price  # type: ignore[union-attr]


def test_a_fraction_of_a_satoshi_is_paid_in_full(make_lab: Labs) -> None:
    lab = make_lab(3)
    lab.namespace("test", by="alice", coeff=10, base=1, no_vowel_discount=7)
    assert lab.price("bcd.test") == 15  # 10 * 100 / 7 / 10 = 14.28...
    lab.register("bcd.test", by="bob")


def test_the_price_is_that_of_the_pending_block(make_lab: Labs) -> None:
    lab = make_lab(2, 3, ends=(FIRST_BLOCK + 3,))
    lab.namespace("test", by="alice", coeff=1, base=1)
    assert (lab.height, lab.price("foo.test")) == (FIRST_BLOCK + 2, 100)
    lab.mine()
    assert lab.price("foo.test") == 10


@pytest.mark.parametrize(("epoch", "lifetime"), [(1, 1), (2, 2), (3, 2)])
def test_when_a_name_ends(make_lab: Labs, epoch: int, lifetime: int) -> None:
    lab = make_lab(epoch)
    lab.namespace("test", by="alice", lifetime=5)
    lab.register("foo.test", by="bob")
    foo = lab.name("foo.test")
    assert foo is not None
    assert foo.expire_block == lab.height + 5 * lifetime
    assert foo.renewal_deadline == foo.expire_block + (5000 if epoch == 3 else 0)


def test_a_name_imported_long_before_the_launch_counts_from_the_launch(make_lab: Labs) -> None:
    lab = make_lab(3, lifetime=1, grace=2)
    lab.namespace_preorder("test", by="alice")
    lab.mine()
    lab.namespace_reveal("test", by="alice", lifetime=5)
    lab.mine()
    lab.name_import("foo.test", by="alice", to="bob")
    lab.mine()
    early = lab.name("foo.test")
    lab.mine(3)
    lab.namespace_ready("test", by="alice")
    lab.mine()
    foo = lab.name("foo.test")
    assert early is not None
    assert foo is not None
    assert (early.expire_block, early.renewal_deadline) == (-1, -1)
    assert (foo.expire_block, foo.renewal_deadline) == (lab.height + 5, lab.height + 7)


def test_names_that_never_end_and_names_that_never_were(make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace("test", by="alice", lifetime=INFINITE_LIFETIME)
    lab.register("foo.test", by="bob")
    foo = lab.name("foo.test")
    assert foo is not None
    assert (foo.expire_block, foo.renewal_deadline) == (-1, -1)
    assert lab.name("bar.test") is None
    assert lab.name("bar.nowhere") is None
