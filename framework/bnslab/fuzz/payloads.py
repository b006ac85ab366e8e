"""The data output of a step: what a well-behaved client would write, and the ways to spoil it (Spec 02 section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.bitcoin.hashes import sha256
from bnslab.fuzz.model.text import name_consensus_hash, name_hash128, preorder_hash

if TYPE_CHECKING:
    from bnslab.fuzz.program import Step, Terms
    from bnslab.wallets import Wallet

WIRE = {
    "namespace_preorder": "*",
    "namespace_reveal": "&",
    "namespace_ready": "!",
    "name_import": ";",
    "name_preorder": "?",
    "name_registration": ":",
    "name_renewal": ":",
    "name_update": "+",
    "name_transfer": ">",
    "name_revoke": "~",
    "announce": "#",
}
"""The byte of each kind of step."""

MAGIC = b"id"


def value_hash(number: int) -> bytes:
    """The value hash of a number, 20 bytes."""
    return sha256(b"value %d" % number)[:20]


def payload(step: Step, sealed_by: Wallet, recipient: Wallet, consensus_hash: str, *, padded: bool) -> bytes:
    """The data of a step after magic and opcode; padded is whether a value hash can stand behind a name."""
    name = step.id.encode("ascii")
    match step.op:
        case "namespace_preorder" | "name_preorder":
            hash_ = preorder_hash(step.id, sealed_by.script.hex(), recipient.address)
            return bytes.fromhex(hash_ + consensus_hash)
        case "namespace_reveal":
            return reveal(step.terms) + name
        case "namespace_ready":
            return b"." + name
        case "name_registration" | "name_renewal":
            if step.value is None or not padded:
                return name
            return name.ljust(37, b"\x00") + value_hash(step.value)
        case "name_update":
            return bytes.fromhex(name_consensus_hash(step.id, consensus_hash)) + value_hash(step.value or 0)
        case "name_transfer":
            return (b">" if step.keep else b"~") + bytes.fromhex(name_hash128(step.id) + consensus_hash)
        case "announce":
            return value_hash(step.value or 0)
    return name


def reveal(terms: Terms) -> bytes:
    """What a reveal says before the namespace id."""
    nibbles = "".join(f"{bucket:x}" for bucket in terms.buckets)
    head = terms.lifetime.to_bytes(4, "big") + bytes([terms.coeff, terms.base]) + bytes.fromhex(nibbles)
    return head + bytes([terms.nonalpha * 16 + terms.no_vowel]) + terms.version.to_bytes(2, "big")


def damage(data: bytes, how: str) -> bytes:
    """The data after the opcode byte, spoiled."""
    match how:
        case "short":
            return data[:-1]
        case "long":
            return data + b"a"
        case "empty":
            return b""
        case "newline":
            return data + b"\n"
        case "upper":
            return data.upper()
        case "plus":
            return data[:-1] + b"+"
        case "dots":
            return data + b".x"
        case "flip":
            return bytes([data[0] ^ 1]) + data[1:]
    return data


def framed(wire: str, data: bytes, how: str) -> bytes:
    """The whole data of the output; magic and opcode can be spoiled too."""
    if how == "magic":
        return b"ie" + wire.encode() + data
    if how == "opcode":
        return MAGIC + b"x" + data
    if how == "bare":
        return MAGIC
    return MAGIC + wire.encode() + damage(data, how)
