"""The `epochs` mark and what it makes of a chain's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bns.errors import InvalidInput
from bns.params import Params
from bnslab import each_epoch, epochs
from bnslab.rules import scenario_params

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = 111


def params(*numbers: int, **options: Any) -> Params:
    """What a scenario with this mark gets."""
    mark = epochs(*numbers, **options).mark
    return scenario_params(FIRST, mark.args, mark.kwargs)


def at(rules: Params, *heights: int) -> list[int | None]:
    """The epochs of some heights."""
    return [None if epoch is None else epoch.number for epoch in map(rules.epoch, heights)]


@pytest.mark.parametrize(
    ("numbers", "ends", "expected"),
    [
        ((), (), [3, 3, 3, 3]),
        ((1,), (), [1, 1, 1, 1]),
        ((2,), (), [2, 2, 2, 2]),
        ((3,), (), [3, 3, 3, 3]),
        ((1, 2), (120,), [1, 1, 2, 2]),
        ((2, 3), (120,), [2, 2, 3, 3]),
        ((1, 2, 3), (120, 121), [1, 1, 2, 3]),
        ((1, 2), 120, [1, 1, 2, 2]),
        ((1, 2), [FIRST], [1, 2, 2, 2]),
    ],
)
def test_epochs_follow_each_other(numbers: tuple[int, ...], ends: int | Sequence[int], expected: list[int]) -> None:
    rules = params(*numbers, ends=ends)
    assert at(rules, FIRST, 120, 121, 122) == [expected[0], *expected[1:]]
    assert at(rules, 10**6) == [expected[-1]]
    assert rules.first_block == FIRST
    assert Params.from_reference_env(rules.to_reference_env()) == rules


def test_the_example_of_the_boundaries_block_by_block() -> None:
    rules = params(1, 2, 3, ends=(120, 130))
    assert at(rules, 111, 120, 121, 130, 131, 500) == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("numbers", [(0,), (4,), (2, 1), (1, 3), (1, 1), (1, 2, 3, 3), ("3",), (None,), ([3],)])
def test_epochs_that_do_not_follow_each_other(numbers: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidInput, match="epochs: expected successive ones of 1, 2, 3") as caught:
        params(*numbers, ends=(120,) * (len(numbers) - 1))
    assert caught.value.value == numbers


@pytest.mark.parametrize(
    ("numbers", "ends"),
    [
        ((1, 2), ()),
        ((1, 2), (120, 130)),
        ((3,), (120,)),
        ((1, 2, 3), (120,)),
        ((1, 2, 3), (130, 120)),
        ((1, 2, 3), (120, 120)),
        ((1, 2), (FIRST - 1,)),
        ((1, 2), ("120",)),
        ((1, 2), "120"),
        ((1, 2), {120}),
        ((1, 2), (120.5,)),
    ],
)
def test_ends_that_do_not_fit(numbers: tuple[int, ...], ends: Any) -> None:
    count = len(numbers) - 1
    with pytest.raises(InvalidInput, match=f"ends of epochs: expected {count} increasing heights from 111") as caught:
        params(*numbers, ends=ends)
    assert caught.value.value == ends


FIELDS = {
    "lifetime": "lifetime_multiplier",
    "grace": "grace_period",
    "price": "price_multiplier",
    "receive_fees": "receive_fees_period",
}


@pytest.mark.parametrize(("option", "field"), FIELDS.items())
def test_one_value_goes_for_all_epochs_that_are_named(option: str, field: str) -> None:
    plain, changed = params(2, 3, ends=(120,)), params(2, 3, ends=(120,), **{option: 7})
    assert [getattr(epoch, field) for epoch in changed.epochs[1:]] == [7, 7]
    assert changed.epochs[0] == plain.epochs[0]
    for epoch in (1, 2):
        others = [other for other in FIELDS.values() if other != field]
        assert all(getattr(changed.epochs[epoch], o) == getattr(plain.epochs[epoch], o) for o in others)


@pytest.mark.parametrize("kind", [tuple, list])
@pytest.mark.parametrize(("option", "field"), FIELDS.items())
def test_several_values_go_to_one_epoch_each(option: str, field: str, kind: type) -> None:
    changed = params(1, 2, 3, ends=(120, 130), **{option: kind([4, 5, 6])})
    assert [getattr(epoch, field) for epoch in changed.epochs] == [4, 5, 6]


def test_everything_at_once() -> None:
    rules = params(2, 3, ends=(120,), lifetime=(1, 3), grace=0, price=(1, 0.25), receive_fees=9, reveal_expire=10)
    second, third = rules.epochs[1:]
    assert (second.lifetime_multiplier, second.grace_period, second.price_multiplier) == (1, 0, 1.0)
    assert (third.lifetime_multiplier, third.price_multiplier, third.receive_fees_period) == (3, 0.25, 9)
    assert rules.namespace_reveal_expire == 10
    assert isinstance(second.price_multiplier, float)


def test_what_is_not_said_is_the_references_test_mode() -> None:
    for number in (1, 2, 3):
        assert params(number) == Params.regtest(first_block=FIRST, epoch=number)


@pytest.mark.parametrize("option", ["lifetime", "grace", "receive_fees", "reveal_expire"])
@pytest.mark.parametrize("value", [-1, 1.5, "1", True, [None]])
def test_a_number_of_blocks_that_is_none(option: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"{option}: expected a whole number from 0 on"):
        params(3, **{option: value})


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "1", None])
def test_a_price_multiplier_that_is_none(value: Any) -> None:
    with pytest.raises(InvalidInput, match=rf"price: expected a number from 0 on, got {value!r}"):
        params(3, price=value)


@pytest.mark.parametrize("value", [(), (1,), (1, 2, 3)])
def test_one_value_for_each_epoch_or_one_for_all(value: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="grace: expected 2 values, one for each epoch named"):
        params(2, 3, ends=(120,), grace=value)


def test_an_option_that_does_not_exist() -> None:
    with pytest.raises(InvalidInput, match=r"option of epochs.*one of lifetime, grace, .*, got 'graze'"):
        params(3, graze=1)


def test_each_epoch_is_a_parametrization() -> None:
    assert each_epoch.mark.args[:2] == ("epoch", [1, 2, 3])
    assert each_epoch.mark.kwargs == {"ids": ["epoch1", "epoch2", "epoch3"]}
