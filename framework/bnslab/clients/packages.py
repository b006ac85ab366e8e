"""What tests with foreign clients and browsers need of the machine, installed by its own package managers."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bnslab.clients import browser, javascript
from bnslab.clients.errors import ClientUnavailable
from bnslab.errors import LabError
from bnslab.nodes import reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STEP_WITHIN = 900.0
_EXTRA = "browser"


def prepare(cache: Path, report: Callable[[str], None]) -> None:
    """Install what is missing, as far as it can be had; one line for each thing that cannot."""
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("browser tests", lambda: _browser(report)),
        ("blockstack.js", lambda: _javascript(cache, report)),
        ("the reference", lambda: reference.install(cache, report)),
    )
    for what, step in steps:
        try:
            step()
        except LabError as error:
            report(f"{what}: {error}")


def _browser(report: Callable[[str], None]) -> None:
    if find_spec("playwright") is None:
        report("installing playwright")
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
        _run([*pip, *_requirements(_EXTRA)])
        importlib.invalidate_caches()
    if not any(map(shutil.which, browser.PROGRAMS)):
        _apt_install(report, browser.PROGRAMS[0])
    browser.find_browser()


def _javascript(cache: Path, report: Callable[[str], None]) -> None:
    missing = [package for program, package in (("node", "nodejs"), ("npm", "npm")) if shutil.which(program) is None]
    if missing:
        _apt_install(report, *missing)
    javascript.install(cache, report)


def _requirements(extra: str) -> list[str]:
    """What an extra of this project asks for, as its metadata says it."""
    lines = [line.partition(";") for line in importlib.metadata.requires("bnslab") or ()]
    return [
        requirement for requirement, _, marker in lines if marker.strip().replace("'", '"') == f'extra == "{extra}"'
    ]


def _apt_install(report: Callable[[str], None], *packages: str) -> None:
    """Install Debian packages where that is possible without asking anybody: as root. Elsewhere do nothing."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return
    report(f"installing {', '.join(packages)} by apt-get")
    _run([apt, "update", "-qq"])
    _run([apt, "install", "-qq", "-y", "--no-install-recommends", *packages])


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_STEP_WITHIN,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        said = [line for line in (error.stderr or error.stdout).splitlines() if line.strip()] or [str(error)]
        raise ClientUnavailable(f"{Path(command[0]).name} failed: {said[-1]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClientUnavailable(f"{Path(command[0]).name} failed: {error}") from None
