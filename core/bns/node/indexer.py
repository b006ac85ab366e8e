"""The loop that brings a state to where the best chain is, whatever the chain does meanwhile.

The reference only moves forward (spec 01 section 14, spec 08 section 7); here a reorganisation is followed, up to the
depth that a state can be rolled back.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from bns.bitcoin.transaction import txid_to_hex
from bns.node import restored
from bns.node.errors import ChainChanged, DeepReorganisation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bns.engine import Block, Engine, Receipt
    from bns.node.sources import BlockSource, Tip
    from bns.state.store import State

_GROUP_BYTES = 4 << 20

REPORT_SECONDS = 1.0
"""The least time between two reports of progress."""


class Progress(NamedTuple):
    """How far the index is: heights of its last block and of the goal, blocks a second, seconds left (None: unknown).

    The rate is that of the whole run so far.
    """

    height: int
    target: int
    rate: float
    seconds_left: float | None


class Summary(NamedTuple):
    """What a run did: blocks applied and rolled back, where the index stands now, and whether it was asked to stop."""

    applied: int
    rolled_back: int
    height: int
    target: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class Hooks:
    """What others want to hear of a run, in the thread of the indexer.

    within is called in the transaction that stores blocks or undoes some, after the last of them: what it writes is
    stored with them or not at all. The others are called afterwards: progress at the begin, at most once a second, and
    at the end; applied for each block that was stored, with the receipt; rolled_back with the height of the last block
    that stayed.
    """

    within: Callable[[], None] = lambda: None
    progress: Callable[[Progress], None] = lambda _: None
    applied: Callable[[Receipt], None] = lambda _: None
    rolled_back: Callable[[int], None] = lambda _: None


_SILENT = Hooks()


def catch_up(
    source: BlockSource,
    engine: Engine,
    state: State,
    *,
    confirmations: int,
    hooks: Hooks = _SILENT,
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = monotonic,
    blocks_per_commit: int = 500,
) -> Summary:
    """Index every block up to the source's tip minus `confirmations`; blocks that left the best chain are undone first.

    Blocks that a snapshot brought, without their hashes, are compared with the best chain before (bns.node.restored).
    It takes up where the state ends, and returns between two blocks when stop() says so. Far from the goal,
    blocks_per_commit blocks (or some megabytes) share one transaction: a crash costs these, never part of a block.
    Raises DeepReorganisation or OtherChain when the fork lies deeper than can be rolled back, SourceError when the
    source fails, DatabaseError or DiskFull when the file does; the state then stands at the last block that was stored.
    """
    return _Run(source, engine, state, confirmations, hooks, stop, clock, blocks_per_commit).run()


class _Run:
    """One call of catch_up."""

    def __init__(
        self,
        source: BlockSource,
        engine: Engine,
        state: State,
        confirmations: int,
        hooks: Hooks,
        stop: Callable[[], bool],
        clock: Callable[[], float],
        blocks_per_commit: int,
    ) -> None:
        self.source = source
        self.engine = engine
        self.state = state
        self.confirmations = confirmations
        self.hooks = hooks
        self.stop = stop
        self.clock = clock
        self.blocks_per_commit = blocks_per_commit
        self.asked_to_stop = False
        self.applied = 0
        self.rolled_back = 0
        self.target = state.last_block
        self.started = self.reported = clock()

    def run(self) -> Summary:
        """Pass after pass, until one meets no change of the chain."""
        tip = self.source.tip()
        while not self._pass(tip):
            before, tip = tip, self.source.tip()
            if tip == before:
                raise ChainChanged(self.source.name, f"its blocks up to {tip.height} do not follow each other")
        self._report()
        stopped = self.state.last_block < self.target
        return Summary(self.applied, self.rolled_back, self.state.last_block, self.target, stopped)

    def _pass(self, tip: Tip) -> bool:
        """Go for the tip; False if the chain changed on the way."""
        self.target = tip.height - self.confirmations
        try:
            self._meet_restored(tip)
            self._leave_dead_branch()
            self._report()
            if self.state.last_block >= self.target:
                return True
            for group in _groups(self.source.blocks(self.state.last_block + 1, self.target), self.blocks_per_commit):
                applied = self._apply(group)
                if self._stopping():
                    return True
                if applied < len(group):
                    return False
                if self.clock() - self.reported >= REPORT_SECONDS:
                    self._report()
        except ChainChanged:
            return False
        return True

    def _apply(self, group: Sequence[Block]) -> int:
        """Index the blocks of a group, in one transaction, up to a stop or to the first that does not follow."""
        last = self._stored_hash(self.state.last_block)
        receipts: list[Receipt] = []
        with self.state.group():
            for block in group:
                if self._stopping() or last not in (None, txid_to_hex(block.raw[4:36])):
                    break
                receipts.append(self.engine.apply(block))
                last = receipts[-1].block_hash
            self.hooks.within()
        self.applied += len(receipts)
        for receipt in receipts:
            self.hooks.applied(receipt)
        return len(receipts)

    def _stopping(self) -> bool:
        self.asked_to_stop = self.asked_to_stop or self.stop()
        return self.asked_to_stop

    def _meet_restored(self, tip: Tip) -> None:
        """Give blocks that a snapshot brought their hashes, and roll back those that are not on the best chain."""
        met = restored.meet(self.source, self.engine, self.state, tip)
        if met is None:
            return
        if met.common < met.last:
            self._roll_back(met.common)
        restored.store(self.state, met)

    def _leave_dead_branch(self) -> None:
        """Roll back to the last block that is on the best chain too."""
        last = self.state.last_block
        if self._is_common(last):
            return
        # Chains that part stay apart: the blocks in common are those up to some height.
        common, parted = self.state.lowest_rollback, last
        if not self._is_common(common):
            stored = self._stored_hash(common)
            assert stored is not None, "what has no hash is common"
            raise DeepReorganisation(common, stored, self.source.hash_at(common))
        while parted - common > 1:
            middle = (common + parted) // 2
            if self._is_common(middle):
                common = middle
            else:
                parted = middle
        self._roll_back(common)

    def _roll_back(self, common: int) -> None:
        last = self.state.last_block
        with self.state.group():
            self.state.rollback_to(common)
            self.hooks.within()
        self.rolled_back += last - common
        self.hooks.rolled_back(common)

    def _is_common(self, height: int) -> bool:
        stored = self._stored_hash(height)
        return stored is None or stored == self.source.hash_at(height)

    def _stored_hash(self, height: int) -> str | None:
        """Hash of an indexed block; None below the first block, where every chain will do."""
        snapshot = self.state.snapshot(height)
        return snapshot.block_hash if snapshot is not None else None

    def _report(self) -> None:
        self.reported = self.clock()
        seconds = self.reported - self.started
        rate = self.applied / seconds if seconds > 0 else 0.0
        left = max(0, self.target - self.state.last_block)
        seconds_left = left / rate if rate > 0 else None if left else 0.0
        self.hooks.progress(Progress(self.state.last_block, self.target, rate, seconds_left))


def _groups(blocks: Iterable[Block], most: int) -> Iterator[list[Block]]:
    """Blocks in groups of so many, or of some megabytes."""
    group: list[Block] = []
    size = 0
    for block in blocks:
        group.append(block)
        size += len(block.raw)
        if len(group) >= most or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
