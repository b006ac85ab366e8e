"""A state restored from a snapshot on the chain as it is by then: the same, with other last blocks, another one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.block import read_transactions
from bns.bitcoin.hashes import sha256d
from bns.node import restored
from bns.node.errors import BlockPruned, ChainChanged, OtherChain, SourceError
from bns.node.indexer import Hooks, Summary
from bns.node.sources import MemorySource
from bns.state.store import UNDO_DEPTH, State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import ZonefileStore
from tests.chain import ALICE, Chain, raw_block
from tests.files import PARAMS, tables
from tests.indexing import FIRST, Index, busy_chain, forked, source_of
from tests.snapshot_nodes import KEYS, Place
from tests.subdomain_chain import Publisher, carry, dump, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bns.engine import Block


@pytest.fixture(scope="module")
def long_chain() -> Chain:
    """Operations, then more blocks than can be rolled back, then operations."""
    chain = busy_chain(2)
    chain.mine(UNDO_DEPTH)
    for number in range(3):
        chain.preorder(f"late{number}.test", ALICE)
        chain.mine()
        chain.register(f"late{number}.test", ALICE)
        chain.mine()
    return chain


def restored_index(chain: Chain, source: MemorySource, upto: int | None = None) -> Index:
    """An index of the chain, as a snapshot would have brought it, that is to go on with a source."""
    index = Index(source_of(chain))
    index.catch_up(confirmations=0 if upto is None else chain.blocks[-1].height - upto)
    index.state.connection.execute("UPDATE snapshots SET block_hash = NULL")
    index.receipts.clear()
    index.source = source
    return index


def reordered(chain: Chain, fork: int) -> MemorySource:
    """The chain with other blocks above a height that hold the same operations, the last one of each first."""
    raws = [block.raw for block in chain.blocks[: fork - FIRST + 1]]
    for block in chain.blocks[fork - FIRST + 1 :]:
        coinbase, *others = read_transactions(block.raw)
        raws.append(raw_block(sha256d(raws[-1][:80]), block.height + 10_000, [coinbase, *reversed(others)]))
    return MemorySource(FIRST, raws, chain.prevout)


# The chain of the snapshot


@pytest.mark.parametrize("more", [0, 1, 5])
def test_blocks_of_the_best_chain_get_its_hashes(long_chain: Chain, more: int) -> None:
    last = long_chain.blocks[-1].height
    index = restored_index(long_chain, source_of(long_chain), last - more)
    assert index.catch_up() == Summary(more, 0, last, last, stopped=False)
    assert index.rolled_back == []
    index.assert_fresh()
    index.source = forked(long_chain, last - 3, 9)
    assert index.catch_up() == Summary(9, 3, last + 6, last + 6, stopped=False)
    index.assert_fresh()


def test_restored_from_a_file_and_reorganised_below_its_end(tmp_path: Path) -> None:
    chain = busy_chain()
    place = Place.of_state(chain.state, tmp_path / "source")
    snapshot = place.export(tmp_path / "snapshot.bsk", KEYS[0])
    for fork, at_once in ((20, True), (20, False), (3, True), (3, False), (0, True)):
        copy = Place(tmp_path / f"{fork} {at_once}", PARAMS)
        copy.restore(snapshot, [KEYS[0]], 1)
        with closing(State.open(copy.database, PARAMS)) as state:
            Offchain(state, ZonefileStore(copy.zonefiles))
            index = Index(source_of(chain), state)
            if not at_once:
                index.catch_up()
                assert index.rolled_back == []
            index.source = forked(chain, FIRST - 1 + fork, 30)
            index.catch_up()
            assert index.rolled_back == [FIRST - 1 + fork]
            index.assert_fresh()


# Another branch


@pytest.mark.parametrize("fork", [1, 2, 5, 6])
def test_a_branch_that_replaced_the_last_blocks(long_chain: Chain, fork: int) -> None:
    """Above each fork there are operations, of which the other branch lacks the first of each block."""
    last = long_chain.blocks[-1].height
    index = restored_index(long_chain, forked(long_chain, last - fork, fork + 2))
    assert index.catch_up() == Summary(fork + 2, fork, last + 2, last + 2, stopped=False)
    assert index.rolled_back == [last - fork]
    index.assert_fresh()


def test_a_branch_in_which_the_same_happened(long_chain: Chain) -> None:
    last = long_chain.blocks[-1].height
    index = restored_index(long_chain, reordered(long_chain, last - 280))  # one operation a block: the order stays
    assert index.catch_up() == Summary(0, 0, last, last, stopped=False)
    index.assert_fresh()


def test_a_branch_in_which_it_happened_in_another_order() -> None:
    chain = busy_chain(2)
    for number in range(3):
        chain.preorder(f"a{number}.test", ALICE)
        chain.preorder(f"b{number}.test", ALICE)
        chain.mine()
    last = chain.blocks[-1].height
    index = restored_index(chain, reordered(chain, last - 2))
    assert index.catch_up() == Summary(2, 2, last, last, stopped=False)
    index.assert_fresh()


def test_a_branch_that_is_shorter(long_chain: Chain) -> None:
    last = long_chain.blocks[-1].height
    index = restored_index(long_chain, forked(long_chain, last - 4, 2))
    assert index.catch_up() == Summary(2, 4, last - 2, last - 2, stopped=False)
    index.assert_fresh()


@pytest.mark.parametrize("fork", [FIRST + 7, FIRST + 3, FIRST - 1])
def test_a_branch_too_deep_to_be_left_is_refused(long_chain: Chain, fork: int) -> None:
    last = long_chain.blocks[-1].height
    index = restored_index(long_chain, forked(long_chain, fork, last - fork))
    before = tables(index.state)
    with pytest.raises(OtherChain, match=r"block 10\d: expected transaction [0-9a-f]{64} at place 1, .* a newer one"):
        index.catch_up()
    assert tables(index.state) == before


# A source that has not come so far, or is not right


def test_a_source_that_has_still_to_come_so_far(long_chain: Chain) -> None:
    last = long_chain.blocks[-1].height
    index = restored_index(long_chain, source_of(long_chain))
    for missing in (last - FIRST, UNDO_DEPTH + 1, UNDO_DEPTH, 7, 1):
        index.source = forked(long_chain, last - missing, 0)
        assert index.catch_up() == Summary(0, 0, last, last - missing, stopped=False)
        assert {row[1] for row in tables(index.state)["snapshots"]} == {None}
    index.source = forked(long_chain, last - 1, 3)
    assert index.catch_up() == Summary(3, 1, last + 2, last + 2, stopped=False)
    index.assert_fresh()


def test_a_state_that_went_on_without_the_hashes_of_what_was_restored(long_chain: Chain) -> None:
    last = long_chain.blocks[-1].height
    for blocks in (last - FIRST - 1, 290, 289, 288, 287, 2):
        index = restored_index(long_chain, source_of(long_chain))
        fresh = {row[0]: row[1] for row in tables(long_chain.state)["snapshots"]}
        index.state.connection.executemany(
            "UPDATE snapshots SET block_hash = ? WHERE block_id = ?",
            [(fresh[height], height) for height in range(last - blocks + 1, last + 1)],
        )
        assert index.catch_up() == Summary(0, 0, last, last, stopped=False)
        index.assert_fresh()


class Odd(MemorySource):
    """A source with something wrong with its blocks, or that loses some."""

    def __init__(self, chain: Chain, change: Callable[[int, bytes], bytes]) -> None:
        super().__init__(FIRST, [block.raw for block in chain.blocks], chain.prevout, name="odd")
        self.change = change

    def raw_block(self, height: int) -> bytes:
        return self.change(height, super().raw_block(height))

    def hashes(self, first: int, last: int) -> list[str]:
        plain = MemorySource(FIRST, self._blocks, self._prevout)
        return plain.hashes(first, last)


def test_a_damaged_block(long_chain: Chain) -> None:
    index = restored_index(long_chain, Odd(long_chain, lambda _, raw: raw[:-1] + bytes([raw[-1] ^ 1])))
    before = tables(index.state)
    with pytest.raises(SourceError, match=r"odd: damaged block 10\d: block [0-9a-f]{64}: expected transactions with"):
        index.catch_up()
    index.source = Odd(long_chain, lambda _, raw: raw[:-1])
    with pytest.raises(SourceError, match=r"odd: damaged block 10\d: offset \d+: expected"):
        index.catch_up()
    assert tables(index.state) == before


def test_old_blocks_that_the_node_has_deleted(long_chain: Chain) -> None:
    last = long_chain.blocks[-1].height

    def prune(height: int, raw: bytes) -> bytes:
        if height < FIRST + 8:
            raise BlockPruned("odd", height)
        return raw

    index = restored_index(long_chain, Odd(long_chain, prune))
    assert index.catch_up() == Summary(0, 0, last, last, stopped=False)


def test_a_chain_that_changes_while_it_is_compared(long_chain: Chain) -> None:
    last = long_chain.blocks[-1].height
    other = forked(long_chain, last - 2, 3)

    class Turning(MemorySource):
        def blocks(self, first: int, last: int) -> Iterator[Block]:
            self._blocks = other._blocks
            return super().blocks(first, last)

    turning = Turning(FIRST, [block.raw for block in long_chain.blocks], long_chain.prevout)
    index = restored_index(long_chain, turning)
    assert index.catch_up() == Summary(3, 2, last + 1, last + 1, stopped=False)
    index.assert_fresh()


def test_a_source_that_contradicts_itself(long_chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Odd(long_chain, lambda _, raw: raw)
    monkeypatch.setattr(odd, "hashes", lambda first, last: ["00" * 32] * (last - first + 1))
    index = restored_index(long_chain, odd)
    with pytest.raises(ChainChanged):
        index.catch_up()


def test_nothing_is_compared_twice(long_chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    index = restored_index(long_chain, source_of(long_chain))
    index.catch_up()
    monkeypatch.delattr(restored, "_rehearse")
    monkeypatch.delattr(restored, "_search_older")
    index.catch_up()


# Beside the chain


def test_subdomains_of_a_branch_that_died(tmp_path: Path) -> None:
    """Names announce records on both branches: what a fresh node makes of the winning one is what stays."""
    publisher = Publisher("foo.test", zonefiles=ZonefileStore(tmp_path / "source" / "zonefiles"))
    publisher.publish(carry(record(0)))
    publisher.publish(carry(record(1)))
    fork = publisher.height
    publisher.publish(carry(record(2)))
    chain, place = publisher.chain, Place.of_state(publisher.chain.state, tmp_path / "source")
    snapshot = place.export(tmp_path / "snapshot.bsk", KEYS[0])
    publisher.rollback_to(fork)
    del chain.blocks[fork - FIRST + 1 :]
    chain._tip = sha256d(chain.blocks[-1].raw[:80])
    chain.mine(3)
    publisher.offchain.follow()
    publisher.publish(carry(record(2, zonefile=b"another")))
    copy = Place(tmp_path / "copy", chain.params)
    copy.restore(snapshot, [KEYS[0]], 1)
    with closing(State.open(copy.database, chain.params)) as state:
        offchain = Offchain(state, ZonefileStore(copy.zonefiles))
        for data in (path.read_bytes() for path in place.zonefiles.rglob("*.txt")):
            offchain.zonefiles.put(data)
        index = Index(source_of(chain), state)
        index.hooks = Hooks(within=offchain.follow, rolled_back=index.rolled_back.append)
        index.catch_up()
        assert index.rolled_back == [fork]
        fresh_state = State.memory(chain.params)
        fresh = Offchain(fresh_state, ZonefileStore(place.zonefiles))
        other = Index(source_of(chain), fresh_state)
        other.hooks = Hooks(within=fresh.follow)
        other.catch_up()
        assert dump(offchain) == dump(fresh)
        assert [row["accepted"] for row in offchain.subdomains.rows()] == [1, 1, 1]
