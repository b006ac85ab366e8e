"""A devnet that foreign clients work on, with all that they ask beside the node."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from bnslab.clients import BlockstackJs
from bnslab.devnet import Devnet
from bnslab.devnet.broadcaster import Broadcaster
from bnslab.devnet.broadcasting import broadcaster_app
from bnslab.devnet.legacy import legacy_app
from bnslab.http import HttpClient, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bns.operations.base import Accepted
    from bnslab.bitcoind import Bitcoind, PortPool
    from bnslab.clients.javascript import Installed

LIFETIME = 1000
NAMESPACE = {
    "namespaceID": "test",
    "version": 1,
    "lifetime": LIFETIME,
    "coeff": 4,
    "base": 4,
    "buckets": [6, 5, 4, 3, 2, 1, *[0] * 10],
    "nonalphaDiscount": 10,
    "noVowelDiscount": 10,
}


class Story:
    """A devnet that is only touched through blockstack.js.

    settings are where it finds everything; another client may be made of them.
    """

    def __init__(
        self, devnet: Devnet, js: BlockstackJs, rest: HttpClient, broadcaster: Broadcaster, settings: dict[str, str]
    ) -> None:
        self.devnet = devnet
        self.js = js
        self.rest = rest
        self.broadcaster = broadcaster
        self.settings = settings

    def address(self, name: str) -> str:
        return self.devnet.wallets[name].address

    def key(self, name: str) -> str:
        return self.devnet.wallets[name].keys[0].secret.hex() + "01"

    def network(self, function: str, *arguments: object) -> Any:
        return self.js.call(f"config.network.{function}", *arguments)

    def safe(self, function: str, *arguments: object) -> Any:
        return self.js.call(f"safety.{function}", *arguments)

    def send(self, opcode: str, function: str, *arguments: object) -> Accepted:
        """Let the client make a transaction and broadcast it; what the node made of it in the next block."""
        signed = self.js.call(f"transactions.{function}", *arguments)
        txid = self.network("broadcastTransaction", signed)
        height = self.devnet.mine()
        receipt = self.devnet.receipts[height]
        assert receipt.rejected == ()
        (accepted,) = receipt.accepted
        assert (accepted.opcode, accepted.operation.carrier.txid) == (opcode, txid)
        assert self.network("getTransactionInfo", txid) == {"block_height": height}
        assert self.network("getConsensusHash") == receipt.consensus_hash
        return accepted

    def name(self, name: str) -> dict[str, Any]:
        """What the node says of a name; the client must say the same."""
        answer = self.rest.get(f"/v1/names/{name}")
        assert answer.status == 200
        info: dict[str, Any] = answer.json()
        assert self.network("getNameInfo", name) == info
        return info

    def launch(self) -> None:
        """A namespace that alice pays for and dave reveals."""
        self.send("NAMESPACE_PREORDER", "makeNamespacePreorder", "test", self.address("dave"), self.key("alice"))
        reveal = {"namespace": NAMESPACE}
        self.send("NAMESPACE_REVEAL", "makeNamespaceReveal", reveal, self.address("dave"), self.key("alice"))

    def ready(self) -> None:
        self.send("NAMESPACE_READY", "makeNamespaceReady", "test", self.key("dave"))

    def register(self, name: str, owner: str) -> None:
        """Alice pays for a name of somebody."""
        self.send("NAME_PREORDER", "makePreorder", name, self.address(owner), self.key("alice"))
        self.send("NAME_REGISTRATION", "makeRegister", name, self.address(owner), self.key("alice"))


@contextmanager
def open_story(binary: Bitcoind, run_dir: Path, ports: PortPool, installed: Installed) -> Iterator[Story]:
    with ExitStack() as stack:
        devnet = stack.enter_context(Devnet(binary, run_dir, ports))
        shim = stack.enter_context(LoopbackServer(legacy_app(devnet, user="me", password="secret")))
        broadcaster = stack.enter_context(Broadcaster(devnet))
        broadcasting = stack.enter_context(LoopbackServer(broadcaster_app(broadcaster)))
        rest = stack.enter_context(HttpClient(devnet.rest_url))
        settings = {"api": devnet.rest_url, "broadcaster": broadcasting.url, "bitcoind": shim.url}
        settings |= {"user": "me", "password": "secret"}
        js = stack.enter_context(BlockstackJs(installed, **settings))
        yield Story(devnet, js, rest, broadcaster, settings)
