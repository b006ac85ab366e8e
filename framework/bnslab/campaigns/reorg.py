"""Random reorganisations: the index follows them, and is each time what a fresh index of the winning chain is."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from bns.engine import Engine
from bns.node.indexer import catch_up
from bns.state.store import UNDO_DEPTH, State
from bnslab.campaigns.chains import random_branch
from bnslab.campaigns.digest import digest, dump
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bnslab.campaigns.chains import Chain


class ReorgFigures(NamedTuple):
    """What a campaign did: cases, blocks rolled back, the deepest roll-back."""

    cases: int
    rolled_back: int
    deepest: int


class WrongIndex(LabError):
    """An index is not what it should be; the text says in which case, and the first table that differs."""


class _Walk:
    """One index that lives through all cases of one chain."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.source = chain.source()
        self.state = chain.index()
        self.final = digest(self.state, undo=False)
        self.engine = Engine(chain.params, self.state)

    def anew(self) -> _Walk:
        """The same from the begin."""
        self.state.close()
        return _Walk(self.chain)

    def follow(self, height: int, blocks: Sequence[bytes]) -> int:
        """Let other blocks follow, let the index follow them; how many blocks were rolled back."""
        self.source.replace(height, blocks)
        return catch_up(self.source, self.engine, self.state, confirmations=0).rolled_back


def run(chains: Sequence[Chain], cases: int, seed: int, report: Callable[[int], None] = lambda _: None) -> ReorgFigures:
    """So many cases on chains in turn: to a random branch of random depth and length, and back to the chain itself.

    Raises WrongIndex at the first index that differs from a fresh one.
    """
    walks = [_Walk(chain) for chain in chains]
    rolled_back = deepest = 0
    for case in range(cases):
        choose = Random(f"{seed}/{case}")
        walk = walks[case % len(walks)]
        chain = walk.chain
        depth = choose.randint(1, min(UNDO_DEPTH, chain.tip - chain.first_indexed + 1, chain.tip - chain.first))
        fork = chain.tip - depth
        if fork < walk.state.lowest_rollback:  # longer branches before this one have cost the oldest undo data
            walk = walks[case % len(walks)] = walk.anew()
        length = choose.randint(max(0, depth - 10), min(UNDO_DEPTH, depth + 10))
        branch = random_branch(chain, fork, length, choose)
        where = f"seed {seed}, case {case}: {chain.name}, {depth} blocks off {chain.tip}, {len(branch)} other blocks"
        away = walk.follow(fork, branch)
        fresh = chain.followed_by(fork, branch).index()
        _compare(f"{where}, there", fresh, walk.state)
        fresh.close()
        back = walk.follow(fork, chain.raws[fork - chain.first + 1 :])
        if digest(walk.state, undo=False) != walk.final:
            _compare(f"{where}, and back", chain.index(), walk.state)
        rolled_back, deepest = rolled_back + away + back, max(deepest, away, back)
        report(case + 1)
    for walk in walks:
        walk.state.close()
    return ReorgFigures(cases, rolled_back, deepest)


def _compare(where: str, fresh: State, state: State) -> None:
    wanted, found = dump(fresh, undo=False), dump(state, undo=False)
    for table, rows in wanted.items():
        if rows != found[table]:
            one, other = next((a, b) for a, b in zip([*rows, None], [*found[table], None], strict=False) if a != b)
            raise WrongIndex(f"{where}: table {table}: a fresh index has {one}, this one {other}")
