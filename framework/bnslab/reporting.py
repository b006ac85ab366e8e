"""How the harness shows itself in pytest's output: failures that explain themselves, traces, notes at the end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bns.errors import BnsError
from bnslab.errors import LabError, NotSaid, NotSupported

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from bnslab.lab import Lab

TRACE_LINES = 12

LAB_KEY = pytest.StashKey["Lab"]()
"""The lab of an item, while and after it runs."""

PASSED_KEY = pytest.StashKey[bool]()
"""Whether the function of an item came to its end without an exception."""


class Reporting:
    """Hooks of one session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what the node was, unless it is the usual one."""
        from bnslab.nodes.choice import REMARKS

        name = self._config.getoption("--node")
        if name in REMARKS:
            terminalreporter.write_line(f"node: {name}: {REMARKS[name]}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Replace the traceback of an error made on purpose by what a scenario's author needs."""
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, NotSaid | NotSupported):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), (item.location[1] or 0) + 1, f"Skipped: {call.excinfo.value}")
        if call.when != "teardown":
            item.stash[PASSED_KEY] = call.when == "call" and call.excinfo is None
        lab = item.stash.get(LAB_KEY, None)
        if report.failed and "lab" in getattr(item, "fixturenames", ()):
            error = None if call.excinfo is None else call.excinfo.value
            if call.excinfo is not None and isinstance(error, LabError | BnsError):
                report.longrepr = self._explain(item, lab, call.excinfo)
            else:
                report.sections.append(("scenario", "\n".join(self._footer(item, lab))))
        if call.when == "teardown" and lab is not None and self._config.getoption("--lab-trace"):
            self._write_trace(lab)
        return report

    def _explain(self, item: pytest.Item, lab: Lab | None, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        error = excinfo.value
        text = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        return "\n".join([text, f"  scenario  {_place(item, excinfo)}", *self._footer(item, lab)])

    def _footer(self, item: pytest.Item, lab: Lab | None) -> list[str]:
        lines = [] if lab is None else lab.trace.last(TRACE_LINES)
        shown = [f"  trace     the last {TRACE_LINES} lines", *(f"    {line}" for line in lines)] if lines else []
        return [*shown, f"  replay    {self._replay_command(item, lab)}"]

    def _replay_command(self, item: pytest.Item, lab: Lab | None) -> str:
        option = self._config.getoption
        chain = option("--chain") if lab is None else lab.chain.name
        words = ["./lab" if (self._config.rootpath / "lab").is_file() else "bnslab", "run", item.nodeid]
        words += ["--chain", chain] if chain else []
        words += ["--node", option("--node")] if option("--node") != "inprocess" else []
        if chain == "bitcoind":
            words += _where(option("--bitcoind"), option("--lab-cache"))
        passed = [f"--lab-skip-check={name}" for name in option("--lab-skip-check")]
        passed += ["--fill"] if option("--fill") else []
        words += _modes(option)
        command = shlex.join([*words, *(["--", *passed] if passed else [])])
        # ids of items are relative to pytest's root directory
        elsewhere = self._config.invocation_params.dir != self._config.rootpath
        return f"cd {shlex.quote(str(self._config.rootpath))} && {command}" if elsewhere else command

    def _write_trace(self, lab: Lab) -> None:
        output: Path = self._config.getoption("--lab-output") or self._config.rootpath / "results"
        path = output / "traces" / f"{lab.identity.replace('/', '.')}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lab.trace.lines) + "\n", encoding="utf-8")


def _modes(option: Callable[[str], Any]) -> list[str]:
    """The options of `run` that choose the same modes."""
    names = ("--wallets", "--reorg-every", "--restart-every", "--epoch", "--seed")
    return [f"{name}={option(name)}" for name in names if option(name)]


def _where(bitcoind: Path | None, cache: Path | None) -> list[str]:
    """The options of `run` that find the same bitcoind, as far as they are not the usual ones."""
    import platformdirs

    words = [] if bitcoind is None else ["--bitcoind", str(bitcoind)]
    usual = cache is None or cache.absolute() == platformdirs.user_cache_path("bnslab")
    return words if usual else [*words, "--cache", str(cache)]


def _place(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """The deepest line of the scenario's own file on the way to the error; after its last line, the function."""
    path = item.nodeid.partition("::")[0]
    if place := getattr(item, "place", None):  # of a script
        return str(place)
    here = [entry for entry in excinfo.traceback if Path(str(entry.path)) == item.path]
    if here:
        return f"{path}:{here[-1].lineno + 1}: {str(here[-1].statement).strip()}"
    return f"{path}:{(item.location[1] or 0) + 1}: {item.name}, outside its lines"
