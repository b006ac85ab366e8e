"""What names cost and where fees must go (spec 02 section 6, spec 03 section 10)."""

from __future__ import annotations

from math import inf

import pytest
from msgspec.structs import replace

from bns.errors import Reason, Rejected
from bns.operations.prices import Payment, burn_address, fee_address, name_price, require_payment
from bns.operations.records import Namespace
from bns.params import EPOCH_1, EPOCH_2, EPOCH_3, Epoch, Params

CREATOR = "mj4GhirFd9aoAuQZ3Hci6rt2mgSwUb5pW4"
BURN = "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"
TESTNET = Params.regtest(first_block=100)

NAMESPACE = Namespace(
    namespace_id="test",
    preorder_hash="",
    version=1,
    sender="",
    sender_pubkey=None,
    address=CREATOR,
    recipient="",
    recipient_address="",
    block_number=1000,
    reveal_block=1001,
    op="!",
    op_fee=0,
    txid="",
    vtxindex=1,
    lifetime=52595,
    coeff=4,
    base=4,
    buckets=(6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    nonalpha_discount=10,
    no_vowel_discount=5,
    ready_block=1003,
)


@pytest.mark.parametrize(
    ("label", "full", "tenth"),
    [
        ("a", 1638400.0, 163840.0),
        ("ab", 409600.0, 40960.0),
        ("abc", 102400.0, 10240.0),
        ("xyz", 102400.0, 10240.0),
        ("b1c", 10240.0, 1024.0),
        ("a-b", 10240.0, 1024.0),
        ("a_b", 10240.0, 1024.0),
        ("xz", 81920.0, 8192.0),
        ("xz1", 10240.0, 1024.0),
        ("7", 163840.0, 16384.0),
        ("a" * 15, 400.0, 40.0),
        ("a" * 16, 400.0, 40.0),
        ("a" * 17, 400.0, 40.0),
        ("z" * 17, 100.0, 10.0),  # the least, before the epoch's multiplier
        ("1" * 17, 100.0, 10.0),
    ],
)
def test_the_price_of_a_name(label: str, full: float, tenth: float) -> None:
    prices = [name_price(f"{label}.test", NAMESPACE, epoch) for epoch in (EPOCH_1, EPOCH_2, EPOCH_3)]
    assert prices == [full, full, tenth]
    assert all(isinstance(price, float) for price in prices)


@pytest.mark.parametrize(
    ("label", "full", "tenth"),
    [
        ("a", 102400000, 10240000),
        ("foo", 6400000, 640000),
        ("x1", 2560000, 256000),
        ("bcd", 640000, 64000),
        ("a" * 16, 25000, 2500),
        ("a" * 30, 25000, 2500),
    ],
)
def test_another_price_function(label: str, full: int, tenth: int) -> None:
    buckets = (6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    namespace = replace(NAMESPACE, base=4, coeff=250, buckets=buckets, nonalpha_discount=10, no_vowel_discount=10)
    assert name_price(f"{label}.test", namespace, EPOCH_1) == full
    assert name_price(f"{label}.test", namespace, EPOCH_3) == tenth


def test_a_price_may_be_a_fraction() -> None:
    namespace = replace(NAMESPACE, coeff=250, nonalpha_discount=7, no_vowel_discount=7)
    assert name_price("b1.test", namespace, EPOCH_3) == float(250 * 4**5) / 7.0 * 100 * 0.1
    assert str(name_price("b1.test", namespace, EPOCH_3)) == "365714.28571428574"


def test_the_integer_power_comes_before_the_float() -> None:
    namespace = replace(NAMESPACE, coeff=255, base=255, buckets=(15,) * 16, no_vowel_discount=15)
    assert name_price("z.test", namespace, EPOCH_3) == (float(255 * 255**15) / 15.0) * 100 * 0.1
    assert name_price("z.test", namespace, EPOCH_3) < inf


@pytest.mark.parametrize("zero", [{"coeff": 0, "base": 4}, {"coeff": 4, "base": 0}])
def test_free_names_cost_the_least(zero: dict[str, int]) -> None:
    namespace = replace(NAMESPACE, coeff=zero["coeff"], base=zero["base"])
    assert name_price("a.test", namespace, EPOCH_2) == 100.0


def test_base_zero_to_the_power_of_zero_is_one() -> None:
    assert name_price("a" * 20 + ".test", replace(NAMESPACE, base=0), EPOCH_1) == 400.0


def test_burn_addresses() -> None:
    assert burn_address(Params.mainnet()) == "1111111111111111111114oLvT2"
    assert burn_address(TESTNET) == BURN


@pytest.mark.parametrize(
    ("version", "epoch", "height", "expected"),
    [
        (1, EPOCH_1, 1005, BURN),
        (1, EPOCH_3, 1005, BURN),
        (2, EPOCH_1, 1005, BURN),
        (2, EPOCH_2, 1005, BURN),
        (2, EPOCH_3, 1005, CREATOR),
        (2, EPOCH_3, 1001 + 52595, CREATOR),
        (2, EPOCH_3, 1001 + 52595 + 1, BURN),
    ],
)
def test_where_a_fee_must_go(version: int, epoch: Epoch, height: int, expected: str) -> None:
    assert fee_address(replace(NAMESPACE, version=version), height, epoch, TESTNET) == expected


@pytest.mark.parametrize(
    ("fee", "address", "reason"),
    [
        (365715, BURN, None),
        (365714, BURN, Reason.FEE_TOO_LOW),  # the price is 365714 and two sevenths
        (365715, CREATOR, Reason.WRONG_FEE_ADDRESS),
        (365714, CREATOR, Reason.FEE_TOO_LOW),  # the amount is looked at first
    ],
)
def test_a_payment_is_compared_without_rounding(fee: int, address: str, reason: Reason | None) -> None:
    namespace = replace(NAMESPACE, coeff=250, nonalpha_discount=7, no_vowel_discount=7)
    payment = Payment(fee, address, 1005)
    if reason is None:
        require_payment("b1.test", namespace, payment, EPOCH_3, TESTNET)
        return
    with pytest.raises(Rejected) as refusal:
        require_payment("b1.test", namespace, payment, EPOCH_3, TESTNET)
    assert refusal.value.reason is reason
