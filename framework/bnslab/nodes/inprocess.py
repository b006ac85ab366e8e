"""The core in this very process: nothing between the harness and the engine but the ASGI interface."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from bns.api.methods import call
from bns.api.records import base64_text, view
from bns.api.rest import rest_app
from bns.api.text import json_text
from bns.engine import Block, Engine
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import MemoryZonefiles
from bnslab.http import AsgiClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.engine import Receipt
    from bns.identity.tokens import Profile
    from bns.params import Params
    from bnslab.http import Response
    from bnslab.outputs import Outputs


class InProcessNode:
    """An engine on a state in memory, its zone files and subdomains, and its interfaces.

    hosts are all that it finds on the web: host names with IP address and port.
    """

    name = "inprocess"

    def __init__(self, params: Params, outputs: Outputs) -> None:
        self.params = params
        self.state = State.memory(params)
        self.offchain = Offchain(self.state, MemoryZonefiles(), first_subdomain_block=params.first_block)
        self.view = view(self.state, self.offchain, profiles=self._find_profile)
        self.hosts: dict[str, tuple[str, int]] = {}
        self._engine = Engine(params, self.state)
        self._outputs = outputs
        self._client = AsgiClient(rest_app(self.view))

    def apply(self, height: int, raw: bytes) -> Receipt:
        """Index the next block."""
        receipt = self._engine.apply(Block(height, raw, self._outputs.find))
        self.offchain.follow()
        return receipt

    def put_zonefile(self, data: bytes) -> bool:
        """Hand over a zone file as the RPC method put_zonefiles does; whether it is kept."""
        return bool(self.rpc("put_zonefiles", [base64_text(data)])["saved"][0])

    def rpc(self, method: str, *arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - what XML-RPC can carry
        """The JSON object that a method of the XML-RPC interface answers, without the XML around it."""
        content: dict[str, Any] = json.loads(json_text(call(self.view, method, arguments, "127.0.0.1")))
        return content

    def get(self, path: str) -> Response:
        """The REST answer to a GET."""
        return self._client.get(path)

    def _find_profile(self, targets: Sequence[str], address: str) -> Profile | None:
        from bns.identity.profiles import ProfileFinder  # with an HTTP client, which few scenarios need
        from bns.identity.web import Web

        return ProfileFinder(Web(allow_loopback=True, resolve=self._resolve))(targets, address)

    def _resolve(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        if host not in self.hosts:
            raise socket.gaierror(socket.EAI_NONAME, f"no scenario knows the host {host}")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", self.hosts[host])]

    def close(self) -> None:
        """Forget everything."""
        self.state.close()
