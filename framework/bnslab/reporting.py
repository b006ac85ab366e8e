"""How the harness shows itself in pytest's output: failures that explain themselves, traces, notes at the end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bns.errors import BnsError
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Generator

    from bnslab.lab import Lab

TRACE_LINES = 12

LAB_KEY = pytest.StashKey["Lab"]()
"""The lab of an item, while and after it runs."""

FAILED_KEY = pytest.StashKey[bool]()
"""Set on an item whose call has failed."""


class Reporting:
    """Hooks of one session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Replace the traceback of an error made on purpose by what a scenario's author needs."""
        report = yield
        if call.when == "call":
            item.stash[FAILED_KEY] = report.failed
        lab = item.stash.get(LAB_KEY, None)
        if lab is None:
            return report
        if report.failed and call.excinfo is not None and isinstance(call.excinfo.value, LabError | BnsError):
            report.longrepr = self._explain(item, lab, call.excinfo)
        elif report.failed:
            report.sections.append(("scenario", "\n".join(self._footer(item, lab))))
        if call.when == "call" and self._config.getoption("--lab-trace"):
            self._write_trace(lab)
        return report

    def _explain(self, item: pytest.Item, lab: Lab, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        error = excinfo.value
        text = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        lines = [text]
        here = [entry for entry in excinfo.traceback if Path(str(entry.path)) == item.path]
        if here:
            entry = here[-1]
            source = str(entry.statement).strip()
            lines.append(f"  scenario  {_relative(item)}:{entry.lineno + 1}: {source}")
        return "\n".join([*lines, *self._footer(item, lab)])

    def _footer(self, item: pytest.Item, lab: Lab) -> list[str]:
        lines = [f"  trace     the last {TRACE_LINES} lines"]
        lines += [f"    {line}" for line in lab.trace.last(TRACE_LINES)]
        return [*lines, f"  replay    {self._replay_command(item, lab)}"]

    def _replay_command(self, item: pytest.Item, lab: Lab) -> str:
        program = "./lab run" if (self._config.rootpath / "lab").is_file() else "bnslab run"
        return f"{program} {shlex.quote(item.nodeid)} --chain {lab.chain.name}"

    def _write_trace(self, lab: Lab) -> None:
        output: Path = self._config.getoption("--lab-output") or self._config.rootpath / "results"
        path = output / "traces" / f"{lab.identity.replace('/', '.')}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lab.trace.lines) + "\n", encoding="utf-8")


def _relative(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
