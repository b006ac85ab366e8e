"""Where blocks come from: what the indexer asks of a source, and a source that holds its blocks in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from bns.bitcoin.block import block_hash
from bns.engine import Block
from bns.errors import InvalidInput
from bns.node.errors import ChainChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bns.bitcoin.transaction import TxOut


class Tip(NamedTuple):
    """The last block of a chain: its height, and its hash as hex in display order."""

    height: int
    hash: str


class BlockSource(Protocol):
    """A chain of blocks that may grow, and change, while it is read. Each method may raise a SourceError."""

    name: str
    """What messages call it."""

    def tip(self) -> Tip:
        """The last block of the best chain."""

    def hash_at(self, height: int) -> str | None:
        """Hash (hex, display order) of the best chain's block at a height; None above its tip."""

    def hashes(self, first: int, last: int) -> list[str]:
        """Hashes of two heights and of all between them, in order; ChainChanged if the chain is too short."""

    def raw_block(self, height: int) -> bytes:
        """The best chain's block at a height; ChainChanged if there is none."""

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The blocks of two heights and of all between them, in order.

        Raises ChainChanged when the chain has become too short. If it changes otherwise meanwhile, the blocks need not
        follow each other: compare the hashes in their headers.
        """

    def close(self) -> None:
        """Let go of connections and files; closing twice is fine."""


class MemorySource:
    """Blocks in memory, as tests and chain files have them: raw bytes of consecutive heights from `first` on.

    prevout finds an output that a transaction spends by (txid in wire order, index).
    """

    def __init__(
        self,
        first: int,
        blocks: Iterable[bytes],
        prevout: Callable[[bytes, int], TxOut | None],
        *,
        name: str = "chain in memory",
    ) -> None:
        self.name = name
        self._first = first
        self._prevout = prevout
        self._blocks = list(blocks)
        if not self._blocks:
            raise InvalidInput("blocks of a source", [], "at least one")

    def tip(self) -> Tip:
        """The last block."""
        return Tip(self._first + len(self._blocks) - 1, block_hash(self._blocks[-1]))

    def hash_at(self, height: int) -> str | None:
        """Hash of the block at a height, None where there is none."""
        place = height - self._first
        return block_hash(self._blocks[place]) if 0 <= place < len(self._blocks) else None

    def hashes(self, first: int, last: int) -> list[str]:
        """Hashes of the blocks from first to last."""
        return [block_hash(self.raw_block(height)) for height in range(first, last + 1)]

    def raw_block(self, height: int) -> bytes:
        """The block at a height."""
        place = height - self._first
        if not 0 <= place < len(self._blocks):
            raise ChainChanged(self.name, f"has no block {height}")
        return self._blocks[place]

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The blocks from first to last."""
        for height in range(first, last + 1):
            yield Block(height, self.raw_block(height), self._prevout)

    def replace(self, height: int, blocks: Iterable[bytes]) -> None:
        """Let other blocks follow the one at a height, as a reorganisation does."""
        if not self._first <= height <= self.tip().height:
            raise InvalidInput("height of a fork", height, f"{self._first} to {self.tip().height}")
        self._blocks[height - self._first + 1 :] = blocks

    def close(self) -> None:
        """Nothing to let go of."""
