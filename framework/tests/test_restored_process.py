"""A node that begins with a snapshot, beside a bitcoind that changes its mind before the first start or after it."""

from __future__ import annotations

import signal
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.keys import PrivateKey
from bns.engine import Engine
from bns.node import daemon
from bns.node.bitcoind import BitcoindSource
from bns.node.indexer import catch_up
from bns.state.store import State
from bnslab.campaigns.digest import dump
from tests.cores import Core
from tests.labs import other_branch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.bitcoind import PortPool
    from bnslab.chain import BitcoindBackend
    from bnslab.lab import Lab
    from tests.labs import Labs

KEY = PrivateKey.from_label("signer")


@pytest.fixture
def lab(make_lab: Labs, backend: BitcoindBackend) -> Lab:
    """A chain with names that have moved, up to a block whose backup a node makes."""
    lab = make_lab(chain=backend)
    lab.namespace("test", by="alice")
    for number in range(3):
        lab.register(f"name{number}.test", by="alice")
        lab.transfer(f"name{number}.test", by="alice", to="bob")
        lab.mine()
    lab.mine(-lab.height % 4)
    return lab


@pytest.fixture
def restored(tmp_path: Path, lab: Lab, backend: BitcoindBackend, port_pool: PortPool) -> Iterator[Core]:
    """A node that has a snapshot of another one, and was never started."""
    with ExitStack() as stack:
        source = Core(tmp_path / "source", lab, backend.node, port_pool, stack)
        process = source.start()
        process.wait_for(f"indexed up to block {lab.height}")
        process.end(signal.SIGTERM)
        assert source("fast_sync_snapshot", KEY.secret.hex(), tmp_path / "snapshot.bsk")[0] == 0
        copy = Core(tmp_path / "copy", lab, backend.node, port_pool, stack)  # as late as can be: its ports are free now
        assert copy("fast_sync", tmp_path / "snapshot.bsk", KEY.public_key.hex())[0] == 0
        yield copy


def reorganise(backend: BitcoindBackend, lab: Lab, depth: int) -> int:
    """Replace the last blocks; the height of the fork."""
    fork, *dropped = backend.blocks_from(lab.height - depth)
    backend.rollback(fork.tip.height)
    for block in other_branch(dropped, fork, depth + 2):
        backend.accept(block.raw)
    return fork.tip.height


@pytest.mark.parametrize("moment", ["before the first start", "while it runs", "between two starts"])
def test_a_restored_node_notices_a_reorganisation(
    restored: Core, lab: Lab, backend: BitcoindBackend, moment: str
) -> None:
    if moment != "before the first start":
        process = restored.start()
        process.wait_for(f"indexed up to block {lab.height}, consensus hash {lab.consensus_hash}")
        if moment == "between two starts":
            process.end(signal.SIGTERM)
    fork = reorganise(backend, lab, 6)
    if moment != "while it runs":
        process = restored.start()
    process.wait_for(f"the chain was reorganised: back to block {fork}")
    process.wait_for(f"indexed up to block {lab.height + 2}")
    process.end(signal.SIGTERM)
    fresh = State.memory(lab.params)
    with closing(BitcoindSource(backend.node.rpc)) as source:
        catch_up(source, Engine(lab.params, fresh), fresh, confirmations=0)
    with closing(State.open(restored.directory / daemon.DATABASE, lab.params)) as state:
        found = dump(state, undo=False)
    assert all(rows == found[name] for name, rows in dump(fresh, undo=False).items())


def test_a_database_is_looked_for_in_the_blocks(restored: Core, lab: Lab, backend: BitcoindBackend) -> None:
    asked = "verifydb", lab.height, lab.consensus_hash, restored.directory
    consistent = 0, f"Database is consistent with {lab.consensus_hash}\n", ""
    assert restored(*asked, "--blocks") == consistent
    reorganise(backend, lab, 6)
    assert restored(*asked) == consistent
    status, output, complaint = restored(*asked, "--blocks")
    assert (status, output) == (1, "Database is NOT CONSISTENT\n")
    assert "at place 1, the best chain has it not there" in complaint
