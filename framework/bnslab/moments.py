"""Looking at a chain as of one block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnslab.sent import NameInfo

if TYPE_CHECKING:
    from bns.operations.records import Namespace
    from bns.params import Params
    from bnslab.http import Response
    from bnslab.nodes import Node


@dataclass(frozen=True)
class Moment:
    """What a node knows that has indexed the chain up to a height and no further."""

    height: int
    node: Node
    params: Params

    def name(self, name: str) -> NameInfo | None:
        """What was known of a name, expired ones included; None if it had never been registered."""
        record = self.node.state.name(name)
        namespace = None if record is None else self.node.state.namespace(record.namespace_id)
        if record is None or namespace is None:
            return None
        return NameInfo.of(record, namespace, self.params, self.height)

    def namespace(self, namespace_id: str) -> Namespace | None:
        """The record of a namespace, revealed or ready; None if there had never been one."""
        return self.node.state.namespace(namespace_id)

    @property
    def consensus_hash(self) -> str:
        """Consensus hash of the block (32 hex)."""
        return self.node.state.consensus_hash(self.height) or self.params.genesis_consensus_hash

    def get(self, path: str) -> Response:
        """The REST answer to a GET."""
        return self.node.get(path)
