"""Golden format 1: chain files and fixtures, read and written (docs/fixture-format.md)."""

from __future__ import annotations

import gzip
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from bns.bitcoin.block import parse_header, read_transactions
from bns.bitcoin.hashes import merkle_root
from bns.bitcoin.transaction import ParseError, parse_transaction, txid_to_hex
from bns.errors import InvalidInput
from bns.params import Params
from bnslab.errors import LabError
from bnslab.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bns.bitcoin.transaction import Transaction
    from bns.engine import Receipt
    from bns.subdomains.offchain import Offchain

FORMAT = 1
SUFFIX = ".json.gz"


class CorruptFixture(LabError):
    """A chain file cannot be read: the file, and what is wrong with it."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


_ABSENT = msgspec.Raw(b"")


class BlockEntry(msgspec.Struct, frozen=True):
    """A block: raw is hex, hash in display order."""

    height: int
    hash: str
    raw: str


class ZonefileEntry(msgspec.Struct, frozen=True):
    """A zone file that was handed to the node when after_height was its last block; saved is 1, 0 or nothing."""

    after_height: int
    base64: str
    saved: int | None = None


class RejectedEntry(msgspec.Struct, frozen=True):
    """A rejected operation: reason is the name of a bns.errors.Reason."""

    txid: str
    vtxindex: int
    reason: str
    detail: str = ""


class Expected(msgspec.Struct, frozen=True):
    """What indexing the blocks gives. Keys of maps are heights as text; the last members stay as text."""

    tip: int
    consensus_hashes: dict[str, str | None]
    ops_hashes: dict[str, str | None] = {}
    serialized_ops: dict[str, list[str]] = {}
    rejected_ops: dict[str, list[RejectedEntry]] = {}
    accepted_ops: msgspec.Raw = _ABSENT
    names: msgspec.Raw = _ABSENT
    namespaces: msgspec.Raw = _ABSENT
    preorders: msgspec.Raw = _ABSENT
    tables: msgspec.Raw = _ABSENT
    subdomains: msgspec.Raw = _ABSENT
    atlas_zonefile_inventory: str | None = None
    rpc: msgspec.Raw = _ABSENT
    rest: msgspec.Raw = _ABSENT
    per_block: msgspec.Raw = _ABSENT


class Fixture(msgspec.Struct, frozen=True, dict=True):
    """A chain file, with its expected part if it has one."""

    format: int
    scenario: str
    blocks: list[BlockEntry]
    env: dict[str, str] = {}
    first_block: int | None = None
    prevouts: dict[str, str] = {}
    zonefiles: list[ZonefileEntry] = []
    expected: Expected | None = None

    @property
    def tip(self) -> int:
        """Height of the last block."""
        return self.blocks[-1].height if self.blocks else 0

    @cached_property
    def params(self) -> Params:
        """Parameters that the env stands for."""
        return Params.from_reference_env(self.env)

    def outputs(self) -> Outputs:
        """Every output that the blocks can spend."""
        spent = (parse_transaction(bytes.fromhex(raw)) for raw in self.prevouts.values())
        return Outputs.of_blocks((bytes.fromhex(block.raw) for block in self.blocks), spent)

    @cached_property
    def _block_hashes(self) -> dict[int, str]:
        return {block.height: block.hash for block in self.blocks}

    def block_hash(self, height: int) -> str | None:
        """Hash of a block (display order)."""
        return self._block_hashes.get(height)

    def consensus_hash(self, height: int) -> str | None:
        """Expected consensus hash of a height."""
        return None if self.expected is None else self.expected.consensus_hashes.get(str(height))

    def serialized_ops(self, height: int) -> list[str]:
        """Expected texts that enter the ops hash of a height."""
        return [] if self.expected is None else self.expected.serialized_ops.get(str(height), [])

    def rejected_ops(self, height: int) -> list[str] | None:
        """Reasons of the rejected operations of a height; None if the file knows of no rejections at all."""
        if self.expected is None or not self.expected.rejected_ops:
            return None
        return [entry.reason for entry in self.expected.rejected_ops.get(str(height), [])]


_decoder = msgspec.json.Decoder(Fixture)


def load(path: Path) -> Fixture:
    """Read a chain file; CorruptFixture naming the file and the first thing that is wrong with it."""
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        fixture = _decoder.decode(text)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptFixture(path, f"damaged gzip data: {error}") from None
    except OSError as error:
        raise CorruptFixture(path, f"cannot be read: {error.strerror or error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptFixture(path, f"not golden format 1: {error}") from None
    _validate(path, fixture)
    return fixture


def _validate(path: Path, fixture: Fixture) -> None:
    if fixture.format != FORMAT:
        raise CorruptFixture(path, f"format: expected {FORMAT} got {fixture.format}")
    if not fixture.blocks:
        raise CorruptFixture(path, "blocks: expected at least one got none")
    previous = None
    for position, block in enumerate(fixture.blocks):
        height = fixture.blocks[0].height + position
        if block.height != height:
            raise CorruptFixture(path, f"blocks[{position}].height: expected {height} got {block.height}")
        _validate_block(path, block, previous)
        previous = block.hash
    for txid, raw in fixture.prevouts.items():
        try:
            actual = parse_transaction(bytes.fromhex(raw)).txid
        except (ValueError, ParseError) as error:
            raise CorruptFixture(path, f"prevouts {txid}: {error}") from None
        _require_equal(path, f"txid of prevouts {txid}", actual, txid)
    if fixture.expected is not None:
        _validate_rules(path, fixture)


def _validate_block(path: Path, block: BlockEntry, previous: str | None) -> None:
    try:
        raw = bytes.fromhex(block.raw)
        header, transactions = parse_header(raw), read_transactions(raw)
        root = merkle_root([transaction.txid_bytes for transaction in transactions])
    except (ValueError, ParseError) as error:
        raise CorruptFixture(path, f"block {block.height} raw: {error}") from None
    _require_equal(path, f"block {block.height} Merkle root", txid_to_hex(root), txid_to_hex(header.merkle_root))
    _require_equal(path, f"block {block.height} hash", txid_to_hex(header.hash), block.hash)
    if previous is not None:
        _require_equal(path, f"block {block.height} previous block", previous, txid_to_hex(header.previous))


def _validate_rules(path: Path, fixture: Fixture) -> None:
    try:
        first_block = fixture.params.first_block
    except InvalidInput as error:
        raise CorruptFixture(path, f"env: {error}") from None
    _require_equal(path, "first_block", first_block, fixture.first_block)


def _require_equal(path: Path, where: str, expected: object, actual: object) -> None:
    if expected != actual:
        raise CorruptFixture(path, f"{where}: expected {expected} got {actual}")


def make(
    scenario: str,
    params: Params,
    blocks: Iterable[BlockEntry],
    prevouts: Iterable[Transaction],
    receipts: Sequence[Receipt],
    offchain: Offchain | None = None,
    zonefiles: Sequence[ZonefileEntry] = (),
) -> Fixture:
    """The fixture of a chain and what indexing it gave; offchain holds what its zone files gave."""
    genesis: dict[str, str | None] = {
        str(params.first_block - back): params.genesis_consensus_hash for back in (4, 3, 2, 1)
    }
    by_height = {str(receipt.height): receipt for receipt in receipts}
    expected = Expected(
        tip=receipts[-1].height,
        consensus_hashes=genesis | {height: receipt.consensus_hash for height, receipt in by_height.items()},
        ops_hashes=dict.fromkeys(genesis) | {height: receipt.ops_hash for height, receipt in by_height.items()},
        serialized_ops={height: list(r.serialized) for height, r in by_height.items() if r.serialized},
        rejected_ops={height: _rejections(r) for height, r in by_height.items() if r.rejected},
    )
    if offchain is not None and zonefiles:
        rows = msgspec.Raw(msgspec.json.encode(offchain.subdomains.rows(), order="sorted"))
        inventory = offchain.announced.bits()
        expected = msgspec.structs.replace(expected, subdomains=rows, atlas_zonefile_inventory=inventory)
    return Fixture(
        format=FORMAT,
        scenario=scenario,
        blocks=list(blocks),
        env=params.to_reference_env(),
        first_block=params.first_block,
        prevouts={transaction.txid: transaction.raw.hex() for transaction in prevouts},
        zonefiles=list(zonefiles),
        expected=expected,
    )


def _rejections(receipt: Receipt) -> list[RejectedEntry]:
    return [RejectedEntry(r.txid, r.vtxindex, r.reason.name, r.detail) for r in receipt.rejected]


def save(path: Path, fixture: Fixture) -> None:
    """Write a chain file; equal fixtures give equal bytes."""
    members = _present(fixture)
    if fixture.expected is not None:
        members["expected"] = _present(fixture.expected)
    text = msgspec.json.encode(members, order="sorted")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text, 9, mtime=0))


def _present(struct: msgspec.Struct) -> dict[str, Any]:
    values = ((field, getattr(struct, field)) for field in struct.__struct_fields__)
    return {field: value for field, value in values if value is not None and value is not _ABSENT}
