"""Scripts: text to tree and back, and what is told of mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from bnslab.script.cases import SETTINGS, cases
from bnslab.script.errors import ScriptError
from bnslab.script.formatting import format_script, say
from bnslab.script.parsing import parse
from bnslab.script.runner import LAB_METHODS, Runner
from bnslab.script.syntax import Place
from bnslab.script.vocabulary import vocabulary
from tests.projects import ROOT
from tests.scripts import VALUES, scripts

if TYPE_CHECKING:
    from bnslab.script.syntax import Script

# Canonical form


@settings(deadline=None)
@given(scripts())
def test_the_text_of_a_tree_parses_to_that_tree(script: Script) -> None:
    text = format_script(script)
    assert parse(text) == script
    assert format_script(parse(text)) == text


UNTIDY = """

#!  a head
wallet  w0 ,w1   # two of them
namespace   test by w0 buckets 1,2 ,3 to w1


# a remark
scenario  one   for   each # why
|a|bbb|   # columns
  |  1  | 22 |
  preorder foo.test by w0 fee price-1 to  w1 undecided
 mine to expiry   of foo.test+2
for each
|x|
|y|

mine

end # done
branch
  mine
end\t
"""
TIDY = """\
#!  a head
wallet w0, w1  # two of them
namespace test by w0 to w1 buckets 1, 2, 3

# a remark

scenario one for each  # why
  | a | bbb |  # columns
  | 1 | 22  |
preorder foo.test by w0 to w1 fee price - 1 undecided
mine to expiry of foo.test + 2
for each
  | x |
  | y |
  mine
end  # done
branch
  mine
end
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_canonical_form(newline: str) -> None:
    assert format_script(parse(UNTIDY.replace("\n", newline))) == TIDY
    assert format_script(parse(TIDY)) == TIDY


@pytest.mark.parametrize("text", ["", "\n", "   \n\n", "# only this"])
def test_scripts_without_statements(text: str) -> None:
    assert parse(format_script(parse(text))) == parse(text)


def test_the_scripts_of_the_corpus_are_in_canonical_form() -> None:
    found = sorted((ROOT / "scenarios").rglob("*.bns"))
    assert found
    for path in found:
        assert format_script(parse(path.read_text(), str(path))) == path.read_text(), f"./lab fmt {path}"


# Mistakes that the grammar sees

BROKEN = [
    ("registre foo.test by bob", (1, 1), "expected a statement, got 'registre'; did you mean 'register'?"),
    ("mine\n  preorder foo.test bob", (2, 21), "expected `by`, got 'bob'"),
    ("preorder by bob", (1, 10), "expected a name like foo.test or `namespace`, got 'by'"),
    ("mine foo", (1, 6), "expected a number, `to` or the end of the line, got 'foo'"),
    ("mine 3 4", (1, 8), "expected the end of the line, got '4'"),
    ("mine to", (1, 8), "expected a height, got the end of the line"),
    ("update foo.test by bob", (1, 23), "expected `value`, got the end of the line"),
    ("transfer foo.test by bob", (1, 25), "expected `to`, got the end of the line"),
    ("revoke foo.test by bob rejects becuase X", (1, 32), "got 'becuase'; did you mean 'because'?"),
    ("mine\nend", (2, 1), "expected a statement, got 'end'"),
    ("branch\nmine\n", (3, 1), "expected a statement or `end`, got the end of the script"),
    ("for each\nmine\nend", (2, 1), "expected a row of a table like | a | b |, got 'mine'"),
    ("scenario one\n| a |", (2, 1), "expected `for each` before a table"),
    ("scenario one for each\nmine", (2, 1), "expected a row of a table like | a | b |"),
    ("scenario one for each\n| a | b |\n| 1 |", (3, 1), "expected 2 cells, none of them empty"),
    ("scenario one for each\n| a b |", (2, 1), "expected names of columns in letters, digits and _, got 'a b'"),
    ("transfer foo.test by bob to alice to dave", (1, 35), "got 'to'"),
    ("renew foo.test by bob to alice to dave", (1, 32), "expected `to` only once"),
    ("renew foo.test by bob rejects undecided", (1, 31), "expected only one verdict"),
    ("expect nmae foo.test", (1, 8), "did you mean 'name'?"),
    ("wallet w0 as p2pkh §", (1, 20), "got '§'"),
]


