"""Nodes that are forked from a process with everything imported: they live, end and are found as others are."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from bnslab.bitcoind import RunDirectory, guard
from bnslab.chain import BitcoindBackend, base_chain, start_node
from bnslab.errors import LabError
from bnslab.nodes.child import NodeFailed
from bnslab.nodes.forkserver import ForkServer
from bnslab.nodes.process import ProcessNode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bns.params import Params
    from bnslab.bitcoind import Bitcoind, PortPool, RegtestNode
    from bnslab.lab import Lab
    from bnslab.nodes import Node
    from bnslab.outputs import Outputs
    from tests.labs import Labs

SECONDS = 30


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    with RunDirectory.create(tmp_path / "cache") as opened:
        yield opened.path


@pytest.fixture
def forks(run: Path) -> Iterator[ForkServer]:
    with closing(ForkServer(run)) as server:
        yield server


@pytest.fixture
def lab(
    make_lab: Labs, bitcoind_binary: Bitcoind, run_directory: Path, run: Path, forks: ForkServer, port_pool: PortPool
) -> Iterator[Lab]:
    def start() -> RegtestNode:
        return start_node(bitcoind_binary, run_directory, port_pool)

    with closing(BitcoindBackend(base_chain(), start)) as backend:

        def make(params: Params, outputs: Outputs) -> Node:
            return ProcessNode(params, outputs, bitcoind=backend.node, run_dir=run, ports=port_pool, forks=forks)

        made = make_lab(chain=backend, node=make, identity="forked")
        yield made
        made.close()


def started(forks: ForkServer, directory: Path, *arguments: str) -> tuple[int, str]:
    """The exit status of a forked command, and what it wrote."""
    directory.mkdir(exist_ok=True)
    reader, writer = os.pipe()
    with (directory / "log").open("ab") as log:
        process = forks.fork(["start", *arguments], directory, log.fileno(), writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b""
    return process.wait(), (directory / "log").read_text()


def test_forked_nodes_follow_the_chain_one_after_another(lab: Lab, run: Path) -> None:
    lab.namespace("test", by="alice")
    lab.node.restart()
    lab.register("foo.test", by="bob")
    assert lab.get("/v1/names/foo.test").json()["address"] == lab.wallet("bob").address
    assert len(guard.owned(run)) == 2, "the fork server and the node"
    lab.finish()


def test_what_a_forked_command_says_and_how_it_ends(forks: ForkServer, run: Path) -> None:
    status, said = started(forks, run / "one", "--foreground", "--port", "0")
    assert (status, said.count("\n")) == (2, 1)
    assert said.startswith("blockstack-core: Invalid value for '--port'")
    status, said = started(forks, run / "two", "--help")
    assert (status, said.splitlines()[0]) == (0, "Usage: blockstack-core start [OPTIONS]")


def test_a_forked_node_that_is_killed_is_named(lab: Lab) -> None:
    lab.mine()
    child = lab.node._child  # type: ignore[attr-defined]
    os.kill(child.process.pid, signal.SIGKILL)
    with pytest.raises(NodeFailed, match=r"(?s)^the node ended: signal SIGKILL; its log ends:.*the node is ready"):
        lab.mine()


def test_forked_nodes_end_with_the_server(lab: Lab, forks: ForkServer) -> None:
    process = psutil.Process(lab.node._child.process.pid)  # type: ignore[attr-defined]
    forks.close()
    process.wait(SECONDS)


def test_forked_nodes_end_with_the_run(lab: Lab, run: Path) -> None:
    process = psutil.Process(lab.node._child.process.pid)  # type: ignore[attr-defined]
    server = process.parent()
    assert sorted(guard.reap(run)) == sorted([process.pid, server.pid])
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_server_that_is_gone_is_told(forks: ForkServer, run: Path) -> None:
    assert started(forks, run / "one", "--help")[0] == 0  # now it is a process of that name
    (pid,) = guard.owned(run)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(LabError, match="the process that forks nodes has ended; it said: nothing"):
        started(forks, run / "two", "--help")
