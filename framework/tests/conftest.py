"""Fixtures of the harness's own tests: labs, a bitcoind, a cache that holds it, a run directory, a running node."""

from __future__ import annotations

import signal
from contextlib import closing
from typing import TYPE_CHECKING

import platformdirs
import pytest

from bnslab import Reason
from bnslab.bitcoind import Bitcoind, BitcoindNotFound, PortPool, RegtestNode, RunDirectory, find, install
from bnslab.chain import BitcoindBackend, base_chain, start_node
from bnslab.clients import ClientUnavailable, javascript
from bnslab.fixtures import save
from bnslab.nodes import reference as reference_node
from bnslab.recording import record
from tests.guard import guarded
from tests.labs import Labs
from tests.projects import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bnslab.nodes.reference import Reference

__all__ = ["guarded"]

MOCKTIME = 1_500_000_000


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell makes what it starts in the background ignore Ctrl-C; the programs that tests interrupt must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def make_lab() -> Iterator[Labs]:
    """Makes labs on chains in memory."""
    labs = Labs()
    yield labs
    labs.close()


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """A new project in which scenarios can be run; the test's module asks for the plugin `pytester`."""
    return Project(pytester)


@pytest.fixture(scope="session")
def bitcoind_binary() -> Bitcoind:
    """The bitcoind of this machine; installed into the user's cache if there is none."""
    cache = platformdirs.user_cache_path("bnslab")
    try:
        return find(None, cache)
    except BitcoindNotFound:
        return install(cache, lambda _: None)


@pytest.fixture(scope="session")
def installed() -> javascript.Installed:
    """blockstack.js in the user's cache; installed if it is not there, and skipped if it cannot be had."""
    try:
        return javascript.install(platformdirs.user_cache_path("bnslab"), lambda _: None)
    except ClientUnavailable as absent:
        pytest.skip(str(absent))


@pytest.fixture(scope="session")
def reference() -> Reference:
    """The same for the reference."""
    try:
        return reference_node.install(platformdirs.user_cache_path("bnslab"), lambda _: None)
    except reference_node.ReferenceUnavailable as absent:
        pytest.skip(str(absent))


@pytest.fixture(scope="session")
def make_cache(bitcoind_binary: Bitcoind) -> Callable[[Path], Path]:
    """Makes a new cache directory in which that bitcoind is found, unless PATH has it anyway."""

    def make(path: Path) -> Path:
        (path / "bitcoind").mkdir(parents=True)
        if bitcoind_binary.source != "PATH":
            entry = bitcoind_binary.program.parent.parent
            (path / "bitcoind" / entry.name).symlink_to(entry, target_is_directory=True)
        return path

    return make


@pytest.fixture(scope="session")
def port_pool() -> PortPool:
    """The ports of this test worker."""
    return PortPool.claimed()


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A locked and guarded directory for nodes."""
    with RunDirectory.create(tmp_path_factory.mktemp("cache")) as run:
        yield run.path


@pytest.fixture
def node(bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool) -> Iterator[RegtestNode]:
    """A fresh node with an empty chain."""
    with RegtestNode.start(bitcoind_binary, run_directory, port_pool, mocktime=MOCKTIME) as running:
        yield running


@pytest.fixture(scope="module")
def backend(bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool) -> Iterator[BitcoindBackend]:
    """A chain that a bitcoind of its own judges."""

    def start() -> RegtestNode:
        return start_node(bitcoind_binary, run_directory, port_pool)

    with closing(BitcoindBackend(base_chain(), start)) as opened:
        yield opened


@pytest.fixture
def fixture(make_lab: Labs, tmp_path: Path) -> Path:
    """The file of a namespace, a name and a refused revocation in blocks 111 to 116."""
    lab = make_lab()
    lab.namespace("test", by="alice")
    lab.register("foo.test", by="bob")
    with lab.rejects(Reason.NOT_OWNER):
        lab.revoke("foo.test", by="carol")
    save(tmp_path / "mine.json.gz", record(lab))
    return tmp_path / "mine.json.gz"
