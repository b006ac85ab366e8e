"""Text to syntax tree, with errors that say where and what was expected."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from lark import Lark, Token, Transformer, Tree, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from bnslab.script.errors import ScriptError, did_you_mean
from bnslab.script.syntax import Branch, Clause, Comment, Loop, Place, Row, Scenario, Script, Statement, Term
from bnslab.script.vocabulary import VERDICTS, grammar, vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    from lark.tree import Meta

_NOUNS = {
    "CASE": "a name for the scenario",
    "NAME": "a name like foo.test",
    "NAMESPACE": "a namespace id",
    "WALLET": "a wallet",
    "WALLETS": "a wallet",
    "PAYEE": "a wallet or an address",
    "NUMBER": "a number",
    "NUMBERS": "a number",
    "FRACTIONS": "a number",
    "COUNT": "a number",
    "HASH": "40 hex digits, a short form like 11*20, or a saved zone file",
    "CONSENSUS": "32 hex digits, a saved consensus hash, or none",
    "DATA": "hex digits",
    "WORD": "a word",
    "KIND": "a kind of wallet",
    "REASON": "a reason",
    "OUTCOME": "accepted or a reason",
    "OPCODE": "the name of an operation",
    "SUBDOMAIN": "a subdomain like bar.foo.test",
    "DRAFT": "a saved subdomain",
    "DRAFTS": "a saved subdomain",
    "ZONEFILES": "a saved zone file",
    "URI": "a URI",
    "SETTING": "a setting of the reference",
    "ANY": "a value",
    "THINGS": "names, preorders or namespaces",
    "HEIGHT": "a height",
    "FEE": "satoshis or price",
    "SIGNERS": "numbers like 2 of 3",
    "OUTPUTS": "outputs like change, 5500 to bob",
    "ROW": "a row of a table like | a | b |",
    "_END": "the end of the line",
}


def read(path: Path, source: str | None = None) -> Script:
    """The tree of a file; source names it in errors, or else its path does. Raises ScriptError, OSError."""
    source = str(path) if source is None else source
    try:
        return parse(path.read_text(encoding="utf-8"), source)
    except UnicodeDecodeError as error:
        raise ScriptError(source, Place(1, 1), f"expected a text in UTF-8: {error.reason}") from None


def parse(text: str, source: str = "script") -> Script:
    """The tree of a text; source names it in the ScriptError of the first thing that is wrong."""
    lines = text.replace("\r\n", "\n").replace("\ufeff", "").split("\n")
    try:
        tree = _parser().parse("\n".join([*lines, ""]))
        return _Builder(source, lines).transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedInput as error:
        raise _explained(error, source, lines) from None


@cache
def _parser() -> Lark:
    return Lark(grammar(), parser="lalr", lexer="contextual", propagate_positions=True, maybe_placeholders=False)


def _explained(error: UnexpectedInput, source: str, lines: list[str]) -> ScriptError:
    if isinstance(error, UnexpectedToken):
        terminals, end = error.accepts or error.expected, error.token.type == "$END"
        place = Place(error.token.line or 1, error.token.column or 1)
        place = Place(len(lines), len(lines[-1]) + 1) if end else place
    else:
        assert isinstance(error, UnexpectedCharacters)
        terminals, end, place = error.allowed, False, Place(error.line, error.column)
    before, after = lines[place.line - 1][: place.column - 1], lines[place.line - 1][place.column - 1 :]
    found = re.match(r"[^\s#|,]+|.", after)
    got = "the end of the script" if end else repr(found[0]) if found else "the end of the line"
    keywords = _keywords()
    hint = did_you_mean(found[0], {keywords[name] for name in terminals if name in keywords}) if found else ""
    return ScriptError(
        source, place, f"expected {_expected(set(terminals), bool(before.strip()) and not end)}, got {got}{hint}"
    )


@cache
def _keywords() -> dict[str, str]:
    """The words of the terminals that stand for one."""
    return {each.name: each.pattern.value for each in _parser().terminals if each.pattern.type == "str"}


def _expected(terminals: set[str], inside: bool) -> str:
    """What one of the terminals would be in words; inside a line, or at its begin."""
    if not inside and "EXPECT" in terminals:
        return "a statement or `end`" if "END" in terminals else "a statement"
    keywords = _keywords()
    nouns = sorted(filter(None, (_NOUNS.get(name, "") for name in terminals - {"_END"})))
    words = [*nouns, *sorted(f"`{keywords[name]}`" for name in terminals if name in keywords)]
    words += [_NOUNS["_END"]] if "_END" in terminals else []
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


class _Builder(Transformer[Token, Script]):
    """Lark calls the method of each rule with what the rules below it have given."""

    def __init__(self, source: str, lines: list[str]) -> None:
        super().__init__()
        self._source = source
        self._lines = lines

    def _gap(self, line: int) -> bool:
        """Whether an empty line stands before a line, with something before that."""
        above = self._lines[: line - 1]
        return bool(above) and not above[-1].strip() and any(map(str.strip, above))

    def start(self, children: list[Any]) -> Script:
        common = [child for child in children if not isinstance(child, Scenario)]
        return Script(_body(common), tuple(child for child in children if isinstance(child, Scenario)))

    @v_args(meta=True)
    def scenario(self, meta: Meta, children: list[Any]) -> Scenario:
        name, *rest = children
        each = any(isinstance(child, Tree) for child in rest)
        comment = _comment(rest)
        rows = tuple(child for child in rest if isinstance(child, Row))
        if each != bool(rows):
            expected = "a row of a table like | a | b |" if each else "`for each` before a table"
            raise ScriptError(self._source, rows[0].place if rows else Place(meta.line + 1, 1), f"expected {expected}")
        items = [child for child in rest if isinstance(child, Statement | Comment | Loop | Branch)]
        return Scenario(_term(name), self._table(rows), _body(items), comment, self._gap(meta.line))

    @v_args(meta=True)
    def loop(self, meta: Meta, children: list[Any]) -> Loop:
        opening, *rest, closing = children
        rows = tuple(child for child in rest if isinstance(child, Row))
        body = [child for child in rest if not isinstance(child, Row)]
        return Loop(self._table(rows), _body(body), opening, closing, self._gap(meta.line))

    @v_args(meta=True)
    def branch(self, meta: Meta, children: list[Any]) -> Branch:
        opening, *body, closing = children
        return Branch(_body(body), opening, closing, self._gap(meta.line), Place(meta.line, meta.column))

    def _table(self, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        wrong = [cell for row in rows[:1] for cell in row.cells if not re.fullmatch(r"\w+", cell)]
        if wrong:
            problem = f"expected names of columns in letters, digits and _, got {wrong[0]!r}"
            raise ScriptError(self._source, rows[0].place, problem)
        for row in rows:
            if len(row.cells) != len(rows[0].cells) or "" in row.cells:
                raise ScriptError(self._source, row.place, f"expected {len(rows[0].cells)} cells, none of them empty")
        return rows

    def opening(self, children: list[Token]) -> str:
        return _comment(children)

    branching = closing = opening

    def row(self, children: list[Token]) -> Row:
        line, *rest = children
        cells = tuple(" ".join(cell.split()) for cell in line[1:-1].split("|"))
        return Row(cells, _comment(rest), Place(line.line or 1, line.column or 1))

    def remark(self, children: list[Token]) -> Comment:
        return Comment(children[0].rstrip(), self._gap(children[0].line or 1))

    @v_args(meta=True)
    def said(self, meta: Meta, children: list[Any]) -> Statement:
        statement, *rest = children
        subjects = tuple(_term(child) for child in statement.children if isinstance(child, Token))
        form = vocabulary().statements[statement.data]
        clauses: dict[str, Clause] = {}
        for child in statement.children:
            if isinstance(child, Tree):
                self._add(clauses, child, meta)
        ordered = tuple(clauses[name] for name in form.clauses if name in clauses)
        place = Place(meta.line, meta.column)
        return Statement(str(statement.data), subjects, ordered, _comment(rest), self._gap(meta.line), place)

    def _add(self, clauses: dict[str, Clause], tree: Tree[Token], line: Meta) -> None:
        name = str(tree.data)
        if name in clauses or (name in VERDICTS and not clauses.keys().isdisjoint(VERDICTS)):
            expected = "only one verdict" if name in VERDICTS else f"`{vocabulary().clauses[name].phrase}` only once"
            place = Place(line.line, getattr(tree.meta, "column", line.column))
            raise ScriptError(self._source, place, f"expected {expected}")
        (value,) = tree.children or (None,)
        clauses[name] = Clause(name, _term(value) if isinstance(value, Token) else None)


def _term(token: Token) -> Term:
    text = re.sub(r"\s*,\s*", ", ", " ".join(token.split()))
    if token.type in ("HEIGHT", "FEE"):
        text = re.sub(r"\s*([+-])\s*(\d+)$", r" \1 \2", text) if re.search(r"\S\s*[+-]\s*\d+$", text) else text
    return Term(token.type, text, Place(token.line or 1, token.column or 1))


def _comment(children: list[Any]) -> str:
    return next((str(child).rstrip() for child in children if isinstance(child, Token) and child.type == "COMMENT"), "")


def _body(items: list[Any]) -> tuple[Any, ...]:
    """The items of a block; no gap before the first."""
    return tuple(replace(item, gap=item.gap and position > 0) for position, item in enumerate(items))
