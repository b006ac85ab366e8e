"""The node's main loop: index what is new, wait for more (spec 08 section 7).

Requests are answered from a connection of their own (bns.node.reading), so reads never wait for blocks to be written.
The lock is for what else writes: it is held from the begin of a transaction to its end, but not while blocks are
fetched and searched, which is most of the time.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bns.engine import Engine
from bns.node.errors import RpcError, SourceError, SourceUnavailable
from bns.node.expected import Diverged
from bns.node.indexer import Hooks, catch_up
from bns.state.store import State

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bns.api.sources import Passes
    from bns.engine import Receipt
    from bns.node.backups import Backups
    from bns.node.indexer import Progress, Summary
    from bns.node.rpc import RpcClient
    from bns.node.sources import BlockSource
    from bns.params import Params
    from bns.subdomains.offchain import Offchain

LONGEST_PAUSE = 60.0
"""Seconds between two attempts to reach a source that does not answer."""

log = logging.getLogger("bns.node")


class SharedState(State):
    """A state whose writer holds `lock` while it writes; so does another thread that uses its connection."""

    def __init__(self, connection: sqlite3.Connection, params: Params, path: Path | None = None) -> None:
        self.lock = threading.RLock()
        super().__init__(connection, params, path)

    @contextmanager
    def group(self) -> Iterator[None]:
        """See State.group."""
        with self.lock, super().group():
            yield


class TipWatch:
    """Long polls at a bitcoind: calls wake when there is a block above the height it was told last.

    The client is its own, and is closed with it. Where the node has no `waitforblockheight`, it never calls, and new
    blocks are found at the next regular look.
    """

    def __init__(self, client: RpcClient, seconds: float, wake: Callable[[], None]) -> None:
        self._client = client
        self._seconds = seconds
        self._wake = wake
        self._heights: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        # A daemon: nothing but the end of the process interrupts a wait for the node's answer.
        self._thread = threading.Thread(target=self._run, name="tip-watch", daemon=True)
        self._thread.start()

    def expect(self, height: int) -> None:
        """Watch for a block above this height."""
        self._heights.put(height)

    def close(self) -> None:
        """Watch no longer."""
        self._heights.put(None)

    def _run(self) -> None:
        with closing(self._client):
            self._watch()

    def _watch(self) -> None:
        answered = True
        while (height := self._last_told()) is not None:
            try:
                tip = self._client.call("waitforblockheight", height + 1, int(self._seconds * 1000))
                worth_a_look, answered = tip["height"] > height, True
            except RpcError:
                continue
            except SourceError:
                # The node went away, which is worth a look; but only once, or a node that answers everything but this
                # would be looked at without end.
                worth_a_look, answered = answered, False
            if worth_a_look:
                self._wake()

    def _last_told(self) -> int | None:
        """Wait for a height; of several only the last one counts."""
        told = self._heights.get()
        while told is not None and not self._heights.empty():
            told = self._heights.get()
        return told


class Listener(NamedTuple):
    """Who is told what a node does, as far as anybody wants to know.

    block is called for each block once requests are answered from it, with what it did; rolled_back with the height of
    the last block that is left once those above are forgotten; zonefile with the hash (40 hex) of each zone file that
    came and is kept.
    """

    block: Callable[[Receipt], None] | None = None
    rolled_back: Callable[[int], None] | None = None
    zonefile: Callable[[str], None] | None = None


NOBODY = Listener()
"""Nobody wants to know anything."""


@dataclass
class Follower:
    """Keeps a state where the chain is, until it is asked to stop.

    The listener is told of blocks and of roll-backs in their order, after each pass. greet is called before the first
    look at the chain and raises a SourceError if the source is the wrong one. poll_seconds is the longest time between
    two looks, expected the consensus hashes that must come out, chance gives numbers from 0 to 1.
    """

    source: BlockSource
    state: SharedState
    offchain: Offchain | None
    backups: Backups
    progress: Passes
    confirmations: int
    poll_seconds: float
    greet: Callable[[], None]
    expected: Mapping[int, str]
    chance: Callable[[], float] = random.random
    watch: TipWatch | None = None
    listener: Listener = NOBODY
    _wake: threading.Event = field(default_factory=threading.Event)
    _stopping: bool = False
    _greeted: bool = False
    _target: int = 0
    _compared: int = 0
    _told: tuple[int, str | None] | None = None
    _untold: list[Callable[[], None]] = field(default_factory=list)

    def wake(self) -> None:
        """Look at the chain now."""
        self._wake.set()

    def stop(self) -> None:
        """Let run end after the block in progress; from any thread."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Index and wait, until stop. Raises what cannot be mended by waiting."""
        self._compare()
        pause = 1.0
        while not self._stopping:
            try:
                seen = self._pass()
            except SourceUnavailable as error:
                log.warning("%s; trying again in %.0f s", error, pause)
                self._wait(pause)
                pause = min(LONGEST_PAUSE, pause * (2 + self.chance()))
                continue
            pause = 1.0
            if self.watch is not None:
                self.watch.expect(seen)
            self._wait(self.poll_seconds)

    def _wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _pass(self) -> int:
        """Index all that is there; the height of the source."""
        if not self._greeted:
            self.greet()
            self._greeted = True
        self.progress.begin()
        while (summary := self._catch_up()).stopped and not self._stopping:
            pass  # it only stopped for a backup
        reached = summary.height, self.state.consensus_hash(summary.height)
        if reached != self._told:
            log.info("indexed up to block %d, consensus hash %s", *reached)
            self._told = reached
        seen = summary.target + self.confirmations
        self.progress.end(seen)
        self._tell()
        return seen

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for tell in untold:
            tell()

    def _catch_up(self) -> Summary:
        hooks = Hooks(within=self._within, progress=self._report, applied=self._applied, rolled_back=self._rolled_back)
        engine = Engine(self.state.params, self.state)
        summary = catch_up(
            self.source, engine, self.state, confirmations=self.confirmations, hooks=hooks, stop=self._halts
        )
        if self.backups.is_due(summary.height, summary.target):
            log.info("backup: %s", self.backups.make(summary.height))
        if summary.applied:
            self.backups.prune(summary.height)
        return summary

    def _halts(self) -> bool:
        return self._stopping or self.backups.is_due(self.state.last_block, self._target)

    def _within(self) -> None:
        self._compare()
        if self.offchain is not None:
            self.offchain.follow()

    def _compare(self) -> None:
        """Compare the hashes of blocks that are new since the last time with those expected."""
        last = self.state.last_block
        if self.expected:
            for height in range(max(self._compared, self.state.params.first_block - 1) + 1, last + 1):
                actual = self.state.consensus_hash(height)
                if self.expected.get(height, actual) != actual:
                    raise Diverged(height, self.expected[height], actual)
        self._compared = last

    def _report(self, progress: Progress) -> None:
        self._target = progress.target
        if progress.target - progress.height > 1 and progress.rate:
            log.info("block %d of %d, %.0f blocks/s", progress.height, progress.target, progress.rate)

    def _applied(self, receipt: Receipt) -> None:
        counts = len(receipt.accepted), len(receipt.rejected)
        if self.listener.block is not None:
            self._untold.append(partial(self.listener.block, receipt))
        log.debug("block %d: %d accepted, %d rejected, %s", receipt.height, *counts, receipt.consensus_hash)

    def _rolled_back(self, height: int) -> None:
        if self.listener.rolled_back is not None:
            self._untold.append(partial(self.listener.rolled_back, height))
        log.warning("the chain was reorganised: back to block %d", height)
        self.backups.drop_above(height)
