"""The proof: from a trusted consensus hash, link by link, to the operations of an earlier block (spec 08 section 14.2).

Everything a source says is hashed before it is believed, and only what went into a hash is given back. One thing the
hashes do not tell: the tree sorts its leaves, so that they commit to the hashes of earlier blocks but not to which
block has which. A source can exchange heights, never operations; where an operation names its own block, that is
compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from bns import consensus
from bns.identity.snv.errors import BadAnswer, NotFound, NotProven, Unreachable
from bns.operations.base import opcode_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Operation = dict[str, Any]
"""The fields of an accepted operation that its hash covers, and its `opcode`."""

MOST_HEIGHTS = 32
"""Heights that a source is asked about at a time."""

_OPS_HASH = re.compile(r"[0-9a-f]{64}")
_CONSENSUS_HASH = re.compile(r"[0-9a-f]{32}")


class Source(Protocol):
    """Whoever answers. Nothing it says is believed; what it raises goes through to the caller."""

    def height_of(self, consensus_hash: str, /) -> int | None:
        """The block that has a consensus hash."""

    def ops_hash_at(self, height: int, /) -> str | None:
        """Ops hash (64 hex) of a block."""

    def consensus_hashes(self, heights: Sequence[int], /) -> Mapping[int, str | None]:
        """Consensus hashes (32 hex) of up to 32 blocks."""

    def operations_at(self, height: int, /) -> Sequence[Mapping[str, Any]]:
        """The accepted operations of a block, in any order."""


class Trusted(NamedTuple):
    """A block whose consensus hash (32 hex) is believed."""

    height: int
    consensus_hash: str


def trust_hash(source: Source, consensus_hash: str) -> Trusted:
    """A consensus hash that is believed, with the height that the source gives it. Raises Unreachable."""
    height = source.height_of(consensus_hash)
    if height is None:
        raise Unreachable(f"consensus hash {consensus_hash}: the node knows no block that has it")
    return Trusted(height, consensus_hash)


def earlier_heights(height: int, first_block: int) -> list[int]:
    """The blocks whose hashes enter that of a block: 1, 3, 7, 15... before it (spec 01 section 11)."""
    heights, step = [], 1
    while height - step >= first_block:
        heights.append(height - step)
        step = 2 * step + 1
    return heights


def operations(source: Source, first_block: int, height: int, trusted: Trusted) -> list[Operation]:
    """The operations accepted at a height, proven from a later block or the block itself.

    first_block is where the consensus hashes of the chain begin. Raises NotProven if an answer is false, BadAnswer if
    it is malformed, Unreachable if the trusted block lies before the height.
    """
    if not first_block <= height <= trusted.height:
        raise Unreachable(
            f"block {height}: expected one from {first_block}, the first, to {trusted.height}, the trusted one"
        )
    known = {trusted.height: trusted.consensus_hash}
    current: int | None = trusted.height
    while current is not None:
        ops_hash = _expand(source, first_block, current, known)
        reached = current
        current = min((other for other in known if height <= other < reached), default=None)
    if reached != height:
        raise Unreachable(f"block {height}: no chain of consensus hashes leads there from {trusted.height}")
    return _proven(source, height, ops_hash)


def all_operations(source: Source, first_block: int, trusted: Trusted) -> Iterator[tuple[Trusted, list[Operation]]]:
    """Every block from the trusted one down, with its consensus hash and its operations, all proven.

    Each link and each block is looked at once. With a source that always says the same, this comes to its end exactly
    if `operations` succeeds for every block and from every later one: whatever way that takes, it goes over these
    links. Raises as `operations` does.
    """
    known = {trusted.height: trusted.consensus_hash}
    for height in range(trusted.height, first_block - 1, -1):
        ops_hash = _expand(source, first_block, height, known)
        yield Trusted(height, known.pop(height)), _proven(source, height, ops_hash)


def of_name(found: Sequence[Operation], name: str) -> list[Operation]:
    """The operations on a name, NotFound if there are none. Preorders and namespaces have no name."""
    chosen = [operation for operation in found if operation.get("name") == name]
    if not chosen:
        raise NotFound(f"{name}: no operation on it among the {len(found)} that the block accepted")
    return chosen


def of_transaction(found: Sequence[Operation], txid: str) -> list[Operation]:
    """The operation of a transaction (64 hex), NotFound if there is none."""
    chosen = [operation for operation in found if operation["txid"] == txid]
    if not chosen:
        raise NotFound(f"transaction {txid}: not among the {len(found)} operations that the block accepted")
    return chosen


def _expand(source: Source, first_block: int, height: int, known: dict[int, str]) -> str:
    """Trust the hashes that enter a known one: they join `known`; the ops hash among them."""
    ops_hash = source.ops_hash_at(height)
    if not isinstance(ops_hash, str) or not _OPS_HASH.fullmatch(ops_hash):
        raise BadAnswer(f"ops hash of block {height}: expected 64 hex digits, got {_short(ops_hash)}")
    needed = [other for other in earlier_heights(height, first_block) if other not in known]
    if needed:
        known |= _hashes(source, needed)
    hash_ = consensus.consensus_hash(height, ops_hash, first_block, known.__getitem__)
    if hash_ != known[height]:
        raise NotProven(height, f"expected hashes that combine to {known[height]}, got some that give {hash_}")
    return ops_hash


def _hashes(source: Source, heights: Sequence[int]) -> dict[int, str]:
    found = source.consensus_hashes(heights)
    hashes = {}
    for height in heights:
        hash_ = found.get(height)
        if not isinstance(hash_, str) or not _CONSENSUS_HASH.fullmatch(hash_):
            raise BadAnswer(f"consensus hash of block {height}: expected 32 hex digits, got {_short(hash_)}")
        hashes[height] = hash_
    return hashes


def _proven(source: Source, height: int, ops_hash: str) -> list[Operation]:
    said = source.operations_at(height)
    checked = [_operation(one, height) for one in said]
    actual = consensus.ops_hash(consensus.serialize_fields(one["op"][0], one) for one in checked)
    if actual != ops_hash:
        raise NotProven(height, f"expected operations with the ops hash {ops_hash}, got some with {actual}")
    return checked


# Operations as they are said

_NUMBERS = frozenset({
    "block_number", "preorder_block_number", "first_registered", "last_renewed", "vtxindex", "version", "reveal_block",
    "lifetime", "coeff", "base", "nonalpha_discount", "no_vowel_discount", "ready_block",
})  # fmt: skip
_TRUTHS = frozenset({"revoked", "keep_data"})

_OWN_BLOCK = {
    "?": "block_number", "*": "block_number", ":": "last_renewed", "::": "last_renewed", "&": "reveal_block",
    "!": "ready_block",
}  # fmt: skip
"""Where an operation names its own block, by op. An import may be a repeated one, and keep the block of the first."""


def _operation(said: object, height: int) -> Operation:
    """The fields that are hashed, each of its type: a text like `1` is hashed as the number is, and must not pass."""
    op = said.get("op") if hasattr(said, "get") else None
    fields = consensus.SERIALIZED_FIELDS.get(op[:1]) if isinstance(op, str) else None
    if fields is None:
        raise BadAnswer(f"operation in block {height}: expected a record with an op, got {_short(said)}")
    assert hasattr(said, "get"), "it has an op"
    proven = {}
    for field in fields:
        value = said.get(field)
        if not _is_well_typed(field, value):
            raise BadAnswer(
                f"operation in block {height}: {field}: expected another kind of value, got {_short(value)}"
            )
        proven[field] = value if value != "" else None
    own = _OWN_BLOCK.get(str(op))
    if own is not None and proven[own] != height:
        raise NotProven(height, f"expected operations of this block, got one of block {proven[own]}")
    return proven | {"opcode": opcode_name(str(op))}


def _is_well_typed(field: str, value: object) -> bool:
    if field in _TRUTHS:
        return isinstance(value, bool)
    if field in _NUMBERS:
        return isinstance(value, int) and not isinstance(value, bool)
    if field == "op_fee":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (isinstance(value, str) and value.isascii())


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
