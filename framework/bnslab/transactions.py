"""One builder per operation: payload and outputs in the layout of real clients (spec 02 section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from bns.bitcoin.address import script_of_address
from bns.bitcoin.network import TESTNET
from bns.bitcoin.script import op_return, p2pkh
from bns.bitcoin.transaction import Transaction, TxOut
from bns.errors import InvalidInput
from bns.operations import (
    announce,
    name_import,
    name_preorder,
    name_registration,
    name_revoke,
    name_transfer,
    name_update,
    namespace_preorder,
    namespace_ready,
    namespace_reveal,
)
from bns.operations.names import is_name, is_namespace_id
from bnslab.wallets import TRANSACTION_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bnslab.wallets import Wallet

CARRIED = 5_500
"""Satoshis on an output that only names an address."""

MINER_FEE = 10_000
"""Satoshis that every operation leaves to the miner."""

CHANGE = None
"""Where the change goes in a list of outputs."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An operation before its inputs are known. subject is the name or namespace; one of the outputs is CHANGE.

    leads_to is what a preorder is for, as its sender would go on.
    """

    opcode: str
    subject: str
    payload: bytes
    outputs: tuple[TxOut | None, ...]
    leads_to: Draft | None = None

    @property
    def amount(self) -> int:
        """Satoshis that the inputs must bring, miner fee included."""
        return sum(output.value for output in self.outputs if output is not None) + MINER_FEE

    def sign(self, wallet: Wallet) -> Transaction:
        """The signed transaction, its inputs all coins of one wallet; InsufficientFunds if it has too few."""
        coins = wallet.select(self.amount)
        spent = [coin.output for coin in coins]
        change = wallet.output(sum(output.value for output in spent) - self.amount)
        outputs = (TxOut(0, op_return(self.payload)), *(change if out is CHANGE else out for out in self.outputs))
        inputs = tuple(coin.input for coin in coins)
        return wallet.sign(Transaction(TRANSACTION_VERSION, inputs, outputs, 0), spent)


def require_satoshis(what: str, value: int) -> int:
    """The value; InvalidInput unless it is a whole number of satoshis that an output can carry."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 21 * 10**14:
        raise InvalidInput(what, value, "a whole number of satoshis from 0 to 21e14")
    return value


def require_hash(what: str, value: str, size: int) -> str:
    """The value; InvalidInput unless it is hex of so many bytes."""
    try:
        fits = len(bytes.fromhex(value)) == size and len(value) == 2 * size
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise InvalidInput(what, value, f"{2 * size} hex digits")
    return value.lower()


def require_name(name: str) -> None:
    """InvalidInput unless it is a full name that the rules allow."""
    if not isinstance(name, str) or not is_name(name):
        raise InvalidInput("name", name, "label.namespace in the characters 0-9 a-z - _, at most 37")


def require_namespace(namespace_id: str) -> None:
    """InvalidInput unless it is a namespace id that the rules allow."""
    if not isinstance(namespace_id, str) or not is_namespace_id(namespace_id):
        raise InvalidInput("namespace id", namespace_id, "1 to 19 of the characters 0-9 a-z - _")


def pay(address: str, value: int = CARRIED) -> TxOut:
    """An output to an address of any network."""
    return TxOut(value, script_of_address(address, TESTNET))


def preorder_namespace(
    namespace_id: str, sender: Wallet, reveal_address: str, consensus_hash: str, fee: TxOut
) -> Draft:
    """NAMESPACE_PREORDER: data, change, fee."""
    payload = namespace_preorder.encode(namespace_id, sender.script.hex(), reveal_address, consensus_hash)
    reveal = reveal_namespace(namespace_id, pay(reveal_address), PriceFunction(lifetime=52595))
    return Draft("NAMESPACE_PREORDER", namespace_id, payload, (CHANGE, fee), reveal)


class Prices(TypedDict, total=False):
    """The keywords of PriceFunction beside the lifetime."""

    coeff: int
    base: int
    buckets: Sequence[int]
    nonalpha_discount: int
    no_vowel_discount: int
    version: int


