"""The indexer's loop: to the tip, past reorganisations, told when to stop, telling where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.block import block_hash
from bns.errors import InvalidInput, MissingPrevout
from bns.node.errors import ChainChanged, DeepReorganisation, SourceUnavailable
from bns.node.indexer import Hooks, Progress, Summary, catch_up
from bns.node.sources import MemorySource, Tip
from bns.state.store import UNDO_DEPTH
from tests.chain import coinbase, raw_block
from tests.files import tables
from tests.indexing import FIRST, Index, busy_chain, forked, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bns.engine import Block
    from tests.chain import Chain


@pytest.fixture
def chain() -> Chain:
    """Twenty-seven blocks: a namespace and eight short lives."""
    return busy_chain()


# Forward


def test_from_nothing_to_the_tip(chain: Chain) -> None:
    index = Index(source_of(chain))
    last = chain.blocks[-1].height
    assert index.catch_up() == Summary(len(chain.blocks), 0, last, last, stopped=False)
    assert index.receipts[-1].consensus_hash == chain.hash
    assert [receipt.height for receipt in index.receipts] == list(range(FIRST, last + 1))
    assert index.rolled_back == []
    assert tables(index.state) == tables(chain.state)
    assert index.catch_up() == Summary(0, 0, last, last, stopped=False)


@pytest.mark.parametrize("blocks_per_commit", [1, 3, 1000])
def test_groups_of_any_size_give_the_same(chain: Chain, blocks_per_commit: int) -> None:
    index = Index(source_of(chain))
    index.catch_up(blocks_per_commit=blocks_per_commit)
    assert tables(index.state) == tables(chain.state)


@pytest.mark.parametrize("confirmations", [0, 1, 6])
def test_unconfirmed_blocks_wait(chain: Chain, confirmations: int) -> None:
    summary = Index(source_of(chain)).catch_up(confirmations)
    assert summary.height == summary.target == chain.blocks[-1].height - confirmations
    assert not summary.stopped


def test_a_chain_that_ends_below_the_first_block() -> None:
    index = Index(MemorySource(50, [raw_block(bytes(32), 50, [coinbase(50)])], lambda *_: None))
    assert index.catch_up() == Summary(0, 0, FIRST - 1, 50, stopped=False)


def test_a_run_stops_between_two_blocks_and_the_next_goes_on(chain: Chain) -> None:
    index = Index(source_of(chain))
    heights = []
    for _ in range(5):
        left = iter([False] * 4)
        summary = index.catch_up(stop=lambda left=left: next(left, True))  # type: ignore[misc]
        assert summary.stopped
        heights.append(summary.height)
    assert heights == sorted(set(heights))
    assert [receipt.height for receipt in index.receipts] == list(range(FIRST, heights[-1] + 1))
    assert not index.catch_up().stopped
    assert tables(index.state) == tables(chain.state)


def test_progress_is_reported_once_a_second_with_rate_and_time_left(chain: Chain) -> None:
    index = Index(source_of(chain))
    seconds = iter(range(1000))
    index.catch_up(clock=lambda: next(seconds) / 4, blocks_per_commit=1)
    first, *others, last = index.progress
    target = chain.blocks[-1].height
    assert first == Progress(FIRST - 1, target, 0.0, None)
    assert last.height == last.target == target
    assert last.seconds_left == 0.0
    assert 0 < len(others) < len(chain.blocks) / 2
    for report in others:
        assert report.seconds_left == pytest.approx((target - report.height) / report.rate)


def test_where_no_time_passes_there_is_no_rate(chain: Chain) -> None:
    index = Index(source_of(chain))
    index.catch_up()
    assert index.progress[-1] == Progress(chain.blocks[-1].height, chain.blocks[-1].height, 0.0, 0.0)


def test_an_error_leaves_whole_blocks(chain: Chain) -> None:
    index = Index(MemorySource(FIRST, [block.raw for block in chain.blocks], lambda *_: None))
    with pytest.raises(MissingPrevout):
        index.catch_up()
    assert index.state.last_block == FIRST - 1
    assert index.receipts == []
    index.source = source_of(chain)
    index.catch_up()
    assert tables(index.state) == tables(chain.state)


def test_what_is_written_with_the_blocks_is_written_within(chain: Chain) -> None:
    index = Index(source_of(chain))
    index.catch_up(blocks_per_commit=10)
    last = chain.blocks[-1].height
    assert index.within == [(True, FIRST + 9), (True, FIRST + 19), (True, last)]
    index.within.clear()
    index.source = forked(chain, last - 4, 6)
    index.catch_up()
    assert index.within == [(True, last - 4), (True, last + 2)]


def test_what_fails_within_undoes_the_blocks(chain: Chain) -> None:
    index = Index(source_of(chain))
    index.catch_up()
    before, last = tables(index.state), index.state.last_block
    hashes = [index.state.consensus_hash(height) for height in range(FIRST, last + 1)]

    def fail() -> None:
        raise ZeroDivisionError

    index.source = forked(chain, last - 10, 15)
    with pytest.raises(ZeroDivisionError):
        catch_up(index.source, index.engine, index.state, confirmations=0, hooks=Hooks(within=fail))
    assert tables(index.state) == before
    assert [index.state.consensus_hash(height) for height in range(FIRST, last + 1)] == hashes

    def replace_a_block_and_fail() -> None:
        with index.state.group():
            index.state.rollback_to(last - 20)
            index.engine.apply(next(forked(chain, last - 20, 1).blocks(last - 19, last - 19)))
            fail()

    with pytest.raises(ZeroDivisionError):
        replace_a_block_and_fail()
    assert tables(index.state) == before
    assert [index.state.consensus_hash(height) for height in range(FIRST, last + 1)] == hashes
    index.catch_up()
    index.assert_fresh()


# Reorganisations


@pytest.mark.parametrize("depth", [1, 2, 7, 20, 26, 27])
@pytest.mark.parametrize("longer", [-1, 0, 5])
def test_the_index_follows_the_best_chain(chain: Chain, depth: int, longer: int) -> None:
    index = Index(source_of(chain))
    index.catch_up()
    last = index.state.last_block
    fork = last - depth
    index.source = forked(chain, fork, max(1, depth + longer))
    tip = index.source.tip().height
    assert index.catch_up() == Summary(tip - fork, depth, tip, tip, stopped=False)
    assert index.rolled_back == [fork]
    index.assert_fresh()
    index.source = source_of(chain)
    index.catch_up()
    assert index.receipts[-1].consensus_hash == chain.hash
    index.assert_fresh()


def test_a_chain_that_only_became_shorter(chain: Chain) -> None:
    index = Index(source_of(chain))
    index.catch_up()
    last = index.state.last_block
    index.source = forked(chain, last - 4, 0)
    assert index.catch_up() == Summary(0, 4, last - 4, last - 4, stopped=False)
    index.assert_fresh()


def test_confirmed_blocks_stay_when_others_are_disconnected(chain: Chain) -> None:
    """Blocks that are on the best chain still stay, however few stand on them now."""
    index = Index(source_of(chain))
    index.catch_up(confirmations=6)
    last = index.state.last_block
    index.source = forked(chain, last + 1, 0)
    assert index.catch_up(confirmations=6) == Summary(0, 0, last, last - 5, stopped=False)
    index.source = forked(chain, last - 2, 20)
    assert index.catch_up(confirmations=6) == Summary(14, 2, last + 12, last + 12, stopped=False)
    index.assert_fresh()


def test_a_fork_deeper_than_the_undo_data_is_refused_with_advice() -> None:
    chain = busy_chain(1)
    chain.mine(UNDO_DEPTH)
    index = Index(source_of(chain))
    index.catch_up()
    last, before = index.state.last_block, tables(index.state)
    index.source = forked(chain, last - UNDO_DEPTH - 1, UNDO_DEPTH + 2)
    with pytest.raises(DeepReorganisation, match="restore a backup from before the fork, or index into a new") as deep:
        index.catch_up()
    assert deep.value.height == last - UNDO_DEPTH
    assert deep.value.stored == block_hash(chain.blocks[deep.value.height - FIRST].raw)
    assert deep.value.actual == index.source.hash_at(deep.value.height)
    assert tables(index.state) == before
    index.source = forked(chain, last - UNDO_DEPTH, UNDO_DEPTH + 2)
    assert index.catch_up().rolled_back == UNDO_DEPTH
    index.assert_fresh()


class Turning(MemorySource):
    """A source whose chain changes while its blocks are read: after some of them, once for each change."""

    def __init__(self, chain: Chain, changes: list[tuple[int, MemorySource]]) -> None:
        super().__init__(FIRST, [block.raw for block in chain.blocks], chain.prevout)
        self.changes = changes

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        for height in range(first, last + 1):
            if self.changes and height > self.changes[0][0]:
                _, other = self.changes.pop(0)
                self._blocks = other._blocks
            yield from super().blocks(height, height)


@pytest.mark.parametrize("blocks_per_commit", [1, 4, 100])
def test_a_chain_that_changes_while_it_is_read(chain: Chain, blocks_per_commit: int) -> None:
    last = chain.blocks[-1].height
    changes = [
        (last - 5, forked(chain, last - 10, 12)),  # below what is indexed by then
        (last - 3, forked(chain, last - 4, 0)),  # shorter than what is asked for
    ]
    index = Index(Turning(chain, changes))
    summary = index.catch_up(blocks_per_commit=blocks_per_commit)
    assert changes == []
    assert summary.height == last - 4
    index.assert_fresh()
    assert index.receipts[-1].consensus_hash == index.state.consensus_hash(last - 4)


def test_a_source_that_contradicts_itself_is_not_asked_for_ever(chain: Chain) -> None:
    raws = [block.raw for block in chain.blocks]
    raws[10] = raw_block(bytes(32), FIRST + 10, [coinbase(FIRST + 10)])
    index = Index(MemorySource(FIRST, raws, chain.prevout, name="two nodes behind one name"))
    with pytest.raises(ChainChanged, match=r"two nodes behind one name: its blocks up to \d+ do not follow each other"):
        index.catch_up()
    assert index.state.last_block == FIRST + 9


# The source in memory


def test_a_source_in_memory(chain: Chain) -> None:
    source = source_of(chain)
    last = chain.blocks[-1]
    assert source.tip() == Tip(last.height, block_hash(last.raw))
    assert source.hash_at(FIRST) == block_hash(chain.blocks[0].raw)
    assert source.hash_at(FIRST - 1) is None
    assert source.hash_at(last.height + 1) is None
    assert [block.raw for block in source.blocks(FIRST + 1, FIRST + 2)] == [b.raw for b in chain.blocks[1:3]]
    assert list(source.blocks(FIRST + 1, FIRST)) == []
    with pytest.raises(SourceUnavailable, match=f"has no block {last.height + 1}"):
        list(source.blocks(last.height, last.height + 1))
    source.replace(FIRST + 1, [last.raw])
    assert source.tip() == Tip(FIRST + 2, block_hash(last.raw))
    source.close()


def test_a_source_in_memory_has_blocks(chain: Chain) -> None:
    with pytest.raises(InvalidInput, match="blocks of a source: expected at least one"):
        MemorySource(1, [], lambda *_: None)
    with pytest.raises(InvalidInput, match="height of a fork: expected 100 to"):
        source_of(chain).replace(FIRST - 1, [])
