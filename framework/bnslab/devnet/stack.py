"""Bitcoind, node, wallets, faucet and miner of a devnet."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from bns.bitcoin.address import script_of_address
from bns.bitcoin.network import TESTNET
from bns.bitcoin.transaction import TxOut
from bns.node.config import ApiSettings, BitcoindSettings, Config, NodeSettings
from bns.node.daemon import Node
from bns.node.follow import Listener
from bns.params import SUBDOMAINS_VARIABLE, Params
from bnslab.bitcoind import RegtestNode
from bnslab.chain import BitcoindBackend
from bnslab.chain.factory import COIN, base_chain
from bnslab.devnet.mining import MempoolWatch, Miner
from bnslab.errors import LabError
from bnslab.wallets import Faucet, Ledger, Wallets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bns.engine import Receipt
    from bnslab.bitcoind import Bitcoind, PortPool

NAMES = ("alice", "bob", "carol", "dave")
"""The wallets that are there from the start; their keys are those of the scenarios' wallets."""

PAYMENT = 20 * COIN
"""Satoshis that each of them has at the start."""

_WALLET = "devnet"
_REAL_TIME = 0
_INDEXED_WITHIN = 60.0
_KEPT_RECEIPTS = 1000


class NotIndexed(LabError):
    """The node did not come to a block in time, or has failed."""


