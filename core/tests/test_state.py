"""The state: whole blocks or nothing, and back again (spec 03 sections 2 and 14)."""

from __future__ import annotations

import gc
import random
import sqlite3
from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.block import read_transactions
from bns.engine import Block, Engine, Receipt
from bns.errors import InvalidInput, MissingPrevout, WrongBlock
from bns.operations.base import Keychain
from bns.state.store import UNDO_DEPTH, Snapshot, State
from tests.chain import ALICE, BOB, CAROL, OTHER_VALUE, PLENTY, RV, SHARED, VALUE, Chain, Terms, raw_block, rules
from tests.golden import NAMES, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bns.params import Params

Tables = dict[str, list[tuple[object, ...]]]

FIRST = 100
FILL = "ab" * 16


def tables(state: State) -> Tables:
    """Every row of every table but the undo log and what only says how far it reaches."""
    execute = state.connection.execute
    names = [name for (name,) in execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {name: execute(f"SELECT * FROM {name}").fetchall() for name in names if name not in ("undo", "meta")}
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def index(state: State, blocks: Iterable[Block]) -> list[str]:
    """Index blocks; their consensus hashes."""
    engine = Engine(state.params, state)
    return [engine.apply(block).consensus_hash for block in blocks]


class Recorder(Chain):
    """A chain that keeps the tables after each block, those before the first one in front."""

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.seen = [tables(self.state)]

    def index(self, block: Block) -> Receipt:
        receipt = super().index(block)
        self.seen.append(tables(self.state))
        return receipt


def eventful() -> Recorder:
    """Lives of names and namespaces with every kind of change."""
    chain = Recorder(rules(reveal_expire=8))
    chain.revealed(terms=Terms(lifetime=4))
    chain.must(chain.import_name("old.test", RV, ALICE))
    chain.import_name("old.test", RV, BOB, OTHER_VALUE)
    chain.import_name("b1.test", RV, SHARED)
    chain.must(chain.ready("test"))
    chain.preorder("foo.test", ALICE)
    chain.must(chain.preorder("bar.test", BOB))
    chain.must(chain.register("foo.test", ALICE, value=VALUE))
    chain.preorder("foo.test", ALICE)  # waits beside the living name
    chain.update("foo.test", ALICE)
    chain.must(chain.transfer("foo.test", ALICE, CAROL))
    chain.must(chain.revoke("foo.test", CAROL))
    chain.must(chain.preorder("foo.test", ALICE))
    chain.mine(8)
    chain.must(chain.preorder("foo.test", BOB))
    chain.must(chain.register("foo.test", BOB, value=OTHER_VALUE))
    chain.must(chain.renew("foo.test", BOB, ALICE))
    chain.mine(9)
    chain.given("foo.test", BOB)
    chain.must(chain.preorder_namespace("more", fee=5 * PLENTY))
    chain.must(chain.reveal("more"))
    chain.must(chain.import_name("one.more", RV, ALICE))
    chain.mine(8)
    chain.preorder_namespace("more", reveal_to=BOB, fee=5 * PLENTY)
    chain.must(chain.reveal("more", to=BOB))
    chain.must(chain.import_name("one.more", RV, CAROL))
    return chain


# Genesis


def test_a_new_state_holds_the_genesis() -> None:
    state = State.memory(rules())
    genesis = state.params.genesis_consensus_hash
    assert state.last_block == FIRST - 1
    assert [state.snapshot(height) for height in range(FIRST - 5, FIRST + 1)] == [
        None,
        *(Snapshot(height, None, genesis, None) for height in range(FIRST - 4, FIRST)),
        None,
    ]
    assert [state.consensus_hash(height) for height in (FIRST - 5, FIRST - 4, FIRST - 1, FIRST)] == [
        None,
        genesis,
        genesis,
        None,
    ]
    assert state.consensus_hash_height(genesis) == FIRST - 1
    assert state.consensus_hash_height(FILL) is None


def test_a_snapshot_says_what_a_block_left() -> None:
    chain = Chain()
    receipt = chain.mine()
    expected = Snapshot(FIRST, receipt.block_hash, receipt.consensus_hash, receipt.ops_hash)
    assert chain.state.snapshot(FIRST) == expected
    assert chain.state.consensus_hash_height(receipt.consensus_hash) == FIRST


# Whole blocks or nothing


@pytest.mark.parametrize("height", [0, FIRST - 1, FIRST, FIRST + 2])
def test_blocks_come_in_order(height: int) -> None:
    chain = Chain()
    chain.mine()
    before = tables(chain.state)
    with pytest.raises(WrongBlock, match=f"block {height}: expected block {FIRST + 1}"):
        chain.engine.apply(Block(height, chain.blocks[0].raw, chain.prevout))
    assert tables(chain.state) == before


def busy_block(chain: Chain) -> None:
    """A block under construction that touches every table and every cache."""
    chain.revealed()
    chain.must(chain.import_name("known.test", RV, ALICE))
    chain.must(chain.preorder_namespace("more", fee=5 * PLENTY))
    chain.ready("test")
    chain.reveal("more")
    chain.update("known.test", ALICE)
    chain.preorder("foo.test", ALICE)
    chain.register("foo.test", ALICE)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("moment", ["save", "add_chainstate"])
def test_an_exception_leaves_everything_as_it_was(
    moment: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Chain()
    busy_block(control)
    receipt = control.mine()
    assert len(receipt.accepted) == 5

    chain = Chain()
    busy_block(chain)
    before = tables(chain.state)
    looked_up = (chain.state.namespace("test"), chain.state.namespace("more"), chain.state.name("known.test"))
    original: Callable[..., object] = getattr(chain.state, moment)
    calls = []

    def fail(*arguments: object) -> None:
        calls.append(original(*arguments))
        if moment == "save" or len(calls) == 5:
            raise error("stop")

    monkeypatch.setattr(chain.state, moment, fail)
    block = control.blocks[-1]
    with pytest.raises(error, match="stop"):
        chain.engine.apply(block._replace(prevout=control.prevout))
    monkeypatch.undo()
    assert tables(chain.state) == before
    assert (chain.state.namespace("test"), chain.state.namespace("more"), chain.state.name("known.test")) == looked_up
    assert chain.state.name("foo.test") is None
    assert chain.state.last_block == block.height - 1
    assert chain.state.consensus_hash(block.height) is None
    again = chain.engine.apply(block._replace(prevout=control.prevout))
    assert (again.consensus_hash, tables(chain.state)) == (receipt.consensus_hash, tables(control.state))


def test_writes_that_are_not_saved_are_gone() -> None:
    state = State.memory(rules())
    before = tables(state)

    def write_and_stop() -> None:
        with state.block(FIRST):
            state.write_keychain(Keychain("test", ("an address",)))
            assert state.keychain("test") == frozenset({"an address"})
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_and_stop()
    assert state.keychain("test") is None
    assert tables(state) == before


def test_an_unknown_output_leaves_everything_as_it_was() -> None:
    chain = Chain()
    busy_block(chain)
    before = tables(chain.state)
    last = list(chain.funding)[-1]
    kept = chain.funding.pop(last)
    expected = f"previous output {kept.txid}:0: expected the block source to know it"
    with pytest.raises(MissingPrevout, match=expected):
        chain.mine()
    assert tables(chain.state) == before
    chain.funding[last] = kept
    assert len(chain.mine().accepted) == 5


# Back again


def test_every_block_can_be_undone_one_by_one() -> None:
    chain = eventful()
    seen = chain.seen
    assert len(seen) == chain.state.last_block - FIRST + 2
    for height in range(chain.state.last_block, FIRST - 2, -1):
        chain.state.rollback_to(height)
        assert chain.state.last_block == height
        assert tables(chain.state) == seen[height - FIRST + 1], height
    assert tables(chain.state) == tables(State.memory(chain.params))


@pytest.mark.parametrize("seed", range(3))
def test_blocks_can_be_undone_and_done_again(seed: int) -> None:
    chain = eventful()
    seen, state, blocks = chain.seen, chain.state, chain.blocks
    hashes = {height: state.consensus_hash(height) for height in range(FIRST, state.last_block + 1)}
    pick = random.Random(seed)
    for _ in range(8):
        low = pick.randint(FIRST - 1, state.last_block)
        state.rollback_to(low)
        high = pick.randint(low, FIRST + len(blocks) - 1)
        again = index(state, blocks[low - FIRST + 1 : high - FIRST + 1])
        assert again == [hashes[height] for height in range(low + 1, high + 1)]
        assert tables(state) == seen[high - FIRST + 1]


def turned(block: Block, previous: bytes) -> Block:
    """The same block with its transactions in the opposite order."""
    first, *others = read_transactions(block.raw)
    return block._replace(raw=raw_block(previous, block.height, [first, *reversed(others)]))


@pytest.mark.parametrize("name", ["valid_2", "valid_5", "wild_3", "wild_6"])
def test_a_reorganised_state_is_that_of_a_fresh_index(name: str) -> None:
    golden = load(name)
    blocks, first = golden.blocks, golden.params.first_block
    state = State.memory(golden.params)
    pick = random.Random(name)
    stops = sorted(pick.sample(range(first, first + len(blocks)), 5))
    fresh: dict[int, Tables] = {}
    done = 0
    for stop in stops:
        index(state, blocks[done : stop - first + 1])
        done = stop - first + 1
        fresh[stop] = tables(state)
    index(state, blocks[done:])
    for stop in reversed(stops):
        state.rollback_to(stop)
        assert tables(state) == fresh[stop]
    other = [turned(block, bytes(32)) for block in blocks[stops[0] - first + 1 : stops[2] - first + 1]]
    index(state, other)
    straight = State.memory(golden.params)
    index(straight, [*blocks[: stops[0] - first + 1], *other])
    assert tables(state) == tables(straight)
    state.rollback_to(stops[0])
    again = index(state, blocks[stops[0] - first + 1 :])
    assert again == [golden.consensus_hashes[height] for height in range(stops[0] + 1, first + len(blocks))]


@pytest.mark.parametrize("name", NAMES)
def test_a_random_chain_has_the_hashes_of_the_reference(name: str) -> None:
    golden = load(name)
    state = State.memory(golden.params)
    hashes = dict(zip((block.height for block in golden.blocks), index(state, golden.blocks), strict=True))
    genesis = {height: state.consensus_hash(height) for height in golden.consensus_hashes if height not in hashes}
    assert {**genesis, **hashes} == golden.consensus_hashes


def test_how_far_back_one_can_go() -> None:
    chain = Chain()
    for height in (FIRST - 2, FIRST):
        with pytest.raises(InvalidInput, match=f"roll-back height: expected {FIRST - 1} to {FIRST - 1}, got {height}"):
            chain.state.rollback_to(height)
    chain.revealed()
    chain.mine(UNDO_DEPTH)
    last = chain.state.last_block
    assert last - UNDO_DEPTH == FIRST + 1
    with pytest.raises(InvalidInput, match=f"expected {FIRST + 1} to {last}, got {FIRST}"):
        chain.state.rollback_to(FIRST)
    chain.state.rollback_to(last)
    assert chain.state.last_block == last
    chain.state.rollback_to(FIRST + 1)
    namespace = chain.state.namespace("test")
    assert namespace is not None
    assert namespace.op == "&"


def test_one_cannot_go_further_back_by_small_steps() -> None:
    """What a block changed is known for 288 blocks, and not for more after a roll-back."""
    chain = Chain()
    chain.revealed()
    chain.mine(UNDO_DEPTH)
    chain.state.rollback_to(FIRST + 1)
    with pytest.raises(InvalidInput, match="roll-back height"):
        chain.state.rollback_to(FIRST)
    chain.mine(10)
    with pytest.raises(InvalidInput, match="roll-back height"):
        chain.state.rollback_to(FIRST)
    assert chain.state.namespace("test") is not None


def test_what_is_undone_is_forgotten() -> None:
    chain = Chain().opened().given("foo.test", ALICE)
    height = chain.state.last_block
    hash_ = chain.hash
    chain.state.rollback_to(height - 1)
    assert chain.state.name("foo.test") is None
    assert chain.state.consensus_hash(height) is None
    assert chain.state.snapshot(height) is None
    assert chain.state.consensus_hash_height(hash_) is None
    assert len(chain.state.preorders(_preorder_hash())) == 1
    assert chain.judge(chain.register("foo.test", ALICE)) is None


def _preorder_hash() -> str:
    chain = Chain().opened().given("foo.test", ALICE)
    row = chain.state.name("foo.test")
    assert row is not None
    return row.preorder_hash


def test_a_transaction_that_a_chain_holds_twice_counts_twice() -> None:
    """No node lets such a chain pass, but a source of blocks need not be one."""
    chain = Chain().opened().given("foo.test", ALICE)
    chain.update("foo.test", ALICE)
    chain.mine()
    block, record = chain.blocks[-1], chain.state.name("foo.test")
    again = raw_block(bytes(32), block.height + 1, read_transactions(block.raw))
    receipt = chain.engine.apply(block._replace(height=block.height + 1, raw=again))
    assert [accepted.opcode for accepted in receipt.accepted] == ["NAME_UPDATE"]
    assert chain.state.name("foo.test") == record


def test_a_state_in_memory_goes_with_the_last_reference() -> None:
    state = State.memory(rules())
    connection = state.connection
    connection.execute("SELECT 1")
    del state
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
