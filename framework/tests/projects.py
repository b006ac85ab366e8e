"""Projects with scenarios of their own, for tests of the plugin and the commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "framework")])}

# the plugin's package was imported by the test that is running
_OPTIONS = ["-p", "no:cacheprovider", "-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
_HEADER = re.compile(r"_+ (?:ERROR at (?:setup|teardown) of )?(\S+) _+")
_FRAME = re.compile(r"[=_-]{5,}.*|\[gw\d+\].*|")
_COUNT = re.compile(r"(\d+) ([a-z]+?)s?(?=[, ])")


class Outcome(NamedTuple):
    """What a run of pytest left."""

    status: int
    stdout: str
    stderr: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many tests passed, failed and so on, as the last line tells."""
        last = self.stdout.splitlines()[-1]
        return {what: int(count) for count, what in _COUNT.findall(f"{last} ") if what != "warning"}

    def told(self, test: str) -> list[str]:
        """The lines about the failure of a test, without rules and empty lines."""
        lines: list[str] = []
        inside = False
        for line in self.stdout.splitlines():
            header = _HEADER.fullmatch(line)
            if header:
                inside = header[1] == test
            elif line.startswith("=="):
                inside = False
            elif inside and not _FRAME.fullmatch(line):
                lines.append(line)
        assert lines, f"nothing about {test} in\n{self.stdout}"
        return lines


class Project:
    """A directory with a pytest.ini, scenarios and what they leave; warnings are errors in it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.path = pytester.path
        self._pytester = pytester
        self.write("pytest.ini", "[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config\n")

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *arguments: str) -> Outcome:
        """Run pytest in this process; the cache is the project's own unless the arguments name another."""
        result = self._pytester.runpytest_inprocess("--lab-cache", str(self.path / "cache"), *_OPTIONS, *arguments)
        return Outcome(int(result.ret), "\n".join(result.outlines), "\n".join(result.errlines))

    def run_process(self, module: str, *arguments: str, cwd: Path | None = None) -> Outcome:
        """Run `python -m MODULE` in the project."""
        command = [sys.executable, "-P", "-m", module, *arguments]
        done = subprocess.run(
            command, cwd=cwd or self.path, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        return Outcome(done.returncode, done.stdout, done.stderr)
