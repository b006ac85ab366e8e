"""What CI asks of a run: budgets, the slowest, annotations, shards, quarantine, JUnit; and new scenarios."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from bns.errors import InvalidInput
from bnslab import cli
from bnslab.comparing import compared
from bnslab.costs import read_budgets
from bnslab.selection import read_durations, read_quarantine, read_shard, shard_of
from tests.projects import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.labs import Labs
    from tests.projects import Project

pytest_plugins = ["pytester"]

MEMORY = ("scenarios", "--chain", "memory")
GOOD = "def test_good(lab, alice):\n    lab.namespace('test', by=alice)\n"
WRONG = "def test_wrong(lab, alice):\n    lab.revoke('foo.test', by=alice)\n    lab.mine()\n"


# Costs


def test_the_slowest_scenarios_are_listed_with_their_costs(project: Project) -> None:
    project.write("scenarios/test_it.py", GOOD)
    lines = project.run(*MEMORY, "--lab-slowest").stdout.splitlines()
    assert any("slowest scenarios" in line for line in lines)
    (row,) = (line.split() for line in lines if line.endswith("  scenarios/test_it.py::test_good"))
    seconds, blocks, rpc, rest, _ = row
    assert (blocks, rpc) == ("3", "0")
    assert int(rest) > 3
    assert float(seconds) < 60
    assert "slowest scenarios" not in project.run(*MEMORY).stdout
    workers = project.run_process(
        "pytest", *MEMORY, "--lab-slowest", "-n", "2", "-p", "no:cacheprovider", "--junitxml", "junit.xml"
    )
    assert "scenarios/test_it.py::test_good" in workers.stdout
    (case,) = ElementTree.parse(project.path / "junit.xml").getroot().iter("testcase")
    (costs,) = case.iter("property")
    assert costs.get("name") == "costs"
    assert str(costs.get("value")).startswith(f"(3, 0, {rest}, ")


def test_a_budget_is_kept(project: Project) -> None:
    project.write("scenarios/test_it.py", GOOD)
    assert project.run(*MEMORY, "--lab-budget", "blocks=3", "--lab-budget", "seconds=60").counts == {"passed": 1}
    outcome = project.run(*MEMORY, "--lab-budget", "blocks=2")
    assert outcome.counts == {"passed": 1, "error": 1}
    assert outcome.told("test_good")[0] == "budget of blocks: expected at most 2, got 3"


@pytest.mark.parametrize("text", ["blocks", "blocks=x", "bricks=3", "blocks=-1", ""])
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(InvalidInput, match="budget: expected one of blocks, rpc, rest, seconds"):
        read_budgets([text])


# Annotations


def test_failures_are_annotated_on_request(project: Project) -> None:
    project.write("scenarios/test_it.py", WRONG)
    project.write("scenarios/a.bns", "namespace test by alice\nexpect 7 names\n")
    project.write("scenarios/b.bns", "namspace test by alice\n")
    assert "::error" not in project.run(*MEMORY).stdout
    stopped = [line for line in project.run(*MEMORY, "--lab-annotations").stdout.splitlines() if "::error" in line]
    assert stopped == [
        "::error file=scenarios/b.bns,line=1,title=scenarios/b.bns::scenarios/b.bns:1:1: expected a statement, got "
        "'namspace'; did you mean 'namespace'?"
    ]
    (project.path / "scenarios/b.bns").unlink()
    lines = [line for line in project.run(*MEMORY, "--lab-annotations").stdout.splitlines() if "::error" in line]
    assert len(lines) == 2
    assert lines[0].startswith(
        "::error file=scenarios/a.bns,line=2,title=scenarios/a.bns%3A%3Aa::block 113: chain%0A  check     script%0A"
    )
    assert lines[1].startswith("::error file=scenarios/test_it.py,line=3,title=scenarios/test_it.py%3A%3Atest_wrong::")


# Shards


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_test_is_in_one_shard_and_shards_are_balanced(count: int) -> None:
    ids = [f"t{number}" for number in range(40)]
    seconds = {id_: 1.0 + number % 9 for number, id_ in enumerate(ids[:30])}
    shards = [shard_of(ids, number, count, seconds) for number in range(1, count + 1)]
    assert sorted(id_ for shard in shards for id_ in shard) == sorted(ids)
    usual = sum(seconds.values()) / len(seconds)
    loads = [sum(seconds.get(id_, usual) for id_ in shard) for shard in shards]
    assert max(loads) - min(loads) <= max(seconds.values())
    assert shards == [shard_of(ids[::-1], number, count, seconds) for number in range(1, count + 1)]


def test_a_run_takes_its_shard(project: Project) -> None:
    project.write("scenarios/test_it.py", "".join(GOOD.replace("good", f"n{number}") for number in range(4)))
    outcome = project.run(*MEMORY, "--lab-save-durations")
    durations = project.path / "fixtures/durations.json"
    known: dict[str, float] = json.loads(durations.read_text())
    assert sorted(known) == [f"scenarios/test_it.py::test_n{number}" for number in range(4)]
    durations.write_text(json.dumps({**dict.fromkeys(known, 1.0), "scenarios/test_it.py::test_n2": 3.0}))
    assert project.run(*MEMORY, "--shard", "1/2").counts == {"passed": 1, "deselected": 3}
    outcome = project.run(*MEMORY, "--shard", "2/2")
    assert outcome.counts == {"passed": 3, "deselected": 1}


def test_the_durations_of_this_project_are_compact_and_in_order() -> None:
    """New scenarios need not be among them, and removed ones may be."""
    path = ROOT / "fixtures" / "durations.json"
    known = read_durations(path)
    assert list(known) == sorted(known)
    assert all(value == round(value, 2) for value in known.values())
    assert path.stat().st_size < 100_000
    shards = [shard_of([*known, "new"], number, 4, known) for number in range(1, 5)]
    loads = [sum(known.get(id_, 0.0) for id_ in shard) for shard in shards]
    assert max(loads) - min(loads) <= max(known.values())


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(pytest.UsageError, match="--shard: expected i/n with 1 <= i <= n, got"):
        read_shard(text)


def test_durations_that_are_none(project: Project) -> None:
    project.write("scenarios/test_it.py", GOOD)
    project.write("fixtures/durations.json", "[]")
    outcome = project.run(*MEMORY, "--shard", "1/1")
    assert outcome.status == 4
    assert "durations.json: expected a JSON object of seconds by id" in outcome.stderr


# Quarantine

ENTRY = '[[quarantine]]\nid = "scenarios/test_it.py::test_wrong"\nuntil = 2030-01-31\nreason = "flaky node"\n'


def test_a_test_in_quarantine_may_fail_until_its_day(project: Project) -> None:
    project.write("scenarios/test_it.py", GOOD + WRONG)
    project.write("quarantine.toml", ENTRY)
    outcome = project.run(*MEMORY, "-rx", "--lab-today", "2030-01-31")
    assert (outcome.status, outcome.counts) == (0, {"passed": 1, "xfailed": 1})
    assert "in quarantine until 2030-01-31: flaky node" in outcome.stdout
    outcome = project.run(*MEMORY, "--lab-today", "2030-02-01")
    assert outcome.status == 4
    assert "expected a day like 2027-01-31, got 'soon'" in project.run(*MEMORY, "--lab-today", "soon").stderr
    told = "the quarantine of scenarios/test_it.py::test_wrong ended on 2030-01-31: flaky node"
    assert told in outcome.stderr


@pytest.mark.parametrize(
    "change", [{"id": "7"}, {"until": '"soon"'}, {"reason": '""'}, {"reason": "7"}, {"until": "]"}], ids=str
)
def test_what_is_no_quarantine(tmp_path: Path, change: Mapping[str, str]) -> None:
    values = {"id": '"a"', "until": "2030-01-31", "reason": '"b"', **change}
    path = tmp_path / "quarantine.toml"
    path.write_text("[[quarantine]]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()))
    with pytest.raises(pytest.UsageError, match=r"quarantine\.toml: "):
        read_quarantine(path, date(2030, 1, 1))


# Failed first


def test_what_failed_comes_first(project: Project) -> None:
    project.write("scenarios/test_it.py", GOOD + WRONG)
    run = ["run", "scenarios", "--chain", "memory", "--cache", "cache", "--failed-first"]
    assert project.run_process("bnslab", *run).status == 1
    outcome = project.run_process("bnslab", *run, "--", "-v")
    names = [line.partition("::")[2].split()[0] for line in outcome.stdout.splitlines() if " [" in line]
    assert names == ["test_wrong", "test_good"]


# Records side by side


def test_records_are_compared_as_a_table(project: Project, make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace("test", by="alice")
    lab.register("foo.test", by="bob")
    before = lab.name("foo.test")
    lab.mine()
    lab.update("foo.test", by="bob", value_hash="11" * 20)
    lab.mine()
    told = compared(before, lab.name("foo.test"))
    assert told is not None
    assert told[0] == "two of NameInfo, 3 fields equal"
    assert any(line.startswith("record.value_hash") and line.endswith(f"'{'11' * 20}'") for line in told), told
    assert compared(before, 7) is None
    assert compared(7, 8) is None
    project.write(
        "scenarios/test_it.py",
        "def test_changed(lab, alice):\n    lab.namespace('test', by=alice)\n    before = lab.now.namespace('test')\n"
        "    lab.mine()\n    assert before == lab.at(112).namespace('test')\n",
    )
    lines = project.run(*MEMORY).told("test_changed")
    assert any("two of Namespace, " in line for line in lines), lines
    assert any("ready_block" in line and "113" in line for line in lines), lines


# New scenarios


@pytest.mark.parametrize(("options", "name"), [((), "test_my_own.py"), (("--script",), "my_own.bns")])
def test_a_new_scenario_passes(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], name: str
) -> None:
    monkeypatch.chdir(project.path)
    assert cli.main(["new", "my_own", *options]) == 0
    assert f"scenarios/mine/{name}" in capsys.readouterr().out
    assert project.run(*MEMORY).counts == {"passed": 1}
    assert cli.main(["new", "my_own", *options]) == 2
    assert capsys.readouterr().err == f"bnslab: scenarios/mine/{name} is there already\n"
    assert cli.main(["new", "../x"]) == 2
    assert "expected a lower-case letter" in capsys.readouterr().err


# Formatting


def test_scripts_are_formatted(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.path)
    project.write("deep/a.bns", "mine   3  # three\r\n")
    project.write("deep/b.bns", "mine\n")
    assert cli.main(["fmt", "--check", "."]) == 1
    assert capsys.readouterr().out == "would reformat deep/a.bns\n2 scripts, 1 would be reformatted\n"
    assert cli.main(["fmt", "deep"]) == 0
    assert (project.path / "deep/a.bns").read_bytes() == b"mine 3  # three\n"
    assert capsys.readouterr().out == "reformatted deep/a.bns\n2 scripts, 1 reformatted\n"
    assert cli.main(["fmt", "--check", "deep/a.bns"]) == 0
    capsys.readouterr()
    project.write("deep/c.bns", "mine mine\n")
    assert cli.main(["fmt", "deep"]) == 2
    assert capsys.readouterr().err.startswith("bnslab: deep/c.bns:1:6: expected ")
