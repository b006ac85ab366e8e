"""How a scenario says which rules hold on its chain: the `epochs` mark and what it makes of it."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import pytest

from bns.errors import InvalidInput
from bns.params import SUBDOMAINS_VARIABLE, Params

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bns.params import Epoch

MARK = "epochs"

_EPOCH_FIELDS = {
    "lifetime": "lifetime_multiplier",
    "grace": "grace_period",
    "price": "price_multiplier",
    "receive_fees": "receive_fees_period",
}

_WHOLE = ("ends", "reveal_expire", "overrides")
"""Options that are not of one epoch."""

_RUNS = [(1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3)]

each_epoch = pytest.mark.parametrize("epoch", [1, 2, 3], ids=["epoch1", "epoch2", "epoch3"])
"""Run a scenario once in each epoch."""


def epochs(
    *numbers: int,
    ends: int | Sequence[int] = (),
    reveal_expire: int | None = None,
    overrides: Mapping[str, str] | None = None,
    **fields: float | Sequence[float],
) -> pytest.MarkDecorator:
    """Mark a scenario with the epochs of its chain.

    epochs(3) stays in epoch 3; epochs(1, 2, 3, ends=(120, 130)) changes after blocks 120 and 130. lifetime
    (multiplier), grace (blocks), price (multiplier) and receive_fees (blocks) replace the values of the epochs named:
    one value for all of them, or a tuple with one each. reveal_expire is the life of a reveal in blocks. overrides are
    settings of the reference as chain files hold them (env), and come last.
    """
    return pytest.mark.epochs(*numbers, ends=ends, reveal_expire=reveal_expire, overrides=overrides, **fields)


def scenario_params(first_block: int, numbers: Sequence[int], options: Mapping[str, Any]) -> Params:
    """Parameters of a private chain from the arguments of an `epochs` mark; InvalidInput if they do not fit."""
    numbers = tuple(numbers) or (3,)
    if numbers not in _RUNS:
        raise InvalidInput("epochs", numbers, "successive ones of 1, 2, 3")
    ends = _require_ends(options.get("ends"), len(numbers) - 1, first_block)
    params = Params.regtest(first_block=first_block, epoch=numbers[-1])
    by_number = {epoch.number: epoch for epoch in params.epochs}
    for number, end in zip(numbers, ends, strict=False):
        by_number[number] = replace(by_number[number], end=end)
    for position, number in enumerate(numbers):
        by_number[number] = _changed(by_number[number], position, len(numbers), options)
    changes: dict[str, Any] = {"epochs": tuple(by_number[number] for number in (1, 2, 3))}
    if options.get("reveal_expire") is not None:
        changes["namespace_reveal_expire"] = _require_number("reveal_expire", options["reveal_expire"])
    params = replace(params, **changes)
    if not options.get("overrides"):
        return params
    said = {**params.to_reference_env(), SUBDOMAINS_VARIABLE: str(params.first_subdomain_block)}
    return Params.from_reference_env({**said, **options["overrides"]})


def _require_ends(ends: object, count: int, first_block: int) -> tuple[int, ...]:
    heights = (ends,) if isinstance(ends, int) else tuple(ends or ()) if isinstance(ends, tuple | list | None) else None
    fits = (
        heights is not None
        and len(heights) == count
        and all(isinstance(height, int) and height >= first_block for height in heights)
        and list(heights) == sorted(set(heights))
    )
    if heights is None or not fits:
        raise InvalidInput("ends of epochs", ends, f"{count} increasing heights from {first_block} on")
    return heights


def _changed(epoch: Epoch, position: int, count: int, options: Mapping[str, Any]) -> Epoch:
    changes: dict[str, Any] = {}
    for option, value in options.items():
        if option in _WHOLE:
            continue
        if option not in _EPOCH_FIELDS:
            raise InvalidInput("option of epochs()", option, f"one of {', '.join([*_EPOCH_FIELDS, *_WHOLE])}")
        if isinstance(value, tuple | list):
            if len(value) != count:
                raise InvalidInput(option, value, f"{count} values, one for each epoch named")
            value = value[position]
        changes[_EPOCH_FIELDS[option]] = _require_number(option, value)
    return replace(epoch, **changes)


def _require_number(option: str, value: object) -> float:
    """The value; only the price multiplier may have a fraction."""
    kinds, expected = ((int, float), "a number") if option == "price" else ((int,), "a whole number")
    if isinstance(value, bool) or not isinstance(value, kinds) or not isfinite(value) or value < 0:
        raise InvalidInput(option, value, f"{expected} from 0 on")
    return float(value) if option == "price" else value
