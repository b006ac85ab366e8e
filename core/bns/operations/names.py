"""Names, their encoding and their hashes (spec 02 section 2)."""

from __future__ import annotations

from bns.bitcoin.hashes import hash160, sha256
from bns.errors import InvalidInput

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz-_.+"
"""Base-40 digits, worth 0 to 39."""

MAX_NAME_LENGTH = 37
MAX_NAMESPACE_LENGTH = 19

_DIGITS = {character: value for value, character in enumerate(ALPHABET)}
_LABEL = frozenset(ALPHABET) - {".", "+"}


def is_namespace_id(text: str) -> bool:
    """Whether text is a namespace id: 1 to 19 base-40 characters without dot and plus (spec 02 section 2.1)."""
    return 1 <= len(text) <= MAX_NAMESPACE_LENGTH and _LABEL.issuperset(text)


def is_name(text: str) -> bool:
    """Whether text is a full name, `label.namespace`, of at most 37 characters (spec 02 section 2.1)."""
    label, dot, namespace_id = text.partition(".")
    return (
        bool(label and dot)
        and len(text) <= MAX_NAME_LENGTH
        and _LABEL.issuperset(label)
        and is_namespace_id(namespace_id)
    )


def namespace_of(name: str) -> str:
    """The namespace id of a full name."""
    return name.rpartition(".")[2]


def label_of(name: str) -> str:
    """The part of a full name before its namespace."""
    return name.rpartition(".")[0]


def reads_as_number(namespace_id: str) -> bool:
    """Whether the reference's database would turn this namespace id into a number (spec 02 section 11, Q20 and F4)."""
    mantissa, exponent_mark, exponent = namespace_id.partition("e")
    digits = mantissa.removeprefix("-")
    if not digits.isdigit():
        return False
    return not exponent_mark or exponent.removeprefix("-").isdigit()


def b40_bytes(text: str) -> bytes:
    """Big-endian bytes of the base-40 number that text writes; leading `0` digits vanish (spec 02 section 2.2).

    InvalidInput for any other character.
    """
    number = 0
    try:
        for character in text:
            number = number * 40 + _DIGITS[character]
    except KeyError:
        raise InvalidInput("base-40 text", text, f"characters of {ALPHABET}") from None
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def preorder_hash(name: str, script: str, address: str) -> str:
    """Hash (40 hex) of a name or namespace id, a script (hex) and an address text (spec 02 section 2.3)."""
    return hash160(b40_bytes(name) + bytes.fromhex(script) + address.encode("ascii")).hex()


def name_hash128(name: str) -> str:
    """First 16 bytes (32 hex) of SHA-256 of the name (spec 02 section 2.3)."""
    return sha256(name.encode("ascii"))[:16].hex()


def name_consensus_hash(name: str, consensus_hash: str) -> str:
    """First 16 bytes (32 hex) of SHA-256 of the name and the hex text of a consensus hash (spec 02 section 2.3)."""
    return sha256((name + consensus_hash).encode("ascii"))[:16].hex()
