"""The scripts that carry the id of a scenario of the reference do what its recorded chain shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bnslab.fixtures import load
from tests.projects import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from bnslab.fixtures import Fixture

OURS = sorted((ROOT / "fixtures" / "scenarios" / "scripts").rglob("*.json.gz"))
REFERENCE = ROOT / "fixtures" / "reference"
RECORDED = [path for path in OURS if (REFERENCE / path.name).exists()]

MORE_HERE = {
    # the reference's client refuses what here is on the chain, where the rules judge it
    "namespace_preorder_reveal_ready_nodups": [["*"]],
    # a namespace of its own, between whose operations blocks pass, after that of the other scenarios of the file
    "name_pre_reg_xfer_update_delays": [["*"], ["&"], ["!"]],
}


def accepted(fixture: Fixture) -> list[list[str]]:
    """The operations that each block accepted, by the bytes that stand for them; blocks without any left out."""
    assert fixture.expected is not None
    blocks = sorted(fixture.expected.serialized_ops.items(), key=lambda each: int(each[0]))
    return [[text[0] for text in operations] for _, operations in blocks]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.partition(".")[0])
def test_a_script_accepts_what_the_recorded_scenario_accepts(path: Path) -> None:
    ours, theirs = accepted(load(path)), accepted(load(REFERENCE / path.name))
    more = MORE_HERE.get(path.name.partition(".")[0], [])
    assert sorted(ours) == sorted(theirs + more)
    if not more:
        assert ours == theirs


def test_many_scenarios_are_scripts() -> None:
    assert len(OURS) >= 60
    assert len(RECORDED) >= 35
    named = set(re.findall(r"^\| (name\w+) \|", (ROOT / "docs/spec/10-scenarios.md").read_text(), re.MULTILINE))
    assert len([path for path in OURS if path.name.partition(".")[0] in named]) >= 54