class Devnet:
    """A running devnet; a context manager, which starts it.

    Its chain begins with the base chain of the scenarios, and so does the name system at the block after it. Everything
    lies below run_dir and goes with it. rest_port and rpc_port are the ports of the node, given or free ones; blocks
    are made by mine, and also by a miner once start_miner was called. failed is told, in another thread, what the node
    or the miner failed with. Threads may share a devnet.
    """

    def __init__(
        self,
        binary: Bitcoind,
        run_dir: Path,
        ports: PortPool,
        *,
        rest_port: int | None = None,
        rpc_port: int | None = None,
        failed: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self.params = Params.regtest(first_block=base_chain().height + 1)
        self.rest_port = rest_port or 0
        self.rpc_port = rpc_port or 0
        self.receipts: dict[int, Receipt] = {}
        """What the last 1,000 blocks did, by height."""
        self._binary = binary
        self._run_dir = run_dir.resolve()
        self._ports = ports
        self._failed = failed
        self._ledger = Ledger()
        self.wallets = Wallets(self._ledger)
        self._faucet = Faucet(base_chain(), self._ledger)
        self._announcements = ports.take()
        self._purse = threading.Lock()
        self._miner: Miner | None = None
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._indexed = threading.Condition()
        self._height = 0
        self._failure: BaseException | None = None
        self._closing = ExitStack()

    @property
    def rest_url(self) -> str:
        """Where the node's REST interface is."""
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def rpc_url(self) -> str:
        """Where the node's XML-RPC interface is."""
        return f"http://127.0.0.1:{self.rpc_port}"

    @property
    def height(self) -> int:
        """The last block that the node has indexed."""
        return self._height

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self.bitcoind = self._start_bitcoind(opened)
            for name in NAMES:
                self.wallets.create(name)
            self.watch(*(wallet.address for wallet in self.wallets))
            self._start_node(opened)
            for wallet in self.wallets:
                self.fund(wallet.address, PAYMENT)
            self.mine()
            self._closing = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def start_miner(self, every: float | None = None) -> None:
        """Make a block whenever a transaction arrives, or every so many seconds."""
        miner = Miner(self.mine, lambda: self.pending() > 0, every=every, failed=self._fail)
        miner.start()
        self._closing.callback(miner.close)
        self._miner = miner
        if every is None:
            watch = MempoolWatch(self._announcements, miner.arrived)
            self._closing.callback(watch.close)
            miner.arrived()  # for what came before

    def mine(self, count: int = 1) -> int:
        """Make blocks of what is in the mempool, wait until the node has indexed them, and return the height."""
        address = self._faucet.wallet.address
        hashes = self.bitcoind.rpc.call("generatetoaddress", count, address)
        height = int(self.bitcoind.rpc.call("getblockheader", hashes[-1])["height"])
        self.wait_for(height)
        return height

    def wait_for(self, height: int, seconds: float = _INDEXED_WITHIN) -> None:
        """Wait until the node has indexed a block; NotIndexed if it has failed or takes longer."""
        with self._indexed:
            if not self._indexed.wait_for(lambda: self._height >= height or self._failure, seconds):
                raise NotIndexed(
                    f"the node has not indexed block {height} within {seconds:g} s: it is at {self._height}"
                )
        if self._failure is not None:
            raise NotIndexed(f"the node has failed: {self._failure}") from self._failure

    def fund(self, address: str, value: int) -> str:
        """Send satoshis to an address of any network; the txid. InvalidInput for no address, InsufficientFunds."""
        output = TxOut(value, script_of_address(address, TESTNET))
        with self._purse:
            height = int(self.bitcoind.rpc.call("getblockcount")) + 1
            payment = self._faucet.pay([output], height)
            txid = self.send(payment.raw.hex())
            self._ledger.apply(payment, height)
        return txid

    def send(self, raw: str) -> str:
        """Broadcast a signed transaction in hex; the txid. RpcError if bitcoind refuses it."""
        txid = str(self.bitcoind.rpc.call("sendrawtransaction", raw))
        if self._miner is not None:
            self._miner.arrived()  # bitcoind may not have heard yet that somebody listens
        return txid

    def want_block(self) -> None:
        """Have the miner make a block although nothing is pending; one with a block time keeps to it."""
        if self._miner is not None:
            self._miner.wanted()

    def listen(self, indexed: Callable[[], None]) -> None:
        """Have indexed called after each block from here on, in the thread of the node, which waits for it."""
        self._listeners += (indexed,)

    def watch(self, *addresses: str) -> None:
        """Let bitcoind's wallet follow addresses; what they have received so far counts too."""
        self.watch_descriptors(*(f"addr({address})" for address in addresses))

    def watch_descriptors(self, *descriptors: str) -> None:
        """The same for output descriptors without checksum, as bitcoind writes them."""
        known = self.bitcoind.rpc.batch([("getdescriptorinfo", (each,)) for each in descriptors])
        wanted = [{"desc": each["descriptor"], "timestamp": 0} for each in known]
        for outcome in self.bitcoind.rpc.call("importdescriptors", wanted):
            if not outcome["success"]:
                raise LabError(f"bitcoind cannot watch an address: {outcome['error']['message']}")

    def unspent(self, address: str) -> list[dict[str, Any]]:
        """The outputs on a watched address, unconfirmed ones too, as bitcoind lists them."""
        outputs: list[dict[str, Any]] = self.bitcoind.rpc.call("listunspent", 0, 9999999, [address])
        return outputs

    def balance(self, address: str) -> int:
        """The satoshis on a watched address, unconfirmed ones too."""
        return sum(int(output["amount"] * COIN) for output in self.unspent(address))

    def pending(self) -> int:
        """How many transactions are in no block yet."""
        return int(self.bitcoind.rpc.call("getmempoolinfo")["size"])

    def _start_bitcoind(self, opened: ExitStack) -> RegtestNode:
        options = ("-disablewallet=0", "-rpcthreads=8", "-txindex=1", MempoolWatch.option(self._announcements))

        def start() -> RegtestNode:
            return RegtestNode.start(self._binary, self._run_dir, self._ports, mocktime=_REAL_TIME, extra=options)

        backend = BitcoindBackend(base_chain(), start)
        opened.callback(backend.close)
        node = backend.node
        node.rpc.call("createwallet", _WALLET, True, True)  # noqa: FBT003 - no private keys, blank
        return node

    def _start_node(self, opened: ExitStack) -> None:
        directory = self._run_dir / "node"
        directory.mkdir(mode=0o700)
        # chosen as late as possible, so that nobody takes them first
        self.rest_port = self.rest_port or self._ports.take()
        self.rpc_port = self.rpc_port or self._ports.take()
        node = Node(
            self._config(directory), serve_api=True, expected={}, ended=self._ended, listener=Listener(self._told)
        )
        self._node = node
        node.start()
        opened.callback(node.stop)

    def _config(self, directory: Path) -> Config:
        user, password = self.bitcoind.credentials
        rules = {
            **self.params.to_reference_env(), SUBDOMAINS_VARIABLE: str(self.params.first_subdomain_block),
        }  # fmt: skip
        return Config(
            path=directory / "blockstack-server.ini",
            working_dir=directory,
            node=NodeSettings(
                rpc_port=self.rpc_port,
                zonefiles=directory / "zonefiles",
                atlasdb_path=directory / "atlas.db",
                atlas_port=self.rpc_port,
            ),
            api=ApiSettings(api_port=self.rest_port, api_host="127.0.0.1"),
            bitcoind=BitcoindSettings(
                server="127.0.0.1",
                port=self.bitcoind.rpc_port,
                user=user,
                passwd=password,
                regtest=True,
            ),
            rules=rules,
        )

    def _told(self, receipt: Receipt) -> None:
        with self._indexed:
            kept = range(receipt.height - _KEPT_RECEIPTS, receipt.height)
            remembered = {height: each for height, each in self.receipts.items() if height in kept}
            self.receipts = remembered | {receipt.height: receipt}
            self._height = receipt.height
            self._indexed.notify_all()
        for indexed in self._listeners:
            indexed()

    def _ended(self) -> None:
        if self._node.failure is not None:
            self._fail(self._node.failure)

    def _fail(self, error: BaseException) -> None:
        with self._indexed:
            self._failure = self._failure or error
            self._indexed.notify_all()
        self._failed(error)
