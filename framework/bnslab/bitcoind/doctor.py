"""What is here, what is missing, how to get it."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bnslab.bitcoind import guard
from bnslab.bitcoind.errors import BitcoindNotFound
from bnslab.bitcoind.flags import probe_flags
from bnslab.bitcoind.image import engine_absent
from bnslab.bitcoind.locate import find
from bnslab.clients import ClientUnavailable, javascript
from bnslab.clients.browser import find_browser
from bnslab.nodes import reference

if TYPE_CHECKING:
    from pathlib import Path

    from bnslab.errors import LabError

_ENOUGH_DISK = 500_000_000


class State(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: its state, what was found, and how to get it when it is not there.

    MISSING means the harness cannot do its work without it; OPTIONAL that only some of it is lost.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine(cache: Path, explicit: Path | None = None) -> list[Finding]:
    """Look at this machine. `cache` is the harness's cache directory, `explicit` a bitcoind the user named."""
    return [
        _python(),
        _venv(),
        _cache(cache),
        _disk(cache),
        _bitcoind(cache, explicit),
        _kernel(),
        _setpriv(),
        _docker(),
        _reference(cache),
        _javascript(cache),
        _browser(),
    ]


def render(findings: list[Finding]) -> list[str]:
    """The findings as lines of text; a remedy has a line of its own."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<8}  {finding.name:<{width}}  {finding.detail}")
        if finding.remedy and finding.state is not State.OK:
            lines.append(f"{'':<8}  {'':<{width}}  -> {finding.remedy}")
    return lines


def _python() -> Finding:
    fit = sys.version_info >= (3, 11)
    return Finding("Python", _state(fit), platform.python_version(), "install Python 3.11 or later")


def _venv() -> Finding:
    own = sys.prefix != sys.base_prefix
    detail = sys.prefix if own else "not in a virtual environment"
    return Finding(
        "virtual environment", State.OK if own else State.OPTIONAL, detail, "start with ./lab, which makes one"
    )


def _cache(cache: Path) -> Finding:
    remedy = f"make {cache} writable"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            return Finding("cache", State.OK, f"{cache} is writable")
    except OSError as error:
        return Finding("cache", State.MISSING, f"{cache} cannot be written: {error.strerror or error}", remedy)


def _disk(cache: Path) -> Finding:
    existing = next(path for path in (cache, *cache.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    return Finding("disk", _state(free >= _ENOUGH_DISK), f"{free / 1e9:.1f} GB free", "free half a gigabyte")


def _bitcoind(cache: Path, explicit: Path | None) -> Finding:
    try:
        found = find(explicit, cache)
    except BitcoindNotFound as error:
        return Finding("bitcoind", State.MISSING, str(error).partition(";")[0], "./lab bitcoind install")
    unknown = len(probe_flags(found).unknown)
    left_out = f", {unknown} recommended options unknown to it" if unknown else ""
    return Finding("bitcoind", State.OK, f"{found.flavour} {found.version} ({found.source}: {found.program}){left_out}")


def _kernel() -> Finding:
    name = "kernel backend"
    try:
        version = importlib.metadata.version("py-bitcoinkernel")
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, State.OPTIONAL, "py-bitcoinkernel is not installed", "pip install 'bnslab[kernel]'")
    return Finding(name, State.OK, f"py-bitcoinkernel {version}")


def _setpriv() -> Finding:
    if not guard.is_linux():
        return Finding("setpriv", State.OK, "not used on this system; the guard process ends nodes")
    program = shutil.which("setpriv")
    if program:
        return Finding("setpriv", State.OK, program)
    detail = "not installed; the guard process alone ends nodes"
    return Finding("setpriv", State.OPTIONAL, detail, "install util-linux")


def _docker() -> Finding:
    absent = engine_absent()
    if absent:
        return Finding("docker", State.OPTIONAL, absent, "needed for --chain docker only: install it, start its daemon")
    return Finding("docker", State.OK, "its daemon answers")


def _reference(cache: Path) -> Finding:
    name = "reference"
    try:
        python = reference.find_python2()
    except reference.ReferenceUnavailable as error:
        return _absent(name, error, "needed to compare with the reference only")
    where = f"Python {python.version} ({python.program})"
    try:
        reference.find(cache, python.program)
    except reference.ReferenceUnavailable:
        return Finding(name, State.OK, f"not installed; can be, for {where}")
    return Finding(name, State.OK, f"Blockstack Core {reference.VERSION} for {where}")


def _javascript(cache: Path) -> Finding:
    name = "blockstack.js"
    try:
        node = javascript.find_node()
    except ClientUnavailable as error:
        return _absent(name, error, "needed to test with this client only")
    where = f"Node.js {node.version} ({node.program}) and npm"
    try:
        javascript.find(cache, node)
    except ClientUnavailable:
        return Finding(name, State.OK, f"not installed; can be, by {where}")
    return Finding(name, State.OK, f"{javascript.version()} for {where}")


def _browser() -> Finding:
    name = "browser"
    try:
        return Finding(name, State.OK, str(find_browser()))
    except ClientUnavailable as error:
        return _absent(name, error, "needed to test the panel of ./lab up only")


def _absent(name: str, error: LabError, needed: str) -> Finding:
    detail, _, remedy = str(error).partition("; what to do: ")
    return Finding(name, State.OPTIONAL, detail, f"{needed}: {remedy}")


def _state(fit: bool) -> State:
    return State.OK if fit else State.MISSING
