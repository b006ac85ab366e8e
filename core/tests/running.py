"""A node whose answers are made apart from the connection that blocks are written through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.node.follow import SharedState
from bns.node.reading import reading_view
from bns.zonefiles.store import ZonefileStore
from tests.chain import rules
from tests.subdomain_chain import Publisher

if TYPE_CHECKING:
    from pathlib import Path

    from bns.api.records import NodeView


class Running:
    """A node that has a chain with subdomains, and reads apart from what it writes."""

    def __init__(self, directory: Path, atlas: bool = True) -> None:
        state = SharedState.create(directory / "bns.db", rules())
        assert isinstance(state, SharedState)
        self.state = state
        self.zonefiles = ZonefileStore(directory / "zonefiles")
        self.publisher = Publisher(state=state, zonefiles=self.zonefiles)
        self.offchain = self.publisher.offchain
        self.view: NodeView = reading_view(state, self.offchain if atlas else None, self.zonefiles)

    def close(self) -> None:
        self.view.close()
        self.state.close()
