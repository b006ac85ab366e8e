"""Drivers of the system under test: what a scenario needs of a node, whatever the node is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bns.engine import Receipt
    from bns.params import Params
    from bns.state.store import State
    from bns.subdomains.offchain import Offchain
    from bnslab.http import Response
    from bnslab.outputs import Outputs

    MakeNode = Callable[[Params, Outputs], "Node"]
    """Makes the node of a scenario, which is at the base chain; the outputs are those of all blocks so far."""

NODES = ("inprocess", "process", "reference")
"""The core in the harness's own process, in a process of its own, and the historical node."""


class Node(Protocol):
    """One node for one scenario. Who asks it for something that it does not give gets a LabError."""

    name: str
    tells_reasons: bool
    """Whether it says why it rejects; where not, the reason in its receipts is Unsaid.UNSAID."""
    foreign_tables: frozenset[str]
    """Tables of the state that the node keeps in a form of its own, or not at all."""
    requests: int
    """REST requests so far."""

    @property
    def state(self) -> State:
        """Its tables after the last block, to be read only."""

    @property
    def offchain(self) -> Offchain:
        """Its zone files and subdomains after the last block, to be read only."""

    def apply(self, height: int, raw: bytes) -> Receipt:
        """Have it index the next block, which the chain has accepted; what it made of it."""

    def rollback(self, height: int) -> None:
        """Have it forget the blocks above a height, which the chain has left."""

    def restart(self) -> None:
        """Stop it, and start it again from its files."""

    def get(self, path: str) -> Response:
        """The REST answer to a GET."""

    def call(self, method: str, arguments: Sequence[Any]) -> str:
        """The JSON text that an RPC method answers with."""

    def put_zonefile(self, data: bytes) -> bool:
        """Hand over a zone file as the RPC method put_zonefiles does; whether it is kept."""

    def forget_zonefiles(self, kept: int) -> bool:
        """Be as if it had been handed the first so many zone files only, its blocks as they are; False if it cannot."""

    def add_host(self, name: str, address: tuple[str, int]) -> None:
        """Let it find a host of this name on the web, at an IP address and port."""

    def close(self) -> None:
        """End it, and forget everything."""
