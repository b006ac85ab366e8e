"""Campaigns: a defect of the core is found, made small, kept and replayed; ./lab fuzz and ./lab replay."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bns.engine import Engine, Receipt
from bnslab import cli, consume, fixtures, nodes
from bnslab.fuzz import campaign, duel
from bnslab.fuzz import program as programs
from bnslab.fuzz.divergence import Divergence
from bnslab.fuzz.program import Program, Step
from bnslab.fuzz.shrink import shrink
from bnslab.fuzz.targets import AgainstModel, AgainstReference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bns.params import Params
    from bns.state.store import State
    from bnslab.fixtures import Expected, Fixture

SMALL = ("--blocks", "60", "--runs", "1")


def break_the_core(monkeypatch: pytest.MonkeyPatch, change: Callable[[Params], Params]) -> None:
    """Give the engine other rules than it is asked for."""

    class Broken(Engine):
        def __init__(self, params: Params, state: State) -> None:
            super().__init__(change(params), state)

    monkeypatch.setattr(duel, "Engine", Broken)
    monkeypatch.setattr(consume, "Engine", Broken)


def shorter_window(params: Params) -> Params:
    return replace(params, consensus_window=23)


# Shrinking


def revoked(program: Program) -> Divergence | None:
    """Fails where a name is revoked in a block after one with a transfer."""
    transferred = False
    for at, steps in enumerate(program.blocks):
        if transferred and any(step.op == "name_revoke" for step in steps):
            return Divergence(at + 111, "verdict", "x", "y", "z")
        transferred = transferred or any(step.op == "name_transfer" for step in steps)
    return None


def test_only_what_matters_is_left() -> None:
    program = campaign.program_of(0, blocks=100, target=AgainstModel())
    before = revoked(program)
    assert before is not None
    small, after = shrink(program, before, revoked, 2000)
    assert [[step.op for step in steps] for steps in small.blocks] == [["name_transfer"], ["name_revoke"]]
    assert after.height == 112
    plain = Step("name_revoke", small.blocks[1][0].id)
    assert small.blocks[1][0] == replace_by(plain, small.blocks[1][0].by)


def replace_by(step: Step, by: int | None) -> Step:
    return msgspec.structs.replace(step, by=by)


def test_the_budget_is_kept() -> None:
    program = campaign.program_of(0, blocks=100, target=AgainstModel())
    runs = []

    def judge(candidate: Program) -> Divergence | None:
        runs.append(candidate)
        return revoked(candidate)

    before = revoked(program)
    assert before is not None
    shrink(program, before, judge, 7)
    assert len(runs) == 7


# A defect


def test_a_defect_is_found_made_small_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    with monkeypatch.context() as broken:
        break_the_core(broken, shorter_window)
        seeds = iter(range(20))  # until one uses a consensus hash of 24 blocks ago
        while cli.main(["fuzz", *SMALL, "--seed", str(next(seeds)), "--output", str(output)]) == 0:
            assert not output.exists()
        told = capsys.readouterr().out
        chain = next(output.glob("*.json.gz"))
        assert f"chain: {chain}" in told
        assert f"replay: ./lab fuzz --program {next(output.glob('*.program.json'))}\n" in told
        script = next(output.glob("*.bns"))
        assert f"script: ./lab run {script}\n" in told
        assert (
            "    preorder " in told
            or "    preorder namespace " in told
            or "    update" in told
            or "    transfer" in told
        )
        assert cli.main(["fmt", "--check", str(script)]) == 0
        assert cli.main(["consume", str(chain)]) == 1
        assert "FAIL" in capsys.readouterr().out
        small = programs.read(next(output.glob("*.program.json")))
        assert small.size <= 8
        assert [step for steps in small.blocks for step in steps if step.back == 24]
        assert cli.main(["fuzz", "--program", str(next(output.glob("*.program.json")))]) == 1
        assert "1 failed" in capsys.readouterr().out
    assert cli.main(["consume", str(chain)]) == 0
    assert cli.main(["fuzz", "--program", str(next(output.glob("*.program.json")))]) == 0


def test_a_crash_of_the_core_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(self: Engine, block: object) -> Receipt:
        raise KeyError("lost")

    monkeypatch.setattr(Engine, "apply", crash)
    trial = AgainstModel().run(campaign.program_of(0, blocks=5, target=AgainstModel()))
    assert trial.divergence is not None
    assert (trial.divergence.what, trial.divergence.subject) == ("crash of the core", "KeyError")


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE name_records SET value_hash = 'ff'", "name_records"),
        ("DELETE FROM history", "history"),
        ("UPDATE namespaces SET ready_block = 1", "namespaces"),
        ("DELETE FROM preorders", "preorders"),
    ],
)
def test_a_wrong_row_is_told(sql: str, what: str) -> None:
    program = campaign.program_of(0, blocks=60, target=AgainstModel())
    with duel.Duel(program) as fight:
        for steps in program.blocks[:-1]:
            assert fight.step(steps) is None
        fight.state.connection.execute(sql)
        found = fight.step([Step("announce", "test", by=0)])
    assert found is not None
    assert (found.what, found.subject) == ("rows", what)


def test_a_summary_counts() -> None:
    summary = campaign.Summary()
    summary.add(AgainstModel().run(campaign.program_of(0, blocks=30, target=AgainstModel())))
    lines = str(summary).splitlines()
    assert lines[-1].startswith("1 runs, 0 failed, ")
    assert any(line.startswith("name_preorder: accepted ") for line in lines)


# The reference


class Oracle:
    """Stands in for the reference: what the core says, with one thing changed."""

    def __init__(self, change: Callable[[Expected], Expected] = lambda expected: expected) -> None:
        self._change = change

    def run(self, fixture: Fixture) -> Expected:
        from bnslab.commands.replay import indexed

        expected = indexed(fixture).expected
        assert expected is not None
        return self._change(expected)


def without_operations(expected: Expected) -> Expected:
    return msgspec.structs.replace(expected, serialized_ops={})


def with_other_hash(expected: Expected) -> Expected:
    hashes: dict[str, str | None] = {**expected.consensus_hashes, "115": "00" * 16}
    return msgspec.structs.replace(expected, consensus_hashes=hashes)


def with_a_table(expected: Expected) -> Expected:
    table = {"name_records": {"columns": ["name"], "rows": [["no.such"]]}}
    return msgspec.structs.replace(expected, tables=msgspec.Raw(msgspec.json.encode(table)))


@pytest.mark.parametrize(
    ("change", "what"),
    [(without_operations, "operations"), (with_other_hash, "consensus_hash"), (with_a_table, "rows")],
)
def test_a_difference_to_the_reference_is_told(change: Callable[[Expected], Expected], what: str) -> None:
    program = campaign.program_of(0, blocks=30, target=AgainstModel())
    assert AgainstReference(Oracle()).run(program).divergence is None
    found = AgainstReference(Oracle(change)).run(program).divergence
    assert found is not None
    assert found.what == what


def test_a_mistake_of_the_model_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    from bnslab.fuzz.model import text

    monkeypatch.setitem(text.FIELDS, "?", "txid")
    program = campaign.program_of(0, blocks=30, target=AgainstModel())
    found = AgainstReference(Oracle()).run(program).divergence
    assert found is not None
    assert found.what == "model: operations"


@pytest.mark.foreign
def test_the_reference_agrees(tmp_path: Path) -> None:
    arguments = ["fuzz", "--against", "reference", "--runs", "1", "--blocks", "40", "--output", str(tmp_path)]
    assert cli.main(arguments) == 0


# Commands


def test_two_runs_print_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for _ in range(2):
        assert cli.main(["fuzz", *SMALL, "--seed", "9"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert "1 runs, 0 failed" in told[0]


def test_kept_chains_are_fixtures(tmp_path: Path) -> None:
    assert cli.main(["fuzz", *SMALL, "--seed", "9", "--keep", "--output", str(tmp_path)]) == 0
    assert cli.main(["consume", str(tmp_path)]) == 0


def test_without_the_reference_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(*_: object) -> None:
        raise nodes.reference.ReferenceUnavailable("no usable Python 2.7 for the reference")

    monkeypatch.setattr(nodes.reference, "install", install)
    assert cli.main(["fuzz", "--against", "reference", "--cache", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "bnslab: no usable Python 2.7 for the reference\n"


def test_a_chain_file_is_indexed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = campaign.program_of(2, blocks=30, target=AgainstModel())
    with duel.Duel(program) as fight:
        assert fight.run() is None
        chain, whole = fight.performer.chain(), fight.chain()
    path, out = tmp_path / "chain.json.gz", tmp_path / "fixture.json.gz"
    fixtures.save(path, chain)
    assert cli.main(["replay", str(path)]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert whole.expected is not None
    assert shown["consensus_hashes"] == whole.expected.consensus_hashes
    assert shown["serialized_ops"] == whole.expected.serialized_ops
    assert cli.main(["replay", str(path), "-o", str(out)]) == 0
    assert json.loads(gzip.decompress(out.read_bytes()))["expected"] == shown
    assert cli.main(["consume", str(out)]) == 0


def test_a_chain_file_without_the_first_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = campaign.program_of(2, blocks=3, target=AgainstModel())
    with duel.Duel(program) as fight:
        assert fight.run() is None
        chain = fight.performer.chain()
    path = tmp_path / "chain.json.gz"
    fixtures.save(path, msgspec.structs.replace(chain, blocks=chain.blocks[1:]))
    assert cli.main(["replay", str(path)]) == 2
    assert "first block to index: expected 112 to 113, got 111" in capsys.readouterr().err


def test_what_is_no_chain_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chain.json.gz"
    path.write_text("{}")
    assert cli.main(["replay", str(path)]) == 2
    assert str(path) in capsys.readouterr().err
