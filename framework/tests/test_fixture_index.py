"""The index of the fixtures: that of this checkout is up to date, and what would not be is told."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from bnslab import cli
from bnslab.fixture_index import Collected, Entry, differences, render
from bnslab.fixtures import load, save
from bnslab.recording import record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.labs import Labs


def test_the_index_of_this_checkout_is_up_to_date(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status = cli.main(["fill", "--index", "--cache", str(tmp_path)])
    assert (status, capfd.readouterr().out) == (0, "")


@pytest.fixture
def collected(make_lab: Labs, tmp_path: Path) -> Collected:
    """What a session would have collected: one scenario with its fixture."""
    lab = make_lab()
    lab.namespace("test", by="alice")
    save(tmp_path / "a" / "it.json.gz", record(lab))
    collected = Collected()
    collected.directory = tmp_path
    collected.scenarios.append(("a/it", tmp_path / "a" / "it.json.gz", "scenarios/a.py:5", ("epochs(3)",)))
    collected.scenarios.append(("a/unrecorded", tmp_path / "a" / "unrecorded.json.gz", "scenarios/a.py:9", ()))
    return collected


def test_an_entry_says_what_the_fixture_says(collected: Collected, tmp_path: Path) -> None:
    (entry,) = collected.entries()
    fixture = load(tmp_path / "a" / "it.json.gz")
    assert (entry.scenario, entry.file, entry.source, entry.markers) == (
        "a/it",
        "a/it.json.gz",
        "scenarios/a.py:5",
        ("epochs(3)",),
    )
    assert (entry.blocks, entry.tip) == (len(fixture.blocks), fixture.blocks[-1].hash)
    assert entry.consensus_hash == fixture.consensus_hash(fixture.tip)
    assert entry.sha256 == hashlib.sha256(gzip.decompress((tmp_path / entry.file).read_bytes())).hexdigest()
    assert msgspec.json.decode(render([entry]), type=list[Entry]) == [entry]


def test_what_is_wrong_with_an_index_is_told(collected: Collected, tmp_path: Path) -> None:
    entries = collected.entries()
    path = tmp_path / "index.json"
    assert differences(path, entries)[0].startswith("the index cannot be read: ")
    path.write_bytes(render(entries))
    assert differences(path, entries) == []
    changed = msgspec.structs.replace(entries[0], source="scenarios/a.py:6", tip="00")
    assert differences(path, [changed]) == ["a/it: another source, tip"]
    assert differences(path, []) == ["a/it: in the index, and there is none"]
    path.write_bytes(render([]))
    assert differences(path, entries) == ["a/it: not in the index"]
    path.write_bytes(msgspec.json.encode(entries))
    assert differences(path, entries) == ["the same entries in another form"]


def test_a_fixture_without_a_scenario_is_told(collected: Collected, tmp_path: Path) -> None:
    assert collected.orphans() == []
    (tmp_path / "a" / "it.json.gz").rename(tmp_path / "a" / "old.json.gz")
    assert (collected.orphans(), collected.entries()) == (["a/old.json.gz"], [])
