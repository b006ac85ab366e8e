"""Chains that go back: reorganisations that a scenario asks for, and branches that it only tries."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bns.bitcoin.transaction import txid_from_hex
from bns.errors import InvalidInput
from bnslab.chain.factory import BlockFactory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bns.bitcoin.transaction import Transaction
    from bns.engine import Receipt
    from bns.params import Params
    from bnslab.chain.base import ChainBackend, Tip
    from bnslab.chain.factory import BaseChain
    from bnslab.fixtures import ZonefileEntry
    from bnslab.nodes import MakeNode, Node
    from bnslab.outputs import Outputs
    from bnslab.script.recorder import Recorder
    from bnslab.sent import Expected, Sent
    from bnslab.trace import Trace
    from bnslab.wallets import Ledger

    Taken = tuple[Transaction, Sent | None]
    """A transaction that was taken back, and the operation it is, if it is one."""


class Branches(ABC):
    """The part of a Lab that takes blocks back."""

    identity: str
    params: Params
    base: BaseChain
    chain: ChainBackend
    node: Node
    trace: Trace
    receipts: list[Receipt]
    mined: list[tuple[Transaction, ...]]
    sent: dict[str, Sent]
    published: list[ZonefileEntry]
    order_dependent: set[str]
    recorder: Recorder | None
    branching: bool
    _tip: Tip
    _outputs: Outputs
    _ledger: Ledger
    _factory: BlockFactory
    _pending: list[Transaction]
    _expected: Expected
    _make_node: MakeNode
    _branches: int

    @property
    @abstractmethod
    def height(self) -> int:
        """Height of the last block."""

    @abstractmethod
    def _mine_one(self) -> Receipt:
        """Make a block of what is pending."""

    @abstractmethod
    def _expect(self, sent: Sent) -> None:
        """Count an operation among those sent."""

    @abstractmethod
    def _queue(self, transaction: Transaction) -> None:
        """Put a transaction into the pending block."""

    def reorg(self, depth: int, *blocks: Sequence[Sent]) -> list[list[Sent]]:
        """Take back the last blocks; then mine others, each with those of the operations taken back that it names.

        Without blocks, mine what you like on the shorter chain. What is taken back and not named is gone, and its coins
        are there again; what is named is expected as any operation sent now, and brings along what it spends. Returns
        what was taken back, block by block. Zone files handed over since are gone too.

        InvalidInput for a depth that is not 1 to the number of blocks, while operations are pending, in a branch.
        """
        if not isinstance(depth, int) or not 1 <= depth <= len(self.mined):
            raise InvalidInput("depth of a reorganisation", depth, f"1 to {len(self.mined)} blocks")
        if self._pending:
            raise InvalidInput("pending operations", len(self._pending), "none: mine them, or reorganise before")
        if self.branching or self.recorder is not None:
            raise InvalidInput("lab.reorg()", "in a branch or a recording", "neither: they know one chain only")
        blocks_taken = [[(tx, self.sent.get(tx.txid)) for tx in block] for block in self.mined[-depth:]]
        fork = self.chain.blocks_from(self.height - depth)[0].tip
        self.trace.lines.append(f"{fork.height}  reorganised: {depth} blocks taken back")
        self._go_back(fork, sum(entry.after_height <= fork.height for entry in self.published))
        self._forget(fork.height)
        del self.receipts[-depth:], self.mined[-depth:]
        self._branches += 1
        self._factory = BlockFactory.for_scenario(self.identity, self._branches)
        self._mine_again(blocks, {tx.txid_bytes: (tx, sent) for block in blocks_taken for tx, sent in block})
        return [[sent for _, sent in block if sent is not None] for block in blocks_taken]

    def _mine_again(self, blocks: Sequence[Sequence[Sent]], dropped: Mapping[bytes, Taken]) -> None:
        left = dict(dropped)

        def take(transaction: Transaction, sent: Sent | None) -> None:
            del left[transaction.txid_bytes]
            for source in transaction.inputs:
                if source.txid in left:
                    take(*left[source.txid])
            if sent is not None:
                sent.again(self.height + 1, self._expected)
                self._expect(sent)
            self._queue(transaction)

        for block in blocks:
            for sent in block:
                taken = left.get(txid_from_hex(sent.txid))
                if taken is not None:
                    take(*taken)
                elif sent.txid not in self.sent:
                    raise InvalidInput("operation to mine again", str(sent), "one that was taken back")
            self._mine_one()

    def _forget(self, height: int) -> None:
        """Undo what was sent above a height."""
        self._ledger.rollback(height)
        self.sent = {txid: sent for txid, sent in self.sent.items() if sent.height <= height}

    @contextmanager
    def branch(self) -> Iterator[None]:
        """Try something: when the block ends, all is as it was at its begin, pending operations included.

        What is pending inside at the end is not mined. Chain, node, coins, trace and receipts go back; operations sent
        inside keep their verdicts. The fixture of the scenario knows nothing of it. Branches do not nest.
        """
        if self.branching:
            raise InvalidInput("lab.branch()", "a branch inside a branch", "one at a time")
        tip, pending, sent = self._tip, list(self._pending), dict(self.sent)
        published, order_dependent = len(self.published), set(self.order_dependent)
        lines, receipts = len(self.trace.lines), len(self.receipts)
        self.branching, factory = True, self._factory
        self._branches += 1
        # other coinbases, because a node refuses for ever what it was once told to forget
        self._factory = BlockFactory.for_scenario(self.identity, branch=self._branches)
        try:
            yield
            del self.trace.lines[lines:]  # after a failure they tell of it
        finally:
            self.branching = False
            self._factory = factory
            del self.receipts[receipts:], self.mined[receipts:]
            self._pending, self.sent, self.order_dependent = pending, sent, order_dependent
            self._go_back(tip, published)
            for transaction in pending:
                self._ledger.apply(transaction, tip.height + 1)

    def _go_back(self, tip: Tip, published: int) -> None:
        """To an earlier block, and the number of zone files handed over by then."""
        self._ledger.rollback(tip.height)
        if tip != self._tip:
            self.chain.rollback(tip.height)
            self.node.rollback(tip.height)
            self._tip = tip
        if len(self.published) > published:  # a node keeps what it was given
            del self.published[published:]
            if self.node.forget_zonefiles(published):
                return
            self.node.close()
            self.node = self._indexed(tip.height, self._make_node)

    def _indexed(self, height: int, make_node: MakeNode) -> Node:
        """A new node that has indexed the chain up to a height, and was handed the same zone files."""
        node, given = make_node(self.params, self._outputs), list(self.published)
        for block in self.chain.blocks_from(self.params.first_block)[: height - self.base.height]:
            node.apply(block.tip.height, block.raw)
            while given and given[0].after_height <= block.tip.height:
                node.put_zonefile(base64.b64decode(given.pop(0).base64))
        return node
