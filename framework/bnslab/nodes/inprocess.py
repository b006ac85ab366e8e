"""The core in this very process: nothing between the harness and the engine but the ASGI interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.api import methods
from bns.api.chain import put_zonefiles
from bns.api.records import base64_text, view
from bns.api.rest import rest_app
from bns.api.text import json_text
from bns.engine import Block, Engine
from bns.errors import InvalidInput
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import MemoryZonefiles
from bnslab.http import AsgiClient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bns.engine import Receipt
    from bns.identity.tokens import Profile
    from bns.params import Params
    from bnslab.http import Response
    from bnslab.outputs import Outputs


class InProcessNode:
    """An engine on a state, its zone files and subdomains, and its two interfaces.

    It finds no hosts on the web but those that were added.
    """

    name = "inprocess"
    tells_reasons = True
    foreign_tables: frozenset[str] = frozenset()

    def __init__(self, params: Params, outputs: Outputs, path: Path | None = None) -> None:
        """With a path, the state is in a new file there, and the node can be restarted."""
        self.params = params
        self._hosts: dict[str, tuple[str, int]] = {}
        self._path = path
        self._outputs = outputs
        self.requests = 0
        """REST requests so far."""
        self._zonefiles = MemoryZonefiles()
        self._open(State.memory(params) if path is None else State.create(path, params))

    def _open(self, state: State) -> None:
        self.state = state
        self.offchain = Offchain(state, self._zonefiles)
        self.view = view(state, self.offchain, profiles=self._find_profile)
        self._engine = Engine(self.params, state)
        self._client = AsgiClient(rest_app(self.view))

    def restart(self) -> None:
        """Close the state and open it again from its file, as a node does that was stopped and started."""
        if self._path is None:
            raise InvalidInput("state to restart from", None, "a file: make the node with a path")
        self.state.close()
        self._open(State.open(self._path, self.params))

    def apply(self, height: int, raw: bytes) -> Receipt:
        """Index the next block."""
        receipt = self._engine.apply(Block(height, raw, self._outputs.find))
        self.offchain.follow()
        return receipt

    def rollback(self, height: int) -> None:
        """Undo the blocks above a height."""
        self.state.rollback_to(height)
        self.offchain.follow()

    def get(self, path: str) -> Response:
        """The REST answer to a GET."""
        self.requests += 1
        return self._client.get(path)

    def _find_profile(self, targets: Sequence[str], address: str) -> Profile | None:
        from bns.identity.hosts import KnownHosts
        from bns.identity.profiles import ProfileFinder  # with an HTTP client, which few scenarios need
        from bns.identity.web import Web

        return ProfileFinder(Web(allow_loopback=True, resolve=KnownHosts(lambda: self._hosts)))(targets, address)

    def call(self, method: str, arguments: Sequence[Any]) -> str:
        """The JSON text that an RPC method answers with; the XML around it, half of the time of a call, is left out."""
        return json_text(methods.call(self.view, method, arguments))

    def put_zonefile(self, data: bytes) -> bool:
        """Hand over a zone file as the RPC method put_zonefiles does; whether it is kept."""
        return bool(put_zonefiles(self.view, [base64_text(data)])["saved"][0])

    def forget_zonefiles(self, kept: int) -> bool:
        """False: another one is made as quickly."""
        return False

    def add_host(self, name: str, address: tuple[str, int]) -> None:
        """Let it find a host on the web."""
        self._hosts[name] = address

    def close(self) -> None:
        """Forget everything."""
        self.state.close()
