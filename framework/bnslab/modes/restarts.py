"""The node is stopped and started again after every so many blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab


class Restarts:
    """Restarts the node; what comes after finds all as it was, or fails."""

    name = "restarts"

    def __init__(self, every: int) -> None:
        self._every = every

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Count blocks by height, so that a reorganisation does not change where it happens."""
        if (lab.height - lab.base.height) % self._every == 0:
            lab.node.restart()

    def at_end(self, lab: Lab) -> None:
        """Nothing more to do."""
