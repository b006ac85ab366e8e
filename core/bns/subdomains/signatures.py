"""Signatures of subdomain records: scriptSigs over a SHA-256 digest (spec 04 section 4.6).

They look like those that spend an output, but sign one SHA-256 and hold 64 bytes, r and s, in place of DER.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import coincurve

from bns.bitcoin.address import base58check_decode
from bns.bitcoin.hashes import hash160
from bns.bitcoin.keys import is_public_key, verify_compact
from bns.bitcoin.network import MAINNET, TESTNET
from bns.bitcoin.script import push, tokens
from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.bitcoin.keys import PrivateKey

_CHECKMULTISIG = 0xAE
_HEX = re.compile(rb"[0-9a-fA-F]*")
_KINDS = {
    network_version: kind
    for network in (MAINNET, TESTNET)
    for network_version, kind in ((network.p2pkh_version, "p2pkh"), (network.p2sh_version, "p2sh"))
}


class Account(NamedTuple):
    """Who an address stands for, on whichever network: kind is p2pkh or p2sh, hash is its HASH160."""

    kind: str
    hash: bytes


@lru_cache(maxsize=4096)
def account(address: str) -> Account | None:
    """The account of an address of mainnet or testnet; None for any other text."""
    try:
        version, payload = base58check_decode(address)
    except InvalidInput:
        return None
    kind = _KINDS.get(version)
    return Account(kind, payload) if kind is not None and len(payload) == 20 else None


def decode_base64(text: str) -> bytes | None:
    """The bytes of a base64 text; letters that do not belong there are skipped. None for wrong padding."""
    try:
        return binascii.a2b_base64(text.encode("latin-1"))
    except ValueError:
        return None


def verify(owner: str, digest: bytes, signature: str) -> bool:
    """Whether a signature (base64) by an owner (address) covers a digest (32 bytes); False for anything malformed."""
    holder = account(owner)
    raw = decode_base64(signature) if signature else None
    if holder is None or raw is None:
        return False
    if _HEX.fullmatch(raw):
        if len(raw) % 2:
            return False
        raw = bytes.fromhex(raw.decode())
    parts = tokens(raw)
    if holder.kind == "p2pkh":
        return _verify_single(holder, digest, parts)
    return _verify_multisig(holder, digest, parts)


def sign(digest: bytes, keys: Sequence[PrivateKey], redeem_script: bytes | None = None) -> str:
    """A signature (base64) of a digest (32 bytes): by one key, or by as many as a redeem script asks for.

    Signatures are in the order of the script's public keys, in whichever form it has them. InvalidInput if keys lack.
    """
    if redeem_script is None:
        if len(keys) != 1:
            raise InvalidInput("keys of a single signature", len(keys), "one key")
        return _base64(push(keys[0].sign_compact(digest)) + push(keys[0].public_key))
    terms = _terms(redeem_script)
    if terms is None:
        raise InvalidInput("redeem script", redeem_script.hex(), "m of n public keys and OP_CHECKMULTISIG")
    owned = {key.public_key: key for key in keys}
    listed = (_compressed(key) for key in terms.public_keys if is_public_key(key))
    signers = [owned[key] for key in listed if key in owned][: terms.required]
    if len(signers) < terms.required:
        raise InvalidInput("keys of a multisig", len(signers), f"{terms.required} keys of the redeem script")
    signatures = b"".join(push(key.sign_compact(digest)) for key in signers)
    return _base64(b"\x00" + signatures + push(redeem_script))


class _Terms(NamedTuple):
    required: int
    public_keys: tuple[bytes, ...]


def _verify_single(holder: Account, digest: bytes, parts: Sequence[bytes | int]) -> bool:
    if len(parts) != 2:
        return False
    signature, public_key = parts
    if not isinstance(signature, bytes) or not isinstance(public_key, bytes):
        return False
    return hash160(public_key) == holder.hash and verify_compact(public_key, digest, signature)


def _verify_multisig(holder: Account, digest: bytes, parts: Sequence[bytes | int]) -> bool:
    if len(parts) < 2:
        return False
    redeem_script = parts[-1]
    if not isinstance(redeem_script, bytes) or hash160(redeem_script) != holder.hash:
        return False
    terms = _terms(redeem_script)
    signatures = parts[1:-1]
    if terms is None or len(signatures) != terms.required:
        return False
    public_keys = iter(terms.public_keys)
    return all(
        isinstance(signature, bytes) and any(verify_compact(key, digest, signature) for key in public_keys)
        for signature in signatures
    )


def _terms(redeem_script: bytes) -> _Terms | None:
    """What a redeem script asks for. None unless it is a number, keys, their count and OP_CHECKMULTISIG."""
    parts = tokens(redeem_script)
    if len(parts) < 3 or parts[-1] != _CHECKMULTISIG:
        return None
    required, *keys, count, _ = parts
    # OP_0 is no number here, unlike the reserved opcode that tokens reads as 0 too
    if not isinstance(required, int) or redeem_script[0] == 0 or count != len(keys) or redeem_script[-2] == 0:
        return None
    public_keys = tuple(key for key in keys if isinstance(key, bytes) and _may_be_listed(key))
    return _Terms(required, public_keys) if len(public_keys) == len(keys) else None


def _may_be_listed(key: bytes) -> bool:
    """A redeem script may hold keys without their prefix too, which verify nothing."""
    return is_public_key(key) or (len(key) == 64 and is_public_key(b"\x04" + key))


def _compressed(public_key: bytes) -> bytes:
    return coincurve.PublicKey(public_key).format(compressed=True)


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
