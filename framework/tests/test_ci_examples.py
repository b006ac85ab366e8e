"""The example workflows as an outside project runs them: a wheel, an environment of its own, an empty directory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from tests.projects import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ROOT / "examples" / "ci"
SCENARIOS = {
    "test_own.py": "def test_own(lab, alice):\n    lab.namespace('own', by=alice)\n",
    "own.bns": "namespace own by alice\nregister a.own by bob\nexpect name a.own owner bob\n",
}
STEPS = {"github.yml": r"^      - run: (.+)$", "gitlab.yml": r"^    - (.+)$"}


def steps_of(name: str) -> list[str]:
    text = (EXAMPLES / name).read_text()
    return re.findall(STEPS[name], text, re.MULTILINE)


@pytest.mark.parametrize("name", STEPS)
def test_the_steps_are_found(name: str) -> None:
    install, bitcoind, fmt, run = steps_of(name)
    assert install == 'python -m pip install "$BNSLAB"'
    assert bitcoind.startswith("bnslab bitcoind install")
    assert fmt == "bnslab fmt --check scenarios"
    assert run.startswith("bnslab run scenarios ")
    assert "--shard" in run


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a machine with an environment of its own, and the wheel that is to be installed."""
    place = tmp_path_factory.mktemp("outside")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(place / "dist"), str(ROOT)], check=True
    )
    (wheel,) = (place / "dist").glob("bnslab-*.whl")
    venv.create(place / "env", with_pip=True)
    path = os.pathsep.join([str(place / "env" / "bin"), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON", "VIRTUAL"))}
    return {**kept, "PATH": path, "BNSLAB": str(wheel)}


@pytest.mark.network
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STEPS)
def test_a_workflow_runs_in_an_outside_project(name: str, tools: dict[str, str], tmp_path: Path) -> None:
    for file, text in SCENARIOS.items():
        (tmp_path / "scenarios").mkdir(exist_ok=True)
        (tmp_path / "scenarios" / file).write_text(text)
    passed: list[str] = []
    for shard in ("1", "2"):
        for step in steps_of(name):
            given = {**tools, "SHARD": shard, "CI_NODE_INDEX": shard, "CI_NODE_TOTAL": "2"}
            done = subprocess.run(
                ["bash", "-ec", step], cwd=tmp_path, env=given, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
        cases = ElementTree.parse(tmp_path / "junit.xml").getroot().iter("testcase")
        passed += [str(case.get("name")) for case in cases]
    assert sorted(passed) == ["own", "test_own"]
