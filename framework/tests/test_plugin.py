"""The plugin in pytest: found by itself, silent without scenarios, its fixtures, options and files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bnslab.checks import CHECKS
from bnslab.fixtures import load
from bnslab.session import scenario_identity
from tests.projects import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.projects import Project

pytest_plugins = ["pytester"]

SCENARIO = """\
def test_it(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
"""


def test_scenarios_run_by_pytest_alone(project: Project) -> None:
    quickstart = ["scenarios/quickstart", "--chain", "memory", "-p", "no:cacheprovider"]
    outcome = project.run_process("pytest", *quickstart, cwd=ROOT)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.counts == {"passed": 1}


# A session without scenarios

PLAIN = """\
def test_plain():
    pass
"""
LOADED = """\
import sys

def pytest_sessionfinish():
    print("loaded:", *sorted(sys.modules))
"""


def test_a_session_without_scenarios_loads_next_to_nothing(project: Project) -> None:
    project.write("tests/test_plain.py", PLAIN)
    project.write("conftest.py", LOADED)
    outcome = project.run_process("pytest", "tests", "-s", "-p", "no:cacheprovider")
    assert outcome.status == 0, outcome.stdout
    (line,) = (line for line in outcome.stdout.splitlines() if "loaded: " in line)
    loaded = line.partition("loaded: ")[2].split()
    ours = {name for name in loaded if name.partition(".")[0] in ("bns", "bnslab")}
    assert ours == {
        "bns",
        "bns.errors",
        "bnslab",
        "bnslab.errors",
        "bnslab.plugin",
        "bnslab.reporting",
        "bnslab.summary",
    }
    assert {"click", "coincurve", "msgspec", "orjson", "starlette", "uvicorn"} & set(loaded) == set()
    assert sorted(path.name for path in project.path.iterdir() if path.name != "__pycache__") == [
        "conftest.py",
        "pytest.ini",
        "tests",
    ]


def test_options_and_marks_are_told(project: Project) -> None:
    outcome = project.run("--help")
    for option in ("--chain", "--bitcoind", "--lab-cache", "--lab-skip-check", "--lab-trace", "--fill", "lab_fixtures"):
        assert option in outcome.stdout
    assert "@pytest.mark.epochs(*numbers, ends, reveal_expire, ...)" in project.run("--markers").stdout


# What a scenario gets

GIFTS = """\
import pytest
from bnslab import each_epoch, epochs

def test_wallets(lab, alice, bob, carol, dave):
    assert [wallet.name for wallet in lab.wallets] == ["alice", "bob", "carol", "dave"]
    assert lab.wallet("alice") is alice
    lab.mine()

def test_every_scenario_starts_anew(lab):
    assert (lab.height, list(lab.wallets), lab.receipts) == (110, [], [])
    assert lab.chain.name == "memory"
    lab.mine()

def test_the_usual_rules(lab):
    assert lab.mine() and lab.next_epoch.number == 3

@epochs(1, 2, ends=111)
class TestMarked:
    def test_rules_of_the_class(self, lab):
        assert lab.next_epoch.number == 1
        lab.mine()
        assert lab.next_epoch.number == 2

    @epochs(2, grace=7)
    def test_rules_of_its_own(self, lab):
        assert (lab.next_epoch.number, lab.next_epoch.grace_period) == (2, 7)
        lab.mine()

@each_epoch
def test_in_each_epoch(lab, epoch):
    assert lab.next_epoch.number == epoch
    lab.mine()

@each_epoch
@epochs(lifetime=9)
def test_in_each_epoch_with_other_rules(lab, epoch):
    assert (lab.next_epoch.number, lab.next_epoch.lifetime_multiplier) == (epoch, 9)
    lab.mine()

class TestOverridden:
    @pytest.fixture
    def epoch(self):
        return 2

    def test_by_a_fixture(self, lab):
        assert lab.next_epoch.number == 2
        lab.mine()

    @epochs(1)
    def test_by_a_mark(self, lab):
        assert lab.next_epoch.number == 1
        lab.mine()
"""


def test_wallets_and_rules(project: Project) -> None:
    project.write("tests/test_it.py", GIFTS)
    outcome = project.run("tests", "--chain", "memory")
    assert (outcome.status, outcome.counts) == (0, {"passed": 13}), outcome.stdout


# Checks and traces

WRONG = """\
def test_wrong(lab, alice):
    lab.revoke("foo.test", by=alice)
    lab.mine()
"""


def test_a_check_is_switched_off_by_name(project: Project) -> None:
    project.write("tests/test_it.py", WRONG)
    assert project.run("tests", "--chain", "memory").counts == {"failed": 1}
    off = ["--lab-skip-check", "expectations"]
    assert project.run("tests", "--chain", "memory", *off).counts == {"passed": 1}
    outcome = project.run("tests", "--chain", "memory", "--lab-skip-check", "rest", "--lab-skip-check", "magic")
    assert outcome.counts == {"error": 1}
    assert outcome.told("test_wrong")[0] == (
        f"InvalidInput: check to skip: expected one of {', '.join(CHECKS)}, got 'magic'"
    )


def test_traces_are_written_to_where_they_are_asked_for(project: Project) -> None:
    project.write("tests/test_it.py", SCENARIO + "    lab.name_preorder('late.test', by=bob)\n\n" + WRONG)
    project.run("tests", "--chain", "memory")
    assert not (project.path / "results").exists()
    project.run("tests", "--chain", "memory", "--lab-trace", "--lab-output", "out/deep")
    project.run("tests", "--chain", "memory", "--lab-trace")
    right, wrong = "tests.test_it.test_it.txt", "tests.test_it.test_wrong.txt"
    for directory in ("out/deep/traces", "results/traces"):
        assert sorted(path.name for path in (project.path / directory).iterdir()) == [right, wrong]
        lines = (project.path / directory / right).read_text().splitlines()
        assert lines[0] == "111  NAMESPACE_PREORDER test by alice  accepted"
        assert lines[-2] == "116  NAME_PREORDER late.test by bob  accepted"
        assert "NAME_NOT_REGISTERED" in (project.path / directory / wrong).read_text()


# Fixtures

TREE = {
    "scenarios/deep/test_plain.py": SCENARIO,
    "scenarios/test_many.py": """\
import pytest

@pytest.mark.parametrize("kind", ["p2pkh", "p2sh-p2wpkh"])
@pytest.mark.parametrize("text", ["a b", "x/y", "ü"])
def test_some(lab, kind, text):
    lab.namespace("test", by=lab.wallet("creator", kind))

class TestGroup:
    def test_inside(self, lab):
        lab.mine()
""",
    "elsewhere/test_other.py": SCENARIO,
}
FILES = [
    "deep/test_plain/test_it.json.gz",
    "elsewhere/test_other/test_it.json.gz",
    "test_many/TestGroup/test_inside.json.gz",
    "test_many/test_some--xfc-p2pkh.json.gz",
    "test_many/test_some--xfc-p2sh-p2wpkh.json.gz",
    "test_many/test_some-a-b-p2pkh.json.gz",
    "test_many/test_some-a-b-p2sh-p2wpkh.json.gz",
    "test_many/test_some-x/y-p2pkh.json.gz",
    "test_many/test_some-x/y-p2sh-p2wpkh.json.gz",
]


def files(directory: Path) -> dict[str, bytes]:
    """The content of all files below a directory."""
    paths = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def test_fixtures_are_asked_for_written_and_kept(project: Project) -> None:
    for name, text in TREE.items():
        project.write(name, text)
    stored = project.path / "fixtures" / "scenarios"
    missing = project.run("scenarios/deep", "--chain", "memory", "--fill")
    assert (missing.status, missing.counts, stored.exists()) == (1, {"error": 1}, False)
    assert missing.told("test_it")[0] == (
        f"scenarios/deep/test_plain/test_it: expected a fixture in {stored / FILES[0]}; record it with: fill --update"
    )

    assert project.run("scenarios", "elsewhere", "--chain", "memory", "--fill-update").counts == {"passed": len(FILES)}
    first = files(stored)
    assert list(first) == FILES
    written = {name: (stored / name).stat().st_mtime_ns for name in FILES}
    assert load(stored / FILES[0]).scenario == "scenarios/deep/test_plain/test_it"

    assert project.run("scenarios", "elsewhere", "--chain", "memory", "--fill-update").status == 0
    assert files(stored) == first
    assert {name: (stored / name).stat().st_mtime_ns for name in FILES} == written
    assert project.run("scenarios", "elsewhere", "--chain", "memory", "--fill").counts == {"passed": len(FILES)}

    project.write("scenarios/deep/test_plain.py", SCENARIO.replace("foo.test", "fop.test"))
    changed = project.run("scenarios", "--chain", "memory")
    assert changed.counts == {"passed": len(FILES) - 2, "failed": 1}
    told = changed.told("test_it")
    assert told[:2] == ["block 114: consensus hash", "  check     golden"]
    assert any(line.startswith("            differ in preorder_hash: ") for line in told)
    assert project.run("scenarios/deep", "--chain", "memory", "--fill-update").status == 0
    assert {name for name, content in files(stored).items() if content != first[name]} == {FILES[0]}


@pytest.fixture
def filled(project: Project) -> Path:
    """The fixture of a project's only scenario."""
    project.write("tests/test_it.py", SCENARIO)
    assert project.run("tests", "--chain", "memory", "--fill-update").status == 0
    return project.path / "fixtures" / "scenarios" / "tests" / "test_it" / "test_it.json.gz"


def test_a_scenario_that_fails_leaves_its_fixture_alone(project: Project, filled: Path) -> None:
    before = filled.read_bytes()
    for last in ("    lab.revoke('foo.test', by=alice)\n", "    assert not lab.height\n"):
        project.write("tests/test_it.py", SCENARIO + last)
        assert project.run("tests", "--chain", "memory", "--fill-update").status == 1
    assert filled.read_bytes() == before


def test_a_damaged_fixture_is_named_and_can_be_written_again(project: Project, filled: Path) -> None:
    before = filled.read_bytes()
    filled.write_bytes(before[:-9])
    outcome = project.run("tests", "--chain", "memory")
    assert outcome.counts == {"error": 1}
    problem, place, replay = outcome.told("test_it")
    assert problem.startswith(f"{filled}: damaged gzip data: ")
    assert place == "  scenario  tests/test_it.py:1: test_it, outside its lines"
    assert replay.endswith("bnslab run tests/test_it.py::test_it --chain memory")
    assert project.run("tests", "--chain", "memory", "--fill-update").status == 0
    assert filled.read_bytes() == before


def test_a_project_can_ask_for_fixtures_and_keep_them_elsewhere(project: Project) -> None:
    project.write("tests/test_it.py", SCENARIO)
    project.write("pytest.ini", "[pytest]\nlab_fixtures = golden\nlab_require_fixtures = true\n")
    outcome = project.run("tests", "--chain", "memory")
    assert outcome.counts == {"error": 1}
    where = project.path / "golden" / "tests" / "test_it" / "test_it.json.gz"
    assert f"expected a fixture in {where}" in outcome.told("test_it")[0]
    assert project.run("tests", "--chain", "memory", "--fill-update").status == 0
    assert where.is_file()
    assert project.run("tests", "--chain", "memory").counts == {"passed": 1}


def test_two_scenarios_do_not_share_a_fixture_unnoticed(project: Project) -> None:
    project.write(
        "tests/test_it.py",
        "import pytest\n\n@pytest.mark.parametrize('text', ['a b', 'a:b'])\ndef test_it(lab, text):\n    lab.mine()\n",
    )
    assert project.run("tests", "--chain", "memory", "--fill-update").status == 0
    outcome = project.run("tests", "--chain", "memory")
    assert outcome.counts == {"passed": 1, "failed": 1}
    assert "scenario of the fixture" in outcome.stdout


@pytest.mark.parametrize(
    ("nodeid", "identity"),
    [
        ("scenarios/names/test_a.py::test_b", "scenarios/names/test_a/test_b"),
        ("test_a.py::TestB::test_c[x-1]", "test_a/TestB/test_c[x-1]"),
        ("test_a.py::test_b[x::y]", "test_a/test_b[x/y]"),
        ("a.b/test_c.v2.py::test_d", "a.b/test_c.v2/test_d"),
    ],
)
def test_the_name_of_a_scenario(nodeid: str, identity: str) -> None:
    assert scenario_identity(nodeid) == identity


def test_the_commands_serve_other_projects_too(project: Project) -> None:
    project.write("tests/test_it.py", SCENARIO)
    arguments = ["tests", "--chain", "memory", "--cache", "cache"]
    assert project.run_process("bnslab", "fill", "--update", *arguments).status == 0
    stored = list(files(project.path / "fixtures" / "scenarios"))
    assert stored == ["tests/test_it/test_it.json.gz"]
    done = project.run_process("bnslab", "consume", "fixtures")
    assert (done.status, done.stdout) == (0, "PASS test_it\n1 passed, 0 failed\n")
