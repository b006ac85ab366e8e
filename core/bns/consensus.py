"""From accepted operations to the consensus hash of a block (spec 01 sections 9 to 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.bitcoin import hashes
from bns.bitcoin.hashes import hash160, sha256d
from bns.errors import InvalidInput
from bns.operations.records import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bns.operations.base import Accepted

_NAME = (
    "name", "value_hash", "sender", "sender_pubkey", "address", "block_number", "preorder_block_number",
    "first_registered", "last_renewed", "revoked", "op", "txid", "vtxindex", "op_fee", "importer", "importer_address",
)  # fmt: skip
_REVEAL = (
    "namespace_id", "preorder_hash", "version", "sender", "sender_pubkey", "address", "recipient", "recipient_address",
    "block_number", "reveal_block", "op", "txid", "vtxindex", "lifetime", "coeff", "base", "buckets",
    "nonalpha_discount", "no_vowel_discount",
)  # fmt: skip

SERIALIZED_FIELDS: dict[str, tuple[str, ...]] = {
    "?": (
        "preorder_hash", "consensus_hash", "sender", "sender_pubkey", "address", "block_number", "op", "txid",
        "vtxindex", "op_fee",
    ),
    ":": (*_NAME, "sender", "address"),
    "+": (*_NAME, "name_consensus_hash", "consensus_hash"),
    ">": (*_NAME, "name_hash128", "consensus_hash", "keep_data"),
    "~": _NAME,
    ";": (*_NAME, "sender", "address"),
    "*": (
        "preorder_hash", "consensus_hash", "op", "op_fee", "txid", "vtxindex", "block_number", "sender",
        "sender_pubkey", "address",
    ),
    "&": _REVEAL,
    "!": (*_REVEAL, "ready_block"),
}  # fmt: skip
"""Fields of a consensus record by wire opcode; the order is consensus (spec 01 section 9.2)."""

EMPTY_OPS_HASH = sha256d(b"").hex()
"""Ops hash of a block without accepted operations."""


def serialize(accepted: Accepted) -> str:
    """The exact text of an accepted operation that enters the ops hash (spec 01 section 9)."""
    if accepted.record is None:
        raise InvalidInput("operation to serialize", accepted.wire, "one that leaves a record")
    return serialize_fields(accepted.wire, {**fields_of(accepted.record), **accepted.extras})


def serialize_fields(wire: str, fields: Mapping[str, object]) -> str:
    """The same text from field names and values, as history rows and API answers hold them."""
    texts = [value_text(fields[field]) for field in SERIALIZED_FIELDS[wire]]
    return f"{wire}:" + ",".join([f"{len(text)}:{text}" for text in texts])


def value_text(value: object) -> str:
    """Text form of a field's value (spec 01 section 9.1)."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, tuple):
        return str(list(value))
    return str(value)


def float_text(value: float) -> str:
    """Python 2's `str(float)`: 12 significant digits, with its trailing-zero anomaly (spec 01 section 9.3)."""
    if value.is_integer() and 1e12 <= value < 1e15:
        whole = int(value)
        exponent = len(str(whole)) - 1
        unit = 10 ** (exponent - 11)
        quotient, rest = divmod(whole, unit)
        if 2 * rest == unit and quotient % 10 == 0:
            digits = str(quotient)
            return f"{digits[0]}.{digits[1:]}e+{exponent:02d}"
    return format(value, ".12")


def merkle_root(leaves: Sequence[str]) -> str:
    """Root (hex) over hex strings of any length, each reversed on the way in and out (spec 01 section 10.2)."""
    return hashes.merkle_root([bytes.fromhex(leaf)[::-1] for leaf in leaves])[::-1].hex()


def ops_hash(serialized: Iterable[str]) -> str:
    """Hash (64 hex) of the serialized operations of a block (spec 01 section 10.1)."""
    leaves = sorted(sha256d(text.encode("ascii")).hex() for text in serialized)
    return merkle_root(leaves) if leaves else EMPTY_OPS_HASH


def consensus_hash(height: int, ops: str, first_block: int, earlier: Callable[[int], str]) -> str:
    """Consensus hash (32 hex) of a block from its ops hash and the earlier hashes 1, 3, 7, 15... blocks back.

    earlier gives the hash of a height from first_block on (spec 01 section 11).
    """
    leaves = [ops]
    step = 1
    while height - step >= first_block:
        leaves.append(earlier(height - step))
        step = 2 * step + 1
    return hash160(bytes.fromhex(merkle_root(sorted(leaves))))[:16].hex()
