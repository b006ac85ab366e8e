"""blockstack.js, the client library of the reference's time, from the npm registry into the cache.

```python
installed = javascript.install(cache, print)
with BlockstackJs(installed, api=..., bitcoind=..., user=..., password=...) as client:
    client.call("transactions.makePreorder", "foo.test", address, key)
```
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import select
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, Self

from bnslab.bitcoind import guard, locks
from bnslab.clients.errors import ClientError, ClientUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLDEST_NODE = 18
"""The first major version of Node.js that has fetch."""

_SOURCES = files("bnslab.clients").joinpath("js")
_MANIFESTS = ("package.json", "package-lock.json")
_ADVICE = "install Node.js 18 or later with npm (Debian, Ubuntu: apt install nodejs npm; macOS: brew install node)"
_PARTIAL = ".partial-"
_INSTALLED_WITHIN = 600.0
_ANSWERS_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class NodeJs:
    """A Node.js and its package manager. version reads like "20.20.2"."""

    program: str
    npm: str
    version: str


@dataclass(frozen=True, slots=True)
class Installed:
    """blockstack.js in a directory, for a Node.js."""

    node: NodeJs
    directory: Path


def version() -> str:
    """The version of blockstack.js that is installed."""
    manifest: dict[str, Any] = json.loads(_SOURCES.joinpath(_MANIFESTS[0]).read_text())
    return str(manifest["dependencies"]["blockstack"])


def find_node(path: str | None = None) -> NodeJs:
    """The Node.js and npm on PATH, or on the path given; ClientUnavailable if they are missing or too old."""
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        missing = " and ".join(name for name, found in (("node", node), ("npm", npm)) if found is None)
        raise ClientUnavailable(f"no {missing} on PATH; what to do: {_ADVICE}")
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30.0, check=True).stdout
        major = int(said.removeprefix("v").partition(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ClientUnavailable(f"{node} does not work: {error}; what to do: {_ADVICE}") from None
    if major < OLDEST_NODE:
        raise ClientUnavailable(f"{node} is Node.js {said.strip()}; what to do: {_ADVICE}")
    return NodeJs(node, npm, said.strip().removeprefix("v"))


def find(cache: Path, node: NodeJs | None = None) -> Installed:
    """The installation in a cache; ClientUnavailable when it is not there, or no Node.js is."""
    node = node or find_node()
    directory = _place(cache)
    if not directory.is_dir():
        raise ClientUnavailable("blockstack.js is not installed; what to do: ./lab test --all installs it")
    return Installed(node, directory.resolve())


def install(cache: Path, report: Callable[[str], None], node: NodeJs | None = None) -> Installed:
    """Install blockstack.js below a cache, from the registry that npm is set up for, unless it is there already.

    What is installed is what the lock file names, by hash; scripts of packages are not run. The installation appears in
    one step. Raises ClientUnavailable.
    """
    node = node or find_node()
    place = _place(cache)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with locks.locked(place.parent / ".lock", lambda: report("another installation is under way; waiting for it")):
            if not place.is_dir():
                report(f"installing blockstack.js {version()} for Node.js {node.version}")
                _install(node, place)
    except OSError as error:
        raise ClientUnavailable(f"cannot install into the cache {cache}: {error.strerror or error}") from error
    return find(cache, node)


def _place(cache: Path) -> Path:
    content = b"".join(_SOURCES.joinpath(name).read_bytes() for name in _MANIFESTS)
    return cache / "blockstack.js" / hashlib.sha256(content).hexdigest()[:32]


def _install(node: NodeJs, place: Path) -> None:
    for left_over in place.parent.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    work = place.parent / f"{_PARTIAL}{secrets.token_hex(8)}"
    work.mkdir()
    try:
        for name in _MANIFESTS:
            (work / name).write_bytes(_SOURCES.joinpath(name).read_bytes())
        command = [node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=_INSTALLED_WITHIN, check=True)
        work.rename(place)
    except subprocess.CalledProcessError as error:
        said = [line for line in error.stderr.splitlines() if line.strip()] or [str(error)]
        raise ClientUnavailable(f"npm failed: {said[0]}; what to do: connect to the network") from None
    except subprocess.TimeoutExpired:
        raise ClientUnavailable(f"npm failed: not done within {_INSTALLED_WITHIN:g} s") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


class BlockstackJs:
    """A running Node.js in which functions of blockstack.js are called; a context manager.

    api, broadcaster, bitcoind and insight are URLs, user and password those of bitcoind; with insight, bitcoind is not
    asked. network is the name of a class: LocalRegtest, or BlockstackNetwork, which takes all addresses for those of
    mainnet. The process ends with its standard input, however this one ends.
    """

    def __init__(
        self,
        installed: Installed,
        *,
        api: str,
        bitcoind: str = "",
        user: str = "",
        password: str = "",
        broadcaster: str = "http://127.0.0.1:9",
        insight: str = "",
        network: str = "LocalRegtest",
    ) -> None:
        self._installed = installed
        self._settings = {
            "network": network,
            "api": api,
            "broadcaster": broadcaster,
            "insight": insight,
            "bitcoind": bitcoind,
            "user": user,
            "password": password,
        }

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        node, directory = self._installed.node, self._installed.directory
        with as_file(_SOURCES.joinpath("client.js")) as script:
            command = [*guard.spawn_prefix(), node.program, str(script), str(directory)]
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=directory)
            try:
                self._ask(self._settings)
            except BaseException:
                self._end()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def call(self, function: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the function gives
        """What a function of the package gives; ClientError with its message if it fails."""
        return self._ask([function, *arguments])

    def _ask(self, question: object) -> Any:  # noqa: ANN401 - JSON
        assert self._process.stdin is not None, "spawned with a pipe"
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ClientError(f"blockstack.js has ended: {self._last_words()}") from None
        answer = json.loads(self._read_line())
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer.get("result")

    def _read_line(self) -> bytes:
        assert self._process.stdout is not None, "spawned with a pipe"
        deadline = time.monotonic() + _ANSWERS_WITHIN
        line = b""
        poller = select.poll()
        poller.register(self._process.stdout, select.POLLIN)
        while not line.endswith(b"\n"):
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise ClientError(f"blockstack.js did not answer within {_ANSWERS_WITHIN:g} s")
            said = os.read(self._process.stdout.fileno(), 1 << 16)
            if not said:
                raise ClientError(f"blockstack.js has ended: {self._last_words()}")
            line += said
        return line

    def _last_words(self) -> str:
        _, errors = self._process.communicate()
        lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
        return next((line for line in lines if "Error" in line), lines[-1] if lines else "it said nothing")

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()
