"""A row of a table of scenarios: its id, its rules, its wallets, and the steps that play it on a lab.

Wallets are w0 to w13 as in the catalogue; `w2 >> w3` reads "w2 for w3". A step is a function of a Play. Heights are
those of the catalogue, whose chains send their first operation in block 689.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput
from bnslab.chain.factory import BASE_CHAIN_LENGTH
from bnslab.rules import epochs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bnslab.lab import Lab
    from bnslab.sent import Sent
    from bnslab.wallets import Wallet

CATALOGUE_FIRST = 689
"""Height of the first block with an operation in the catalogue; a lab's is the one above its base chain."""


def height_of(catalogue_height: int) -> int:
    """The height in a lab of a height in the catalogue."""
    return catalogue_height - CATALOGUE_FIRST + BASE_CHAIN_LENGTH + 1


@dataclass(frozen=True, slots=True)
class Who:
    """A wallet of a row, by number; or an import key derived from it."""

    number: int
    key: int | None = None

    def __rshift__(self, owner: Who) -> Pair:
        return Pair(self, owner)

    def child(self, key: int) -> Who:
        """Import key number key (from 0) of this wallet."""
        return Who(self.number, key)


@dataclass(frozen=True, slots=True)
class Pair:
    """Who sends, and for whom."""

    sender: Who
    owner: Who


w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13 = WALLETS = tuple(map(Who, range(14)))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of wallet, and how many of how many keys sign."""

    name: str
    required: int = 1
    total: int = 1


P2PKH = Kind("p2pkh")
MULTISIG = Kind("p2sh-multisig", 2, 3)
SEGWIT = Kind("p2sh-p2wpkh")
SEGWIT_MULTISIG = Kind("p2sh-p2wsh", 2, 3)

E1 = epochs(1)
E2 = epochs(2)
E2L1 = epochs(2, lifetime=1)
E3 = epochs(3)


def until(*ends: int, **fields: float | Sequence[float]) -> pytest.MarkDecorator:
    """Epoch 1 up to the first height of the catalogue, epoch 2 up to the second one if there is one, then the next.

    The fields are those of bnslab.epochs.
    """
    return _until(range(1, len(ends) + 2), ends, fields)


def epoch_2_until(end: int, **fields: float | Sequence[float]) -> pytest.MarkDecorator:
    """Epoch 2 up to a height of the catalogue, then epoch 3."""
    return _until((2, 3), (end,), fields)


def _until(
    numbers: Iterable[int], ends: Iterable[int], fields: Mapping[str, float | Sequence[float]]
) -> pytest.MarkDecorator:
    return epochs(*numbers, ends=tuple(map(height_of, ends)), reveal_expire=None, overrides=None, **fields)


class Play:
    """A row being played: its lab, and what its steps remember under names of their own."""

    def __init__(self, lab: Lab, kinds: Mapping[Who, Kind]) -> None:
        self.lab = lab
        self._kinds = kinds
        self.hashes: dict[str, str] = {}
        self.heights: dict[str, int] = {}

    def wallet(self, who: Who) -> Wallet:
        """The wallet of the lab."""
        kind = self._kinds.get(Who(who.number))
        name = f"w{who.number}"
        if kind is None or name in self.lab.wallets:
            wallet = self.lab.wallet(name)
        else:
            wallet = self.lab.wallet(name, kind.name, required=kind.required, total=kind.total)
        return wallet if who.key is None else wallet.child(who.key)

    def hash(self, name: str | None) -> str | None:
        """A consensus hash remembered by `save`."""
        return None if name is None else self.hashes[name]


if TYPE_CHECKING:
    Step = Callable[[Play], object]
    Steps = Step | tuple["Steps", ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One case of a table. kinds are the wallets that are not p2pkh."""

    id: str
    rules: pytest.MarkDecorator
    steps: tuple[Step, ...]
    kinds: Mapping[Who, Kind] = field(default_factory=dict)

    def play(self, lab: Lab) -> Play:
        """Take all steps, and leave nothing pending."""
        importers = {step.importer: P2PKH for step in self.steps if isinstance(step, Importing)}
        play = Play(lab, {**importers, **self.kinds})
        for step in self.steps:
            step(play)
        return play


@dataclass(frozen=True, slots=True)
class Importing:
    """A step that imports names: its wallet must show its key, and so be p2pkh."""

    importer: Who
    run: Callable[[Play], Sent]

    def __call__(self, play: Play) -> Sent:
        """Take the step."""
        return self.run(play)


def row(id_: str, rules: pytest.MarkDecorator, *steps: Steps, kinds: Mapping[Who, Kind] | None = None) -> Row:
    """A row; a tuple among the steps stands for the steps in it."""
    return Row(id_, rules, tuple(_flat(steps)), kinds or {})


def _flat(steps: Iterable[Steps]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, tuple):
            yield from _flat(step)
        else:
            yield step


def table(*rows: Row) -> pytest.MarkDecorator:
    """Parametrize a test with rows: its argument `row` has one of them, its id is that of the row."""
    ids = [each.id for each in rows]
    if len(set(ids)) != len(ids):
        raise InvalidInput("ids of rows", sorted({id_ for id_ in ids if ids.count(id_) > 1}), "each id once")
    return pytest.mark.parametrize("row", [pytest.param(each, id=each.id, marks=each.rules) for each in rows])
