"""What is wrong with a script, and where."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bnslab.script.syntax import Place


class ScriptError(LabError):
    """A script cannot be understood: file, line, column, and what was expected there."""

    def __init__(self, source: str, place: Place, problem: str) -> None:
        super().__init__(f"{source}:{place.line}:{place.column}: {problem}")
        self.source = source
        self.place = place
        self.problem = problem


class Unreadable(Exception):
    """A value is not what it must be; whoever knows the place makes a ScriptError of it."""

    def __init__(self, expected: str, hint: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.hint = hint


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the known word that comes closest, empty where none is close."""
    by_folded = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), by_folded, 1, 0.6)
    return f"; did you mean {by_folded[close[0]]!r}?" if close else ""
