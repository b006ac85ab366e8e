"""The networks of a lab: simulated nodes or real ones, which exchange the zone files that it publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Unpack, cast, overload

from bnslab.network import Network

if TYPE_CHECKING:
    from bnslab.lab import Lab
    from bnslab.network import Topology
    from bnslab.network.processes import ProcessNetwork
    from bnslab.network.simulated import NetworkOptions


class Networked:
    """The part of a Lab that puts nodes around it."""

    networks: list[Network | ProcessNetwork]

    @overload
    def network(
        self,
        nodes: int = 5,
        topology: str | Topology = "mesh",
        *,
        processes: Literal[False] = False,
        **conditions: Unpack[NetworkOptions],
    ) -> Network: ...

    @overload
    def network(
        self,
        nodes: int = 5,
        topology: str | Topology = "mesh",
        *,
        processes: Literal[True],
    ) -> ProcessNetwork: ...

    def network(
        self,
        nodes: int = 5,
        topology: str | Topology = "mesh",
        *,
        processes: bool = False,
        **conditions: Unpack[NetworkOptions],
    ) -> Network | ProcessNetwork:
        """A network of a main node and so many others; topology is mesh, line, chain, nat, churn or one made up.

        They are simulated, the lab's own node being the main one, under conditions: the keywords of
        bnslab.network.Network. Or all are processes that follow the lab's bitcoind: bnslab.network.processes. At the
        end of the scenario every zone file must have reached every node, and the nodes must agree.
        """
        lab = cast("Lab", self)
        network: Network | ProcessNetwork
        if processes:
            from bnslab.network.processes import ProcessNetwork  # with what few scenarios need

            network = ProcessNetwork(lab, nodes, topology, **conditions)
        else:
            network = Network(lab, nodes, topology, **conditions)
        self.networks.append(network)
        return network
