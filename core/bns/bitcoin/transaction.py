"""Transactions: the wire format with and without witness, parsed and written. Spec 01 section 3."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from bns.bitcoin.hashes import sha256d
from bns.errors import BnsError, InvalidInput

DEFAULT_SEQUENCE = 0xFFFFFFFE
"""The sequence of an input built without an explicit one. Spec 01 section 17.2."""

_COINBASE_OUTPOINT = bytes(32) + b"\xff\xff\xff\xff"


class ParseError(BnsError):
    """Raw bytes that are not what they should be.

    offset counts bytes from the start of what was parsed; expected and got say what was wrong there.
    """

    def __init__(self, offset: int, expected: str, got: str) -> None:
        super().__init__(f"offset {offset}: expected {expected}, got {got}")
        self.offset = offset
        self.expected = expected
        self.got = got


class TxIn(NamedTuple):
    """An input: the output it spends (txid in wire order, 32 bytes) and what unlocks it."""

    txid: bytes
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    script: bytes
    sequence: int
    witness: tuple[bytes, ...] = ()

    @property
    def outpoint(self) -> bytes:
        """The spent output as 36 wire bytes. Raises InvalidInput for a txid that is not 32 bytes."""
        if len(self.txid) != 32:
            raise InvalidInput("txid of an input", self.txid, "32 bytes")
        return self.txid + uint_bytes(self.index, 4, "output index of an input")

    def serialize(self) -> bytes:
        """Wire bytes, without the witness."""
        return self.outpoint + varbytes(self.script) + uint_bytes(self.sequence, 4, "sequence of an input")


class TxOut(NamedTuple):
    """An output: value in satoshis and its script."""

    value: int
    script: bytes

    def serialize(self) -> bytes:
        """Wire bytes."""
        return uint_bytes(self.value, 8, "value of an output") + varbytes(self.script)


@dataclass(frozen=True)
class Transaction:
    """A transaction. Version and locktime are unsigned 32-bit numbers.

    The serialized forms raise InvalidInput for a field that its place on the wire cannot hold.
    """

    version: int
    inputs: tuple[TxIn, ...]
    outputs: tuple[TxOut, ...]
    locktime: int

    @cached_property
    def stripped(self) -> bytes:
        """Wire bytes without witness: what the txid commits to."""
        return b"".join((self._version, self._body, self._locktime))

    @cached_property
    def raw(self) -> bytes:
        """Wire bytes: BIP 144 when any input has a witness, else the stripped form. Spec 01 section 17.2."""
        if not any(txin.witness for txin in self.inputs):
            return self.stripped
        stacks = (encode_varint(len(txin.witness)) + b"".join(map(varbytes, txin.witness)) for txin in self.inputs)
        return b"".join((self._version, b"\x00\x01", self._body, *stacks, self._locktime))

    @property
    def txid_bytes(self) -> bytes:
        """The transaction id in wire order."""
        return bytes.fromhex(self.txid)[::-1]

    @cached_property
    def txid(self) -> str:
        """The transaction id as 64 hex characters in display order."""
        return txid_to_hex(sha256d(self.stripped))

    @property
    def wtxid_bytes(self) -> bytes:
        """The hash of the form with witness, wire order. Block commitments take zeros for the coinbase instead."""
        return sha256d(self.raw)

    @property
    def is_coinbase(self) -> bool:
        """True if the only input spends no output."""
        return len(self.inputs) == 1 and self.inputs[0].outpoint == _COINBASE_OUTPOINT

    @property
    def _version(self) -> bytes:
        return uint_bytes(self.version, 4, "version of a transaction")

    @property
    def _locktime(self) -> bytes:
        return uint_bytes(self.locktime, 4, "locktime of a transaction")

    @property
    def _body(self) -> bytes:
        return b"".join(
            (
                encode_varint(len(self.inputs)),
                *(txin.serialize() for txin in self.inputs),
                encode_varint(len(self.outputs)),
                *(txout.serialize() for txout in self.outputs),
            )
        )


class Layout(NamedTuple):
    """Where the parts of a transaction lie in raw bytes; every offset is known to be inside them.

    inputs and outputs hold (start, script start, script end), witnesses one list of (start, end) for each input, or
    nothing in the form without witness. body is the offset of the input count, body_end the one after the outputs.
    """

    start: int
    body: int
    inputs: list[tuple[int, int, int]]
    outputs: list[tuple[int, int, int]]
    body_end: int
    witnesses: list[list[tuple[int, int]]]
    end: int


def parse_transaction(raw: bytes) -> Transaction:
    """The transaction that raw holds, with or without witness; ParseError if it is malformed or bytes follow it."""
    transaction, end = read_transaction(raw, 0)
    if end != len(raw):
        raise ParseError(end, "the end of the transaction", f"{len(raw) - end} more bytes")
    return transaction


def read_transaction(raw: bytes, offset: int) -> tuple[Transaction, int]:
    """The transaction at offset and the offset after it. Spec 01 section 3.2. Raises ParseError."""
    layout = locate_transaction(raw, offset)
    return build_transaction(raw, layout), layout.end


def locate_transaction(raw: bytes, offset: int) -> Layout:
    """The layout of the transaction at offset: reads lengths and counts only. Raises ParseError.

    Taken is exactly the form that is written: shortest variable-length numbers, a witness only where one is needed.
    """
    start, offset = offset, offset + 4
    has_witness = raw[offset : offset + 1] == b"\x00" and raw[offset + 1 : offset + 2] not in (b"", b"\x00")
    if has_witness:
        if raw[offset + 1] != 1:
            raise ParseError(offset + 1, "witness flag 01", f"{raw[offset + 1]:02x}")
        offset += 2
    body = offset
    inputs = []
    count, offset = read_varint(raw, offset, "input count")
    for _ in range(count):
        size, script = read_varint(raw, offset + 36, "input script length")
        inputs.append((offset, script, script + size))
        offset = script + size + 4
    outputs = []
    count, offset = read_varint(raw, offset, "output count")
    for _ in range(count):
        size, script = read_varint(raw, offset + 8, "output script length")
        outputs.append((offset, script, script + size))
        offset = script + size
    body_end = offset
    witnesses = []
    if has_witness:
        for _ in inputs:
            witness, offset = _locate_witness(raw, offset)
            witnesses.append(witness)
        if not any(witnesses):
            raise ParseError(body_end, "a witness for at least one input", "none")
    end = offset + 4
    if end > len(raw):
        raise ParseError(len(raw), f"{end - len(raw)} more bytes of the transaction", "the end")
    return Layout(start, body, inputs, outputs, body_end, witnesses, end)


def build_transaction(raw: bytes, layout: Layout) -> Transaction:
    """The transaction that lies in raw as layout says."""
    start, body, in_spans, out_spans, body_end, witnesses, end = layout
    inputs = [
        TxIn(raw[at : at + 32], _uint32(raw, at + 32), raw[script:script_end], _uint32(raw, script_end))
        for at, script, script_end in in_spans
    ]
    for place, witness in enumerate(witnesses):
        inputs[place] = inputs[place]._replace(witness=tuple([raw[item:item_end] for item, item_end in witness]))
    outputs = [TxOut(_uint64(raw, at), raw[script:script_end]) for at, script, script_end in out_spans]
    transaction = Transaction(_uint32(raw, start), tuple(inputs), tuple(outputs), _uint32(raw, end - 4))
    # The layout admits only the form that is written, so what was read need not be written again.
    whole = raw[start:end]
    stripped = whole[:4] + raw[body:body_end] + whole[-4:] if witnesses else whole
    transaction.__dict__.update(raw=whole, stripped=stripped)
    return transaction


def read_varint(raw: bytes, offset: int, what: str) -> tuple[int, int]:
    """The variable-length number at offset and the offset after it. Spec 01 section 3.2.

    Raises ParseError, naming what the number is, if bytes are missing or a shorter form could hold it.
    """
    try:
        first = raw[offset]
    except IndexError:
        raise ParseError(offset, what, f"the end of {len(raw)} bytes") from None
    offset += 1
    if first < 0xFD:
        return first, offset
    size = 1 << first - 0xFC
    end = offset + size
    if end > len(raw):
        raise ParseError(offset, f"{size} bytes of {what}", f"{len(raw) - offset}")
    value = int.from_bytes(raw[offset:end], "little")
    if value < (0xFD if size == 2 else 1 << 4 * size):
        raise ParseError(offset, f"{what} in its shortest form", f"{value} in {size} bytes")
    return value, end


def txid_to_hex(txid: bytes) -> str:
    """Hash in wire order to hex in display order."""
    return txid[::-1].hex()


def txid_from_hex(text: str) -> bytes:
    """Hex in display order (64 characters) to the hash in wire order. Raises InvalidInput."""
    try:
        txid = bytes.fromhex(text)
    except ValueError:
        txid = b""
    if len(txid) != 32 or len(text) != 64:
        raise InvalidInput("txid", text, "64 hex characters")
    return txid[::-1]


def uint_bytes(value: int, size: int, what: str) -> bytes:
    """An unsigned number in size little-endian bytes; InvalidInput naming what if it does not fit."""
    try:
        return value.to_bytes(size, "little")
    except OverflowError:
        raise InvalidInput(what, value, f"an unsigned number of {size} bytes") from None


def encode_varint(value: int) -> bytes:
    """A variable-length number in its shortest form. Spec 01 section 3.2."""
    if value < 0xFD:
        return uint_bytes(value, 1, "variable-length number")
    for prefix, size in ((b"\xfd", 2), (b"\xfe", 4)):
        if value < 1 << 8 * size:
            return prefix + uint_bytes(value, size, "variable-length number")
    return b"\xff" + uint_bytes(value, 8, "variable-length number")


def varbytes(data: bytes) -> bytes:
    """Bytes after their own length."""
    return encode_varint(len(data)) + data


def _uint32(raw: bytes, offset: int) -> int:
    return int.from_bytes(raw[offset : offset + 4], "little")


def _uint64(raw: bytes, offset: int) -> int:
    return int.from_bytes(raw[offset : offset + 8], "little")


def _locate_witness(raw: bytes, offset: int) -> tuple[list[tuple[int, int]], int]:
    items = []
    count, offset = read_varint(raw, offset, "witness item count")
    for _ in range(count):
        size, start = read_varint(raw, offset, "witness item length")
        offset = start + size
        items.append((start, offset))
    return items, offset
