"""The doctor's findings are true and say how to get what is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bnslab.bitcoind.doctor import Finding, State, examine, render

if TYPE_CHECKING:
    import pytest

    from bnslab.bitcoind import Bitcoind


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_findings_of_this_machine(tmp_path: Path, bitcoind_binary: Bitcoind) -> None:
    found = by_name(examine(tmp_path))
    assert list(found) == [
        "Python",
        "virtual environment",
        "cache",
        "disk",
        "bitcoind",
        "kernel backend",
        "setpriv",
        "docker",
        "reference",
        "blockstack.js",
        "browser",
    ]
    assert found["Python"] == Finding("Python", State.OK, sys.version.split()[0], "install Python 3.11 or later")
    assert found["cache"].state is State.OK
    assert found["disk"].detail.endswith("GB free")
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "bitcoind"])


def test_a_bitcoind_that_is_there(tmp_path: Path) -> None:
    program = tmp_path / "bitcoind"
    program.write_text("#!/bin/sh\necho 'Bitcoin Core version v28.2.0'\n")
    program.chmod(0o755)
    found = by_name(examine(tmp_path, program))["bitcoind"]
    assert found.state is State.OK
    assert found.detail.startswith(f"core 28.2.0 (given: {program}), ")
    assert found.detail.endswith("recommended options unknown to it")


def test_what_is_missing_comes_with_a_remedy(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    found = by_name(examine(blocked / "cache", Path("/nowhere")))
    assert found["bitcoind"].state is State.MISSING
    assert found["bitcoind"].remedy == "./lab bitcoind install"
    assert found["cache"].state is State.MISSING
    assert "Not a directory" in found["cache"].detail


def test_what_foreign_clients_need_is_named_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bitcoind_binary: Bitcoind
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = by_name(examine(tmp_path / "cache", bitcoind_binary.program))
    needed = {"reference": "Python 2.7", "blockstack.js": "apt install nodejs npm", "browser": "apt install chromium"}
    for name, advice in needed.items():
        assert found[name].state is State.OPTIONAL
        assert advice in found[name].remedy


def test_rendering() -> None:
    findings = [
        Finding("one", State.OK, "here", "not shown"),
        Finding("other", State.MISSING, "gone", "get it"),
    ]
    assert render(findings) == ["ok        one    here", "missing   other  gone", "                 -> get it"]
    assert render([]) == []
