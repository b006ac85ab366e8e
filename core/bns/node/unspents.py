"""Unspent outputs of any address, from the wallet of a bitcoind: for nodes in test mode (spec 07 section 5.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.api.sources import Output
from bns.node.errors import RpcError, SourceError

if TYPE_CHECKING:
    from bns.node.rpc import RpcClient

_COIN = 100_000_000
_MOST_CONFIRMATIONS = 2_000_000_000


class WalletUnspents:
    """Asks the wallet of a bitcoind, which is told to watch an address of which it knows no output.

    A wallet that cannot watch it, or none, has none of its outputs. See bns.api.sources.Unspents.
    """

    def __init__(self, client: RpcClient) -> None:
        self._client = client

    def __call__(self, address: str) -> list[Output]:
        """The outputs, unconfirmed ones too; OSError if bitcoind is out of reach."""
        try:
            return self._listed(address) or self._watched(address)
        except RpcError:
            return []
        except SourceError as error:
            raise OSError(str(error)) from error

    def _listed(self, address: str) -> list[Output]:
        return [_output(entry) for entry in self._client.call("listunspent", 0, _MOST_CONFIRMATIONS, [address])]

    def _watched(self, address: str) -> list[Output]:
        try:
            descriptor = self._client.call("getdescriptorinfo", f"addr({address})")["descriptor"]
            self._client.call("importdescriptors", [{"desc": descriptor, "timestamp": 0}])
        except RpcError:  # a wallet of the old kind
            self._client.call("importaddress", address)
        return self._listed(address)


def _output(entry: dict[str, Any]) -> Output:
    value = int(entry["amount"] * _COIN)
    return Output(entry["txid"], entry["vout"], value, entry["scriptPubKey"], entry["confirmations"])
