"""One satoshi more or less, to whom, in which output (spec 10 section 4, items 7 and 13)."""

import pytest

from bns.operations.prices import burn_address
from bnslab import Reason, each_epoch, epochs
from bnslab.transactions import pay

LABELS = ["a" * length for length in (1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 32)]
LABELS += ["xz", "x" * 9, "a-b", "abc_d", "7", "xz1", "y"]
STRANGE = {
    "dear": {"coeff": 255, "base": 2, "buckets": (15,) * 16},
    "steep": {"coeff": 1, "base": 15, "buckets": (6, 5, 4, 3, 2, 1, *(0,) * 10)},
    "free": {"coeff": 0, "base": 0, "buckets": (0,) * 16},
    "flat": {"coeff": 1, "base": 1, "buckets": (9,) * 16, "nonalpha_discount": 15, "no_vowel_discount": 1},
}


@each_epoch
def test_the_fee_of_a_name_to_the_satoshi(lab, alice, bob, carol):
    """Bob pays the price, Carol one satoshi less, for names of every length and discount."""
    lab.namespace("test", by=alice)
    for label in LABELS:
        price = lab.price(f"{label}.test")
        lab.name_preorder(f"{label}.test", by=bob, fee=price)
        lab.name_preorder(f"{label}.test", by=carol, fee=price - 1)
    lab.mine()
    with lab.rejects(Reason.FEE_TOO_LOW):
        for label in LABELS:
            lab.name_registration(f"{label}.test", by=carol)
    for label in LABELS:
        lab.name_registration(f"{label}.test", by=bob)
    lab.mine()


@each_epoch
@pytest.mark.parametrize("prices", STRANGE.values(), ids=STRANGE)
def test_the_fee_in_a_strange_namespace(lab, alice, bob, carol, prices):
    lab.namespace("test", by=alice, **prices)
    names = [f"{label}.test" for label in ("a", "xz", "long-label", "a" * 20)]
    for name in names:
        lab.name_preorder(name, by=bob, fee=lab.price(name))
        lab.name_preorder(name, by=carol, fee=lab.price(name) - 1)
    lab.mine()
    with lab.rejects(Reason.FEE_TOO_LOW):
        for name in names:
            lab.name_registration(name, by=carol)
    for name in names:
        lab.name_registration(name, by=bob)
    lab.mine()
    with lab.rejects(Reason.FEE_TOO_LOW):
        lab.renew(names[0], by=bob, fee=lab.price(names[0]) - 1)
    lab.renew(names[0], by=bob, fee=lab.price(names[0]))
    lab.mine()


@each_epoch
def test_the_fee_of_a_namespace_to_the_satoshi(lab, alice, bob):
    lengths = (2, 3, 4, 7, 8, 19)
    for length in lengths:
        price = lab.next_epoch.namespace_prices.of("x" * length)
        lab.namespace_preorder("x" * length, by=alice, fee=price)
        lab.namespace_preorder("y" * length, by=bob, fee=price - 1)
    lab.mine()
    with lab.rejects(Reason.FEE_TOO_LOW):
        for length in lengths:
            lab.namespace_reveal("y" * length, by=bob)
    for length in lengths:
        lab.namespace_reveal("x" * length, by=alice)
    lab.mine()


@each_epoch
@pytest.mark.parametrize("version", [1, 2])
def test_a_fee_to_somebody_else(lab, alice, bob, carol, version):
    if version == 2 and lab.next_epoch.number < 3:
        version = 1
    lab.namespace("test", by=alice, version=version)
    wrong = burn_address(lab.params) if version == 2 else alice.address
    for place, address in enumerate((wrong, carol.address)):
        lab.name_preorder(f"name{place}.test", by=bob, pay_to=address)
    lab.register("foo.test", by=bob)
    with lab.rejects(Reason.WRONG_FEE_ADDRESS):
        lab.name_registration("name0.test", by=bob)
        lab.name_registration("name1.test", by=bob)
        lab.renew("foo.test", by=bob, pay_to=wrong)


def preorder_payload(lab, name, by):
    from bns.operations import name_preorder

    return name_preorder.encode(name, by.script.hex(), by.address, lab.consensus_hash)


@each_epoch
def test_a_fee_in_another_output(lab, alice, bob):
    """The fee is what output 2 pays: before the change, in halves, or behind a third output it is none."""
    lab.namespace("test", by=alice)
    price = lab.price("foo.test")
    burned = burn_address(lab.params)
    first = lab.send_payload(preorder_payload(lab, "first.test", bob), by=bob, outputs=[pay(burned, price), None])
    lab.mine()
    assert first.record.op_fee != price, "the change stands where the fee should"
    with lab.rejects(Reason.WRONG_FEE_ADDRESS):
        lab.name_registration("first.test", by=bob)
    with lab.rejects(Reason.BAD_OUTPUT_COUNT):
        halves = [None, pay(burned, price // 2), pay(burned, price // 2)]
        lab.send_payload(preorder_payload(lab, "halves.test", bob), by=bob, outputs=halves)
        lab.send_payload(preorder_payload(lab, "none.test", bob), by=bob, outputs=[None])


@epochs(3)
@pytest.mark.parametrize("version", [0, 3, 256, 65535])
def test_versions_that_are_none(lab, alice, version):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    with lab.rejects(Reason.INVALID_VERSION):
        lab.namespace_reveal("test", by=alice, version=version)


@epochs(3)
def test_a_multisig_creator_receives_every_fee(lab, alice, bob):
    vault = lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    lab.namespace("test", by=vault, version=2)
    before = vault.balance
    lab.register("foo.test", by=bob)
    lab.renew("foo.test", by=bob)
    lab.mine()
    assert vault.balance == before + 2 * lab.price("foo.test")
