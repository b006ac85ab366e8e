"""What a lab did, as a fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.bitcoin.block import read_transactions
from bnslab.fixtures import BlockEntry, make

if TYPE_CHECKING:
    from bnslab.fixtures import Fixture
    from bnslab.lab import Lab


def record(lab: Lab) -> Fixture:
    """The chain of a lab, the zone files that were handed over, and what its node made of them."""
    blocks = lab.chain.blocks_from(lab.params.first_block)
    entries = [BlockEntry(block.tip.height, block.tip.hash, block.raw.hex()) for block in blocks]
    spent = {source.txid for block in blocks for each in read_transactions(block.raw) for source in each.inputs}
    coinbases = (read_transactions(block.raw)[0] for block in lab.base.blocks)
    prevouts = [coinbase for coinbase in coinbases if coinbase.txid_bytes in spent]
    return make(lab.identity, lab.params, entries, prevouts, lab.receipts, lab.node.offchain, lab.published)