@pytest.mark.parametrize(("text", "place", "told"), BROKEN)
def test_what_the_grammar_does_not_allow(text: str, place: tuple[int, int], told: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(text, "a.bns")
    assert caught.value.place == Place(*place), caught.value
    assert str(caught.value).startswith(f"a.bns:{place[0]}:{place[1]}: expected ")
    assert told in caught.value.problem


# Mistakes that need no chain to be seen

WRONG = [
    ("revoke foo.test by bbo", (1, 20), "got 'bbo'; did you mean 'bob'?"),
    ("revoke foo.test by bob/x", (1, 20), "expected the number of a key of bob"),
    ("revoke FOO.test by bob", (1, 8), "expected a name like foo.test"),
    ("ready namespace a.b by bob", (1, 17), "expected a namespace id"),
    ("update foo.test by bob value 11", (1, 30), "expected 40 hex digits"),
    ("update foo.test by bob value 11*21", (1, 30), "expected 40 hex digits"),
    ("update foo.test by bob value 11*20 consensus hash before", (1, 51), "a word it was saved as"),
    ("save height as x\nexpect height y", (2, 15), "expected a number, height, a word it was saved as"),
    ("preorder foo.test by bob fee prcie", (1, 30), "did you mean 'price'?"),
    ("revoke foo.test by bob rejects because NOT_OWNR", (1, 40), "did you mean 'NOT_OWNER'?"),
    ("revoke foo.test by bob gives acepted", (1, 30), "did you mean 'accepted'?"),
    ("wallet v as p2sh", (1, 13), "expected a kind of wallet"),
    ("wallet v as p2sh-multisig signed by two of 3", (1, 37), "expected two numbers"),
    ("wallet a!", (1, 8), "expected names of wallets"),
    ("payload 6 by bob", (1, 9), "expected hex digits"),
    ("payload 69 by bob outputs x to bob", (1, 27), "expected `change` or satoshis"),
    ("payload 69 by bob outputs 5 to bbo", (1, 27), "did you mean 'bob'?"),
    ("expect 3 nmes", (1, 10), "did you mean 'names'?"),
    ("publish zone", (1, 9), "expected words that zone files were saved as"),
    ("save subdomain foo.test as x owner bob", (1, 16), "expected a subdomain like bar.foo.test"),
    ("save height as x\nsave next of x as y", (2, 14), "expected a word that a subdomain was saved as"),
    ("save height as x\nupdate foo.test by bob value x", (2, 30), "expected 40 hex digits"),
    ("fund bob with lots", (1, 15), "expected a whole number"),
    ("mine {n}", (1, 6), "expected a column of a table (no table around it), got 'n'"),
    ("scenario a for each\n| count |\n| 1 |\nmine {cuont}", (4, 6), "(count), got 'cuont'; did you mean 'count'?"),
    ("scenario a for each\n| n |\n| x |\nmine {n}", (4, 6), "expected a whole number from 0 on, got 'x'"),
    ("scenario a\nmine\nscenario a\nmine", (3, 10), "expected another name than 'a'"),
    ("scenario a/b", (1, 10), "expected a name for the scenario"),
    ("branch\nepochs 1\nend", (2, 1), "expected rules outside"),
]


@pytest.mark.parametrize(("text", "place", "told"), WRONG)
def test_what_makes_no_sense(text: str, place: tuple[int, int], told: str) -> None:
    with pytest.raises(ScriptError) as caught:
        cases(parse(text), "a.bns", "a")
    assert caught.value.place == Place(*place), caught.value
    assert told in str(caught.value)


# Cases


def test_tables_make_cases_and_loops_make_steps() -> None:
    text = """\
wallet w0
mine
scenario one for each
  | who | n |
  | w0  | 2 |
  | bob | 3 |
for each
  | name |
  | {who}.test |
  revoke {name} by {who}
end
mine {n}
scenario two
each epoch lifetime 3
"""
    found = cases(parse(text), "a.bns", "a")
    names = ["one[w0-2]", "one[bob-3]", "two[epoch1]", "two[epoch2]", "two[epoch3]"]
    assert [case.name for case in found] == names
    assert [step.verb for step in found[0].steps] == ["wallet", "mine", "revoke", "mine"]  # type: ignore[union-attr]
    assert [step.subjects for step in found[1].steps[2:]] == [("bob.test",), (3,)]  # type: ignore[union-attr]
    assert [case.epochs for case in found] == [(), (), (1,), (2,), (3,)]
    assert found[2].rules == {"lifetime": 3}


def test_rules_of_a_scenario_replace_those_of_the_file() -> None:
    text = "epochs 1\nscenario one\nepochs 1, 2, 3 ends 120, 130 lifetime 1, 2, 3 price 0.5\nscenario two"
    one, two = cases(parse(text), "a.bns", "a")
    assert (one.epochs, one.rules) == ((1, 2, 3), {"ends": (120, 130), "lifetime": (1, 2, 3), "price": 0.5})
    assert (two.epochs, two.rules) == ((1,), {})


# The language hangs together


def test_every_statement_can_be_carried_out() -> None:
    for verb in vocabulary().statements.keys() - set(SETTINGS):
        assert verb in LAB_METHODS or callable(getattr(Runner, f"_{verb}")), verb


def test_every_kind_of_value_can_be_read_and_is_tried() -> None:
    from bnslab.script.reading import _READERS

    words = vocabulary()
    kinds = {kind for form in [*words.statements.values(), *words.clauses.values()] for kind in form.values}
    assert kinds | {"CASE"} == _READERS.keys() == VALUES.keys()


def test_a_statement_is_said_in_canonical_order() -> None:
    (statement,) = parse("registration foo.test by bob rejects because NOT_OWNER value 11*20 to alice").common
    assert say(statement) == "registration foo.test by bob to alice value 11*20 rejects because NOT_OWNER"  # type: ignore[arg-type]
