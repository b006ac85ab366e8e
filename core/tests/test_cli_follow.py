"""The main loop: every block, one whole block for readers, waits that end, backups at their heights."""

from __future__ import annotations

import queue
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from bns.api.sources import Passes
from bns.node.backups import Backups, NoBackup
from bns.node.errors import RpcError, SourceError, SourceUnavailable
from bns.node.expected import Diverged
from bns.node.follow import Follower, SharedState, TipWatch
from bns.node.rpc import RpcClient
from bns.node.sources import MemorySource
from bns.state.files import DatabaseError
from bns.state.store import State
from tests.files import PARAMS, busy_blocks, fresh, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bns.bitcoin.transaction import TxOut
    from bns.engine import Block

FIRST = PARAMS.first_block
LAST = busy_blocks()[-1].height


def source_to(last: int) -> MemorySource:
    blocks = [block for block in busy_blocks() if block.height <= last]
    return MemorySource(FIRST, [block.raw for block in blocks], blocks[0].prevout)


class Watched(Follower):
    """A follower whose waits are heard of, and end when the test says so."""

    def __init__(self, source: Any, state: SharedState, backups: Backups, **more: Any) -> None:
        self.waits: list[float] = []
        self.at_wait: Callable[[], None] = self.stop
        self.now = 0.0
        given: dict[str, Any] = {"offchain": None, "expected": {}, "greet": lambda: None, "chance": lambda: 0.5} | more
        super().__init__(
            source=source,
            state=state,
            backups=backups,
            progress=Passes(lambda: self.now),
            confirmations=0,
            poll_seconds=300,
            **given,
        )

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at_wait()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SharedState]:
    opened = SharedState.create(tmp_path / "bns.db", PARAMS)
    assert isinstance(opened, SharedState)
    with closing(opened):
        yield opened


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "bns.db", frequency=10, max_age=25)


def test_all_blocks_and_then_a_wait(state: SharedState, backups: Backups) -> None:
    follower = Watched(source_to(LAST), state, backups)
    follower.run()
    assert tables(state) == fresh(busy_blocks())
    assert follower.waits == [300]
    assert (follower.progress.indexing, follower.progress.last_block_seen) == (False, LAST)


def test_a_source_that_is_away_is_tried_less_and_less_often(state: SharedState, backups: Backups) -> None:
    class Away(MemorySource):
        asked = 0

        def tip(self) -> Any:
            self.asked += 1
            if self.asked < 7:
                raise SourceUnavailable(self.name, "away")
            return super().tip()

    blocks = busy_blocks()
    follower = Watched(Away(FIRST, [block.raw for block in blocks], blocks[0].prevout), state, backups)
    follower.at_wait = lambda: follower.stop() if state.last_block == LAST else None
    follower.run()
    assert follower.waits == [1, 2.5, 6.25, 15.625, 39.0625, 60, 300]


def test_a_source_that_is_the_wrong_one_ends_it(state: SharedState, backups: Backups) -> None:
    def greet() -> None:
        raise SourceError("bitcoind", "another chain")

    with pytest.raises(SourceError, match="another chain"):
        Watched(source_to(LAST), state, backups, greet=greet).run()


def test_readers_are_kept_out_while_blocks_are_written_and_only_then(state: SharedState, backups: Backups) -> None:
    def free() -> bool:
        found: list[bool] = []

        def attempt() -> None:
            found.append(state.lock.acquire(blocking=False))
            if found[0]:
                state.lock.release()

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        return found[0]

    class Offchain:
        def follow(self) -> None:
            while_writing.append(free())

    class Source(MemorySource):
        def blocks(self, first: int, last: int) -> Iterator[Block]:
            while_reading.append(free())
            return super().blocks(first, last)

    while_writing: list[bool] = []
    while_reading: list[bool] = []
    blocks = busy_blocks()
    source = Source(FIRST, [block.raw for block in blocks], blocks[0].prevout)
    Watched(source, state, backups, offchain=Offchain()).run()
    assert set(while_writing) == {False}
    assert set(while_reading) == {True}


def test_a_stop_takes_effect_between_two_blocks(state: SharedState, backups: Backups) -> None:
    blocks = busy_blocks()

    def prevout(txid: bytes, index: int) -> TxOut | None:
        if state.last_block == FIRST + 31:
            follower.stop()
        return blocks[0].prevout(txid, index)

    follower = Watched(MemorySource(FIRST, [block.raw for block in blocks], prevout), state, backups)
    follower.run()
    assert state.last_block == FIRST + 32
    assert tables(state) == fresh([block for block in blocks if block.height <= state.last_block])


def test_an_unexpected_hash_is_not_stored(state: SharedState, backups: Backups) -> None:
    with pytest.raises(Diverged):
        Watched(source_to(LAST), state, backups, expected={FIRST + 12: "00" * 16}).run()
    assert state.last_block < FIRST + 12
    Watched(source_to(LAST), state, backups).run()
    with pytest.raises(Diverged):
        Watched(source_to(LAST), state, backups, expected={FIRST + 12: "00" * 16}).run()


