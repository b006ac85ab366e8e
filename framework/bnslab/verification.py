"""SNV in a scenario: the node is asked, the chain backend vouches for transactions (spec 08 section 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.bitcoin.block import read_transactions
from bns.identity.snv import proof, roots
from bns.identity.snv.sources import StateSource

if TYPE_CHECKING:
    from bns.identity.snv.proof import Operation
    from bnslab.chain.base import ChainBackend
    from bnslab.lab import Lab


class BackendChain:
    """The blocks that a backend has judged; see bns.identity.snv.roots.BitcoinChain."""

    def __init__(self, chain: ChainBackend, first_block: int) -> None:
        self._blocks = {block.tip.height: block for block in chain.blocks_from(first_block)}

    def block_at(self, height: int, /) -> tuple[str, bytes] | None:
        """The block at a height of the scenario."""
        block = self._blocks.get(height)
        return None if block is None else (block.tip.hash, block.raw)

    def block_of(self, txid: str, /) -> tuple[str, bytes] | None:
        """The block that holds a transaction."""
        for height, block in self._blocks.items():
            if any(transaction.txid == txid for transaction in read_transactions(block.raw)):
                return self.block_at(height)
        return None


def verify(lab: Lab, name: str, height: int, trusted: str) -> list[Operation]:
    """The operations on a name in a block, proven from a consensus hash, a txid or a serial number. Raises SnvError."""
    source, first_block = StateSource(lab.node.state), lab.params.first_block
    root = roots.resolve(trusted, source, BackendChain(lab.chain, first_block))
    return proof.of_name(proof.operations(source, first_block, height, root), name)
