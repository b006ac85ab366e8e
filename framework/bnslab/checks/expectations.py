"""Every operation is accepted, or rejected for the reason that the scenario names, in its block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.errors import Reason
from bnslab.errors import CheckFailed, EmptyScenario

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab
    from bnslab.sent import Sent


class Expectations:
    """Compares each verdict with what the scenario said of it."""

    name = "expectations"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Settle the operations of this block."""
        for sent in lab.sent.values():
            if sent.height == receipt.height:
                self._compare(sent)

    def at_end(self, lab: Lab) -> None:
        """A scenario without a block proves nothing."""
        if not lab.receipts:
            raise EmptyScenario(f"{lab.identity}: expected at least one block: send an operation or call lab.mine()")

    def _compare(self, sent: Sent) -> None:
        if not sent.as_expected:
            wanted = sent.expected
            expected = f"rejected: {wanted.name}: {wanted.value}" if isinstance(wanted, Reason) else wanted.value
            raise CheckFailed(self.name, sent.height, f"{sent} (tx {sent.txid})", expected, sent.verdict, sent.detail)
