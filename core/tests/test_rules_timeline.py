"""What may be done with a name around its end (spec 02 section 3.3, spec 03 sections 6 and 19)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bns.errors import Reason
from bns.operations.view import View
from tests.chain import ALICE, BOB, RV, Chain, Terms, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.operations.records import Name
    from bns.params import Params

NAME = "foo.test"
LIFETIME = 6
OK = None

IN_GRACE, EXPIRED, UNKNOWN = Reason.NAME_IN_GRACE_PERIOD, Reason.NAME_EXPIRED, Reason.NAME_NOT_REGISTERED
NO_NAME, TAKEN, NEW = Reason.NO_SUCH_NAME, Reason.NAME_TAKEN, Reason.NOT_PREORDERED


def registered(chain: Chain) -> int:
    """A name that was registered after its namespace was ready; the block its term starts in."""
    chain.opened(terms=Terms(LIFETIME)).given(NAME, ALICE)
    return chain.state.last_block


def imported(chain: Chain) -> int:
    """A name that was imported before and never renewed."""
    chain.opened(terms=Terms(LIFETIME), imports={NAME: ALICE})
    return chain.state.last_block


def imported_and_renewed(chain: Chain) -> int:
    imported(chain)
    chain.must(chain.renew(NAME, ALICE))
    return chain.state.last_block


class Operation(NamedTuple):
    """act gives the txid; before is queued in the block before it."""

    act: Callable[[Chain], str]
    before: Callable[[Chain], object] = lambda _: None


OPERATIONS = {
    "update": Operation(lambda chain: chain.update(NAME, ALICE)),
    "transfer": Operation(lambda chain: chain.transfer(NAME, ALICE, BOB)),
    "revoke": Operation(lambda chain: chain.revoke(NAME, ALICE)),
    "renew": Operation(lambda chain: chain.renew(NAME, ALICE)),
    "register": Operation(lambda chain: chain.register(NAME, BOB), lambda chain: chain.preorder(NAME, BOB)),
}

# Verdicts by block: D is the end of the term, X the end of the grace period after it.
POINTS = ("D-1", "D", "X-1", "X", "X+1", "X+2")

RENEWED_AFTER_READY = {
    "update": (OK, IN_GRACE, IN_GRACE, OK, OK, NO_NAME),
    "transfer": (OK, IN_GRACE, IN_GRACE, OK, OK, UNKNOWN),
    "revoke": (OK, IN_GRACE, IN_GRACE, OK, EXPIRED, UNKNOWN),
    "renew": (OK, OK, OK, OK, OK, NEW),
    "register": (TAKEN, TAKEN, TAKEN, TAKEN, TAKEN, OK),
}
NEVER_RENEWED = {
    "update": (OK, IN_GRACE, IN_GRACE, OK, NO_NAME, NO_NAME),
    "transfer": (OK, IN_GRACE, IN_GRACE, OK, UNKNOWN, UNKNOWN),
    "revoke": (OK, IN_GRACE, IN_GRACE, EXPIRED, UNKNOWN, UNKNOWN),
    "renew": (OK, OK, OK, OK, NEW, NEW),
    "register": (TAKEN, TAKEN, TAKEN, TAKEN, OK, OK),
}
TABLES = [(registered, RENEWED_AFTER_READY), (imported_and_renewed, RENEWED_AFTER_READY), (imported, NEVER_RENEWED)]


def verdict(params: Params, begin: Callable[[Chain], int], operation: str, point: str) -> Reason | None:
    chain = Chain(params)
    epoch = params.epoch(params.first_block)
    assert epoch is not None
    end = begin(chain) + LIFETIME * epoch.lifetime_multiplier
    base, offset = point[0], int(point[1:] or 0)
    target = end + offset + (epoch.grace_period if base == "X" else 0)
    act, before = OPERATIONS[operation]
    chain.mine_to(target - 1)
    before(chain)
    chain.mine_to(target)
    return chain.judge(act(chain))


@pytest.mark.parametrize(
    ("begin", "operation", "point", "expected"),
    [
        pytest.param(begin, operation, point, expected, id=f"{begin.__name__}-{operation}-{point}")
        for begin, table in TABLES
        for operation, row in table.items()
        for point, expected in zip(POINTS, row, strict=True)
    ],
)
@pytest.mark.parametrize("multiplier", [1, 2])
def test_with_a_grace_period(
    begin: Callable[[Chain], int], operation: str, point: str, expected: Reason | None, multiplier: int
) -> None:
    assert verdict(rules(grace=3, multiplier=multiplier), begin, operation, point) is expected


@pytest.mark.parametrize(
    ("begin", "operation", "point", "expected"),
    [
        pytest.param(begin, operation, point, row[POINTS.index(point)], id=f"{begin.__name__}-{operation}-{point}")
        for begin, table in TABLES
        for operation, row in table.items()
        for point in ("D-1", "X", "X+1", "X+2")
    ],
)
@pytest.mark.parametrize("epoch", [1, 2])
def test_without_a_grace_period(
    begin: Callable[[Chain], int], operation: str, point: str, expected: Reason | None, epoch: int
) -> None:
    assert verdict(rules(epoch, multiplier=epoch), begin, operation, point) is expected


@pytest.mark.parametrize(("point", "expected"), [("X", Reason.NAME_REVOKED), ("X+1", Reason.NAME_REVOKED), ("X+2", OK)])
def test_a_revoked_name_is_taken_until_it_expires(point: str, expected: Reason | None) -> None:
    def begin(chain: Chain) -> int:
        start = registered(chain)
        chain.must(chain.revoke(NAME, ALICE))
        return start

    assert verdict(rules(grace=3), begin, "register", point) is expected


# Visibility


def blocks_where(params: Params, begin: Callable[[Chain], int], test: Callable[[View, Name, int], bool]) -> list[int]:
    """The blocks, counted from the start of the name's term, at which a predicate holds."""
    chain = Chain(params)
    start = begin(chain)
    row = chain.state.name(NAME)
    assert row is not None
    return [
        block - start
        for block in range(start - 2, start + 40)
        if test(View(chain.params, chain.state, block), row, block)
    ]


