"""Nodes of the peer network on real sockets, each with a chain and a store of its own; and servers that do harm."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from bns.api.rpc import rpc_app
from bns.atlas.constants import Constants
from bns.atlas.node import Identity
from bns.atlas.service import AtlasService
from bns.atlas.store import PeerFile
from bns.node.follow import SharedState
from bns.node.reading import reading_view
from bns.node.servers import Servers, Service, listen
from bns.zonefiles.store import ZonefileStore, zonefile_hash
from tests.chain import ALICE, rules
from tests.subdomain_chain import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from bns.state.store import State

WAIT_SECONDS = 30.0
QUICK = Constants(
    ping_interval=0.1, crawl_period=0.05, health_period=0.02, info_timeout=5.0, inventory_timeout=5.0,
    neighbours_timeout=5.0, zonefiles_timeout=5.0,
)  # fmt: skip


class Files(ZonefileStore):
    """A store that says when it has so many files."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.hashes: set[str] = set()
        self._changed = threading.Condition()

    def put(self, data: bytes, /) -> str:
        hash_ = super().put(data)
        with self._changed:
            self.hashes.add(hash_)
            self._changed.notify_all()
        return hash_

    def wait_for(self, files: Sequence[bytes]) -> bool:
        wanted = {zonefile_hash(data) for data in files}
        with self._changed:
            return self._changed.wait_for(lambda: wanted <= self.hashes, WAIT_SECONDS)


class LiveNode:
    """A node that has indexed a chain on which ALICE announces files, and answers at `address`."""

    def __init__(
        self, directory: Path, stack: ExitStack, announced: Sequence[bytes], *, seeds: Sequence[str] = (), seed: int = 1
    ) -> None:
        directory.mkdir()
        state: State = SharedState.create(directory / "bns.db", rules())
        assert isinstance(state, SharedState)
        stack.callback(state.close)
        self.files = Files(directory / "zonefiles")
        self.publisher = Publisher("foo.test", state=state, zonefiles=self.files)
        self.offchain = self.publisher.offchain
        for data in announced:
            self.announce(data)
        listener = listen("test", "127.0.0.1", 0)
        port = listener.getsockname()[1]
        self.address = f"localhost:{port}"
        store = PeerFile(directory / "atlas.db")
        stack.callback(store.close)
        self.service = AtlasService(
            Identity(f"127.0.0.1:{port}", 16264, seeds, testnet=True), self.offchain, state, state.lock,
            constants=QUICK, store=store, chance=Random(seed),
        )  # fmt: skip
        seen = reading_view(state, self.offchain, self.files, peers=self.service.peers)
        stack.callback(seen.close)
        servers = Servers([Service(rpc_app(seen), listener)])
        stack.callback(self.service.stop)
        stack.callback(servers.stop)
        servers.start()

    def announce(self, data: bytes) -> None:
        """One more block, with an announcement."""
        chain = self.publisher.chain
        chain.must(chain.update("foo.test", ALICE, zonefile_hash(data)))
        self.offchain.follow()


class HostileServer:
    """Accepts connections, and has each handled by a function."""

    def __init__(self, stack: ExitStack, handle: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.accepted = threading.Semaphore(0)
        self._handle = handle
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        stack.callback(self._thread.join, WAIT_SECONDS)
        stack.callback(self._close)

    def _close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.release()
            with connection, suppress(OSError):  # the client has had enough
                connection.recv(65536)
                self._handle(connection)
