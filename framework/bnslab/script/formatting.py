"""Syntax tree to text: the one canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnslab.script.syntax import Branch, Comment, Loop, Statement
from bnslab.script.vocabulary import vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bnslab.script.syntax import Item, Row, Script

_INDENT = "  "


def format_script(script: Script) -> str:
    """The text of a tree; parsing it gives the same tree again."""
    lines = list(_items(script.common, ""))
    for scenario in script.scenarios:
        if lines:
            lines.append("")
        head = f"scenario {scenario.name.text}" + (" for each" if scenario.rows else "")
        lines += [_with(head, scenario.comment), *_table(scenario.rows, _INDENT), *_items(scenario.body, "")]
    return "".join(f"{line}\n" for line in lines)


def say(statement: Statement) -> str:
    """One statement without its comment."""
    words = [vocabulary().statements[statement.verb].phrase, *(term.text for term in statement.subjects)]
    for clause in statement.clauses:
        words.append(vocabulary().clauses[clause.name].phrase)
        words += [clause.value.text] if clause.value is not None else []
    return " ".join(words)


def _items(items: Iterable[Item], indent: str) -> Iterator[str]:
    for item in items:
        if item.gap:
            yield ""
        match item:
            case Comment():
                yield indent + item.text
            case Statement():
                yield indent + _with(say(item), item.comment)
            case Loop() | Branch():
                yield indent + _with("for each" if isinstance(item, Loop) else "branch", item.comment)
                if isinstance(item, Loop):
                    yield from _table(item.rows, indent + _INDENT)
                yield from _items(item.body, indent + _INDENT)
                yield indent + _with("end", item.end_comment)


def _table(rows: tuple[Row, ...], indent: str) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*(row.cells for row in rows), strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row.cells, widths, strict=True))
        yield indent + _with(f"| {' | '.join(cells)} |", row.comment)


def _with(text: str, comment: str) -> str:
    return f"{text}  {comment}" if comment else text
