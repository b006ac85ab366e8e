"""What a session says at its end: the slowest scenarios with their costs, annotations, durations for shards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SLOWEST = 10
COSTS = "costs"
"""Name of the property of a report that holds what its scenario cost: blocks, RPC calls, requests, seconds."""

FILLED = "fixture"
"""Name of the property of a report that holds what changed in the fixture that was written, a line for each thing."""

_PLACE = re.compile(r"^  scenario  (.+?):(\d+): ", re.MULTILINE)


class Summary:
    """Hooks of one session; with workers, those of the controlling process see all reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seconds: dict[str, float] = {}
        self._failed: list[pytest.TestReport | pytest.CollectReport] = []
        self._costs: dict[str, tuple[int, int, int, float]] = {}
        self._filled: dict[str, str] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Choose the shard and put tests into quarantine."""
        quarantine: Path = config.rootpath / config.getini("lab_quarantine")
        shard: str | None = config.getoption("--shard")
        if not quarantine.exists() and shard is None:
            return
        from bnslab import selection

        today = selection.read_day(config.getoption("--lab-today"))
        selection.quarantine(items, selection.read_quarantine(quarantine, today))
        if shard is not None:
            seconds = selection.read_durations(config.rootpath / config.getini("lab_durations"))
            chosen = selection.shard_of([item.nodeid for item in items], *selection.read_shard(shard), seconds)
            config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in chosen])
            items[:] = [item for item in items if item.nodeid in chosen]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be collected."""
        if report.failed:
            self._failed.append(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember seconds, costs and failures."""
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        for name, value in report.user_properties:
            if name == COSTS and isinstance(value, list | tuple):
                self._costs[report.nodeid] = tuple(value)
            elif name == FILLED:
                self._filled[report.nodeid] = str(value)
        if report.failed:
            self._failed.append(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write what was asked for, and what has become of fixtures."""
        if self._filled:
            terminalreporter.section("fixtures written")
        for id_, told in sorted(self._filled.items()):
            first, *more = told.splitlines()
            lines = (
                [f"{id_}: new"] if (first, more) == ("new", []) else [id_, *(f"  {line}" for line in (first, *more))]
            )
            terminalreporter.write_line("\n".join(lines))
        if self._config.getoption("--lab-slowest") and self._costs:
            terminalreporter.section("slowest scenarios")
            terminalreporter.write_line(f"{'seconds':>9} {'blocks':>7} {'RPC':>6} {'REST':>6}")
            slowest = sorted(self._costs.items(), key=lambda each: -each[1][3])[:SLOWEST]
            for id_, (blocks, rpc, rest, seconds) in slowest:
                terminalreporter.write_line(f"{seconds:9.2f} {blocks:7} {rpc:6} {rest:6}  {id_}")
        if self._config.getoption("--lab-annotations"):
            for report in self._failed:
                terminalreporter.write_line(annotation(report))

    def pytest_sessionfinish(self) -> None:
        """Keep durations if asked to."""
        if self._config.getoption("--lab-save-durations") and not hasattr(self._config, "workerinput"):
            from bnslab import selection

            path: Path = self._config.rootpath / self._config.getini("lab_durations")
            selection.write_durations(path, self._seconds)


def annotation(report: pytest.TestReport | pytest.CollectReport) -> str:
    """A failure as a workflow command of GitHub Actions: file, line, title, the report."""
    text = report.longreprtext
    place = _PLACE.search(text) or re.search(r"^(\S+?):(\d+):", text, re.MULTILINE)
    path, line = (place[1], int(place[2])) if place else (report.nodeid.partition("::")[0], 1)
    properties = f"file={_escaped(path, ':,')},line={line},title={_escaped(report.nodeid, ':,')}"
    return f"::error {properties}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
