"""What nodes in processes of their own have in common: they are asked at their servers, their databases are read."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import msgspec

from bnslab import xmlrpc
from bnslab.http import HttpClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.state.store import State
    from bns.subdomains.offchain import Offchain
    from bnslab.http import Response
    from bnslab.nodes.child import Child
    from bnslab.nodes.mirror import Mirror

_ANSWER_SECONDS = 60.0


class RemoteNode(ABC):
    """The part of a bnslab.nodes.Node that is the same for all processes: its servers, its mirror, its end."""

    requests = 0

    def __init__(self, child: Child, mirror: Mirror, rpc_port: int, rest_port: int) -> None:
        self._child = child
        self._mirror = mirror
        self._rpc = HttpClient(f"http://127.0.0.1:{rpc_port}", seconds=_ANSWER_SECONDS)
        self._rest = HttpClient(f"http://127.0.0.1:{rest_port}", seconds=_ANSWER_SECONDS)

    @property
    def state(self) -> State:
        """Its tables after the last block or zone file."""
        return self._mirror.state

    @property
    def offchain(self) -> Offchain:
        """Its zone files and subdomains after the last block or zone file."""
        return self._mirror.offchain

    def get(self, path: str) -> Response:
        """The REST answer to a GET."""
        self.requests += 1
        return self._rest.get(path)

    def call(self, method: str, arguments: Sequence[Any]) -> str:
        """The JSON text that an RPC method answers with."""
        return xmlrpc.call(self._rpc, method, arguments)

    def put_zonefile(self, data: bytes) -> bool:
        """Hand over a zone file; whether it is kept."""
        answer = msgspec.json.decode(self.call("put_zonefiles", [[base64.b64encode(data).decode()]]))
        self._copy()
        return bool(answer["saved"][0])

    def close(self) -> None:
        """Kill it, and remove its files."""
        self._rest.close()
        self._rpc.close()
        self._child.end()
        self._mirror.close()

    @abstractmethod
    def _copy(self) -> None:
        """Have the mirror show what its databases hold."""
