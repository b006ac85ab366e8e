"""Networks of nodes around a lab: zone files that one of them gets reach all others.

The peers are simulated (`Network`), or processes of their own (`bnslab.network.processes`).
"""

from __future__ import annotations

from bnslab.network.simulated import Network
from bnslab.network.topology import TOPOLOGIES, Topology

__all__ = ["TOPOLOGIES", "Network", "Topology"]
