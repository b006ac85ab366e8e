"""Bitcoin's hash functions, from bytes to bytes in natural (not reversed) order."""

from __future__ import annotations

import hashlib
from hashlib import sha256 as _sha256
from typing import TYPE_CHECKING

from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _find_ripemd160() -> Callable[[bytes], bytes]:
    try:
        empty = hashlib.new("ripemd160", usedforsecurity=False)
    except ValueError:
        from Crypto.Hash import RIPEMD160

        return lambda data: RIPEMD160.new(data).digest()

    def digest(data: bytes) -> bytes:
        hash_ = empty.copy()  # a third of the time that a new one takes to be found by its name
        hash_.update(data)
        return hash_.digest()

    return digest


_ripemd160 = _find_ripemd160()


def sha256(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return _sha256(data).digest()


def sha256d(data: bytes) -> bytes:
    """SHA-256 applied twice, 32 bytes. Spec 01 section 1."""
    return _sha256(_sha256(data).digest()).digest()


def ripemd160(data: bytes) -> bytes:
    """RIPEMD-160, 20 bytes: OpenSSL's where it offers it, else PyCryptodome's."""
    return _ripemd160(data)


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256, 20 bytes. Spec 01 section 1."""
    return _ripemd160(_sha256(data).digest())


def merkle_root(hashes: Sequence[bytes]) -> bytes:
    """The root of Bitcoin's Merkle tree over digests in wire order; one digest is its own root.

    Digests may differ in length. Raises InvalidInput for an empty sequence. The rows of spec 01 section 10.2.
    """
    if not hashes:
        raise InvalidInput("hashes of a Merkle tree", hashes, "at least one digest")
    row = list(hashes)
    while len(row) > 1:
        if len(row) % 2:
            row.append(row[-1])
        pairs = zip(row[::2], row[1::2], strict=True)
        row = [_sha256(_sha256(left + right).digest()).digest() for left, right in pairs]
    return row[0]
