"""Scripts as scenarios: collected, run, told about when they fail, and each expectation shown to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.errors import BnsError
from bnslab.errors import CheckFailed, LabError
from bnslab.fixtures import load
from bnslab.script.cases import BranchStep, cases
from bnslab.script.parsing import parse
from bnslab.script.runner import Runner
from bnslab.script.vocabulary import vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bnslab.lab import Lab
    from bnslab.script.cases import Step
    from tests.labs import Labs
    from tests.projects import Project

pytest_plugins = ["pytester"]

OPENING = "namespace test by alice lifetime 5\nregister foo.test by bob\n"


def run(make_lab: Labs, text: str) -> Lab:
    (case,) = cases(parse(text), "a.bns", "a")
    lab = make_lab(*case.epochs, **case.rules)
    Runner(lab).run(case.steps)
    lab.finish()
    return lab


# Collected

SCRIPT = """\
# Two scenarios and a half.
wallet w0, w1
namespace test by w0 to w1

scenario first
register foo.test by w0 to w1
expect name foo.test owner w1

scenario rejected for each
  | by    | reason     |
  | alice | NOT_OWNER  |
  | w0    | NOT_OWNER  |
register foo.test by w0
transfer foo.test by {by} to bob rejects because {reason}
mine
"""


def test_scripts_are_scenarios_like_any_other(project: Project) -> None:
    project.write("scenarios/deep/all.bns", SCRIPT)
    project.write("scenarios/single.bns", "each epoch\nnamespace test by alice\n")
    memory = ["scenarios", "--chain", "memory"]
    assert project.run(*memory, "--fill").counts == {"error": 6}
    outcome = project.run(*memory, "--fill-update", "-v")
    assert outcome.counts == {"failed": 1, "passed": 5}, outcome.stdout
    for name in ("deep/all.bns::first", "deep/all.bns::rejected[alice-NOT_OWNER]", "single.bns::single[epoch2]"):
        assert f"scenarios/{name} PASSED" in outcome.stdout
    fixture = load(project.path / "fixtures/scenarios/deep/all/first.json.gz")
    assert fixture.scenario == "scenarios/deep/all/first"
    assert load(project.path / "fixtures/scenarios/single/single-epoch1.json.gz").tip == 113
    assert project.run(*memory, "--fill", "-k", "first or single").counts == {"passed": 4, "deselected": 2}
    (project.path / "scenarios/deep/all.bns").write_text(SCRIPT.replace("register foo.test by w0 to w1", "mine 2"))
    assert "golden" in project.run(*memory, "-k", "first").stdout


def test_a_failure_names_the_line_of_the_script(project: Project) -> None:
    project.write("scenarios/all.bns", SCRIPT)
    outcome = project.run("scenarios", "--chain", "memory")
    told = outcome.told("rejected[w0-NOT_OWNER]")
    assert told[0].startswith("block 116: NAME_TRANSFER foo.test by w0 (tx ")
    assert "  expected  rejected: NOT_OWNER: sender is not the owner" in told
    assert "  scenario  scenarios/all.bns:15: mine" in told
    assert told[-1] == "  replay    bnslab run 'scenarios/all.bns::rejected[w0-NOT_OWNER]' --chain memory"


BRANCH = """\
namespace test by alice
branch
  register foo.test by bob
  expect no name foo.test
