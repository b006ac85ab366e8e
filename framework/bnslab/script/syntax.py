"""The syntax tree of a script. Equal trees say the same, wherever they stand in a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Place(NamedTuple):
    """A position in a script, both numbers from 1 on."""

    line: int
    column: int


NOWHERE = Place(0, 0)


@dataclass(frozen=True)
class Term:
    """A value as it is written, single spaces inside; kind is the terminal, which says how to read it."""

    kind: str
    text: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Clause:
    """A part of a statement after its subject, like `by bob`; value is nothing for one that is only said."""

    name: str
    value: Term | None = None


@dataclass(frozen=True)
class Statement:
    """One line: the rule of the grammar, its subjects, its clauses in canonical order.

    comment is what follows from `#` on, gap whether an empty line stands before it; so with all other items.
    """

    verb: str
    subjects: tuple[Term, ...] = ()
    clauses: tuple[Clause, ...] = ()
    comment: str = ""
    gap: bool = False
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Comment:
    """A line of its own, from `#` on."""

    text: str
    gap: bool = False


@dataclass(frozen=True)
class Row:
    """A line of a table; the first one names the columns."""

    cells: tuple[str, ...]
    comment: str = ""
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Loop:
    """`for each`: the body once for each row of a table."""

    rows: tuple[Row, ...]
    body: tuple[Item, ...]
    comment: str = ""
    end_comment: str = ""
    gap: bool = False


@dataclass(frozen=True)
class Branch:
    """`branch`: a body whose blocks are taken back at its end."""

    body: tuple[Item, ...]
    comment: str = ""
    end_comment: str = ""
    gap: bool = False
    place: Place = field(default=NOWHERE, compare=False)


Item = Statement | Comment | Loop | Branch


@dataclass(frozen=True)
class Scenario:
    """A scenario of a script, once for each row if it has a table."""

    name: Term
    rows: tuple[Row, ...]
    body: tuple[Item, ...]
    comment: str = ""
    gap: bool = False


@dataclass(frozen=True)
class Script:
    """A file: what comes first holds for each of its scenarios; without any it is itself the scenario."""

    common: tuple[Item, ...]
    scenarios: tuple[Scenario, ...] = ()
