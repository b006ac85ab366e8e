"""The words of the language, read off the lines of the grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_RULE = re.compile(r"^(\w+): (.+)$", re.MULTILINE)
_WORD = re.compile(r'"([a-z]+)"')
_TERMINAL = re.compile(r"[A-Z]+")


@dataclass(frozen=True)
class Form:
    """How a rule is written: its words, the terminals of its values, the clauses it needs and those it may have.

    optional_value tells that the value may be left out.
    """

    name: str
    words: tuple[str, ...]
    values: tuple[str, ...]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    optional_value: bool = False

    @property
    def phrase(self) -> str:
        """The words with a space between."""
        return " ".join(self.words)

    @property
    def clauses(self) -> tuple[str, ...]:
        """All clauses in canonical order."""
        return self.required + self.optional


@dataclass(frozen=True)
class Vocabulary:
    """Statements by the title that they stand under in the grammar, and clauses."""

    sections: dict[str, tuple[Form, ...]]
    clauses: dict[str, Form]

    @property
    def statements(self) -> dict[str, Form]:
        """All statements by name."""
        return {form.name: form for forms in self.sections.values() for form in forms}

    @property
    def keywords(self) -> frozenset[str]:
        """Every word with a meaning of its own."""
        return frozenset(_WORD.findall(grammar())) | {"expiry", "deadline", "change"}


VERDICTS = ("rejects_because", "rejects", "refused_because", "undecided", "gives")
"""Clauses of which a statement has one at most."""


@cache
def grammar() -> str:
    """The text of the grammar."""
    return files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")


@cache
def vocabulary() -> Vocabulary:
    """What the grammar says."""
    sections, clauses = {}, {}
    for part in grammar().split("\n// ")[1:]:
        title, _, lines = part.partition("\n")
        forms = [_form(name, rest) for name, rest in _RULE.findall(lines) if name.islower() and name[0] != "_"]
        if title == "Clauses":
            clauses = {form.name: form for form in forms}
        elif title in ("Settings", "Operations", "Blocks", "Expectations"):
            sections[title] = tuple(forms)
    return Vocabulary(sections, clauses)


def _form(name: str, text: str) -> Form:
    head, _, bracket = text.partition(" (")
    optional: list[str] = []
    for clause in re.findall(r"\w+", bracket):
        optional += VERDICTS if clause == "_verdict" else [clause]
    bare = _WORD.sub("", head)
    values = tuple(_TERMINAL.findall(bare))
    required = tuple(word for word in re.findall(r"\w+", bare) if word.islower())
    return Form(name, tuple(_WORD.findall(head)), values, required, tuple(optional), "?" in head)


def usage(form: Form) -> str:
    """A statement as documentation writes it: values in capitals, what may be left out in brackets."""
    value = " ".join(form.values)
    words = [form.phrase, f"[{value}]" if form.optional_value else value]
    words += [_clause(name) for name in form.required]
    words += [f"[{_clause(name)}]" for name in form.optional if name not in VERDICTS]
    words += ["[VERDICT]"] if VERDICTS[0] in form.optional else []
    return " ".join(filter(None, words))


def _clause(name: str) -> str:
    form = vocabulary().clauses[name]
    return " ".join([form.phrase, *form.values])
