"""Looking ahead: what a careful client would not send, because the rules would reject it or make it worthless."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bns.errors import InvalidInput, Reason
from bnslab.errors import CheckFailed
from bnslab.nodes.inprocess import InProcessNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bns.bitcoin.transaction import Transaction
    from bnslab.chain.base import Tip
    from bnslab.chain.factory import BlockFactory
    from bnslab.nodes import MakeNode, Node
    from bnslab.outputs import Outputs
    from bnslab.sent import Sent
    from bnslab.transactions import Draft
    from bnslab.wallets import Ledger, Wallet


class Foresight(ABC):
    """The part of a Lab that applies the rules to operations before they are sent."""

    _tip: Tip
    _outputs: Outputs
    _ledger: Ledger
    _factory: BlockFactory
    _pending: list[Transaction]
    _refusal: Reason | None = None
    """Why operations must be refused, while they must be."""
    _refused: int = 0

    @abstractmethod
    def _put(self, draft: Draft, by: Wallet) -> Sent:
        """Sign an operation and put it into the pending block."""

    @abstractmethod
    def _indexed(self, height: int, make_node: MakeNode) -> Node:
        """A new node that has indexed the chain up to a height."""

    @contextmanager
    def refuses(self, reason: Reason) -> Iterator[None]:
        """Nothing inside is sent: each operation is one that a careful client must refuse to send, for this reason.

        The core judges it as part of the next block, after what is pending; of a preorder also what it is for, the
        registration or reveal one block later. CheckFailed if all would be accepted, or rejected for another reason;
        InvalidInput if there is no operation.
        """
        if not isinstance(reason, Reason):
            raise InvalidInput("reason", reason, "a member of bnslab.Reason")
        if self._refusal is not None:
            raise InvalidInput("lab.refuses()", "inside another", "one at a time")
        self._refusal, before = reason, self._refused
        try:
            yield
        finally:
            self._refusal = None
        if self._refused == before:
            raise InvalidInput("lab.refuses()", reason, "an operation inside the with block")

    def _refuse(self, draft: Draft, by: Wallet, reason: Reason) -> Sent:
        self._refused += 1
        sent = self.foresee(draft, by)
        if sent.reason is not reason:
            expected = f"refused: {reason.name}: {reason.value}"
            raise CheckFailed("refusal", sent.height, f"{sent} (not sent)", expected, sent.verdict, sent.detail)
        return sent

    def foresee(self, draft: Draft, by: Wallet) -> Sent:
        """An operation settled as if it were sent now, or that to which a preorder leads; nothing is sent."""
        pending, tip = list(self._pending), self._tip
        node = self._indexed(tip.height, InProcessNode)
        try:
            while True:
                sent = self._put(draft, by)
                block = self._factory.build(tip, self._pending)
                self._outputs.add_block(block.raw)
                sent.height = block.tip.height
                sent.settle(node.apply(block.tip.height, block.raw))
                if draft.leads_to is None or not sent.accepted:
                    return sent
                draft, tip, self._pending = draft.leads_to, block.tip, []
        finally:
            node.close()
            self._pending = pending
            self._ledger.rollback(self._tip.height)
            for transaction in pending:
                self._ledger.apply(transaction, self._tip.height + 1)
