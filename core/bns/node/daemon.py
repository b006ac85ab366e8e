"""A running node: its database, its servers, its main loop, and their beginning and end (spec 08 section 6)."""

from __future__ import annotations

import gc
import logging
import socket
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from bns.api.rest import rest_app
from bns.api.rpc import rpc_app
from bns.api.sources import Passes
from bns.bitcoin.network import MAINNET
from bns.identity.hosts import KnownHosts, read_hosts
from bns.identity.profiles import ProfileFinder
from bns.identity.web import Web
from bns.node.backups import Backups
from bns.node.bitcoind import BitcoindSource
from bns.node.errors import SourceError, SourceUnavailable
from bns.node.follow import NOBODY, Follower, Listener, SharedState, TipWatch
from bns.node.network import open_network
from bns.node.reading import reading_view
from bns.node.rpc import RpcClient
from bns.node.servers import Servers, Service, listen
from bns.node.signals import stop_requests
from bns.node.unspents import WalletUnspents
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import ZonefileStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bns.node.config import Config

DATABASE = "blockstack-server.db"

GREETING_SECONDS = 5.0
"""How long a start waits for bitcoind at most."""

LEAVING_SECONDS = 10.0
"""How long a stop waits at most for the main loop, which may itself wait for bitcoind."""

_LONG_POLL_MARGIN = 30.0

_SWITCH_SECONDS = 0.0005
"""How long the indexer goes on when an answer is to be given: a request waits so long several times over."""

log = logging.getLogger("bns.node")


def database_path(config: Config) -> Path:
    """Where the database of a node is."""
    return config.working_dir / DATABASE


def backups_of(config: Config) -> Backups:
    """The backups of a node."""
    return Backups(database_path(config), config.node.backup_frequency, config.node.backup_max_age)


class Node:
    """A node that answers requests and follows the chain between start and stop.

    serve_api is whether the REST server runs too. ended is called, in another thread, when the main loop has come to
    its end, be it asked to or not; failure is then what it failed with. The listener is told what the
    node does. With a hosts_file it finds no other hosts of the web than those in there (bns.identity.hosts).
    """

    def __init__(
        self,
        config: Config,
        *,
        serve_api: bool,
        expected: Mapping[int, str],
        ended: Callable[[], None],
        listener: Listener = NOBODY,
        hosts_file: Path | None = None,
    ) -> None:
        self.config = config
        self.failure: BaseException | None = None
        self._serve_api = serve_api
        self._expected = expected
        self._ended = ended
        self._listener = listener
        self._hosts_file = hosts_file
        self._look: Callable[[], None] = lambda: None
        self._closing = ExitStack()

    def start(self) -> None:
        """Open the database, begin to answer requests, begin to follow the chain.

        A bitcoind that does not answer is no error: it is waited for. Raises CannotListen, DatabaseError, and
        SourceError if bitcoind refuses our password or has another chain.
        """
        with ExitStack() as opened:
            self._open(opened)
            self._closing = opened.pop_all()

    def _open(self, opened: ExitStack) -> None:
        config = self.config
        rpc_socket = listen("RPC server (rpc_port)", config.node.rpc_host, config.node.rpc_port)
        opened.callback(rpc_socket.close)
        api_socket = None
        if self._serve_api:
            api_socket = listen("REST server (api_port)", config.api.api_host, config.api.api_port)
            opened.callback(api_socket.close)
        state = _open_state(config)
        opened.callback(_close, state)
        zonefiles = ZonefileStore(config.node.zonefiles)
        offchain = network = None
        if config.node.atlas:
            offchain = Offchain(state, zonefiles)
            offchain.tell = self._listener.zonefile
            network = open_network(config, offchain, state, opened)
        progress = Passes(time.time, config.stale_seconds)
        follower = self._follower(state, offchain, progress, opened)
        seen = reading_view(
            state, offchain, zonefiles, progress=progress, test_mode=config.test_mode,
            rpc_url=f"http://localhost:{config.node.rpc_port}",
            peers=None if network is None else network.peers,
            profiles=ProfileFinder(Web(allow_loopback=config.bitcoind.regtest, resolve=_resolver(self._hosts_file))),
            unspents=self._unspents(opened),
        )  # fmt: skip
        opened.callback(seen.close)
        services = [Service(rpc_app(seen, at_once=config.requests_at_once), rpc_socket)]
        if api_socket is not None:
            services.append(Service(rest_app(seen, at_once=config.requests_at_once), api_socket))
        if network is not None:
            opened.callback(network.stop)
            network.start()
        servers = Servers(services)
        opened.callback(servers.stop)
        servers.start()
        # A daemon, because a bitcoind that hangs must not keep the process.
        thread = threading.Thread(target=self._follow, args=(follower,), name="indexer", daemon=True)
        thread.start()
        opened.callback(thread.join, LEAVING_SECONDS)
        opened.callback(follower.stop)

    def _unspents(self, opened: ExitStack) -> WalletUnspents | None:
        if not self.config.test_mode:
            return None
        client = RpcClient.of(self.config.bitcoind)
        opened.callback(client.close)
        return WalletUnspents(client)

    def _follower(self, state: SharedState, offchain: Offchain | None, progress: Passes, opened: ExitStack) -> Follower:
        config = self.config
        source = BitcoindSource(RpcClient.of(config.bitcoind))
        opened.callback(source.close)
        follower = Follower(
            source, state, offchain, backups_of(config), progress,
            config.confirmations, config.poll_seconds, lambda: _greet(config), self._expected,
        )  # fmt: skip
        try:
            _greet(config, min(GREETING_SECONDS, config.bitcoind.timeout))
        except SourceUnavailable as error:
            log.warning("%s; waiting for it", error)
        patient = RpcClient.of(config.bitcoind, config.poll_seconds + _LONG_POLL_MARGIN)
        follower.listener = self._listener
        self._look = follower.wake
        follower.watch = TipWatch(patient, config.poll_seconds, follower.wake)
        opened.callback(follower.watch.close)
        return follower

    def _follow(self, follower: Follower) -> None:
        try:
            follower.run()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that started the node
            self.failure = error
        finally:
            self._ended()

    def look(self) -> None:
        """Look at the chain now, as when there is a new block; nothing before the start."""
        self._look()

    def stop(self) -> None:
        """Finish the block and the answers in progress, and close everything."""
        self._closing.close()


