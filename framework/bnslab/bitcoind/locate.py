"""Finding a bitcoind: the one asked for, the one on PATH, the one in the cache; and asking it what it is."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bnslab.bitcoind.errors import BitcoindNotFound

OLDEST = 25
"""Lowest major version that is supported."""

_ADVICE = "install one with: bnslab bitcoind install (or name one with --bitcoind PATH)"
_ANSWERS_WITHIN = 30.0
_VERSION = re.compile(r"version v?((\d+)\.\S*)")
_OPTION = re.compile(r"^\s{1,4}-([a-z0-9]+)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bitcoind:
    """A bitcoind that runs here.

    `argv` is the command to which options are added (a program, or a loader with its libraries and the program),
    `version` reads like "28.2.0", `flavour` is "core" or "knots", `source` says where it was found ("given", "PATH" or
    the name of the cache entry), `options` are the names it understands, without the dash.
    """

    argv: tuple[str, ...]
    version: str
    flavour: str
    source: str
    options: frozenset[str] = field(repr=False)

    @property
    def program(self) -> Path:
        """The program file itself."""
        return Path(self.argv[-1])


def find(explicit: Path | None, cache: Path, *, path: str | None = None) -> Bitcoind:
    """The first usable bitcoind of: `explicit` (then nothing else counts), PATH, the cache.

    `path` replaces the PATH of the environment. Raises BitcoindNotFound with what was looked at and what to do.
    """
    if explicit is not None:
        program = shutil.which(explicit.expanduser())
        if program is None:
            raise BitcoindNotFound(f"no bitcoind at {explicit}: it is not an executable file")
        return identify((str(Path(program).resolve()),), "given", cache)
    refused = []
    candidates = [(command(entry), entry.name) for entry in entries(cache)]
    on_path = shutil.which("bitcoind", path=path)
    if on_path:
        candidates.insert(0, ((str(Path(on_path).resolve()),), "PATH"))
    for argv, source in candidates:
        try:
            return identify(argv, source, cache)
        except BitcoindNotFound as error:
            refused.append(str(error))
    looked = "; ".join(refused) or f"none on PATH, none in {cache}"
    raise BitcoindNotFound(f"no usable bitcoind: {looked}; {_ADVICE}")


def entries(cache: Path) -> list[Path]:
    """The complete installations in the cache."""
    return sorted(program.parent.parent for program in (cache / "bitcoind").glob("[!.]*/bin/bitcoind"))


def command(entry: Path) -> tuple[str, ...]:
    """How the program of an installation is called: through the loader it brought along, if it did.

    Computed from where the entry lies now, so that a cache can be moved.
    """
    entry = entry.resolve()
    program = str(entry / "bin" / "bitcoind")
    libraries = entry / "lib"
    loader = next(iter(sorted(libraries.glob("ld-linux*.so*"))), None)
    return (program,) if loader is None else (str(loader), "--library-path", str(libraries), program)


def identify(argv: tuple[str, ...], source: str, cache: Path | None = None) -> Bitcoind:
    """Ask the program for its version and options; the answers are kept in the cache until the file changes.

    Raises BitcoindNotFound when it does not run or is older than version 25.
    """
    note = _note(argv[-1], cache) if cache else None
    told = _recall(note) if note else None
    if told is None:
        told = _ask(argv)
        if note:
            _remember(note, told)
    version, options = told
    numbers = _VERSION.search(version)
    if numbers is None or "bitcoin" not in version.lower():
        raise BitcoindNotFound(f"{argv[-1]} is no bitcoind: it calls itself {version!r}")
    if int(numbers[2]) < OLDEST:
        raise BitcoindNotFound(f"{argv[-1]} is version {numbers[1]}: {OLDEST} or later is needed")
    flavour = "knots" if "knots" in version.lower() else "core"
    return Bitcoind(argv, numbers[1], flavour, source, frozenset(options))


def _ask(argv: tuple[str, ...]) -> tuple[str, list[str]]:
    def answer(*options: str) -> str:
        done = subprocess.run(
            [*argv, *options], capture_output=True, text=True, errors="replace", timeout=_ANSWERS_WITHIN, check=True
        )
        return done.stdout

    try:
        version = (answer("-version").splitlines() or [""])[0]
        return version, sorted(set(_OPTION.findall(answer("-help", "-help-debug"))))
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]
        raise BitcoindNotFound(f"{argv[-1]} does not run: {said}") from error
    except subprocess.TimeoutExpired as error:
        raise BitcoindNotFound(f"{argv[-1]} does not answer -version within {_ANSWERS_WITHIN:g} s") from error
    except OSError as error:
        raise BitcoindNotFound(f"{argv[-1]} does not run: {error.strerror or error}") from error


def _note(program: str, cache: Path) -> Path | None:
    try:
        state = Path(program).stat()
    except OSError:
        return None
    key = f"{program}\0{state.st_mtime_ns}\0{state.st_size}".encode()
    return cache / "bitcoind" / "probes" / f"{hashlib.sha256(key).hexdigest()[:32]}.json"


def _recall(note: Path) -> tuple[str, list[str]] | None:
    try:
        told = orjson.loads(note.read_bytes())
        return str(told["version"]), [str(name) for name in told["options"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(note: Path, told: tuple[str, list[str]]) -> None:
    # A note that cannot be written costs the next run 20 ms; a half-written one is not believed.
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_bytes(orjson.dumps({"version": told[0], "options": told[1]}))
    except OSError:
        return