end
"""


def test_a_failure_tells_what_happened_in_a_branch_or_after_the_last_line(project: Project) -> None:
    project.write("scenarios/a.bns", BRANCH)
    project.write("scenarios/b.bns", "namespace test by alice\nrevoke foo.test by bob\n")
    outcome = project.run("scenarios", "--chain", "memory")
    inside, after = outcome.told("a"), outcome.told("b")
    assert "  scenario  scenarios/a.bns:4: expect no name foo.test" in inside
    assert "    115  NAME_REGISTRATION foo.test by bob  accepted" in inside
    assert "  scenario  scenarios/b.bns:1: b, outside its lines" in after


def test_a_mistake_is_one_line_with_its_place(project: Project) -> None:
    project.write("scenarios/a.bns", "namespace test by alice\nregistre foo.test by bob\n")
    project.write("scenarios/b.bns", "mine\n")
    outcome = project.run("scenarios", "--chain", "memory")
    assert outcome.status == 2
    line = "scenarios/a.bns:2:1: expected a statement, got 'registre'; did you mean 'register'?"
    assert line in outcome.stdout.splitlines()


def test_a_script_without_blocks_fails(project: Project) -> None:
    project.write("scenarios/a.bns", "# nothing\n")
    outcome = project.run("scenarios", "--chain", "memory")
    assert outcome.counts["error"] == 1
    assert "expected at least one block" in outcome.stdout


# Statements

EVERYTHING = """\
epochs 2, 3 ends 125 grace 4 lifetime 1 reveal expire 50
wallet vault as p2sh-multisig signed by 2 of 3
wallet phone as p2sh-p2wpkh
preorder namespace test by alice to bob fee price + 1
mine
expect preorder of namespace test by alice to bob
expect no preorder of namespace test by bob
reveal namespace test by alice to bob lifetime 20 coeff 1 base 2 DISCOUNTS buckets BUCKETS
expect no namespace test
mine
expect namespace test revealed recipient bob sender alice preordered height - 1 revealed at height version 1 base 2
import in.test by bob to carol value 22*20
import child.test by bob/0 to vault value 33*20
mine
expect name in.test owner carol imported by bob value 22*20 operation NAME_IMPORT
expect name child.test owner vault imported by bob/0
ready namespace test by bob
mine
expect 2 names
expect 1 names of carol
expect 1 namespaces
fund phone with 500000000
preorder foo.test by phone to vault fee price consensus hash 11*16 rejects because STALE_CONSENSUS_HASH
preorder foo.test by phone to vault
mine
expect preorder of foo.test by phone to vault
expect 1 preorders of phone
expect no preorder of foo.test by phone
registration foo.test by phone to vault
mine
expect history of foo.test heights 2 entries 2
mine to 126
save consensus hash as before
update foo.test by vault value ab*20 consensus hash before
renew foo.test by vault to dave value 44*20 pay to mrEkoaSmC9Ybhze1Uw294H5juV4dEyhjxs rejects because WRONG_FEE_ADDRESS
mine
expect name foo.test owner vault value ab*20 consensus hash before operation NAME_UPDATE
transfer foo.test by vault to dave dropping data
mine
save height as moved
expect name foo.test owner dave no value not revoked expires expiry of foo.test deadline expiry of foo.test + 4
branch
  revoke foo.test by dave
  mine
  expect name foo.test revoked
  expect height moved + 1
