"""The same scenarios give the same chains: on each backend, in each run, in any number of processes."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from bnslab.fixtures import Fixture, load
from tests.projects import ENVIRONMENT, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUBJECT = "wallets"
"""Scenarios in which every kind of wallet pays, owns and creates."""

STORED = ROOT / "fixtures" / "scenarios" / SUBJECT
needs_kernel = pytest.mark.skipif(find_spec("pbk") is None, reason="py-bitcoinkernel is not installed")


def fixtures_below(directory: Path) -> dict[str, Path]:
    return {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*.json.gz"))}


@pytest.fixture
def record(tmp_path: Path, make_cache: Callable[[Path], Path]) -> Callable[..., dict[str, Path]]:
    """Runs the scenarios in a new process of pytest and gives the fixtures that they write."""
    cache = make_cache(tmp_path / "cache")

    def run(*options: str) -> dict[str, Path]:
        command = [sys.executable, "-P", "-m", "pytest", f"scenarios/{SUBJECT}", "-p", "no:cacheprovider"]
        command += ["--lab-cache", str(cache), "--fill-update", "-o", f"lab_fixtures={tmp_path / 'made'}", *options]
        done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return fixtures_below(tmp_path / "made" / SUBJECT)

    return run


def tips(paths: dict[str, Path]) -> dict[str, str]:
    """The hash of the last block of each scenario."""
    return {name: load(path).blocks[-1].hash for name, path in paths.items()}


RUNS = {
    "bitcoind": ["--chain", "bitcoind"],
    "bitcoind, two workers": ["--chain", "bitcoind", "-n", "2"],
    "kernel": ["--chain", "kernel"],
    "memory": ["--chain", "memory"],
}


@pytest.mark.parametrize(
    "options", [pytest.param(run, id=name, marks=[needs_kernel] * ("kernel" in run)) for name, run in RUNS.items()]
)
def test_every_run_gives_the_chains_that_are_stored(record: Callable[..., dict[str, Path]], options: list[str]) -> None:
    made, stored = record(*options), fixtures_below(STORED)
    assert tips(made) == tips(stored)
    assert {name: load(path) for name, path in made.items()} == {name: load(path) for name, path in stored.items()}


def test_the_stored_chains_are_of_all_kinds_of_wallets_and_all_different() -> None:
    stored = fixtures_below(STORED)
    for kind in ("p2pkh", "p2sh-multisig", "p2sh-p2wpkh", "p2sh-p2wsh"):
        assert len([name for name in stored if f"-{kind}" in name]) >= 3, kind
    assert len(set(tips(stored).values())) == len(stored)
    fixtures: list[Fixture] = [load(path) for path in stored.values()]
    assert all(fixture.expected is not None and fixture.expected.serialized_ops for fixture in fixtures)
