"""What is told of scripts: the guide, and the grammar for editors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from bnslab.script.cases import cases
from bnslab.script.formatting import format_script
from bnslab.script.parsing import parse
from bnslab.script.runner import Runner
from bnslab.script.vocabulary import usage, vocabulary
from tests.projects import ROOT

if TYPE_CHECKING:
    from tests.labs import Labs

GUIDE = (ROOT / "docs" / "scripts.md").read_text()
HIGHLIGHTING: dict[str, Any] = json.loads((ROOT / "editors" / "bns.tmLanguage.json").read_text())


def test_the_guide_tells_every_statement_as_the_grammar_has_it() -> None:
    for title, forms in vocabulary().sections.items():
        section = GUIDE.partition(f"\n### {title}\n")[2].partition("\n#")[0]
        assert re.findall(r"^\| `(.+?)` \| .", section, re.MULTILINE) == [usage(form) for form in forms], title


EXAMPLES = re.findall(r"^```\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_guide_pass_and_are_in_canonical_form(make_lab: Labs, number: int) -> None:
    text = EXAMPLES[number]
    assert format_script(parse(text)) == text
    opening = "" if "namespace test" in text else "wallet w1\nnamespace test by alice\nregister foo.test by w1\n"
    for case in cases(parse(opening + text), "guide.bns", "guide"):
        lab = make_lab(*case.epochs, **case.rules)
        Runner(lab).run(case.steps)
        lab.finish()


# Highlighting


def scopes(line: str) -> dict[str, str]:
    """The scope of each word of a line, by the first pattern that matches at it."""
    found: dict[str, str] = {}
    at = 0
    while at < len(line):
        for include in HIGHLIGHTING["patterns"]:
            pattern = HIGHLIGHTING["repository"][include["include"].removeprefix("#")]
            match = re.compile(pattern["match"]).search(line, at)
            if match and match.start() == at and match.end() > at:
                group = 1 if "captures" in pattern else 0
                scope = pattern.get("name") or pattern["captures"]["1"]["name"]
                found[match[group]] = scope.rpartition(".")[0]
                at = match.end()
                break
        else:
            at += 1
    return found


def test_every_word_of_the_language_is_highlighted() -> None:
    for word in vocabulary().keywords:
        assert any("keyword" in scope for scope in scopes(f"x {word} x").values()), word
    for form in vocabulary().statements.values():
        assert scopes(f"  {form.phrase} x")[form.words[0]].startswith("keyword"), form


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("# a remark", {"# a remark": "comment.line.number-sign"}),
        (
            "  | a | NOT_OWNER |  # why",
            {"  | a | NOT_OWNER |": "string.unquoted.row", "# why": "comment.line.number-sign"},
        ),
        (
            "transfer by.test by {who} to bob dropping data rejects because NOT_OWNER",
            {
                "transfer": "keyword.operator.statement",
                "by.test": "entity.name",
                "by": "keyword.other.clause",
                "{who}": "variable.parameter",
                "to": "keyword.other.clause",
                "dropping": "keyword.other.clause",
                "data": "keyword.other.clause",
                "rejects": "keyword.other.verdict",
                "because": "keyword.other.verdict",
                "NOT_OWNER": "constant.language",
            },
        ),
        ("mine to expiry of foo.test - 12", {"mine": "keyword.operator.statement", "12": "constant.numeric"}),
        ("update a.b by w1 value 11*20", {"update": "keyword.operator.statement", "11*20": "constant.numeric.hash"}),
        (
            "scenario mine for each",
            {"scenario": "keyword.control", "for": "keyword.control", "each": "keyword.control"},
        ),
    ],
)
def test_samples_are_highlighted(line: str, expected: dict[str, str]) -> None:
    found = scopes(line)
    assert {word: found.get(word) for word in expected} == expected
    assert HIGHLIGHTING["fileTypes"] == ["bns"]
