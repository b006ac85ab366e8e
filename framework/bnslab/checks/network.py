"""Every announced zone file that any node of a network has reaches every node of it, and all nodes agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab


class Networks:
    """Lets each network of a lab run at the end until all zone files are everywhere."""

    name = "network"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Nothing to see before the end."""

    def at_end(self, lab: Lab) -> None:
        """See sync and verify of the networks."""
        for network in lab.networks:
            network.sync()
            network.verify()
