"""How a scenario says which rules hold on its chain: the `epochs` mark and what it makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bns.errors import InvalidInput
from bns.params import Params

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

each_epoch = pytest.mark.parametrize("epoch", [1, 2, 3], ids=["epoch1", "epoch2", "epoch3"])
"""Run a scenario once in each epoch."""


def epochs(
    *numbers: int, ends: Sequence[int] = (), reveal_expire: int | None = None, **fields: float | tuple[float, ...]
) -> pytest.MarkDecorator:
    """Mark a scenario with the epochs of its chain.

    epochs(3) stays in epoch 3; epochs(1, 2, 3, ends=(120, 130)) changes after blocks 120 and 130. lifetime
    (multiplier), grace (blocks), price (multiplier) and receive_fees (blocks) replace the values of the epochs named:
    one value for all of them, or a tuple with one each. reveal_expire is the life of a reveal in blocks.
    """
    return pytest.mark.epochs(*numbers, ends=tuple(ends), reveal_expire=reveal_expire, **fields)


def scenario_params(first_block: int, numbers: Sequence[int], options: Mapping[str, Any]) -> Params:
    """Parameters of a private chain from the arguments of an `epochs` mark; InvalidInput if they do not fit."""
    numbers = tuple(numbers) or (3,)
    ends = tuple(options.get("ends") or ())
    if not set(numbers) <= {1, 2, 3} or list(numbers) != sorted(set(numbers)):
        raise InvalidInput("epochs", numbers, "some of 1, 2, 3, in this order")
    if len(ends) != len(numbers) - 1 or list(ends) != sorted(set(ends)):
        raise InvalidInput("ends of epochs", ends, f"{len(numbers) - 1} increasing heights")
    params = Params.regtest(first_block=first_block, epoch=numbers[-1])
    by_number = {epoch.number: epoch for epoch in params.epochs}
    for number, end in zip(numbers, ends, strict=False):
        by_number[number] = replace(by_number[number], end=end)
    for number in range(numbers[0] + 1, numbers[-1]):
        if number not in numbers:
            raise InvalidInput("epochs", numbers, "no gap")
    for position, number in enumerate(numbers):
        by_number[number] = _changed(by_number[number], position, len(numbers), options)
    changes: dict[str, Any] = {"epochs": tuple(by_number[number] for number in (1, 2, 3))}
    if options.get("reveal_expire") is not None:
        changes["namespace_reveal_expire"] = options["reveal_expire"]
    return replace(params, **changes)


def _changed(epoch: Epoch, position: int, count: int, options: Mapping[str, Any]) -> Epoch:
    changes: dict[str, Any] = {}
    for option, value in options.items():
        if option in ("ends", "reveal_expire"):
            continue
        if option not in _EPOCH_FIELDS:
            raise InvalidInput("option of epochs()", option, f"one of {', '.join(_EPOCH_FIELDS)}, ends, reveal_expire")
        if isinstance(value, tuple):
            if len(value) != count:
                raise InvalidInput(option, value, f"{count} values, one for each epoch named")
            value = value[position]
        changes[_EPOCH_FIELDS[option]] = value
    return replace(epoch, **changes)
