"""What a check is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab


class Check(Protocol):
    """One kind of scrutiny, with one method for each moment; both raise CheckFailed."""

    name: str

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """The node has indexed a block."""

    def at_end(self, lab: Lab) -> None:
        """The scenario is over."""
