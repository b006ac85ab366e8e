"""Finding a Python 2.7 for the reference: the one asked for, the one on PATH, the newest of pyenv."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bnslab.nodes.reference.errors import ReferenceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADVICE = "install Python 2.7 (for example: pyenv install 2.7.18), or give the path of one"
_ANSWERS_WITHIN = 30.0
_PROBE = """
import json, platform, sqlite3, ssl, sys, zlib
abi = [sys.executable, sys.platform, platform.machine(), sys.version, sys.maxunicode]
print(json.dumps([sys.executable, platform.python_version(), repr(abi)]))
"""


@dataclass(frozen=True, slots=True)
class Python2:
    """A Python 2.7 with the modules that the reference needs.

    `version` reads like "2.7.18"; `abi` is a text that differs between interpreters that cannot share built packages.
    """

    program: Path
    version: str
    abi: str


def find_python2(explicit: Path | None = None, *, path: str | None = None, pyenv: Path | None = None) -> Python2:
    """The first usable Python 2.7 of: `explicit` (then nothing else counts), PATH, pyenv's versions.

    `path` replaces the PATH of the environment, `pyenv` the directory of pyenv's versions below the user's home.
    Raises ReferenceUnavailable with what was looked at and what to do.
    """
    versions = Path.home() / ".pyenv" / "versions" if pyenv is None else pyenv
    refused = []
    for program in [explicit.expanduser()] if explicit else _candidates(path, versions):
        try:
            return _ask(program)
        except ReferenceUnavailable as error:
            refused.append(str(error))
    looked = "; ".join(refused) or f"none on PATH, none in {versions}"
    raise ReferenceUnavailable(f"no usable Python 2.7 for the reference: {looked}; what to do: {_ADVICE}")


def _candidates(path: str | None, versions: Path) -> Iterator[Path]:
    on_path = shutil.which("python2.7", path=path)
    if on_path:
        yield Path(on_path)
    yield from sorted(versions.glob("2.7*/bin/python2.7"), key=_patch_level, reverse=True)


def _patch_level(program: Path) -> tuple[int, str]:
    name = program.parents[1].name
    patch = name.removeprefix("2.7.")
    return (int(patch) if patch.isdecimal() else -1, name)


def _ask(program: Path) -> Python2:
    try:
        command = [str(program), "-c", _PROBE]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_ANSWERS_WITHIN)
    except subprocess.TimeoutExpired:
        raise ReferenceUnavailable(f"{program} does not answer within {_ANSWERS_WITHIN:g} s") from None
    except OSError as error:
        raise ReferenceUnavailable(f"{program} does not run: {error.strerror or error}") from None
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ReferenceUnavailable(f"{program} does not serve: {said}")
    try:
        # sys.executable, because the program may be a wrapper.
        executable, version, abi = msgspec.json.decode(done.stdout, type=tuple[str, str, str])
    except msgspec.DecodeError:
        raise ReferenceUnavailable(f"{program} is no Python: it says {done.stdout[:80]!r}") from None
    if not version.startswith("2.7."):
        raise ReferenceUnavailable(f"{program} is Python {version}")
    return Python2(Path(executable), version, abi)
