"""Names, hashes and the text forms of values (Spec 01 sections 9 to 11, Spec 02 section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.bitcoin.hashes import hash160, sha256, sha256d

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Row = dict[str, Any]

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz-_.+"
_PART = set(DIGITS) - set(".+")

NAME_FIELDS = (
    "name value_hash sender sender_pubkey address block_number preorder_block_number first_registered last_renewed "
    "revoked op txid vtxindex op_fee importer importer_address"
)
SPACE_FIELDS = (
    "namespace_id preorder_hash version sender sender_pubkey address recipient recipient_address block_number "
    "reveal_block op txid vtxindex lifetime coeff base buckets nonalpha_discount no_vowel_discount"
)
FIELDS = {
    "?": "preorder_hash consensus_hash sender sender_pubkey address block_number op txid vtxindex op_fee",
    ":": NAME_FIELDS + " sender address",
    "+": NAME_FIELDS + " name_consensus_hash consensus_hash",
    ">": NAME_FIELDS + " name_hash128 consensus_hash keep_data",
    "~": NAME_FIELDS,
    ";": NAME_FIELDS + " sender address",
    "*": "preorder_hash consensus_hash op op_fee txid vtxindex block_number sender sender_pubkey address",
    "&": SPACE_FIELDS,
    "!": SPACE_FIELDS + " ready_block",
}
"""What is hashed of an operation, by its byte on the wire, in order."""


def is_space(text: str) -> bool:
    """Whether a text can be a namespace id."""
    return 1 <= len(text) <= 19 and set(text) <= _PART


def is_name(text: str) -> bool:
    """Whether a text can be a name."""
    label, dot, space = text.partition(".")
    return len(text) <= 37 and dot == "." and label != "" and set(label) <= _PART and is_space(space)


def label_of(name: str) -> str:
    """What stands before the dot of a name."""
    return name.split(".")[0]


def space_of(name: str) -> str:
    """The namespace of a name."""
    return name.split(".")[1]


def b40(text: str) -> bytes:
    """A base-40 number as bytes without leading zeros (one zero byte for zero)."""
    number = 0
    for letter in text:
        number = number * 40 + DIGITS.index(letter)
    digits = f"{number:x}"
    return bytes.fromhex("0" * (len(digits) % 2) + digits)


def preorder_hash(text: str, script: str, address: str) -> str:
    """What hides a name or namespace id: 40 hex. script is hex."""
    return hash160(b40(text) + bytes.fromhex(script) + address.encode("ascii")).hex()


def name_hash128(name: str) -> str:
    """What a transfer says in place of the name: 32 hex."""
    return sha256(name.encode("ascii")).hex()[:32]


def name_consensus_hash(name: str, consensus_hash: str) -> str:
    """What an update says in place of the name: 32 hex."""
    return sha256((name + consensus_hash).encode("ascii")).hex()[:32]


def float_text(value: float) -> str:
    """A float as Python 2 prints it: twelve digits, and its one slip (Spec 01 section 9.3)."""
    head, _, tail = f"{value:.11e}".partition("e")
    digits, power = head.replace(".", ""), int(tail)
    if -4 <= power <= 10:
        digits = digits if power >= 0 else "0" * -power + digits
        whole = max(power, 0) + 1
        return digits[:whole] + "." + (digits[whole:].rstrip("0") or "0")
    fraction = digits[1:].rstrip("0")
    if 10**12 <= value < 10**15 and value == int(value):
        unit = 10 ** (len(str(int(value))) - 12)
        kept, rest = divmod(int(value), unit)
        if 2 * rest == unit and kept % 10 == 0:
            fraction = digits[1:]
    mantissa = digits[0] + ("." + fraction if fraction else "")
    return f"{mantissa}e{'+' if power >= 0 else '-'}{abs(power):02d}"


def value_text(value: object) -> str:
    """The text of one value of a record."""
    if value is None:
        return ""
    if isinstance(value, float):
        return float_text(value)
    return str(value)


def serialize(wire: str, record: Mapping[str, Any]) -> str:
    """The text of an operation that is hashed."""
    items = [value_text(record[field]) for field in FIELDS[wire].split()]
    return wire + ":" + ",".join(f"{len(item)}:{item}" for item in items)


def tree(leaves: Sequence[str]) -> str:
    """The root over hex texts, which are reversed on the way in and out."""
    row = [bytes.fromhex(leaf)[::-1] for leaf in leaves]
    while len(row) > 1:
        if len(row) % 2:
            row.append(row[-1])
        row = [sha256d(left + right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0][::-1].hex()


def ops_hash(serialized: Iterable[str]) -> str:
    """The hash over the operations of a block."""
    hashes = [sha256d(text.encode("latin-1")).hex() for text in serialized]
    return tree(sorted(hashes or [sha256d(b"").hex()]))


def consensus_hash(height: int, ops: str, first_block: int, earlier: Callable[[int], str]) -> str:
    """The hash over a block's operations and a few earlier hashes."""
    leaves, step = [ops], 1
    while height - (2**step - 1) >= first_block:
        leaves.append(earlier(height - (2**step - 1)))
        step += 1
    return hash160(bytes.fromhex(tree(sorted(leaves)))).hex()[:32]
