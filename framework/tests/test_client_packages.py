"""What tests with clients of others need is installed, or named in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bnslab.clients import ClientUnavailable, packages
from bnslab.clients.browser import find_browser
from bnslab.nodes.reference import ReferenceUnavailable

if TYPE_CHECKING:
    from pathlib import Path


def test_each_thing_that_cannot_be_had_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_reference(*_: object) -> None:
        raise ReferenceUnavailable("no usable Python 2.7")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("bnslab.clients.packages.find_spec", lambda _: object())
    monkeypatch.setattr("bnslab.nodes.reference.install", no_reference)
    lines: list[str] = []
    packages.prepare(tmp_path / "cache", lines.append)
    what = [line.partition(": ")[0] for line in lines]
    assert what == ["browser tests", "blockstack.js", "the reference"]
    assert all("what to do" in line for line in lines[:2])


def test_debian_packages_are_installed_by_root_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls"
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    lines: list[str] = []
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    packages._apt_install(lines.append, "nodejs")
    assert not calls.exists()
    monkeypatch.setattr("os.geteuid", lambda: 0)
    packages._apt_install(lines.append, "nodejs", "npm")
    assert calls.read_text().splitlines()[-1].endswith("install -qq -y --no-install-recommends nodejs npm")
    assert lines == ["installing nodejs, npm by apt-get"]
    apt.write_text("#!/bin/sh\necho 'E: Unable to locate package nodejs' >&2; exit 100\n")
    with pytest.raises(ClientUnavailable, match="apt-get failed: E: Unable to locate package"):
        packages._apt_install(lines.append, "nodejs")


def test_the_requirements_of_an_extra_come_from_the_metadata() -> None:
    assert [line.partition(">")[0] for line in packages._requirements("browser")] == ["playwright"]
    assert packages._requirements("nosuch") == []


def test_without_a_browser_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClientUnavailable, match="no chromium on PATH; what to do: install Chromium"):
        find_browser(str(tmp_path))