def visible(view: View, row: Name, block: int) -> bool:
    return view.is_visible(row, block)


def in_grace(view: View, row: Name, block: int) -> bool:
    return view.is_in_grace(row, block)


def begin_four(chain: Chain) -> int:
    chain.opened(terms=Terms(4)).given(NAME, ALICE)
    return chain.state.last_block


def test_the_blocks_of_a_name() -> None:
    params = rules(grace=5)
    assert blocks_where(params, begin_four, visible) == list(range(10))
    assert blocks_where(params, begin_four, in_grace) == list(range(4, 9))


def two_epochs(change: int, *, grace: int = 0) -> Params:
    """Epoch 1 up to block change - 1, then epoch 2."""
    one, two, three = rules(1).epochs
    ends = (replace(one, end=change - 1), replace(two, end=10**6, lifetime_multiplier=2, grace_period=grace), three)
    return replace(rules(1), epochs=ends)


def test_a_longer_term_brings_an_expired_name_back_to_life() -> None:
    start = begin_four(Chain(rules(1)))
    assert blocks_where(two_epochs(start + 7), begin_four, visible) == [0, 1, 2, 3, 4, 7, 8]


def test_a_name_that_came_back_to_life_is_its_owners_again() -> None:
    start = begin_four(Chain(rules(1)))
    chain = Chain(two_epochs(start + 6))
    begin_four(chain)
    chain.mine_to(start + 6)
    assert chain.judge(chain.update(NAME, ALICE)) is Reason.NO_SUCH_NAME  # looked up at the end of epoch 1
    assert chain.judge(chain.update(NAME, ALICE)) is None


def test_a_grace_period_is_that_of_the_block_in_question() -> None:
    start = begin_four(Chain(rules(1)))
    params = two_epochs(start + 7, grace=3)
    assert blocks_where(params, begin_four, visible) == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
    assert blocks_where(params, begin_four, in_grace) == [8, 9, 10]


def test_an_imported_name_lives_as_long_as_its_namespace_is_revealed() -> None:
    chain = Chain(rules(reveal_expire=8))
    chain.revealed(terms=Terms(1))
    revealed = chain.state.last_block
    chain.must(chain.import_name(NAME, RV, ALICE))
    row = chain.state.name(NAME)
    assert row is not None
    seen = [block for block in range(100, 140) if View(chain.params, chain.state, block).is_visible(row, block)]
    assert seen == list(range(revealed + 1, revealed + 8))


# Namespaces and preorders


@pytest.mark.parametrize(("offset", "expected"), [(0, None), (1, Reason.NAMESPACE_NOT_REVEALED)])
def test_the_last_block_for_ready(offset: int, expected: Reason | None) -> None:
    chain = Chain(rules(reveal_expire=8)).revealed()
    chain.mine_to(chain.state.last_block + 8 + offset)
    assert chain.judge(chain.ready("test")) is expected


@pytest.mark.parametrize(("offset", "expected"), [(0, Reason.NAMESPACE_REVEALED), (1, None)])
def test_the_first_block_for_another_reveal(offset: int, expected: Reason | None) -> None:
    chain = Chain(rules(reveal_expire=8)).revealed()
    end = chain.state.last_block + 8
    chain.must(chain.preorder_namespace("test", reveal_to=BOB, fee=50_000_000_000))
    chain.mine_to(end + offset)
    assert chain.judge(chain.reveal("test", to=BOB)) is expected


@pytest.mark.parametrize(("age", "expected"), [(LIFETIME, None), (LIFETIME + 1, Reason.NOT_PREORDERED)])
def test_the_last_block_for_a_preorder(age: int, expected: Reason | None) -> None:
    chain = Chain().opened(terms=Terms(LIFETIME))
    chain.must(chain.preorder(NAME, ALICE))
    chain.mine_to(chain.state.last_block + age)
    assert chain.judge(chain.register(NAME, ALICE)) is expected


def test_a_preorder_that_is_too_old_blocks_its_hash_for_ever() -> None:
    chain = Chain().opened(terms=Terms(LIFETIME))
    chain.must(chain.preorder(NAME, ALICE))
    chain.mine(200)
    assert chain.judge(chain.preorder(NAME, ALICE)) is Reason.PREORDER_PENDING
    assert chain.judge(chain.register(NAME, ALICE)) is Reason.NOT_PREORDERED
    chain.must(chain.preorder(NAME, ALICE, BOB))
    assert chain.judge(chain.register(NAME, ALICE, BOB)) is None
