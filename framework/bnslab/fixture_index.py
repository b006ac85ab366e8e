"""The index of the fixtures of scenarios: fixtures/scenarios/index.json (docs/fixture-format.md)."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import msgspec

from bnslab.fixtures import SUFFIX, CorruptFixture
from bnslab.rules import MARK
from bnslab.session import fixture_path, scenario_identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pytest

NAME = "index.json"
_WITH_ARGUMENTS = (MARK, "p2pkh")
_LEFT_OUT = ("parametrize", "usefixtures", "filterwarnings")


class Entry(msgspec.Struct, frozen=True):
    """A fixture: its file below the index, `path:line` of its scenario, its marks, and what is in it.

    tip is the hash of the last block (display order), consensus_hash that of its height, sha256 that of the
    uncompressed JSON.
    """

    scenario: str
    file: str
    source: str
    markers: tuple[str, ...]
    blocks: int
    tip: str
    consensus_hash: str | None
    sha256: str


class Collected:
    """A plugin of a pytest session that only collects: it keeps the scenarios, and where their fixtures belong."""

    def __init__(self) -> None:
        self.scenarios: list[tuple[str, Path, str, tuple[str, ...]]] = []
        self.node_ids: list[str] = []
        self.directory: Path

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note identity, fixture, source line and marks of each."""
        self.directory = session.config.rootpath / session.config.getini("lab_fixtures")
        for item in session.items:
            if "lab" in getattr(item, "fixturenames", ()):
                identity = scenario_identity(item.nodeid)
                source = f"{item.location[0]}:{(item.location[1] or 0) + 1}"
                path = fixture_path(session.config, identity)
                self.node_ids.append(item.nodeid)
                self.scenarios.append((identity, path, source, tuple(sorted(set(_markers(item))))))

    def entries(self) -> list[Entry]:
        """An entry for each fixture that is there and has its scenario, sorted; CorruptFixture."""
        found = [
            _entry(scenario, self.directory, path, source, markers)
            for scenario, path, source, markers in self.scenarios
            if path.exists()
        ]
        return sorted(found, key=lambda entry: entry.scenario)

    def orphans(self) -> list[str]:
        """The fixtures that no scenario has, below the directory."""
        known = {path for _, path, _, _ in self.scenarios}
        files = sorted(self.directory.rglob(f"*{SUFFIX}"))
        return [path.relative_to(self.directory).as_posix() for path in files if path not in known]


class _Block(msgspec.Struct):
    hash: str


class _Expected(msgspec.Struct):
    tip: int
    consensus_hashes: dict[str, str | None]


class _Content(msgspec.Struct):
    blocks: list[_Block]
    expected: _Expected


def _entry(scenario: str, directory: Path, path: Path, source: str, markers: tuple[str, ...]) -> Entry:
    try:
        text = gzip.decompress(path.read_bytes())
        content = msgspec.json.decode(text, type=_Content)
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise CorruptFixture(path, str(error)) from None
    return Entry(
        scenario, path.relative_to(directory).as_posix(), source, markers, len(content.blocks), content.blocks[-1].hash,
        content.expected.consensus_hashes.get(str(content.expected.tip)), hashlib.sha256(text).hexdigest(),
    )  # fmt: skip


def _markers(item: pytest.Item) -> Iterator[str]:
    epoch = getattr(getattr(item, "callspec", None), "params", {}).get("epoch")
    if epoch is not None:
        yield f"{MARK}({epoch})"
    for mark in item.iter_markers():
        if mark.name in _WITH_ARGUMENTS:
            named = [f"{name}={value!r}" for name, value in sorted(mark.kwargs.items()) if value not in (None, ())]
            arguments = ", ".join([*map(repr, mark.args), *named])
            yield f"{mark.name}({arguments})" if arguments else mark.name
        elif mark.name not in _LEFT_OUT:
            yield mark.name


def render(entries: Sequence[Entry]) -> bytes:
    """The index as a file: a JSON array, an entry a line."""
    return b"[\n" + b",\n".join(map(msgspec.json.encode, entries)) + b"\n]\n"


def differences(path: Path, entries: Sequence[Entry]) -> list[str]:
    """What of an index file is not as it should be, a line for each scenario; nothing if all is."""
    try:
        data = path.read_bytes()
        written = {entry.scenario: entry for entry in msgspec.json.decode(data, type=list[Entry])}
    except (OSError, msgspec.DecodeError) as error:
        return [f"the index cannot be read: {error}"]
    wanted = {entry.scenario: entry for entry in entries}
    lines = []
    for scenario in sorted(written | wanted):
        one, other = written.get(scenario), wanted.get(scenario)
        if one is None or other is None:
            lines.append(f"{scenario}: {'not in the index' if one is None else 'in the index, and there is none'}")
        elif one != other:
            fields = [name for name in Entry.__struct_fields__ if getattr(one, name) != getattr(other, name)]
            lines.append(f"{scenario}: another {', '.join(fields)}")
    return lines or ([] if data == render(entries) else ["the same entries in another form"])
