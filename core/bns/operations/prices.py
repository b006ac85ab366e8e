"""What names and namespaces cost, and where a name's fee must go (spec 02 section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bns.bitcoin.address import base58check_encode
from bns.errors import Reason, Rejected
from bns.operations.names import label_of
from bns.params import Feature

if TYPE_CHECKING:
    from bns.operations.records import Namespace
    from bns.params import Epoch, Params

_VOWELS = frozenset("aeiouy")
_NONALPHA = frozenset("0123456789-_")


def name_price(name: str, namespace: Namespace, epoch: Epoch, unit: int = 100) -> float:
    """Satoshis for a full name in an epoch; always a float, in this very order of operations (spec 02 section 6.1)."""
    label = label_of(name)
    exponent = namespace.buckets[min(len(label), 16) - 1]
    discount = 1.0
    if _VOWELS.isdisjoint(label):
        discount = max(discount, namespace.no_vowel_discount)
    if not _NONALPHA.isdisjoint(label):
        discount = max(discount, namespace.nonalpha_discount)
    price = (float(namespace.coeff * namespace.base**exponent) / float(discount)) * unit
    return max(price, float(unit)) * epoch.price_multiplier


def burn_address(params: Params) -> str:
    """The address nobody can spend from (spec 02 section 1.1)."""
    return base58check_encode(params.network.p2pkh_version, bytes(20))


def fee_address(namespace: Namespace, height: int, epoch: Epoch, params: Params) -> str:
    """Where the fee of a name must go at a height (spec 02 section 6.2)."""
    if (
        epoch.has(Feature.NAMESPACE_BURN_TO_CREATOR)
        and namespace.version == 2
        and namespace.reveal_block + epoch.receive_fees_period >= height
    ):
        return namespace.address
    return burn_address(params)


class Payment(NamedTuple):
    """A fee in satoshis, the address it went to, and the block whose price list applies."""

    fee: int
    address: str
    height: int


def require_payment(name: str, namespace: Namespace, payment: Payment, epoch: Epoch, params: Params) -> None:
    """C6 and C7 of spec 02 section 7.6: enough, and to the right address. epoch is that of the payment's height."""
    price = name_price(name, namespace, epoch, params.name_cost_unit)
    if payment.fee < price:
        raise Rejected(Reason.FEE_TOO_LOW, f"{name}: paid {payment.fee}, price {price}")
    expected = fee_address(namespace, payment.height, epoch, params)
    if payment.address != expected:
        raise Rejected(Reason.WRONG_FEE_ADDRESS, f"paid to {payment.address}, expected {expected}")
