"""The file: a payload, and signatures behind it that anybody can add to (spec 08 section 11.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from bns.bitcoin.keys import is_public_key, verify_compact
from bns.errors import BnsError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bns.bitcoin.keys import PrivateKey

MOST_SIGNATURES = 256
LONGEST_SIGNATURE = 100
_NUMBER_SIZE = 8
_HEX = frozenset(b"0123456789abcdefABCDEF")
_CHUNK = 1 << 20


class BadSnapshot(BnsError):
    """A file is no snapshot, or one that cannot be used."""


class NotSigned(BadSnapshot):
    """Too few of the keys that are trusted have signed a snapshot."""


class Trailer(NamedTuple):
    """What stands behind the payload: its size in bytes, and the signatures (base64), last one first."""

    payload_size: int
    signatures: tuple[bytes, ...]


def read_trailer(file: BinaryIO) -> Trailer:
    """The trailer of an open file. Raises BadSnapshot."""
    end = file.seek(0, os.SEEK_END)
    if end < _NUMBER_SIZE:
        raise BadSnapshot("File is too small to be a snapshot")
    count, end = _number(file, end)
    if count is None or count > MOST_SIGNATURES:
        raise BadSnapshot("Unparseable num_signatures")
    signatures = []
    for _ in range(count):
        size, end = _number(file, end)
        if size is None or size > LONGEST_SIGNATURE:
            raise BadSnapshot("Unparseable signature length")
        signature, end = _before(file, end, size)
        try:
            base64.b64decode(signature or b"-", validate=True)
        except binascii.Error:
            raise BadSnapshot("Unparseable signature") from None
        signatures.append(signature)
    return Trailer(end, tuple(signatures))


def _number(file: BinaryIO, end: int) -> tuple[int | None, int]:
    text, start = _before(file, end, _NUMBER_SIZE)
    return (int(text, 16) if len(text) == _NUMBER_SIZE and _HEX.issuperset(text) else None), start


def _before(file: BinaryIO, end: int, size: int) -> tuple[bytes, int]:
    """The bytes of a size that end somewhere, and where they start; none if the file starts later."""
    start = end - size
    if start < 0:
        return b"", end
    file.seek(start)
    return file.read(size), start


def payload_digest(file: BinaryIO, size: int) -> bytes:
    """SHA-256 of the first bytes of a file, which is what is signed."""
    digest = hashlib.sha256()
    file.seek(0)
    while size:
        chunk = file.read(min(size, _CHUNK))
        if not chunk:
            raise BadSnapshot("the file has become shorter while it was read")
        digest.update(chunk)
        size -= len(chunk)
    return digest.digest()


def sign_new(file: BinaryIO, key: PrivateKey) -> None:
    """Put the first signature behind a payload, which is all of the file."""
    size = file.seek(0, os.SEEK_END)
    signature = key.sign_compact(payload_digest(file, size))
    file.seek(size)
    file.write(_entry(signature) + b"%08x" % 1)


def add_signature(path: Path, key: PrivateKey) -> None:
    """Sign a snapshot once more. A crash on the way leaves it as it was or signed. Raises BadSnapshot."""
    with path.open("rb") as file:
        digest = payload_digest(file, read_trailer(file).payload_size)
    append_signature(path, key.sign_compact(digest))


def append_signature(path: Path, signature: bytes) -> None:
    """Put a signature of 64 bytes behind a snapshot, as add_signature does; whether it is right is not looked at."""
    with path.open("rb") as file:
        trailer = read_trailer(file)
        if len(trailer.signatures) == MOST_SIGNATURES:
            raise BadSnapshot(f"{path}: it has {MOST_SIGNATURES} signatures, and no room for another")
        signed = path.with_name(f".{path.name}.signed")
        try:
            with signed.open("wb") as target:
                file.seek(0)
                left = os.fstat(file.fileno()).st_size - _NUMBER_SIZE
                while left:
                    chunk = file.read(min(left, _CHUNK))
                    left -= len(chunk)
                    target.write(chunk)
                target.write(_entry(signature) + b"%08x" % (len(trailer.signatures) + 1))
                target.flush()
                os.fsync(target.fileno())
            signed.replace(path)
        finally:
            signed.unlink(missing_ok=True)


def _entry(signature: bytes) -> bytes:
    text = base64.b64encode(signature)
    return text + b"%08x" % len(text)


def public_keys(texts: Sequence[str]) -> list[bytes]:
    """Public keys from hex, each once. Raises InvalidInput."""
    keys = []
    for text in texts:
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if not is_public_key(key):
            raise InvalidInput("public key", text, "66 or 130 hex digits of a point on secp256k1")
        if key not in keys:
            keys.append(key)
    return keys


def verify(file: BinaryIO, trusted: Sequence[bytes], required: int) -> Trailer:
    """The trailer of a snapshot that enough of the trusted public keys have signed, each with a signature of its own.

    Raises NotSigned, and BadSnapshot if it is none.
    """
    trailer = read_trailer(file)
    digest = payload_digest(file, trailer.payload_size)
    found = sum(has_signed(key, digest, trailer.signatures) for key in trusted)
    if found < required:
        raise NotSigned(f"Not enough signatures match (required {required}, found {found})")
    return trailer


def has_signed(key: bytes, digest: bytes, signatures: Sequence[bytes]) -> bool:
    """Whether one of the signatures (base64) of a digest is by a public key."""
    return any(verify_compact(key, digest, base64.b64decode(signature)) for signature in signatures)
