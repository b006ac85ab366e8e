"""A backend that believes: no validation, no process, no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnslab.chain.base import BlockLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bnslab.chain.base import Block, Tip
    from bnslab.chain.factory import BaseChain


class MemoryBackend:
    """Keeps blocks that name the tip as their previous block, and checks nothing else.

    It does not validate: overspends, wrong signatures and wrong proofs of work all pass. It serves to shrink failing
    cases and to replay fixtures that a real node has judged.
    """

    name = "memory"
    rpc_calls = 0

    def __init__(self, base: BaseChain) -> None:
        self._log = BlockLog(base.blocks)

    def begin(self, scenario: str) -> Tip:
        """Forget everything above the base chain."""
        return self._log.clear()

    def accept(self, raw: bytes) -> Tip:
        """Keep a block; BlockRefused with the reason `prev-blk-not-found` unless it extends the tip."""
        return self._log.append(self._log.candidate(raw))

    def tip(self) -> Tip:
        """Return the last block."""
        return self._log.tip

    def blocks_from(self, height: int) -> tuple[Block, ...]:
        """Return the blocks from a height to the tip."""
        return self._log.blocks_from(height)

    def rollback(self, height: int) -> Tip:
        """Forget the blocks above a height."""
        return self._log.truncate(height)

    def reconnect(self, blocks: Sequence[Block]) -> Tip:
        """Take the blocks once more."""
        for block in blocks:
            self.accept(block.raw)
        return self._log.tip

    def discard(self) -> None:
        """Do nothing: there is nothing that could break."""

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""
