"""Rules that surprise (spec 02 section 11.1), as far as other tables do not show them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.keys import PrivateKey
from bns.errors import Reason
from bns.operations import namespace_preorder
from tests.chain import (
    ALICE,
    BOB,
    BURN,
    CAROL,
    CHANGE,
    NS,
    OTHER_VALUE,
    PLENTY,
    RV,
    SHARED,
    VALUE,
    WITNESS,
    Chain,
    Owner,
    Terms,
    rules,
)
from tests.situations import NAME, TO_CREATOR, expired_reveal, owned

if TYPE_CHECKING:
    from bns.operations.records import Name
    from bns.params import Params


def row_of(chain: Chain, name: str = NAME) -> Name:
    row = chain.state.name(name)
    assert row is not None
    return row


def public_key(label: str) -> str:
    return PrivateKey.from_label(label).public_key.hex()


def from_epoch_2_to_3(change: int) -> Params:
    """Epoch 2 up to block change - 1, then epoch 3."""
    one, two, three = rules(2).epochs
    return replace(rules(2), epochs=(one, replace(two, end=change - 1), three))


def test_an_older_preorder_hides_a_newer_one() -> None:
    """Q2: of the preorders of one hash only the oldest counts, even when it is too old."""
    chain = Chain().opened(terms=Terms(lifetime=6)).given(NAME, ALICE)
    start = chain.state.last_block
    chain.must(chain.preorder(NAME, ALICE))
    chain.mine_to(start + 6 + 5)
    chain.must(chain.preorder(NAME, ALICE))
    assert len(chain.state.preorders(row_of(chain).preorder_hash)) == 2
    chain.mine_to(start + 6 + 5 + 2)
    assert chain.judge(chain.register(NAME, ALICE)) is Reason.NOT_PREORDERED


def test_a_registration_consumes_every_preorder_of_its_hash() -> None:
    chain = Chain().opened(terms=Terms(lifetime=6)).given(NAME, ALICE)
    start = chain.state.last_block
    hash_ = row_of(chain).preorder_hash
    chain.mine_to(start + 6 + 5)
    for _ in range(2):
        chain.must(chain.preorder(NAME, ALICE))
    assert len(chain.state.preorders(hash_)) == 2
    chain.must(chain.register(NAME, ALICE))
    assert chain.state.preorders(hash_) == []


# Q8: prices and fee addresses


@pytest.mark.parametrize(("fee", "expected"), [(102400, None), (102399, Reason.FEE_TOO_LOW)])
def test_a_registration_pays_the_price_of_its_preorders_block(fee: int, expected: Reason | None) -> None:
    chain = Chain(from_epoch_2_to_3(110)).opened()
    chain.mine_to(109)
    chain.must(chain.preorder(NAME, ALICE, fee=fee))
    assert chain.judge(chain.register(NAME, ALICE)) is expected


@pytest.mark.parametrize(
    ("block", "fee", "expected"),
    [(109, 102400, None), (109, 102399, Reason.FEE_TOO_LOW), (110, 10240, None), (110, 10239, Reason.FEE_TOO_LOW)],
)
def test_a_renewal_pays_the_price_of_its_own_block(block: int, fee: int, expected: Reason | None) -> None:
    chain = Chain(from_epoch_2_to_3(110)).opened().given(NAME, ALICE)
    chain.mine_to(block)
    assert chain.judge(chain.renew(NAME, ALICE, fee=fee)) is expected


@pytest.mark.parametrize(("block", "expected"), [(109, Reason.FEE_TOO_LOW), (110, None)])
def test_a_namespace_pays_the_price_of_its_reveals_block(block: int, expected: Reason | None) -> None:
    chain = Chain(from_epoch_2_to_3(110))
    chain.must(chain.preorder_namespace("test", fee=40_000_000))
    chain.mine_to(block)
    assert chain.judge(chain.reveal("test")) is expected


@pytest.mark.parametrize(
    ("age", "fee_to", "expected"),
    [
        (20, NS, None),
        (20, BURN, Reason.WRONG_FEE_ADDRESS),
        (21, BURN, None),
        (21, NS, Reason.WRONG_FEE_ADDRESS),
    ],
)
def test_who_is_paid_is_decided_by_the_preorders_block(age: int, fee_to: Owner, expected: Reason | None) -> None:
    chain = Chain(rules(receive_fees=20)).opened(terms=TO_CREATOR)
    chain.mine_to(chain.state.last_block - 1 + age)
    chain.must(chain.preorder(NAME, ALICE, fee_to=fee_to))
    chain.mine(3)
    assert chain.judge(chain.register(NAME, ALICE)) is expected


@pytest.mark.parametrize(
    ("age", "fee_to", "expected"),
    [
        (20, NS, None),
        (20, BURN, Reason.WRONG_FEE_ADDRESS),
        (21, BURN, None),
        (21, NS, Reason.WRONG_FEE_ADDRESS),
    ],
)
def test_who_is_paid_for_a_renewal(age: int, fee_to: Owner, expected: Reason | None) -> None:
    chain = Chain(rules(receive_fees=20)).opened(terms=replace(TO_CREATOR, lifetime=100))
    reveal_block = chain.state.last_block - 1
    chain.given(NAME, ALICE, fee_to=NS)
    chain.mine_to(reveal_block + age)
    assert chain.judge(chain.renew(NAME, ALICE, fee_to=fee_to)) is expected


def test_the_fee_of_a_namespace_may_go_to_anybody() -> None:
    """Q9."""
    chain = Chain()
    data = namespace_preorder.encode("test", NS.hex, RV.address, chain.hash)
    chain.must(chain.op(NS, data, (NS, CHANGE), (NS, PLENTY)))
    assert chain.judge(chain.reveal("test")) is None


# Q11: public keys


def test_the_public_key_of_a_name_is_the_registrants() -> None:
    chain = Chain().opened()
    chain.must(chain.preorder(NAME, ALICE, BOB))
    chain.must(chain.register(NAME, ALICE, BOB))
    assert (row_of(chain).sender, row_of(chain).sender_pubkey) == (BOB.hex, public_key("alice"))
    chain.must(chain.update(NAME, BOB))
    chain.must(chain.renew(NAME, BOB, CAROL))
    assert (row_of(chain).sender, row_of(chain).sender_pubkey) == (CAROL.hex, public_key("alice"))
    chain.must(chain.transfer(NAME, CAROL, BOB))
    assert row_of(chain).sender_pubkey is None
    chain.must(chain.renew(NAME, BOB))
    assert row_of(chain).sender_pubkey is None


def test_the_public_key_of_an_imported_name_is_the_importers() -> None:
    chain = Chain().opened(imports={NAME: ALICE})
    assert row_of(chain).sender_pubkey == public_key("reveal address")


def test_a_script_hash_has_no_public_key() -> None:
    chain = Chain().opened().given(NAME, SHARED)
    assert row_of(chain).sender_pubkey is None


# Q12 to Q15: what a name remembers


def test_a_name_registered_again_keeps_the_block_of_its_first_preorder() -> None:
    chain = Chain().opened(terms=Terms(lifetime=6)).given(NAME, ALICE)
    first = row_of(chain)
    chain.mine_to(first.last_renewed + 6 + 5 + 1)
    chain.given(NAME, BOB)
    again = row_of(chain)
    assert again.block_number == first.block_number
    assert again.preorder_block_number == again.first_registered - 1 == first.last_renewed + 6 + 5 + 1
    assert again.last_creation_op == "?"


def test_the_fee_of_an_imported_name_is_its_price_and_stays_a_float() -> None:
    chain = Chain().opened(imports={NAME: ALICE}, terms=Terms(lifetime=6))
    assert (row_of(chain).op_fee, type(row_of(chain).op_fee)) == (10240.0, float)
    chain.update(NAME, ALICE)
    assert ",7:10240.0," in chain.mine().serialized[0]
    chain.renew(NAME, ALICE, fee=20000)
    assert ",7:20000.0," in chain.mine().serialized[0]
    chain.transfer(NAME, ALICE, BOB)
    assert ",7:20000.0," in chain.mine().serialized[0]
    chain.mine(6 + 5)
    chain.must(chain.preorder(NAME, CAROL, fee=30000))
    chain.register(NAME, CAROL)
    assert ",5:30000," in chain.mine().serialized[0]
    assert type(row_of(chain).op_fee) is int


def test_a_fraction_of_a_fee_is_kept() -> None:
    chain = Chain().opened(imports={"b1.test": ALICE}, terms=Terms(coeff=250, nonalpha_discount=7, no_vowel_discount=7))
    chain.transfer("b1.test", ALICE, BOB)
    assert ",13:365714.285714," in chain.mine().serialized[0]


def test_a_transfer_repeats_the_consensus_hash_of_the_last_update() -> None:
    """Q15 and section 7.9."""
    chain = owned(Chain())
    own = chain.hash
    chain.must(chain.transfer(NAME, ALICE, BOB))
    assert row_of(chain).consensus_hash == own
    own = chain.hash
    chain.must(chain.transfer(NAME, BOB, ALICE))
    assert row_of(chain).consensus_hash == own
    of_update = chain.hash
    chain.must(chain.update(NAME, ALICE))
    chain.must(chain.renew(NAME, ALICE))
    chain.must(chain.transfer(NAME, ALICE, BOB))
    chain.must(chain.transfer(NAME, BOB, ALICE, keep=False))
    assert row_of(chain).consensus_hash == of_update


@pytest.mark.parametrize("again", ["registration", "import"])
def test_up_to_the_creation_of_the_name(again: str) -> None:
    chain = Chain().opened(terms=Terms(lifetime=6), imports={NAME: ALICE} if again == "import" else None)
    if again == "registration":
        chain.given(NAME, ALICE)
        chain.must(chain.update(NAME, ALICE))
        chain.mine(6 + 5)
        chain.given(NAME, ALICE)
    own = chain.hash
    chain.must(chain.transfer(NAME, ALICE, BOB))
    assert row_of(chain).consensus_hash == own


def test_updates_of_the_same_block_count() -> None:
    chain = owned(Chain())
    older = chain.hash
    chain.mine()
    chain.update(NAME, ALICE, consensus=older)
    assert chain.judge(chain.transfer(NAME, ALICE, BOB)) is None
    assert row_of(chain).consensus_hash == older


# Q18: namespaces revealed again


def test_imports_come_back_with_the_next_reveal() -> None:
    chain = expired_reveal(Chain(rules(reveal_expire=8)))
    before = row_of(chain)
    chain.must(chain.preorder_namespace("test", reveal_to=BOB, fee=5 * PLENTY))
    chain.must(chain.reveal("test", to=BOB))
    chain.must(chain.import_name(NAME, RV, CAROL, OTHER_VALUE))  # by the keychain of the first reveal
    after = row_of(chain)
    assert (after.sender, after.value_hash) == (CAROL.hex, OTHER_VALUE)
    assert (after.block_number, after.first_registered) == (before.block_number, before.first_registered)
    assert after.preorder_hash == before.preorder_hash
    assert chain.judge(chain.import_name("bar.test", BOB, ALICE)) is Reason.NOT_AN_IMPORT_KEY


def test_names_of_an_earlier_reveal_live_in_the_ready_namespace() -> None:
    chain = expired_reveal(Chain(rules(reveal_expire=8)))
    chain.must(chain.preorder_namespace("test", reveal_to=BOB, fee=5 * PLENTY))
    chain.must(chain.reveal("test", to=BOB))
    chain.must(chain.ready("test", BOB))
    assert chain.judge(chain.update(NAME, ALICE)) is None


def test_a_namespace_revealed_again_keeps_its_first_block() -> None:
    chain = expired_reveal(Chain(rules(reveal_expire=8)))
    first = chain.state.namespace("test")
    chain.must(chain.preorder_namespace("test", reveal_to=BOB, fee=5 * PLENTY))
    chain.must(chain.reveal("test", to=BOB))
    again = chain.state.namespace("test")
    assert first is not None
    assert again is not None
    assert (again.block_number, again.reveal_block) == (first.block_number, chain.state.last_block)


def test_the_same_reveal_cannot_be_repeated() -> None:
    chain = expired_reveal(Chain(rules(reveal_expire=8)))
    chain.must(chain.preorder_namespace("test", fee=5 * PLENTY))
    assert chain.judge(chain.reveal("test")) is Reason.NOT_PREORDERED


# Q19, Q20, Q24 and the genesis


def test_leading_zeros_of_a_name_do_not_bind_a_preorder() -> None:
    chain = Chain().opened()
    chain.must(chain.preorder("a.test", ALICE))
    chain.must(chain.register("00a.test", ALICE))
    assert chain.state.name("a.test") is None
    assert row_of(chain, "00a.test").sender == ALICE.hex


def test_names_that_read_as_numbers_stay_what_they_are() -> None:
    chain = Chain().opened("e5", imports={"1.e5": ALICE, "10.e5": BOB})
    assert chain.judge_all(chain.update("1.e5", ALICE), chain.transfer("10.e5", BOB, CAROL)) == [None, None]
    assert (row_of(chain, "1.e5").value_hash, row_of(chain, "10.e5").sender) == (VALUE, CAROL.hex)


def test_a_name_given_to_a_witness_script_is_stuck() -> None:
    chain = owned(Chain())
    chain.must(chain.transfer(NAME, ALICE, WITNESS))
    row = row_of(chain)
    assert (row.sender, row.address[:4]) == (WITNESS.hex, "tb1p")
    assert chain.judge(chain.revoke(NAME, WITNESS)) is Reason.NO_SENDER_ADDRESS


@pytest.mark.parametrize(("block", "expected"), [(100, None), (123, None), (124, Reason.STALE_CONSENSUS_HASH)])
def test_genesis_hashes_are_in_the_window(block: int, expected: Reason | None) -> None:
    chain = Chain()
    chain.mine_to(block)
    assert chain.judge(chain.preorder(NAME, ALICE, consensus=chain.params.genesis_consensus_hash)) is expected


@pytest.mark.parametrize("expire", [0, 1, 2])
def test_a_preorder_that_expires_at_once_is_hidden_in_its_own_block(expire: int) -> None:
    """Section 3.4: the comparison with the expiry period is the wrong way round, so only 0 and 1 have an effect."""
    chain = Chain(replace(rules(), name_preorder_expire=expire)).opened()
    preorder, twin = chain.preorder(NAME, ALICE), chain.preorder(NAME, ALICE)
    registration = chain.register(NAME, ALICE)
    chain.mine()
    assert chain.verdicts[preorder] is None
    assert chain.verdicts[twin] is (Reason.COLLISION if expire < 2 else Reason.PREORDER_PENDING)
    assert chain.verdicts[registration] is (Reason.NOT_PREORDERED if expire < 2 else None)