end
expect height moved
mine to expiry of foo.test - 1
revoke foo.test by dave rejects because NAME_IN_GRACE_PERIOD
mine
mine to deadline of foo.test + 1
expect no name foo.test
expect name foo.test at moved owner dave
announce 55*20 by bob rejects because NOT_AN_ANNOUNCER
payload 69643f by bob outputs change, 5500 to alice, 600 to 51 rejects
payload 69643f by bob undecided
revoke foo.test by bob gives NAME_NOT_REGISTERED
mine
save subdomain bar.next.test as bar owner carol uri https://example.com/bar
save subdomain old.next.test as old owner carol sequence 3 unsigned
save zone file of next.test as zone resolver https://example.com with bar, old
save data 000102 as odd
save data ff as stray
register next.test by alice value zone
update next.test by alice value odd
mine
expect name next.test value odd
publish zone, odd
publish stray not saved
mine
expect subdomain bar.next.test holds bar owner carol sequence 0 carried by next.test
expect no subdomain old.next.test
save next of bar as moved_bar to dave signed by carol
save next of moved_bar as changed
save zone file of next.test as later with moved_bar
update next.test by alice value later
mine
publish later
mine
expect subdomain bar.next.test holds moved_bar sequence 1 owner dave
namespace more by carol
register foo.more by carol
expect no namespace test at 111
""".replace("BUCKETS", ", ".join("1" * 16)).replace("DISCOUNTS", "nonalpha discount 3 no vowel discount 4 version 1")


def verbs(steps: Iterable[Step | BranchStep]) -> set[str]:
    return {verb for step in steps for verb in (verbs(step.body) if isinstance(step, BranchStep) else [step.verb])}


def test_every_statement_works(make_lab: Labs) -> None:
    run(make_lab, EVERYTHING)
    (case,) = cases(parse(EVERYTHING), "a.bns", "a")
    untried = vocabulary().statements.keys() - verbs(case.steps)
    assert untried == {"epochs", "each_epoch", "override", "transaction", "expect_consensus_hash"}, (
        "those have tests of their own"
    )


SUBDOMAIN = """\
save subdomain bar.foo.test as bar owner bob
save zone file of foo.test as zone with bar
update foo.test by bob value zone
mine
publish zone
mine
"""

WRONG = [
    ("expect name foo.test owner alice", "owner n4", "owner m"),
    ("expect name foo.test value 11*20", "value 1111", "value None"),
    ("update foo.test by bob value 11*20\nmine\nexpect name foo.test no value", "no value", "not no value"),
    ("expect name foo.test revoked", "revoked", "not revoked"),
    ("revoke foo.test by bob\nmine\nexpect name foo.test not revoked", "not revoked", "not not revoked"),
    ("expect name foo.test expires 1", "expires 1", "expires 125"),
    ("expect name foo.test deadline 1", "deadline 1", "deadline 5"),
    ("expect name foo.test first registered 1 last renewed 2", "first registered 1", "last renewed 115"),
    ("expect name foo.test preordered 1", "preordered 1", "preordered 114"),
    ("expect name foo.test consensus hash 11*16", "consensus hash 11", "consensus hash"),
    ("expect name foo.test operation NAME_UPDATE", "NAME_UPDATE", "NAME_REGISTRATION"),
    ("expect name foo.test imported by bob", "imported by m", "imported by None"),
    ("expect name foo.test at 114", "there", "no such name"),
    ("expect name bar.test", "there", "no such name"),
    ("expect no name foo.test", "no such name", "one of m"),
    ("expect namespace test revealed", "revealed", "not revealed"),
    ("expect namespace test lifetime 6 coeff 1", "lifetime 6\ncoeff 1", "lifetime 5\ncoeff 250"),
    ("expect namespace test at 112 ready", "ready", "not ready"),
    ("expect namespace more", "there", "no such namespace"),
    ("expect no namespace test", "no such namespace", "one is there"),
    ("expect preorder of foo.test by bob", "count 1", "count 0"),
    ("preorder bar.test by bob\nmine\nexpect no preorder of bar.test by bob", "count 0", "count 1"),
    ("preorder bar.test by bob\nmine\nexpect preorder of bar.test by bob fee 1", "fee 1", "fee 640000"),
    ("expect preorder of namespace test by alice", "count 1", "count 0"),
    ("preorder namespace more by bob\nmine\nexpect no preorder of namespace more by bob", "count 0", "count 1"),
    ("expect no subdomain bar.foo.test", "no such subdomain", "one of m"),
    ("expect subdomain baz.foo.test", "there", "no such subdomain"),
    ("expect subdomain bar.foo.test sequence 1 carried by more.test", "sequence 1", "sequence 0\ncarried by foo.test"),
    ("save next of bar as next\nexpect subdomain bar.foo.test holds next", "sequence 1", "sequence 0"),
    ("expect 2 names", "names 2", "names 1"),
    ("expect 1 names of alice", "names 1", "names 0"),
    ("expect 0 namespaces", "namespaces 0", "namespaces 1"),
    ("expect 1 preorders", "preorders 1", "preorders 0"),
    ("expect history of foo.test heights 2 entries 3", "entries 3", "entries 2"),
    ("expect height 1", "height 1", "height 115"),
    ("expect consensus hash 11*16", "consensus hash 11", "consensus hash"),
    ("revoke foo.test by bob rejects\nmine", "rejected", "accepted"),
    ("revoke foo.test by bob gives NOT_OWNER\nmine", "rejected: NOT_OWNER", "accepted"),
    ("revoke foo.test by alice gives accepted\nmine", "accepted", "rejected: NOT_OWNER"),
    ("revoke foo.test by alice\nmine", "accepted", "rejected: NOT_OWNER"),
]


@pytest.mark.parametrize(("text", "expected", "actual"), WRONG)
def test_an_expectation_that_is_not_met(make_lab: Labs, text: str, expected: str, actual: str) -> None:
    opening = OPENING + (SUBDOMAIN if "subdomain" in text else "")
    with pytest.raises(CheckFailed) as caught:
        run(make_lab, opening + text)
    assert expected in caught.value.expected
    assert actual in caught.value.actual


def test_what_only_the_chain_knows_can_be_wrong(make_lab: Labs) -> None:
    for text in (
        "mine to expiry of bar.test",
        "mine to 3",
        "mine 0",
        "transaction 00",
        "preorder a.b by bob fee price",
    ):
        with pytest.raises((LabError, BnsError)):
            run(make_lab, OPENING + text)
