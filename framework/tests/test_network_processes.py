"""Networks of processes around a lab: what they agree on, and that the checks find what they do not."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash
from bnslab.bitcoind import guard
from bnslab.errors import CheckFailed
from bnslab.network import Topology
from bnslab.nodes.child import NodeFailed
from tests.processes import ends

if TYPE_CHECKING:
    from bnslab.chain import BitcoindBackend
    from bnslab.lab import Lab
    from tests.labs import Labs
    from tests.projects import Project

pytest_plugins = ["pytester"]

NAMES = ["one.test", "two.test", "three.test"]


def announce(lab: Lab) -> list[bytes]:
    """Names that announce a zone file each, which nobody has yet."""
    lab.namespace("test", by="alice")
    files = [lab.zonefile(name) for name in NAMES]
    for name, data in zip(NAMES, files, strict=True):
        lab.register(name, by="bob", zonefile=data)
    return files


def processes_of(backend: BitcoindBackend) -> list[psutil.Process]:
    """The nodes beside a bitcoind."""
    return [psutil.Process(pid) for pid in guard.owned(backend.node.run_dir) if pid != backend.node.pid]


def test_zone_files_reach_all_from_wherever_they_are_handed_in(make_lab: Labs, backend: BitcoindBackend) -> None:
    lab = make_lab(chain=backend, identity="a network of processes")
    network = lab.network(nodes=2, processes=True)
    processes = processes_of(backend)
    assert len(processes) == 3
    files = announce(lab)
    lab.publish(files[0])
    assert set(network.lacking()) == {"peer1", "peer2"}
    network.publish(network.peers[1], *files[1:])
    with pytest.raises(InvalidInput, match=r"network.run\(\): expected network.sync\(\).*, got 60"):
        network.run(60)
    network.sync()
    network.verify()
    for peer in network.nodes:
        assert [peer.holdings.stored(zonefile_hash(data)) for data in files] == files
        assert peer.call("get_zonefile_inventory", 0, 1)["inv"] == "4A=="
    assert [entry.saved for entry in lab.published] == [1, 1, 1], "the lab's own node was handed what came to main"
    network.main.stop()
    lab.update("one.test", by="bob", zonefile=files[1])
    lab.mine()
    network.main.start()
    network.sync()
    assert network.main.call("get_zonefile_inventory", 0, 1)["inv"] == "8A=="
    assert network.main.address.replace("127.0.0.1", "localhost") in network.peers[0].call("get_atlas_peers")["peers"]
    with pytest.raises(CheckFailed, match=r"(?s)handed to 127.0.0.1:.*kept.*not kept"):
        network.publish(network.main, b"announced by nobody")
    lab.finish()
    lab.close()
    assert all(ends(process) for process in processes)
    assert not any(peer.directory.exists() for peer in network.nodes)


def test_nobody_calls_a_node_behind_nat(make_lab: Labs, backend: BitcoindBackend) -> None:
    lab = make_lab(chain=backend, identity="processes behind nat")
    network = lab.network(nodes=2, topology="nat", processes=True)
    hidden, other = network.peers
    files = announce(lab)
    lab.publish(files[0])
    network.sync()
    network.publish(hidden, files[1])
    with pytest.raises(CheckFailed, match=r"(?s)main lacks 1, such as " + zonefile_hash(files[1])):
        network.sync(within=2)
    assert set(network.lacking()) == {network.main.host, other.host}


def test_nodes_follow_the_chain_to_another_branch(make_lab: Labs, backend: BitcoindBackend) -> None:
    lab = make_lab(chain=backend, identity="processes and a reorganisation")
    network = lab.network(nodes=1, processes=True)
    files = announce(lab)
    lab.publish(*files)
    network.sync()
    with lab.branch():
        lab.mine(2)
        with pytest.raises(InvalidInput, match=r"outside of lab\.branch"):
            network.sync()
        with pytest.raises(InvalidInput, match=r"outside of lab\.branch"):
            lab.network(nodes=1, processes=True)
    (taken,) = lab.reorg(1)
    lab.mine(2)
    assert len(taken) > 0
    network.sync()
    network.verify()
    assert {peer.call("get_consensus_at", lab.height)["consensus"] for peer in network.nodes} == {lab.consensus_hash}


def test_a_file_that_does_not_get_through_is_found_out_at_the_end(
    make_lab: Labs, backend: BitcoindBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(chain=backend, identity="a process that knows nobody")
    files = announce(lab)
    network = lab.network(nodes=1, topology=Topology(lambda _node, _nodes: []), processes=True)
    network.sync()
    monkeypatch.setattr("bnslab.network.processes.PATIENCE", 2.0)
    lab.publish(*files)
    with pytest.raises(CheckFailed, match=r"(?s)zone files.*after 2 s.*peer1 lacks 3, such as"):
        lab.finish()


def test_what_the_nodes_say_is_compared(
    make_lab: Labs, backend: BitcoindBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(chain=backend, identity="processes that differ")
    network = lab.network(nodes=1, processes=True)
    (peer,) = network.peers
    files = announce(lab)
    lab.publish(*files)
    network.sync()
    with monkeypatch.context() as patch:
        patch.setattr(peer.holdings, "inventory", lambda: b"\xa0")
        with pytest.raises(CheckFailed, match=r"(?s)inventory of peer1.*111, that of main.*101"):
            network.verify()
    (stored,) = [path for path in (peer.directory / "zonefiles").rglob("*.txt") if path.read_bytes() == files[1]]
    stored.unlink()
    with pytest.raises(CheckFailed, match=rf"(?s)zone file {zonefile_hash(files[1])} of peer1.*there.*None"):
        network.verify()
    peer.stop()
    stored.write_bytes(files[1])
    with closing(sqlite3.connect(peer.directory / "blockstack-server.db", isolation_level=None)) as database:
        database.execute("UPDATE snapshots SET consensus_hash = ? WHERE block_id = 114", ("00" * 16,))
    peer.start()
    network.sync()
    with pytest.raises(CheckFailed, match=rf"(?s)block 114: consensus hash of peer1.*{'00' * 16}"):
        network.verify()


def test_a_node_that_ends_is_named_with_the_end_of_its_log(make_lab: Labs, backend: BitcoindBackend) -> None:
    lab = make_lab(chain=backend, identity="a process that ends")
    network = lab.network(nodes=1, processes=True)
    where = str(network.peers[0].directory)
    (victim,) = [process for process in processes_of(backend) if any(where in word for word in process.cmdline())]
    os.kill(victim.pid, signal.SIGKILL)
    lab.mine()
    with pytest.raises(NodeFailed, match=r"(?s)^peer1 ended: signal SIGKILL; its log ends:.*the node is ready"):
        network.sync()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"nodes": 0}, "nodes: expected a number from 1 on"),
        ({"topology": "ring"}, "topology: expected one of mesh, line, chain, nat, churn"),
        (
            {"topology": "chain"},
            "topology: expected mesh, line or nat: processes cannot be kept apart, got 'chain'",
        ),
        ({"loss": 0.1}, "loss: expected no conditions in a network of processes: .*, got 0.1"),
        ({}, "--chain: expected bitcoind: a network of processes follows a real one, got 'memory'"),
    ],
)
def test_networks_that_cannot_be(make_lab: Labs, arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        make_lab().network(processes=True, **arguments)


def test_scenarios_that_need_a_bitcoind_are_skipped_without_one(project: Project) -> None:
    project.write(
        "tests/test_it.py",
        "import pytest\n\n\n@pytest.mark.bitcoind\ndef test_it(lab):\n    lab.network(nodes=1, processes=True)\n",
    )
    outcome = project.run("tests", "--chain", "memory", "-rs")
    assert outcome.counts == {"skipped": 1}
    assert "needs a bitcoind, and the chain is memory" in outcome.stdout
