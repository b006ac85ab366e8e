"""Which scenarios a run takes, and which may fail: shards of a suite, and the quarantine."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pytest

from bnslab.nodes import NODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

# Errors here are of the kind that pytest tells in one line, with exit status 4.


@dataclass(frozen=True)
class Quarantined:
    """A test that may fail until a day, with the reason."""

    id: str
    until: date
    reason: str


def read_day(text: str | None) -> date:
    """A day like 2027-01-31, today without a text; UsageError for another text."""
    try:
        return date.today() if text is None else date.fromisoformat(text)
    except ValueError:
        raise pytest.UsageError(f"--lab-today: expected a day like 2027-01-31, got {text!r}") from None


def read_quarantine(path: Path, today: date) -> list[Quarantined]:
    """The entries of a quarantine file, none if it is not there. UsageError for one that is wrong or has run out."""
    if not path.exists():
        return []
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("quarantine", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise pytest.UsageError(f"{path}: {error}") from None
    found = [_entry(path, entry) for entry in entries]
    for entry in found:
        if entry.until < today:
            raise pytest.UsageError(f"{path}: the quarantine of {entry.id} ended on {entry.until}: {entry.reason}")
    return found


def _entry(path: Path, entry: Mapping[str, object]) -> Quarantined:
    id_, until, reason = (entry.get(key) for key in ("id", "until", "reason"))
    if isinstance(id_, str) and isinstance(until, date) and isinstance(reason, str) and reason:
        return Quarantined(id_, until, reason)
    raise pytest.UsageError(f"{path}: expected id (text), until (a date) and reason (text), got {dict(entry)}")


def quarantine(items: Iterable[pytest.Item], entries: Sequence[Quarantined]) -> None:
    """Let the tests of the entries fail without failing the run; an id without parameters stands for all of them."""
    by_id = {entry.id: entry for entry in entries}
    for item in items:
        entry = by_id.get(item.nodeid) or by_id.get(item.nodeid.partition("[")[0])
        if entry is not None:
            reason = f"in quarantine until {entry.until}: {entry.reason}"
            item.add_marker(pytest.mark.xfail(reason=reason, strict=False))


def expect_failures(items: Iterable[pytest.Item], node: str) -> None:
    """Have the tests fail that are marked otherwise_on(node, reason). UsageError for a mark that says anything else."""
    for item in items:
        for mark in item.iter_markers("otherwise_on"):
            if len(mark.args) != 2 or mark.kwargs or mark.args[0] not in NODES or not isinstance(mark.args[1], str):
                nodes = ", ".join(NODES)
                raise pytest.UsageError(
                    f"{item.nodeid}: otherwise_on: expected one of {nodes}, and why; got {mark.args}"
                )
            if mark.args[0] == node:
                item.add_marker(pytest.mark.xfail(reason=f"on the {node}: {mark.args[1]}", strict=True))


def read_shard(text: str) -> tuple[int, int]:
    """Which shard of how many, from a text like 2/5; UsageError for another."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise pytest.UsageError(f"--shard: expected i/n with 1 <= i <= n, got {text!r}")
    return int(match[1]), int(match[2])


def shard_of(ids: Sequence[str], number: int, count: int, seconds: Mapping[str, float]) -> set[str]:
    """The ids of one shard. Each goes to the lightest shard so far, the longest first; what is unknown counts as usual.

    The same ids and durations give the same shards everywhere, and each id is in one of them.
    """
    usual = sum(seconds.values()) / len(seconds) if seconds else 1.0
    loads = [0.0] * count
    chosen = set()
    for id_ in sorted(ids, key=lambda id_: (-seconds.get(id_, usual), id_)):
        lightest = loads.index(min(loads))
        loads[lightest] += seconds.get(id_, usual)
        if lightest == number - 1:
            chosen.add(id_)
    return chosen


def read_durations(path: Path) -> dict[str, float]:
    """Seconds by id, none if there is no such file. UsageError if it is something else."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(id_): float(value) for id_, value in found.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise pytest.UsageError(f"{path}: expected a JSON object of seconds by id: {error}") from None


def write_durations(path: Path, seconds: Mapping[str, float]) -> None:
    """Keep seconds by id, those of other tests too."""
    known = read_durations(path) | {id_: round(value, 2) for id_, value in seconds.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=0, sort_keys=True) + "\n", encoding="utf-8")
