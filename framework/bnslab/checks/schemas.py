"""Every answer of either interface is one that is documented, whoever asked, whether it reports success or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab

_SHOWN = 400


class Schemas:
    """Looks at what the scenario and the other checks have asked since the last time."""

    name = "schemas"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """What was asked up to now."""
        self._examine(lab)

    def at_end(self, lab: Lab) -> None:
        """What was asked after the last block."""
        self._examine(lab)

    def _examine(self, lab: Lab) -> None:
        for exchange in lab.exchanges:
            fault = exchange.fault()
            if fault is not None:
                shown = exchange.shown[:_SHOWN]
                raise CheckFailed(self.name, lab.height, exchange.question, "a documented answer", shown, fault)
