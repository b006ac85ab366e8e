"""The table of the corpus is complete and up to date, and the vocabulary of its rows says when a fact is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput, Reason
from bnslab.corpus.facts import BURNED, FactMissing, absent, accepted, hist, live, np, own, price, ready, received
from bnslab.corpus.index import GAPS, Entry, cases, catalogue, missing, names_of, render
from bnslab.corpus.rows import E3, Importing, height_of, row, table, w0, w1, w2, w3, w4
from bnslab.corpus.steps import block, blocks, h11, h22, imp, no, note, ns, p_r, pre, reg, upd, xfer
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from bnslab.corpus.rows import Step
    from tests.labs import Labs

ROOT = Path(__file__).parents[2]
SPEC = (ROOT / "docs" / "spec" / "10-scenarios.md").read_text(encoding="utf-8")
SCENARIOS = 275


def test_the_catalogue_is_read_whole() -> None:
    entries = catalogue(SPEC)
    assert len(entries) == len({entry.id for entry in entries}) == SCENARIOS
    assert entries[0] == Entry("3.1", "namespace_preorder")
    assert entries[-1] == Entry("3.21", "nameop_parsing")


def test_every_scenario_of_the_catalogue_has_a_case_and_the_table_says_which() -> None:
    done = subprocess.run([sys.executable, "-m", "bnslab.corpus"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    written = (ROOT / "docs" / "reference" / "corpus.md").read_text(encoding="utf-8")
    assert written == done.stdout, "run: python -m bnslab.corpus > docs/reference/corpus.md"


def test_the_tests_of_the_gaps_are_there() -> None:
    assert [place for places in GAPS.values() for place in places if not (ROOT / place).is_file()] == []


def test_a_scenario_without_a_case_is_told() -> None:
    entries = [Entry("3.4", "name_a"), Entry("3.4", "name_a_b")]
    found = cases(entries, ["scenarios/x.py::test_y[name_a_b]"])
    assert missing(entries, found) == ["name_a"]
    text = render(entries, found)
    assert "| 3.4 | `name_a` | none |" in text
    assert "| 3.4 | `name_a_b` | `scenarios/x.py::test_y[name_a_b]` |" in text


@pytest.mark.parametrize(
    ("node_id", "names"),
    [
        ("scenarios/a.py::test_name_a", {"name_a"}),
        ("scenarios/a.py::test_rows[name_a]", {"rows", "name_a"}),
        ("scenarios/a.py::TestIt::test_rows[name_a-epoch1]", {"rows", "name_a", "epoch1"}),
        ("scenarios/name_a.bns::name_b", {"name_a", "name_b"}),
    ],
)
def test_what_a_case_is_called(node_id: str, names: set[str]) -> None:
    assert names_of(node_id) - {""} == names


# The vocabulary

BEGIN = (*ns(), *p_r(w2 >> w3, value_hash=h11))


def play(make_lab: Labs, *steps: Step) -> None:
    row("a row", E3, BEGIN, note("now"), *steps).play(make_lab())


WRONG = {
    "owner": (own(w4), "owner of foo.test"),
    "no such name": (own(w3, "bar"), "bar.test exists"),
    "value hash": (own(w3, hash=h22), "hash of foo.test"),
    "renewed": (own(w3, renewed=1), "renewed of foo.test"),
    "revoked": (own(w3, revoked=True), "revoked of foo.test"),
    "height": (own(w3, first=690), "first of foo.test"),
    "fee": (own(w3, fee=1), "fee of foo.test"),
    "key": (own(w3, key=w3), "key of foo.test"),
    "consensus hash": (own(w3, ch="CH-1"), "ch of foo.test"),
    "expiry": (own(w3, exp=1), "exp of foo.test"),
    "exists": (absent(), "foo.test exists"),
    "history": (hist("now", "NAME_UPDATE"), "foo.test at 115"),
    "field of history": (hist("now", "NAME_REGISTRATION", address=w4), "foo.test at 115"),
    "namespace": (ready("other"), "other is ready"),
    "field of a namespace": (ready(lifetime=1), "lifetime of test"),
    "pending preorder": (live(w2 >> w3), "preorder of foo.test pending"),
    "operations": (accepted(2), "accepted operations"),
    "price": (price("foo", 1), "price of foo.test"),
    "payment": (received(w0, 1, since="now"), "satoshis paid"),
}


@pytest.mark.parametrize(("step", "told"), WRONG.values(), ids=WRONG)
def test_a_fact_that_does_not_hold_is_told(make_lab: Labs, step: Step, told: str) -> None:
    with pytest.raises(FactMissing, match=rf"^block 115: {told}.*\n  expected  .*\n  actual    "):
        play(make_lab, step)


def test_facts_that_hold(make_lab: Labs) -> None:
    play(
        make_lab,
        own(w3, hash=h11, renewed=0, revoked=False, first="now", fee=640_000, key=w2, ch=None),
        absent("bar"),
        hist("now", "NAME_REGISTRATION", address=w3),
        ready("test", address=w0, recipient_address=w1),
        np(w2 >> w3),
        accepted(1),
        price("foo", 640_000),
        received(None, 0, since="now"),
    )
    assert BURNED.hex() == "76a914" + "00" * 20 + "88ac"


def test_what_is_said_to_fail_must_fail_for_that_reason(make_lab: Labs) -> None:
    play(make_lab, *no(Reason.NO_SUCH_NAME, upd(h22, w4)), block)
    with pytest.raises(CheckFailed, match=r"expected  rejected: NOT_OWNER"):
        play(make_lab, *no(Reason.NOT_OWNER, xfer(w3 >> w4)), block)


def test_a_row_begins_where_the_catalogue_does(make_lab: Labs) -> None:
    lab = make_lab()
    row("", E3, pre(w2 >> w3), block).play(lab)
    assert lab.height == height_of(689)


def test_importers_keep_their_keys() -> None:
    (step, *_) = row("", E3, no(Reason.NOT_AN_IMPORT_KEY, imp(w3, by=w4.child(1))), blocks(1)).steps
    assert isinstance(step, Importing)
    assert step.importer == w4


def test_each_row_stands_in_a_table_once() -> None:
    one = row("one", E3, block)
    with pytest.raises(InvalidInput, match=r"ids of rows: expected each id once, got \['one'\]"):
        table(one, row("two", E3, reg(w2 >> w3)), one)
