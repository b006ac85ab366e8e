"""Fixtures of the harness's own tests: a bitcoind, a run directory, a running node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import platformdirs
import pytest

from bnslab.bitcoind import Bitcoind, BitcoindNotFound, PortPool, RegtestNode, RunDirectory, find, install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOCKTIME = 1_500_000_000


@pytest.fixture(scope="session")
def bitcoind_binary() -> Bitcoind:
    """The bitcoind of this machine; installed into the user's cache if there is none."""
    cache = platformdirs.user_cache_path("bnslab")
    try:
        return find(None, cache)
    except BitcoindNotFound:
        return install(cache, lambda _: None)


@pytest.fixture(scope="session")
def port_pool(worker_id: str) -> PortPool:
    """The ports of this test worker."""
    return PortPool(0 if worker_id == "master" else int(worker_id.removeprefix("gw")))


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