@dataclass(frozen=True, slots=True)
class PriceFunction:
    """What a namespace's creator chooses (spec 02 sections 6.1 and 7.2). lifetime in blocks."""

    lifetime: int
    coeff: int = 250
    base: int = 4
    buckets: Sequence[int] = (6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    nonalpha_discount: int = 10
    no_vowel_discount: int = 10
    version: int = 1

    def __post_init__(self) -> None:
        for field, most in _LARGEST.items():
            value = getattr(self, field)
            if not isinstance(value, int) or not 0 <= value <= most:
                raise InvalidInput(field, value, f"a whole number from 0 to {most}")
        if len(self.buckets) != 16 or not all(0 <= bucket <= 15 for bucket in self.buckets):
            raise InvalidInput("buckets", self.buckets, "16 numbers from 0 to 15")


_LARGEST = {
    "lifetime": 2**32 - 1,
    "coeff": 255,
    "base": 255,
    "nonalpha_discount": 15,
    "no_vowel_discount": 15,
    "version": 65535,
}


def reveal_namespace(namespace_id: str, recipient: TxOut, prices: PriceFunction) -> Draft:
    """NAMESPACE_REVEAL: data, reveal address, change."""
    payload = namespace_reveal.encode(
        namespace_id,
        lifetime=prices.lifetime,
        coeff=prices.coeff,
        base=prices.base,
        buckets=prices.buckets,
        nonalpha_discount=prices.nonalpha_discount,
        no_vowel_discount=prices.no_vowel_discount,
        version=prices.version,
    )
    return Draft("NAMESPACE_REVEAL", namespace_id, payload, (recipient, CHANGE))


def launch_namespace(namespace_id: str) -> Draft:
    """NAMESPACE_READY: data, change."""
    return Draft("NAMESPACE_READY", namespace_id, namespace_ready.encode(namespace_id), (CHANGE,))


def import_name(name: str, recipient: TxOut, value_hash: str) -> Draft:
    """NAME_IMPORT: data, recipient, an output that carries the value hash, change."""
    carrier = TxOut(CARRIED, p2pkh(bytes.fromhex(value_hash)))
    return Draft("NAME_IMPORT", name, name_import.encode(name), (recipient, carrier, CHANGE))


def preorder_name(name: str, sender: Wallet, recipient_address: str, consensus_hash: str, fee: TxOut) -> Draft:
    """NAME_PREORDER: data, change, fee."""
    payload = name_preorder.encode(name, sender.script.hex(), recipient_address, consensus_hash)
    registration = register_name(name, pay(recipient_address), None)
    return Draft("NAME_PREORDER", name, payload, (CHANGE, fee), registration)


def register_name(name: str, recipient: TxOut, value_hash: str | None) -> Draft:
    """NAME_REGISTRATION: data, owner, change."""
    return Draft("NAME_REGISTRATION", name, name_registration.encode(name, value_hash), (recipient, CHANGE))


def renew_name(name: str, recipient: TxOut, value_hash: str | None, fee: TxOut) -> Draft:
    """NAME_RENEWAL: data, owner, change, fee."""
    return Draft("NAME_RENEWAL", name, name_registration.encode(name, value_hash), (recipient, CHANGE, fee))


def update_name(name: str, value_hash: str, consensus_hash: str) -> Draft:
    """NAME_UPDATE: data, change."""
    return Draft("NAME_UPDATE", name, name_update.encode(name, value_hash, consensus_hash), (CHANGE,))


def transfer_name(name: str, recipient: TxOut, consensus_hash: str, *, keep_data: bool) -> Draft:
    """NAME_TRANSFER: data, new owner, change."""
    payload = name_transfer.encode(name, consensus_hash, keep_data=keep_data)
    return Draft("NAME_TRANSFER", name, payload, (recipient, CHANGE))


def revoke_name(name: str) -> Draft:
    """NAME_REVOKE: data, change."""
    return Draft("NAME_REVOKE", name, name_revoke.encode(name), (CHANGE,))


def announce_message(message_hash: str) -> Draft:
    """ANNOUNCE: data, change."""
    return Draft("ANNOUNCE", message_hash, announce.encode(message_hash), (CHANGE,))
