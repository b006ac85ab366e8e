"""Keys on secp256k1: public key checks, keychain children, and private keys that sign the same way every time."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import coincurve

from bns.bitcoin.hashes import sha256
from bns.errors import InvalidInput

_CHAIN_CODE = bytes(32)


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


def child_public_key(public_key: bytes, index: int) -> bytes:
    """The compressed keychain child of a public key; index 0 to 2**31 - 1. Spec 02 section 7.4. Raises InvalidInput."""
    point = _point(public_key)
    return point.add(_child_scalar(point.format(compressed=True), index)).format(compressed=True)


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

    @cached_property
    def public_key(self) -> bytes:
        """The compressed public key, 33 bytes."""
        return self._key.public_key.format(compressed=True)

    def sign(self, digest: bytes) -> bytes:
        """A DER signature of a 32-byte digest: RFC 6979 nonce and low S, so always the same bytes."""
        if len(digest) != 32:
            raise InvalidInput("digest to sign", digest, "32 bytes")
        return self._key.sign(digest, hasher=None)

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


def _child_scalar(compressed: bytes, index: int) -> bytes:
    if not 0 <= index < 1 << 31:
        raise InvalidInput("child index", index, "0 to 2**31 - 1")
    return hmac.digest(_CHAIN_CODE, compressed + index.to_bytes(4, "big"), "sha512")[:32]
