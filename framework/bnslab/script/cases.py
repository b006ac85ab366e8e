"""Syntax tree to cases: tables written out, values read, and every mistake found that needs no chain to be seen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bnslab.script.errors import ScriptError, Unreadable, did_you_mean
from bnslab.script.formatting import say
from bnslab.script.reading import Scope, read
from bnslab.script.syntax import Branch, Clause, Comment, Loop, Place, Statement, Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bnslab.script.syntax import Item, Row, Scenario, Script

EPOCHS = (1, 2, 3)
SETTINGS = ("epochs", "each_epoch", "override")
"""The statements that say which rules hold; all others are steps."""
SAVES = {
    "save_height": "height",
    "save_consensus_hash": "consensus hash",
    "save_zonefile": "zone file",
    "save_data": "zone file",
    "save_subdomain": "subdomain",
    "save_next": "subdomain",
}
"""What kind of thing each statement saves."""
_RULES = {"lifetimes": "lifetime"}


@dataclass(frozen=True)
class Step:
    """A statement to carry out: its rule, the values of its subjects and of its clauses, and its line."""

    verb: str
    subjects: tuple[Any, ...]
    arguments: Mapping[str, Any]
    text: str
    place: Place


@dataclass(frozen=True)
class BranchStep:
    """Steps whose blocks are taken back."""

    body: tuple[Step | BranchStep, ...]
    place: Place
    text: str = "branch"


@dataclass(frozen=True)
class Case:
    """One test: its name, the epochs and rules of its chain as for bnslab.epochs(), its steps."""

    name: str
    place: Place
    epochs: tuple[int, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[Step | BranchStep, ...] = ()


def cases(script: Script, source: str, name: str) -> list[Case]:
    """The cases of a script in its order; name is that of the only one if it has no scenarios. Raises ScriptError."""
    found: list[Case] = []
    for scenario, columns in _written_out(script):
        label = scenario.name.text if scenario else name
        place = scenario.name.place if scenario else Place(1, 1)
        binder = _Binder(source)
        binder.value(Term("CASE", label, place), {})
        steps = [*binder.steps(script.common, columns), *(binder.steps(scenario.body, columns) if scenario else ())]
        row = "-".join(columns.values())
        for epoch in EPOCHS if binder.each_epoch else [None]:
            told = [*([f"epoch{epoch}"] if epoch else []), *([row] if columns else [])]
            case = Case(
                f"{label}[{'-'.join(told)}]" if told else label,
                place,
                (epoch,) if epoch else binder.epochs,
                {**binder.rules, "overrides": binder.overrides} if binder.overrides else binder.rules,
                tuple(steps),
            )
            if any(case.name == other.name for other in found):
                raise ScriptError(source, place, f"expected another name than {case.name!r}, which is there already")
            found.append(case)
    return found


def bind(statement: Statement, wallets: Iterable[str]) -> Step | BranchStep:
    """The step of a single statement that may speak of these wallets. Raises ScriptError."""
    binder = _Binder("statement", wallets)
    (step,) = binder.steps([statement], {})
    return step


def _written_out(script: Script) -> Iterator[tuple[Scenario | None, dict[str, str]]]:
    if not script.scenarios:
        yield None, {}
    for scenario in script.scenarios:
        for columns in _columns(scenario.rows) if scenario.rows else [{}]:
            yield scenario, columns


def _columns(rows: tuple[Row, ...]) -> list[dict[str, str]]:
    return [dict(zip(rows[0].cells, row.cells, strict=True)) for row in rows[1:]]


class _Binder:
    """Reads the statements of one case in order, because later ones may speak of what earlier ones name."""

    def __init__(self, source: str, wallets: Iterable[str] = ()) -> None:
        self.epochs: tuple[int, ...] = ()
        self.rules: dict[str, Any] = {}
        self.overrides: dict[str, str] = {}
        self.each_epoch = False
        self._source = source
        self._scope = Scope()
        self._scope.wallets.update(wallets)

    def steps(self, items: Iterable[Item], columns: Mapping[str, str], nested: bool = False) -> list[Step | BranchStep]:
        """The steps of items; columns are the values of the table around them."""
        steps: list[Step | BranchStep] = []
        for item in items:
            match item:
                case Comment():
                    continue
                case Loop():
                    for row in _columns(item.rows):
                        inner = {name: self._filled(text, columns, item.rows[0].place) for name, text in row.items()}
                        steps += self.steps(item.body, {**columns, **inner}, nested=True)
                case Branch():
                    steps.append(BranchStep(tuple(self.steps(item.body, columns, nested=True)), item.place))
                case Statement():
                    steps += self._said(item, columns, nested)
        return steps

    def value(self, term: Term, columns: Mapping[str, str]) -> Any:  # noqa: ANN401 - each kind has its own type
        """What a term means."""
        text = self._filled(term.text, columns, term.place)
        try:
            return read(term.kind, text, self._scope)
        except Unreadable as error:
            raise ScriptError(
                self._source, term.place, f"expected {error.expected}, got {text!r}{error.hint}"
            ) from None

    def _said(self, statement: Statement, columns: Mapping[str, str], nested: bool) -> list[Step]:
        subjects = tuple(self.value(term, columns) for term in statement.subjects)
        arguments = {clause.name: self._argument(clause, columns) for clause in statement.clauses}
        if statement.verb in SETTINGS:
            if nested:
                raise ScriptError(self._source, statement.place, "expected rules outside `for each` and `branch`")
            if statement.verb == "override":
                self.overrides[subjects[0]] = subjects[1]
                return []
            self.each_epoch = statement.verb == "each_epoch"
            self.epochs = () if self.each_epoch else subjects[0]
            self.rules = {_RULES.get(name, name): _single(value) for name, value in arguments.items()}
            return []
        if statement.verb == "wallet":
            self._scope.wallets.update(subjects[0])
        elif "as_word" in arguments:
            self._scope.saved[arguments["as_word"]] = SAVES[statement.verb]
        return [Step(statement.verb, subjects, arguments, say(statement), statement.place)]

    def _argument(self, clause: Clause, columns: Mapping[str, str]) -> Any:  # noqa: ANN401
        return True if clause.value is None else self.value(clause.value, columns)

    def _filled(self, text: str, columns: Mapping[str, str], place: Place) -> str:
        def cell(match: re.Match[str]) -> str:
            if match[1] not in columns:
                known = ", ".join(columns) or "no table around it"
                problem = f"expected a column of a table ({known}), got {match[1]!r}{did_you_mean(match[1], columns)}"
                raise ScriptError(self._source, place, problem)
            return columns[match[1]]

        return re.sub(r"\{(\w+)\}", cell, text)


def _single(value: object) -> object:
    """A list of one as its member, which is how the rules take a value for all epochs."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value