def run(
    config: Config,
    *,
    serve_api: bool,
    expected: Mapping[int, str],
    ready: Callable[[], None],
    listener: Listener = NOBODY,
    hosts_file: Path | None = None,
) -> None:
    """Run a node in the main thread until SIGTERM, SIGINT or SIGQUIT; ready is called once it answers.

    SIGUSR1 makes it look at the chain at once.

    Raises what Node.start raises, and what its main loop failed with.
    """
    with stop_requests() as requests, _short_waits():
        node = Node(
            config, serve_api=serve_api, expected=expected, ended=requests.ask, listener=listener,
            hosts_file=hosts_file,
        )  # fmt: skip
        node.start()
        try:
            ready()
            requests.wait(look=node.look)
        finally:
            node.stop()
    if node.failure is not None:
        raise node.failure


@contextmanager
def _short_waits() -> Iterator[None]:
    """Let the threads of this process wait for each other no longer than they must."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()  # all threads wait while garbage is looked for: 50 ms if the program itself is gone through
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(former)


def _resolver(hosts_file: Path | None) -> Callable[..., Sequence[tuple[Any, ...]]]:
    return socket.getaddrinfo if hosts_file is None else KnownHosts(partial(read_hosts, hosts_file))


def _open_state(config: Config) -> SharedState:
    path = database_path(config)
    kind = SharedState.open if path.exists() else SharedState.create
    state = kind(path, config.params)
    assert isinstance(state, SharedState)
    return state


def _close(state: SharedState) -> None:
    with state.lock:  # never in the middle of a transaction, whatever the main loop does
        state.close()


def _greet(config: Config, timeout: float | None = None) -> None:
    """Ask bitcoind once which chain it has."""
    client = RpcClient.of(config.bitcoind, timeout)
    try:
        (info,) = client.attempt([("getblockchaininfo", ())])
    finally:
        client.close()
    if isinstance(info, BaseException):
        raise SourceUnavailable(client.name, str(info))
    chain = str(info.get("chain"))
    expected = "regtest" if config.bitcoind.regtest else "main" if config.params.network == MAINNET else "test"
    if expected != chain and not (expected == "test" and chain.startswith(("test", "signet"))):
        raise SourceError(client.name, f"expected the chain {expected!r}, got {chain!r}: see [bitcoind] regtest")
