"""The peer network on sockets: a thread for each process of bns.atlas.crawlers."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from random import SystemRandom
from typing import TYPE_CHECKING

from bns.atlas.client import PeerClient
from bns.atlas.constants import RECENT_BLOCKS, Constants
from bns.atlas.crawlers import HealthChecker, PeerCrawler, ZonefileCrawler
from bns.atlas.messages import Pause
from bns.atlas.node import AtlasNode, Identity
from bns.errors import BnsError
from bns.zonefiles.store import zonefile_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random
    from threading import RLock

    from bns.atlas.messages import Answer, Process
    from bns.atlas.peers import PeerStore
    from bns.state.store import State
    from bns.subdomains.offchain import Offchain

LEAVING_SECONDS = 5.0
"""How long a stop waits at most for a thread, which may itself wait for a name server."""

_AFTER_TROUBLE = 60.0

log = logging.getLogger("bns.node")


class StateChain:
    """What a state has indexed; see bns.atlas.node.Chain."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._first = state.last_block - RECENT_BLOCKS

    def last_block(self) -> int:
        """The height of the last block."""
        return self._state.last_block

    def is_recent(self, consensus_hash: str, /) -> bool:
        """See bns.atlas.node.Chain."""
        last = self._state.last_block
        return consensus_hash in self._state.consensus_hashes(min(self._first, last), last)


class OffchainHoldings:
    """The zone files of a node with a database, whichever it is at the time; see bns.atlas.node.Holdings."""

    def __init__(self, offchain: Callable[[], Offchain]) -> None:
        self._offchain = offchain

    def count(self) -> int:
        """How many announcements there are."""
        return self._offchain().count()

    def missing(self) -> Mapping[str, Sequence[int]]:
        """See Holdings."""
        found: dict[str, list[int]] = {}
        for entry in self._offchain().announced.missing():
            found.setdefault(entry.zonefile_hash, []).append(entry.inv_index - 1)
        return found

    def discover(self, hash_: str, /) -> bool:
        """See Holdings."""
        data = self._offchain().zonefiles.get(hash_)
        return data is not None and self.put(data)

    def put(self, data: bytes, /) -> bool:
        """See Holdings."""
        kept = self._offchain().put(data)
        if kept:
            log.debug("zone file %s has come", zonefile_hash(data))
        return kept


class AtlasService:
    """A node's part in the network, between start and stop.

    lock is held while the node's state is read or written, but not during calls to peers.
    """

    def __init__(
        self,
        identity: Identity,
        offchain: Offchain,
        state: State,
        lock: RLock,
        *,
        constants: Constants | None = None,
        store: PeerStore | None = None,
        chance: Random | None = None,
    ) -> None:
        self._lock = lock
        self._stopping = threading.Event()
        self._health = threading.Event()
        self._client = PeerClient(time.monotonic)
        self.node = AtlasNode(
            identity, OffchainHoldings(lambda: offchain), StateChain(state), clock=_unix_clock(),
            chance=chance or SystemRandom(), constants=constants, store=store, peer_added=self._health.set,
        )  # fmt: skip
        processes = {
            "peer crawler": PeerCrawler(self.node).run,
            "health checker": HealthChecker(self.node).run,
            "zone file crawler": ZonefileCrawler(self.node).run,
        }
        # Daemons, because a name server that hangs must not keep the process.
        self._threads = [
            threading.Thread(target=self._drive, args=(run,), name=name, daemon=True) for name, run in processes.items()
        ]

    def start(self) -> None:
        """Begin to look for peers and zone files."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Give up the calls under way, and end."""
        self._stopping.set()
        self._health.set()
        self._client.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(LEAVING_SECONDS)

    def _drive(self, run: Callable[[], Process]) -> None:
        process = run()
        answer: Answer = None
        while True:
            try:
                with self._lock:
                    if self._stopping.is_set():
                        return
                    event = process.send(answer)
            except (BnsError, OSError, sqlite3.Error) as error:  # of the disk, say; the network's are no exceptions
                log.error("the %s rests: %s", threading.current_thread().name, error)
                process, event = run(), Pause(self.node.clock() + _AFTER_TROUBLE)
            if isinstance(event, Pause):
                self._rest(event)
                answer = None
            else:
                answer = self._client.call(event)

    def _rest(self, pause: Pause) -> None:
        seconds = max(0.0, pause.until - self.node.clock())
        awaited = self._health if pause.wakeable else self._stopping
        awaited.wait(None if seconds == math.inf else seconds)
        if pause.wakeable and not self._stopping.is_set():
            self._health.clear()

    def peers(self, asking: str) -> Sequence[str]:
        """See bns.atlas.node.AtlasNode.peers; without the lock, so that nobody who asks waits for a block."""
        return self.node.peers(asking)


def _unix_clock() -> Callable[[], float]:
    """A clock that gives Unix time and never jumps."""
    begin = time.time() - time.monotonic()
    return lambda: begin + time.monotonic()
