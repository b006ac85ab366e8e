"""Blocks to index into files, and what must hold of a state in a file whatever happened to it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from bns.engine import Engine
from bns.state.store import State
from tests.chain import ALICE, BOB, Chain, rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bns.engine import Block
    from bns.params import Params

PARAMS = rules()


@cache
def busy_blocks() -> tuple[Block, ...]:
    """Fifty-seven blocks with some operations in each."""
    chain = Chain(PARAMS).opened()
    for number in range(27):
        chain.preorder(f"name{number}.test", ALICE, consensus=chain.hash)
        chain.preorder(f"other{number}.test", BOB, consensus=chain.hash)
        chain.mine()
        chain.register(f"name{number}.test", ALICE)
        chain.register(f"other{number}.test", BOB)
        chain.mine()
    return tuple(chain.blocks)


def index(state: State, blocks: Sequence[Block]) -> None:
    """Index the blocks that follow."""
    engine = Engine(state.params, state)
    for block in blocks:
        if block.height > state.last_block:
            engine.apply(block)


def tables(state: State) -> dict[str, list[tuple[Any, ...]]]:
    names = [name for (name,) in state.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {name: sorted(state.connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names}


def fresh(blocks: Sequence[Block], params: Params = PARAMS) -> dict[str, list[tuple[Any, ...]]]:
    state = State.memory(params)
    index(state, blocks)
    found = tables(state)
    state.close()
    return found


def names_in(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def assert_in_step(state: State) -> None:
    """What is in memory is what the file holds."""
    (last,) = state.connection.execute("SELECT max(block_id) FROM snapshots").fetchone()
    assert state.last_block == last
    assert state.consensus_hash(last + 1) is None
    snapshot = state.snapshot(last)
    assert snapshot is not None
    assert state.consensus_hash(last) == snapshot.consensus_hash
