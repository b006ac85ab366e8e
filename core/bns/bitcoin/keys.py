"""Keys on secp256k1: public key checks, keychain children, and private keys that sign the same way every time."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import coincurve

from bns.bitcoin.address import base58check_decode
from bns.bitcoin.hashes import sha256
from bns.errors import InvalidInput

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""How many private keys there are, and one more."""

_CHAIN_CODE = bytes(32)
_WIF_VERSIONS = frozenset({128, 239})


@lru_cache(maxsize=8192)
def is_public_key(data: bytes) -> bool:
    """True for 33 bytes 02/03 with a valid x or 65 bytes 04 on the curve; hybrid keys fail. Spec 02 section 4.2."""
    compressed = len(data) == 33 and data[0] in (2, 3)
    if not compressed and not (len(data) == 65 and data[0] == 4):
        return False
    try:
        coincurve.PublicKey(data)
    except ValueError:
        return False
    return True


def compress(public_key: bytes) -> bytes:
    """The 33-byte form of a public key. Raises InvalidInput unless is_public_key."""
    return _point(public_key).format(compressed=True)


def public_key_forms(public_key: bytes) -> tuple[bytes, bytes]:
    """The 33-byte and the 65-byte form of a public key. Raises InvalidInput unless is_public_key."""
    point = _point(public_key)
    return point.format(compressed=True), point.format(compressed=False)


def child_public_key(public_key: bytes, index: int) -> bytes:
    """The compressed keychain child of a public key; index 0 to 2**31 - 1. Spec 02 section 7.4. Raises InvalidInput."""
    point = _point(public_key)
    return point.add(_child_scalar(point.format(compressed=True), index)).format(compressed=True)


def verify_compact(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether 64 bytes, r and s, are a signature of a 32-byte digest; False for anything malformed."""
    point = _cached_point(public_key)
    if point is None or len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not 0 < r < ORDER or not 0 < s < ORDER:
        return False
    # the library only takes the lower of the two values of s that are right
    return point.verify(_der(r, min(s, ORDER - s)), digest, hasher=None)


@dataclass(frozen=True)
class PrivateKey:
    """A private key: 32 bytes, as a number from 1 to the curve's order less 1. Raises InvalidInput for another."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        try:
            valid = len(self.secret) == 32 and bool(self._key)
        except ValueError:
            valid = False
        if not valid:
            raise InvalidInput("private key", f"{len(self.secret)} bytes", "32 bytes from 1 to the order less 1")

    @classmethod
    def from_label(cls, label: str) -> PrivateKey:
        """The key whose secret is the SHA-256 of the label's UTF-8 bytes."""
        return cls(sha256(label.encode()))

    @classmethod
    def parse(cls, text: str) -> PrivateKey:
        """The key in 64 hex digits, with or without `01` behind them, or in wallet import format."""
        try:
            if len(text) in (64, 66):
                secret = bytes.fromhex(text)
            else:
                version, secret = base58check_decode(text)
                if version not in _WIF_VERSIONS:
                    secret = b""
        except ValueError:
            secret = b""
        if len(secret) == 33 and secret[-1] == 1:
            secret = secret[:-1]
        return cls(secret)

    @cached_property
    def public_key(self) -> bytes:
        """The compressed public key, 33 bytes."""
        return self._key.public_key.format(compressed=True)

    def sign(self, digest: bytes) -> bytes:
        """A DER signature of a 32-byte digest: RFC 6979 nonce and low S, so always the same bytes."""
        if len(digest) != 32:
            raise InvalidInput("digest to sign", digest, "32 bytes")
        return self._key.sign(digest, hasher=None)

    def sign_compact(self, digest: bytes) -> bytes:
        """The same signature as 64 bytes, r and s."""
        der = self.sign(digest)
        r_end = 4 + der[3]
        numbers = der[4:r_end], der[r_end + 2 :]
        return b"".join(int.from_bytes(number, "big").to_bytes(32, "big") for number in numbers)

    def child(self, index: int) -> PrivateKey:
        """The private key of child_public_key(self.public_key, index)."""
        return PrivateKey(self._key.add(_child_scalar(self.public_key, index)).secret)

    @cached_property
    def _key(self) -> coincurve.PrivateKey:
        return coincurve.PrivateKey(self.secret)


def _point(public_key: bytes) -> coincurve.PublicKey:
    if not is_public_key(public_key):
        raise InvalidInput("public key", public_key.hex(), "33 bytes 02/03 or 65 bytes 04 on secp256k1")
    return coincurve.PublicKey(public_key)


@lru_cache(maxsize=4096)
def _cached_point(public_key: bytes) -> coincurve.PublicKey | None:
    return coincurve.PublicKey(public_key) if is_public_key(public_key) else None


def _der(*numbers: int) -> bytes:
    encoded = b""
    for number in numbers:
        data = number.to_bytes(number.bit_length() // 8 + 1, "big")
        encoded += bytes([2, len(data)]) + data
    return bytes([0x30, len(encoded)]) + encoded


def _child_scalar(compressed: bytes, index: int) -> bytes:
    if not 0 <= index < 1 << 31:
        raise InvalidInput("child index", index, "0 to 2**31 - 1")
    return hmac.digest(_CHAIN_CODE, compressed + index.to_bytes(4, "big"), "sha512")[:32]