# Backups


def due_labels(last: int) -> list[int]:
    return [height - 1 for height in range(FIRST, last + 1) if height % 10 == 0 and height - 1 + 25 >= last]


def test_backups_hold_the_block_above_their_label(state: SharedState, backups: Backups, tmp_path: Path) -> None:
    Watched(source_to(LAST), state, backups).run()
    assert backups.labels() == due_labels(LAST)
    assert len(backups.labels()) in (2, 3)
    for label in backups.labels():
        assert sorted(entry.name for entry in backups.directory.iterdir() if str(label) in entry.name) == [
            f"bns.db.bak.{label}"
        ]
        with closing(sqlite3.connect(backups.path(label))) as copy:
            kept = State(copy, PARAMS)
            assert kept.last_block == label + 1
            assert tables(kept) == fresh([block for block in busy_blocks() if block.height <= label + 1])


def test_old_backups_go(state: SharedState, backups: Backups) -> None:
    Watched(source_to(LAST - 20), state, backups).run()
    assert backups.labels() == due_labels(LAST - 20)
    Watched(source_to(LAST), state, backups).run()
    assert backups.labels() == due_labels(LAST)


def test_how_old_a_backup_may_be(backups: Backups) -> None:
    backups.directory.mkdir()
    backups.path(10).touch()
    backups.prune(35)
    assert backups.labels() == [10]
    backups.prune(36)
    assert backups.labels() == []


def test_backups_of_a_dead_branch_go(state: SharedState, backups: Backups) -> None:
    follower = Watched(source_to(LAST), state, backups)
    follower.run()
    *kept, last = backups.labels()
    follower._rolled_back(last)
    assert backups.labels() == kept


def test_a_backup_is_restored(state: SharedState, backups: Backups) -> None:
    Watched(source_to(LAST), state, backups).run()
    with pytest.raises(DatabaseError, match="another process writes to it"):
        backups.restore(None, PARAMS)
    state.close()
    first, *_, last = backups.labels()
    assert backups.restore(None, PARAMS) == last + 1
    assert backups.restore(first, PARAMS) == first + 1
    with closing(SharedState.open(backups.database, PARAMS)) as restored:
        assert isinstance(restored, SharedState)
        assert restored.last_block == first + 1
        Watched(source_to(LAST), restored, backups).run()
        assert tables(restored) == fresh(busy_blocks())


def test_a_damaged_backup_changes_nothing(state: SharedState, backups: Backups) -> None:
    Watched(source_to(LAST), state, backups).run()
    state.close()
    before = sorted(backups.database.parent.rglob("*"))
    label = backups.labels()[-1]
    with backups.path(label).open("r+b") as file:
        file.truncate(20_000)
    with pytest.raises(DatabaseError, match="truncated"):
        backups.restore(label, PARAMS)
    assert sorted(backups.database.parent.rglob("*")) == before
    with closing(State.open(backups.database, PARAMS)) as kept:
        assert kept.last_block == LAST


def test_no_backup(backups: Backups) -> None:
    with pytest.raises(NoBackup, match=r"there are no backups of bns\.db"):
        backups.restore(None, PARAMS)


# The watch


class FakeClient(RpcClient):
    """Answers each long poll with what the test hands it: a height, or an error."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 1), "", "")
        self.answers: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()
        self.asked: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.calls = 0
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def call(self, method: str, *params: object) -> Any:
        self.calls += 1
        self.asked.put((method, *params))
        answer = self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return {"height": answer, "hash": ""}


def test_a_watch_wakes_for_a_block_and_once_for_a_failure() -> None:
    client = FakeClient()
    woken: list[int] = []
    watch = TipWatch(client, 1.5, lambda: woken.append(client.calls))
    gone = SourceUnavailable("bitcoind", "gone")
    unknown = RpcError(-32601, "no such method", "waitforblockheight")
    answers: list[int | Exception] = [11, gone, gone, unknown, 14, 16, gone]
    for height, answer in enumerate(answers, start=10):
        watch.expect(height)
        assert client.asked.get(timeout=30) == ("waitforblockheight", height + 1, 1500)
        client.answers.put(answer)
    assert not client.closed
    watch.close()
    watch._thread.join()
    assert woken == [1, 2, 6, 7]
    assert client.closed


def test_a_watch_goes_by_the_last_height_it_was_told() -> None:
    client = FakeClient()
    watch = TipWatch(client, 1.5, lambda: None)
    watch.expect(1)
    assert client.asked.get(timeout=30)[1] == 2
    for height in (2, 3, 4):
        watch.expect(height)
    client.answers.put(1)
    assert client.asked.get(timeout=30)[1] == 5
    watch.close()
    client.answers.put(1)
    watch._thread.join()
    assert client.asked.empty()
