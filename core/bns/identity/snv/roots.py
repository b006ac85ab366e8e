"""What can be trusted: a consensus hash, or a Bitcoin transaction that repeats one (spec 08 section 14.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from bns.bitcoin.block import candidates, parse_header, transaction_ids
from bns.bitcoin.hashes import sha256d
from bns.bitcoin.transaction import txid_to_hex
from bns.errors import BnsError
from bns.identity.snv.errors import BadTrustRoot
from bns.identity.snv.proof import Trusted, trust_hash
from bns.operations.base import MAGIC

if TYPE_CHECKING:
    from bns.bitcoin.block import Candidate
    from bns.identity.snv.proof import Source

CONSENSUS_HASH = re.compile(r"[0-9a-f]{32}")
TXID = re.compile(r"[0-9a-f]{64}")
SERIAL_NUMBER = re.compile(r"([0-9]{1,10})-([0-9]{1,6})")
"""`height-vtxindex`: a transaction by its place in the chain; the coinbase is 0."""

_BEARING = frozenset(b"?*>")
_HASH_SIZE = 16


class BitcoinChain(Protocol):
    """The chain of a Bitcoin node that is trusted to know which one is best."""

    def block_of(self, txid: str, /) -> tuple[str, bytes] | None:
        """The hash (hex, display order) and the raw block of a transaction that is in a block."""

    def block_at(self, height: int, /) -> tuple[str, bytes] | None:
        """The hash and the raw block at a height."""


def resolve(root: str, source: Source, chain: BitcoinChain) -> Trusted:
    """The block to trust, from a consensus hash (32 hex), a txid (64 hex) or a serial number.

    chain is asked in the last two cases only. Raises BadTrustRoot, and Unreachable if the source does not know the
    consensus hash.
    """
    text = root.lower()
    if CONSENSUS_HASH.fullmatch(text):
        return trust_hash(source, text)
    if TXID.fullmatch(text):
        found = _checked(chain.block_of(text), "Unable to look up given transaction ID", root)
        return trust_hash(source, _consensus_hash(_by_txid(found, text, root), root))
    if serial := SERIAL_NUMBER.fullmatch(text):
        complaint = "Unable to convert given serial number into transaction"
        found = _checked(chain.block_at(int(serial[1])), complaint, root)
        return trust_hash(source, _consensus_hash(_by_index(found, int(serial[2]), root), root))
    raise BadTrustRoot(f"Did not receive a valid txid, consensus hash, or serial number ({root!r})")


def _checked(found: tuple[str, bytes] | None, complaint: str, root: str) -> bytes:
    """A raw block that is what it is said to be: header, work and transactions fit its hash."""
    if found is None:
        raise BadTrustRoot(f"{complaint} ({root})")
    expected, raw = found
    try:
        header = parse_header(raw)
        transaction_ids(raw)
    except BnsError as error:
        raise BadTrustRoot(f"{complaint} ({root}): block {expected}: {error}") from None
    digest = sha256d(raw[:80])
    if txid_to_hex(digest) != expected:
        raise BadTrustRoot(f"{complaint} ({root}): block {expected}: its bytes are not those of that hash")
    if int.from_bytes(digest, "little") > _target(header.bits):
        raise BadTrustRoot(f"{complaint} ({root}): block {expected}: there is no work behind it")
    return raw


def _target(bits: int) -> int:
    exponent, mantissa = bits >> 24, bits & 0x7FFFFF
    return mantissa << 8 * (exponent - 3) if exponent > 3 else mantissa >> 8 * (3 - exponent)


def _by_txid(raw: bytes, txid: str, root: str) -> Candidate:
    for candidate in candidates(raw, MAGIC):
        if candidate.transaction.txid == txid:
            return candidate
    raise BadTrustRoot(f"Tx does not refer to a consensus-bearing transaction ({root}): it carries no operation")


def _by_index(raw: bytes, index: int, root: str) -> Candidate:
    for candidate in candidates(raw, MAGIC):
        if candidate.index == index:
            return candidate
    raise BadTrustRoot(f"Tx does not refer to a consensus-bearing transaction ({root}): it carries no operation")


def _consensus_hash(candidate: Candidate, root: str) -> str:
    payload = candidate.payload
    if len(payload) < 3 + _HASH_SIZE or payload[2] not in _BEARING:
        raise BadTrustRoot(
            f"Tx does not refer to a consensus-bearing transaction ({root}): only preorders and transfers do"
        )
    return payload[-_HASH_SIZE:].hex()
