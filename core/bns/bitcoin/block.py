"""Blocks: headers, their transactions, and the few transactions that can hold an operation."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bns.bitcoin.hashes import merkle_root, sha256d
from bns.bitcoin.script import nulldata
from bns.bitcoin.transaction import (
    ParseError,
    Transaction,
    build_transaction,
    locate_transaction,
    read_transaction,
    read_varint,
    txid_to_hex,
    uint_bytes,
)
from bns.errors import BnsError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = struct.Struct("<I32s32sIII")


class WrongMerkleRoot(BnsError):
    """The transactions of a block are not those that its header covers; hash is the block's, roots are hex."""

    def __init__(self, hash_: str, expected: str, actual: str) -> None:
        super().__init__(f"block {hash_}: expected transactions with the Merkle root {expected}, got {actual}")
        self.hash = hash_
        self.expected = expected
        self.actual = actual


class BlockHeader(NamedTuple):
    """A block's header: previous and merkle_root are 32 bytes in wire order, the rest unsigned 32-bit numbers."""

    version: int
    previous: bytes
    merkle_root: bytes
    time: int
    bits: int
    nonce: int

    def serialize(self) -> bytes:
        """The 80 wire bytes. Raises InvalidInput for a field that its place cannot hold."""
        for name, value in (("previous", self.previous), ("merkle_root", self.merkle_root)):
            if len(value) != 32:
                raise InvalidInput(f"{name} of a block header", value, "32 bytes")
        return b"".join(
            (
                uint_bytes(self.version, 4, "version of a block header"),
                self.previous,
                self.merkle_root,
                uint_bytes(self.time, 4, "time of a block header"),
                uint_bytes(self.bits, 4, "bits of a block header"),
                uint_bytes(self.nonce, 4, "nonce of a block header"),
            )
        )

    @property
    def hash(self) -> bytes:
        """The block's hash in wire order."""
        return sha256d(self.serialize())


class Candidate(NamedTuple):
    """A transaction whose data output starts with the magic bytes.

    index is its place in the block (coinbase 0), payload the data with the magic bytes.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    transaction: Transaction
    payload: bytes


def parse_header(raw: bytes) -> BlockHeader:
    """The header in the first 80 bytes of a header or a block. Raises ParseError."""
    return BlockHeader._make(_HEADER.unpack(_header_bytes(raw)))


def block_hash(raw: bytes) -> str:
    """The hash of a header or a block, hex in display order. Raises ParseError for less than 80 bytes."""
    return txid_to_hex(sha256d(_header_bytes(raw)))


def transaction_count(raw: bytes) -> tuple[int, int]:
    """How many transactions a whole block has, and the offset of the first one. Raises ParseError."""
    return read_varint(raw, len(_header_bytes(raw)), "transaction count")


def read_transactions(raw: bytes) -> list[Transaction]:
    """All transactions of a whole block, in order. Raises ParseError."""
    count, offset = transaction_count(raw)
    found = []
    for _ in range(count):
        transaction, offset = read_transaction(raw, offset)
        found.append(transaction)
    _check_end(raw, offset)
    return found


def stripped_transactions(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The id (wire order) and the bytes without witness of each transaction of a whole block. Raises ParseError."""
    count, offset = transaction_count(raw)
    for _ in range(count):
        layout = locate_transaction(raw, offset)
        offset = layout.end
        stripped = raw[layout.start : offset]
        if layout.witnesses:
            stripped = stripped[:4] + raw[layout.body : layout.body_end] + stripped[-4:]
        yield sha256d(stripped), stripped
    _check_end(raw, offset)


def transaction_ids(raw: bytes) -> list[bytes]:
    """The ids (wire order) of all transactions of a whole block, which its header covers. Spec 01 section 14.

    Raises WrongMerkleRoot if it does not, ParseError.
    """
    ids = [txid for txid, _ in stripped_transactions(raw)]
    expected, actual = parse_header(raw).merkle_root, merkle_root(ids) if ids else b""
    if actual != expected:
        raise WrongMerkleRoot(block_hash(raw), txid_to_hex(expected), txid_to_hex(actual))
    return ids


def candidates(raw: bytes, magic: bytes = b"id") -> list[Candidate]:
    """The transactions of a whole block that can hold an operation, in order. Spec 01 section 5.

    For a well-formed block the result is that of reading every transaction and keeping those whose nulldata starts
    with magic (at least one byte). Bytes after the last possible candidate are not looked at; malformed bytes before
    it raise ParseError.
    """
    if magic not in raw:
        return []
    hits = (match.start() for match in _data_output(magic).finditer(raw, _HEADER.size))
    return list(_candidates_at(raw, magic, hits))


def _candidates_at(raw: bytes, magic: bytes, hits: Iterator[int]) -> Iterator[Candidate]:
    """Builds only the transactions that a hit lies in; hits ascend."""
    hit = next(hits, None)
    if hit is None:
        return
    count, offset = transaction_count(raw)
    for index in range(count):
        layout = locate_transaction(raw, offset)
        offset = layout.end
        if hit >= offset:
            continue
        transaction = build_transaction(raw, layout)
        payload = nulldata(transaction.outputs)
        if payload is not None and payload.startswith(magic):
            yield Candidate(index, transaction, payload)
        hit = next((later for later in hits if later >= offset), None)
        if hit is None:
            return
    _check_end(raw, offset)


@lru_cache
def _data_output(magic: bytes) -> re.Pattern[bytes]:
    """Matches wherever OP_RETURN and the head of any push stand before the magic bytes, overlaps included."""
    if not magic:
        raise InvalidInput("magic", magic, "at least one byte")
    return re.compile(rb"\x6a(?=(?:[\x01-\x4b]|\x4c.|\x4d..|\x4e....)" + re.escape(magic) + rb")", re.DOTALL)


def _header_bytes(raw: bytes) -> bytes:
    if len(raw) < _HEADER.size:
        raise ParseError(len(raw), f"{_HEADER.size} bytes of block header", f"{len(raw)}")
    return raw[: _HEADER.size]


def _check_end(raw: bytes, offset: int) -> None:
    if offset != len(raw):
        raise ParseError(offset, "the end of the block", f"{len(raw) - offset} more bytes")
