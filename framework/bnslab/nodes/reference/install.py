"""Getting the reference into the cache: the packages from the package index, pinned, beside no others, all or nothing.

An installation is a plain directory of packages for one interpreter. They are installed by the last pip that runs on
Python 2.7, which this Python's pip downloads, so the interpreter needs no pip of its own and stays untouched. Both use
the package index that pip is set up for on this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnslab.bitcoind import locks
from bnslab.nodes.reference.errors import ReferenceUnavailable
from bnslab.nodes.reference.locate import Python2, find_python2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

VERSION = "19.0.8.1"

PINS = (
    f"blockstack=={VERSION}",
    "virtualchain==0.20.0",
    # what they import, at the last release for Python 2.7 or the one they ask for
    "base58==1.0.3",
    "bitmerchant==0.1.8",
    "blockstack-zones==0.19.0.0",
    "cachetools==3.1.1",
    "certifi==2021.10.8",
    "cffi==1.15.1",
    "chardet==4.0.0",
    "cryptography==3.3.2",
    "defusedxml==0.7.1",
    "ecdsa==0.19.2",
    "enum34==1.1.10",
    "functools32==3.2.3.post2",
    "idna==2.10",
    "ipaddress==1.0.23",
    "jsonschema==2.6.0",
    "jsontokens==0.0.5",
    "keychain==0.14.2.0",
    "keylib==0.1.1",
    "protocoin==0.2",
    "pycparser==2.21",
    "pyparsing==2.4.7",
    "pystun==0.1.0",
    "requests==2.27.1",
    "simplejson==4.3.0",
    "six==1.17.0",
    "urllib3==1.26.20",
    "utilitybelt==0.2.6",
    # RIPEMD-160, which an interpreter built against OpenSSL 3 lacks
    "pycryptodomex==3.15.0",
)
TOOLS = ("pip==20.3.4", "setuptools==44.1.1", "wheel==0.37.1")

_PARTIAL = ".partial-"
_STEP_WITHIN = 900.0
_IMPORT = "import virtualchain, blockstack.blockstackd"


@dataclass(frozen=True, slots=True)
class Reference:
    """The installed reference: its interpreter and the directory of its packages."""

    python: Python2
    packages: Path


def find(cache: Path, python: Path | None = None) -> Reference:
    """The reference in `cache` for the Python 2.7 given or found; ReferenceUnavailable when it is not installed."""
    return _installed(cache, find_python2(python))


def install(cache: Path, report: Callable[[str], None], *, python: Path | None = None) -> Reference:
    """Install the reference below `cache` for the Python 2.7 given or found, unless it is there already.

    `report` is called with lines of progress. The installation appears in one step: an interrupted one leaves nothing
    that could be taken for one, and of several at once one does the work and the others find it done. Raises
    ReferenceUnavailable.
    """
    python2 = find_python2(python)
    root = cache / "reference"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with locks.locked(root / ".lock", lambda: report("another installation is under way; waiting for it")):
            with contextlib.suppress(ReferenceUnavailable):
                found = _installed(cache, python2)
                report(f"the reference is installed in {found.packages}")
                return found
            return _install(root, python2, report)
    except OSError as error:
        raise ReferenceUnavailable(f"cannot install into the cache {cache}: {error.strerror or error}") from error


def _place(cache: Path, python: Python2) -> Path:
    text = "\n".join([*PINS, *TOOLS, python.abi])
    return cache / "reference" / hashlib.sha256(text.encode()).hexdigest()[:32]


def _installed(cache: Path, python: Python2) -> Reference:
    packages = _place(cache, python)
    if not packages.is_dir():
        raise ReferenceUnavailable(f"the reference is not installed for Python {python.version} ({python.program})")
    return Reference(python, packages.resolve())


def _install(root: Path, python: Python2, report: Callable[[str], None]) -> Reference:
    for left_over in root.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    report(f"Blockstack Core {VERSION} for Python {python.version} ({python.program})")
    with _staging(root) as work:
        report("downloading pip for Python 2.7")
        wheels = work / "wheels"
        download = ["download", "--no-deps", "--only-binary", ":all:", "--python-version", "2.7", "--dest", str(wheels)]
        _pip([sys.executable], [*download, *TOOLS])
        tools = work / "tools"
        pip = next(wheels.glob("pip-*.whl"))
        files = sorted(str(wheel) for wheel in wheels.iterdir())
        _pip(_python(python, pip), ["install", "--no-deps", "--target", str(tools), *files])
        report(f"downloading and building {len(PINS)} packages")
        packages = work / "packages"
        _pip(_python(python, tools), ["install", "--no-deps", "--target", str(packages), *PINS])
        _run([*_python(python, packages), "-S", "-c", _IMPORT], "the packages cannot be imported")
        place = _place(root.parent, python)
        packages.rename(place)
    report(f"installed in {place}")
    return _installed(root.parent, python)


def _python(python: Python2, packages: Path) -> list[str]:
    # By env, so that all else of the environment (a proxy, pip's settings) stays in force.
    return ["env", f"PYTHONPATH={packages}", str(python.program)]


def _pip(python: Sequence[str], arguments: Sequence[str]) -> None:
    options = ("--disable-pip-version-check", "--no-input", "--quiet")
    _run([*python, "-m", "pip", *options, *arguments], "pip failed")


def _run(command: Sequence[str], failure: str) -> None:
    try:
        subprocess.run(
            command, capture_output=True, check=True, text=True, errors="replace", timeout=_STEP_WITHIN, cwd="/"
        )
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()]
        telling = [line for line in lines if "ERROR" in line or "Error" in line] or lines
        raise ReferenceUnavailable(f"{failure}: {telling[-1].strip() if telling else error}") from error
    except subprocess.TimeoutExpired as error:
        raise ReferenceUnavailable(f"{failure}: not done within {_STEP_WITHIN:g} s") from error


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Path]:
    work = root.resolve() / f"{_PARTIAL}{secrets.token_hex(8)}"
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
