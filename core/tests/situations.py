"""Situations in which an operation is judged, and the rows of the tables that judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.chain import ALICE, BOB, BURN, PLENTY, RV, Chain, Owner, Terms, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bns.errors import Reason
    from bns.params import Params

NAME = "foo.test"
EVERY_EPOCH = (1, 2, 3)
TO_CREATOR = Terms(version=2)
UNKNOWN = "ab" * 16
"""A consensus hash that no block has."""


class Case(NamedTuple):
    """act builds up to the operation and gives its txid; reason None: accepted."""

    title: str
    reason: Reason | None
    act: Callable[[Chain], str]
    epochs: tuple[int, ...] = (3,)
    params: Params | None = None

    def chain(self, epoch: int) -> Chain:
        """A new chain in an epoch, or with parameters of its own."""
        return Chain(self.params or rules(epoch))


def in_epochs(cases: Iterable[Case]) -> list[Any]:
    """The parameters (case, epoch) of a test."""
    return [pytest.param(case, epoch, id=f"{case.title}-{epoch}") for case in cases for epoch in case.epochs]


def opened(chain: Chain) -> Chain:
    return chain.opened()


def owned(chain: Chain) -> Chain:
    """ALICE has foo.test."""
    return chain.opened().given(NAME, ALICE)


def imported(chain: Chain) -> Chain:
    """ALICE has foo.test in a namespace that is not ready."""
    revealed = chain.revealed()
    return revealed.must(revealed.import_name(NAME, RV, ALICE))


def revoked(chain: Chain) -> Chain:
    return chain.must(owned(chain).revoke(NAME, ALICE))


def crowded(chain: Chain, count: int = 25) -> Chain:
    """ALICE has so many names by import; BOB has foo.test."""
    names = {f"name{number}.test": ALICE for number in range(count)}
    return chain.opened(imports={**names, NAME: BOB})


def preordered(chain: Chain, to: Owner = ALICE, *, fee: int = PLENTY, fee_to: Owner = BURN) -> Chain:
    return chain.must(chain.opened().preorder(NAME, ALICE, to, fee=fee, fee_to=fee_to))


def preordered_namespace(chain: Chain, namespace_id: str = "test", *, fee: int = PLENTY) -> Chain:
    chain.mine()
    return chain.must(chain.preorder_namespace(namespace_id, fee=fee))


def aged(chain: Chain, blocks: int) -> str:
    """The consensus hash of a block that is so many blocks old when the next one is mined."""
    chain.mine()
    hash_ = chain.hash
    chain.mine_to(chain.height - 1 + blocks)
    return hash_


def in_grace(chain: Chain) -> Chain:
    """foo.test in the first block of its grace period."""
    owned(chain).mine_to(chain.height - 1 + 10)
    return chain


def with_keychain(chain: Chain) -> Chain:
    chain.revealed()
    return chain.must(chain.import_name("first.test", RV, ALICE))


def long_owned(chain: Chain) -> Chain:
    """ALICE has foo.test for a long time."""
    return chain.opened(terms=Terms(lifetime=1000)).given(NAME, ALICE)


def after_grace(chain: Chain) -> Chain:
    """Two blocks after the last one of the grace period of foo.test."""
    owned(chain).mine_to(chain.height - 1 + 10 + 5 + 1)
    return chain


def expired_reveal(chain: Chain, namespace_id: str = "test") -> Chain:
    """A reveal that has expired, of which foo.test was imported."""
    chain.revealed(namespace_id)
    chain.must(chain.import_name(f"foo.{namespace_id}", RV, ALICE))
    chain.mine_to(chain.state.last_block - 1 + chain.params.namespace_reveal_expire + 1)
    return chain
