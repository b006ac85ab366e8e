"""Makes a failing program small: fewer blocks, fewer steps, plainer steps, as long as it still fails.

Programs shrink better as data than through the choices of the generator that made them: a step taken away moves none
of the others, since steps are told relative to what the chain then holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bnslab.fuzz.program import Step

if TYPE_CHECKING:
    from bnslab.fuzz.divergence import Divergence
    from bnslab.fuzz.program import Program

Judge = Callable[["Program"], "Divergence | None"]
Place = tuple[int, int]

_PLAIN = Step("", "")
_SIMPLER = (
    "layout",
    "payload",
    "second",
    "unlock",
    "fee",
    "pay",
    "back",
    "child",
    "seal",
    "known",
    "value",
    "terms",
    "to",
)


def shrink(program: Program, divergence: Divergence, judge: Judge, budget: int) -> tuple[Program, Divergence]:
    """The smallest failing program found by running judge at most budget times, and its difference."""
    shrinker = _Shrinker(program, divergence, judge, budget)
    shrinker.run()
    return shrinker.program, shrinker.divergence


class _Shrinker:
    def __init__(self, program: Program, divergence: Divergence, judge: Judge, budget: int) -> None:
        self.program = program
        self.divergence = divergence
        self._judge = judge
        self._left = budget

    def run(self) -> None:
        """Until nothing more can be taken away, or the budget is used up."""
        self._cut()
        before = None
        while before != self.program and self._left:
            before = self.program
            self._drop(list(_places(before)), _without_steps)
            self._drop([(at, -1) for at in range(len(self.program.blocks))], _without_blocks)
            self._simplify()

    def _try(self, candidate: Program) -> bool:
        candidate = candidate.with_blocks(candidate.blocks[: len(self.program.blocks)])
        if not self._left or not candidate.blocks or candidate == self.program:
            return False
        self._left -= 1
        found = self._judge(candidate)
        if found is None or found.is_crash != self.divergence.is_crash:
            return False
        self.program, self.divergence = candidate, found
        self._cut()
        return True

    def _cut(self) -> None:
        """Leave out the blocks after the one that fails; they cannot matter."""
        end = self.divergence.height - self.program.params.first_block + 1
        self.program = self.program.with_blocks(self.program.blocks[:end])

    def _drop(self, parts: list[Place], without: Callable[[Program, Collection[Place]], Program]) -> None:
        """Take away runs of parts, long ones first; they are named as in the program that this starts from."""
        base, gone, size = self.program, set[Place](), len(parts)
        while size:
            position = 0
            while position < len(parts):
                run = parts[position : position + size]
                if self._try(without(base, gone.union(run))):
                    gone.update(run)
                    del parts[position : position + size]
                else:
                    position += size
            size //= 2

    def _simplify(self) -> None:
        for place in list(_places(self.program)):
            for field in _SIMPLER:
                candidate = _plainer(self.program, place, field)
                if candidate is not None:
                    self._try(candidate)


def _places(program: Program) -> Iterator[Place]:
    return ((at, i) for at, steps in enumerate(program.blocks) for i in range(len(steps)))


def _without_steps(program: Program, gone: Collection[Place]) -> Program:
    blocks = [[step for i, step in enumerate(steps) if (at, i) not in gone] for at, steps in enumerate(program.blocks)]
    return program.with_blocks(blocks)


def _without_blocks(program: Program, gone: Collection[Place]) -> Program:
    return program.with_blocks([steps for at, steps in enumerate(program.blocks) if (at, -1) not in gone])


def _plainer(program: Program, place: Place, field: str) -> Program | None:
    at, position = place
    plain = getattr(_PLAIN, field)
    if at >= len(program.blocks) or getattr(program.blocks[at][position], field) == plain:
        return None
    blocks = [list(steps) for steps in program.blocks]
    blocks[at][position] = replace(blocks[at][position], **{field: plain})
    return program.with_blocks(blocks)
