"""What every chain backend offers, and the values that pass between factory, backends and wallets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bns.bitcoin.hashes import sha256d
from bns.bitcoin.transaction import DEFAULT_SEQUENCE, TxIn, txid_from_hex, txid_to_hex
from bns.errors import InvalidInput
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.bitcoin.transaction import TxOut


_HEADER_SIZE = 80


class Tip(NamedTuple):
    """The last block of a chain: its height, and its hash as hex in display order."""

    height: int
    hash: str


class Block(NamedTuple):
    """One block: its bytes (BIP144 form), and what the tip is once it is connected."""

    raw: bytes
    tip: Tip


@dataclass(frozen=True, slots=True)
class Coin:
    """An unspent output: outpoint (txid in wire order, index), the output, and the first height that may spend it."""

    txid: bytes
    index: int
    output: TxOut
    spendable_from: int = 0

    @property
    def input(self) -> TxIn:
        """An unsigned input that spends it. Spec 01 section 17.2."""
        return TxIn(self.txid, self.index, b"", DEFAULT_SEQUENCE)


class BlockRefused(LabError):
    """A backend did not connect a block; height and hash name the block, reason is the backend's own word."""

    def __init__(self, tip: Tip, reason: str) -> None:
        super().__init__(f"block {tip.height} ({tip.hash}) refused: {reason}")
        self.tip = tip
        self.reason = reason


class ChainError(LabError):
    """A backend did something that it must never do, such as refusing the base chain."""


class ChainBackend(Protocol):
    """Judges blocks and keeps them; it never makes one.

    The heights of a backend start at the base chain it was opened with. The same blocks give the same tip on each
    backend.
    """

    name: str

    @property
    def rpc_calls(self) -> int:
        """How often it has asked a node so far; 0 where there is none."""

    def begin(self, scenario: str) -> Tip:
        """Stand at the tip of the base chain, clean of whatever ran before, and return that tip.

        scenario is the identity of what follows. Running one identity twice is fine: a backend that cannot take
        the same block twice replaces what it runs on. So it does after discard(), after any failure, and at an age
        of its own choosing.
        """

    def accept(self, raw: bytes) -> Tip:
        """Connect the block and return the new tip; BlockRefused leaves the tip where it was."""

    def tip(self) -> Tip:
        """Return the last connected block."""

    def blocks_from(self, height: int) -> tuple[Block, ...]:
        """Return the connected blocks from a height (1 or more, base chain included) to the tip."""

    def rollback(self, height: int) -> Tip:
        """Disconnect every block above a height, which lies between base chain and tip; return the new tip.

        A block that was disconnected need not be taken again: let another branch differ in its coinbase.
        """

    def reconnect(self, blocks: Sequence[Block]) -> Tip:
        """Connect blocks again that were disconnected last from the present tip; return the new tip."""

    def discard(self) -> None:
        """Let the next begin() start from new parts, because this scenario may have broken them."""

    def close(self) -> None:
        """Give back processes and files; closing twice is fine."""


class BlockLog:
    """The connected blocks of a backend, by height: the base chain and what was accepted above it."""

    def __init__(self, base: Sequence[Block]) -> None:
        self._blocks = list(base)
        self._base_height = len(base)

    @property
    def tip(self) -> Tip:
        """The last block."""
        return self._blocks[-1].tip

    @property
    def above_base(self) -> Sequence[Block]:
        """The blocks above the base chain."""
        return self._blocks[self._base_height :]

    def hash_at(self, height: int) -> str:
        """Return the hash of the block at a height from 1 to the tip, as hex in display order."""
        return self._blocks[height - 1].tip.hash

    def candidate(self, raw: bytes) -> Block:
        """Name the block that is about to be judged as the next one, without keeping it.

        BlockRefused with the reason `prev-blk-not-found` unless its header names the tip as its previous block: a side
        branch that a node merely stored could otherwise become the chain behind our back.
        """
        block = Block(raw, Tip(self.tip.height + 1, txid_to_hex(sha256d(raw[:_HEADER_SIZE]))))
        if raw[4:36] != txid_from_hex(self.tip.hash):
            raise BlockRefused(block.tip, "prev-blk-not-found")
        return block

    def append(self, block: Block) -> Tip:
        """Keep a block that was connected; return the new tip."""
        self._blocks.append(block)
        return block.tip

    def blocks_from(self, height: int) -> tuple[Block, ...]:
        """Return the blocks from a height to the tip; InvalidInput for a height below 1."""
        if height < 1:
            raise InvalidInput("height", height, "1 or more")
        return tuple(self._blocks[height - 1 :])

    def check_rollback(self, height: int) -> None:
        """Raise InvalidInput unless the height lies between base chain and tip."""
        if not self._base_height <= height <= self.tip.height:
            raise InvalidInput("height to roll back to", height, f"{self._base_height} to {self.tip.height}")

    def truncate(self, height: int) -> Tip:
        """Forget the blocks above a height between base chain and tip; return the new tip."""
        self.check_rollback(height)
        del self._blocks[height:]
        return self.tip

    def clear(self) -> Tip:
        """Forget everything above the base chain; return its tip."""
        return self.truncate(self._base_height)
