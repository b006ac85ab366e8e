"""The RPC client of a node of our own: a broken connection is told from a dead node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.node import rpc
from bns.node.errors import SourceError, WrongCredentials
from bnslab.bitcoind.errors import RpcConnectionLost, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable


class RpcClient(rpc.RpcClient):
    """Calls to the RPC server at 127.0.0.1:`port`, as bns.node.rpc.RpcClient makes them.

    `lost` is called when a connection breaks: it raises NodeDied when the node is the reason, else RpcConnectionLost
    follows. RpcError says that the node answered with an error.
    """

    rpc_error = RpcError

    def __init__(
        self, port: int, user: str, password: str, *, lost: Callable[[], None] = lambda: None, timeout: float = 120.0
    ) -> None:
        super().__init__(("127.0.0.1", port), user, password, timeout=timeout)
        self.port = port
        self._lost = lost
        self.asked = 0
        """Questions so far, a batch being one."""

    def _ask(self, question: object) -> Any:  # noqa: ANN401 - JSON
        self.asked += 1
        try:
            return super()._ask(question)
        except WrongCredentials as error:
            raise RpcConnectionLost(f"{error}: it is not our node") from error
        except SourceError as error:
            self._lost()
            raise RpcConnectionLost(str(error)) from error
