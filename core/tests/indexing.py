"""An indexer in a test, and chains that it indexes or that take the place of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.bitcoin.block import read_transactions
from bns.bitcoin.hashes import sha256d
from bns.engine import Engine
from bns.node.indexer import Hooks, Progress, Summary, catch_up
from bns.node.sources import MemorySource
from bns.state.store import State
from tests.chain import ALICE, BOB, Chain, coinbase, raw_block
from tests.files import PARAMS, tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.engine import Receipt
    from bns.node.sources import BlockSource

FIRST = PARAMS.first_block


class Index:
    """A state, its engine, and what the hooks heard."""

    def __init__(self, source: BlockSource, state: State | None = None) -> None:
        self.source = source
        self.state = state or State.memory(PARAMS)
        self.engine = Engine(PARAMS, self.state)
        self.progress: list[Progress] = []
        self.receipts: list[Receipt] = []
        self.rolled_back: list[int] = []
        self.within: list[tuple[bool, int]] = []
        self.hooks = Hooks(
            within=lambda: self.within.append((self.state.connection.in_transaction, self.state.last_block)),
            progress=self.progress.append,
            applied=self.receipts.append,
            rolled_back=self.rolled_back.append,
        )

    def catch_up(
        self,
        confirmations: int = 0,
        *,
        stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = lambda: 0.0,
        blocks_per_commit: int = 100,
    ) -> Summary:
        return catch_up(
            self.source,
            self.engine,
            self.state,
            confirmations=confirmations,
            hooks=self.hooks,
            stop=stop,
            clock=clock,
            blocks_per_commit=blocks_per_commit,
        )

    def assert_fresh(self) -> None:
        """Every table is that of a fresh index of the same blocks, but for what only a roll-back needs."""
        other = Index(self.source)
        other.catch_up(confirmations=self.source.tip().height - self.state.last_block)
        mine, fresh = tables(self.state), tables(other.state)
        for name in fresh.keys() - {"undo", "meta"}:
            assert mine[name] == fresh[name], name


def busy_chain(names: int = 8) -> Chain:
    chain = Chain(PARAMS).opened()
    for number in range(names):
        chain.preorder(f"name{number}.test", ALICE)
        chain.mine()
        chain.register(f"name{number}.test", ALICE)
        chain.mine()
        chain.transfer(f"name{number}.test", ALICE, BOB)
        chain.mine()
    return chain


def source_of(chain: Chain) -> MemorySource:
    return MemorySource(FIRST, [block.raw for block in chain.blocks], chain.prevout)


def forked(chain: Chain, fork: int, length: int) -> MemorySource:
    """The chain up to a height, then others: its blocks without their first operation, in the end empty ones."""
    raws = [block.raw for block in chain.blocks[: fork - FIRST + 1]]
    for height in range(fork + 1, fork + 1 + length):
        kept = [coinbase(height)]
        if height - FIRST < len(chain.blocks):
            kept += read_transactions(chain.blocks[height - FIRST].raw)[2:]
        previous = sha256d(raws[-1][:80]) if raws else bytes(32)
        raws.append(raw_block(previous, height + 10_000, kept))
    return MemorySource(FIRST, raws, chain.prevout)
