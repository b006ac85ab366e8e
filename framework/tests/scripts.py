"""Scripts made up for tests."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from bnslab.script.reading import OPCODES, THINGS
from bnslab.script.syntax import Branch, Clause, Comment, Loop, Row, Scenario, Script, Statement, Term
from bnslab.script.vocabulary import VERDICTS, vocabulary

if TYPE_CHECKING:
    from bnslab.script.syntax import Item
    from bnslab.script.vocabulary import Form

_NUMBERS = st.integers(0, 10**6).map(str)
_WORDS = st.text(string.ascii_lowercase + string.digits + "_-", min_size=1, max_size=8).filter(
    lambda text: text not in vocabulary().keywords and not text.isdecimal()
)
_FILLED = st.builds("{{{}}}".format, st.text(string.ascii_lowercase + "_", min_size=1, max_size=5))
_OFFSETS = st.sampled_from(["", " + 1", " - 12"])


def _listed(one: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(one, min_size=1, max_size=3).map(", ".join)


_HASHES = st.sampled_from(["11*20", "ab" * 20, "0f" * 16])
_NAMES = st.builds("{}.{}".format, _WORDS, _WORDS)
VALUES: dict[str, st.SearchStrategy[str]] = {
    "CASE": _WORDS,
    "NAME": _NAMES | _FILLED,
    "NAMESPACE": _WORDS | _FILLED,
    "WALLET": _WORDS | _FILLED,
    "WALLETS": _listed(_WORDS),
    "PAYEE": _WORDS,
    "NUMBER": _NUMBERS | _FILLED,
    "NUMBERS": _listed(_NUMBERS),
    "FRACTIONS": _listed(st.sampled_from(["0.1", "1"])),
    "COUNT": _NUMBERS | _FILLED,
    "HASH": _HASHES | _FILLED,
    "CONSENSUS": _HASHES | _WORDS,
    "DATA": _HASHES,
    "WORD": _WORDS,
    "KIND": st.sampled_from(["p2pkh", "p2sh-p2wsh"]),
    "REASON": st.sampled_from(["NOT_OWNER", "{why}"]),
    "OUTCOME": st.sampled_from(["accepted", "{why}", "FEE_TOO_LOW"]),
    "SUBDOMAIN": st.builds("{}.{}".format, _WORDS, _NAMES),
    "DRAFT": _WORDS,
    "DRAFTS": _listed(_WORDS),
    "ZONEFILES": _listed(_WORDS),
    "URI": st.just("https://example.com/a-b"),
    "SETTING": st.just("BLOCKSTACK_X"),
    "ANY": st.sampled_from(["-1", "0.1"]),
    "OPCODE": st.sampled_from(OPCODES),
    "THINGS": st.sampled_from(THINGS),
    "HEIGHT": st.builds("{}{}{}".format, st.sampled_from(["", "expiry of ", "deadline of "]), _NAMES, _OFFSETS)
    | st.builds("{}{}".format, _NUMBERS | st.just("height") | _FILLED, _OFFSETS),
    "FEE": st.builds("{}{}".format, st.just("price") | _NUMBERS, _OFFSETS),
    "SIGNERS": st.builds("{} of {}".format, _NUMBERS, _NUMBERS),
    "OUTPUTS": _listed(st.just("change") | st.builds("{} to {}".format, _NUMBERS, _WORDS)),
}


def _term(kind: str) -> st.SearchStrategy[Term]:
    return st.builds(Term, st.just(kind), VALUES[kind])


def _clause(name: str) -> st.SearchStrategy[Clause]:
    form = vocabulary().clauses[name]
    return st.builds(Clause, st.just(name), _term(form.values[0]) if form.values else st.none())


_COMMENTS = st.sampled_from(["", "# why", "#", "# a | b, {c} # d"])


@st.composite
def statements(draw: st.DrawFn, form: Form | None = None) -> Statement:
    """A statement that the grammar allows; whether it means anything is another question."""
    form = form or draw(st.sampled_from(sorted(vocabulary().statements.values(), key=lambda each: each.name)))
    values = form.values if not form.optional_value or draw(st.booleans()) else ()
    chosen = draw(st.sets(st.sampled_from(form.optional))) if form.optional else set[str]()
    verdicts = [name for name in VERDICTS if name in chosen]
    chosen -= set(verdicts[1:])
    names = [*form.required, *(name for name in form.optional if name in chosen)]
    clauses = tuple(draw(_clause(name)) for name in names)
    return Statement(
        form.name, tuple(draw(_term(value)) for value in values), clauses, draw(_COMMENTS), draw(st.booleans())
    )


_CELLS = st.sampled_from(["a", "11*20", "price - 1", "foo.test", "w1"])


@st.composite
def _tables(draw: st.DrawFn) -> tuple[Row, ...]:
    width = draw(st.integers(1, 3))
    head = tuple(f"c{number}" for number in range(width))
    rows = [draw(st.tuples(*[_CELLS] * width)) for _ in range(draw(st.integers(0, 2)))]
    return tuple(Row(cells, draw(_COMMENTS)) for cells in [head, *rows])


def _body(items: list[Item]) -> tuple[Item, ...]:
    return tuple(replace(item, gap=item.gap and at > 0) for at, item in enumerate(items))


def _bodies(items: st.SearchStrategy[Item]) -> st.SearchStrategy[tuple[Item, ...]]:
    return st.lists(items, max_size=3).map(_body)


_items = st.recursive(
    statements() | st.builds(Comment, st.sampled_from(["# a remark", "#!"]), st.booleans()),
    lambda inner: (
        st.builds(Loop, _tables(), _bodies(inner), _COMMENTS, _COMMENTS, st.booleans())
        | st.builds(Branch, _bodies(inner), _COMMENTS, _COMMENTS, st.booleans())
    ),
    max_leaves=6,
)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Whole files."""
    common = draw(_bodies(_items))
    scenarios = []
    for number in range(draw(st.integers(0, 2))):
        rows = draw(st.just(()) | _tables())
        body, comment = draw(_bodies(_items)), draw(_COMMENTS)
        scenarios.append(Scenario(Term("CASE", f"case{number}"), rows, body, comment, bool(common or number)))
    return Script(common, tuple(scenarios))
