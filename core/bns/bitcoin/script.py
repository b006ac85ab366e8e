"""Scripts: tokens, types and data outputs as the name system sees them, and builders of the standard forms."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bns.bitcoin.transaction import TxOut

_OP_RETURN = 0x6A
_OP_CHECKSIG = 0xAC
_OP_CHECKMULTISIG = 0xAE
_PUSHDATA_SIZES = {0x4C: 1, 0x4D: 2, 0x4E: 4}


class ScriptType(StrEnum):
    """The types a script can have; the values are those of spec 01 section 4.2."""

    PUBKEYHASH = "pubkeyhash"
    SCRIPTHASH = "scripthash"
    P2WPKH = "p2wpkh"
    P2WSH = "p2wsh"
    NULLDATA = "nulldata"
    MULTISIG = "multisig"
    PUBKEY = "pubkey"
    NONSTANDARD = "nonstandard"


def tokens(script: bytes) -> list[bytes | int]:
    """The script as data (bytes, perhaps empty) and numbers: spec 01 section 4.1. Never fails.

    A truncated push yields what is left. OP_1NEGATE to OP_16 yield -1 to 16, later opcodes their byte. OP_0 yields 0
    like OP_RESERVED (50): no rule tells them apart, and neither is data.
    """
    found: list[bytes | int] = []
    offset = 0
    while offset < len(script):
        opcode = script[offset]
        offset += 1
        if 0 < opcode <= 0x4E:
            size = opcode
            if opcode in _PUSHDATA_SIZES:
                start, offset = offset, offset + _PUSHDATA_SIZES[opcode]
                size = int.from_bytes(script[start:offset], "little")
            found.append(script[offset : offset + size])
            offset += size
        elif opcode <= 0x60:
            found.append(opcode - 0x50 if opcode else 0)
        else:
            found.append(opcode)
    return found


def classify(script: bytes) -> ScriptType:
    """The type of a script; the first matching test of spec 01 section 4.2 decides."""
    size = len(script)
    if size == 25 and script.startswith(b"\x76\xa9\x14") and script.endswith(b"\x88\xac"):
        return ScriptType.PUBKEYHASH
    if size == 23 and script.startswith(b"\xa9\x14") and script.endswith(b"\x87"):
        return ScriptType.SCRIPTHASH
    if size == 22 and script.startswith(b"\x00\x14"):
        return ScriptType.P2WPKH
    if size == 34 and script.startswith(b"\x00\x20"):
        return ScriptType.P2WSH
    if is_nulldata(script):
        return ScriptType.NULLDATA
    parts = tokens(script)
    if parts and parts[-1] == _OP_CHECKMULTISIG:
        return ScriptType.MULTISIG
    if len(parts) == 2 and parts[1] == _OP_CHECKSIG:
        return ScriptType.PUBKEY
    return ScriptType.NONSTANDARD


def is_nulldata(script: bytes) -> bool:
    """True if the script's first token is OP_RETURN."""
    return script[:1] == b"\x6a"


def nulldata(outputs: Iterable[TxOut]) -> bytes | None:
    """The data of the last OP_RETURN output if it is exactly one push, else None. Spec 01 section 5."""
    payload: bytes | None = None
    for output in outputs:
        if is_nulldata(output.script):
            parts = tokens(output.script)
            payload = parts[1] if len(parts) == 2 and isinstance(parts[1], bytes) else None
    return payload


def push(data: bytes) -> bytes:
    """The script that pushes data, in the form of spec 01 section 17.1 (no bytes: OP_0)."""
    size = len(data)
    if size < 0x4C:
        return bytes([size]) + data
    for opcode, length in _PUSHDATA_SIZES.items():
        if size < 1 << 8 * length:
            return bytes([opcode]) + size.to_bytes(length, "little") + data
    raise InvalidInput("size of data to push", size, "less than 2**32 bytes")


def op_return(data: bytes) -> bytes:
    """The script of a data output. Any size: nodes relay up to 80 bytes, blocks may hold more."""
    return b"\x6a" + push(data)


def p2pkh(h160: bytes) -> bytes:
    """Pay to a public key's HASH160."""
    return b"\x76\xa9\x14" + _digest(h160, 20) + b"\x88\xac"


def p2sh(h160: bytes) -> bytes:
    """Pay to a redeem script's HASH160."""
    return b"\xa9\x14" + _digest(h160, 20) + b"\x87"


def p2wpkh(h160: bytes) -> bytes:
    """Witness program of a compressed public key's HASH160."""
    return b"\x00\x14" + _digest(h160, 20)


def p2wsh(sha: bytes) -> bytes:
    """Witness program of a witness script's SHA-256."""
    return b"\x00\x20" + _digest(sha, 32)


def multisig(m: int, pubkeys: Sequence[bytes]) -> bytes:
    """m of the public keys, which stay in the order given; at most 16 keys. Raises InvalidInput."""
    if not 1 <= m <= len(pubkeys) <= 16:
        raise InvalidInput("multisig (m, keys)", (m, len(pubkeys)), "1 <= m <= keys <= 16")
    keys = b"".join(map(push, pubkeys))
    return bytes([0x50 + m]) + keys + bytes([0x50 + len(pubkeys), _OP_CHECKMULTISIG])


def _digest(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise InvalidInput("hash in a script", data, f"{size} bytes")
    return data
