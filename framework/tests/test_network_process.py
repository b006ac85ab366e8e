"""Nodes as processes that exchange zone files over sockets, and networks of simulated ones around a lab."""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from xmlrpc.client import ServerProxy

import platformdirs
import pytest

from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash
from bnslab.errors import CheckFailed
from bnslab.network import Topology
from bnslab.nodes.reference import ReferencePeer, install
from bnslab.recording import record
from tests.cores import Core

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bnslab.bitcoind import PortPool
    from bnslab.chain import BitcoindBackend
    from bnslab.lab import Lab
    from tests.cores import Process
    from tests.labs import Labs

NAMES = ["one.test", "two.test", "three.test", "four.test"]


def announce(lab: Lab, *names: str) -> list[bytes]:
    """Names that announce a zone file each, which nobody has yet."""
    files = [lab.zonefile(name) for name in names]
    for name, data in zip(names, files, strict=True):
        lab.register(name, by="bob", zonefile=data)
    return files


def put(core: Core, *files: bytes) -> None:
    texts = [base64.b64encode(data).decode() for data in files]
    assert core.rpc("put_zonefiles", texts)["saved"] == [1] * len(files)


def wait_for_files(process: Process, files: Iterable[bytes]) -> None:
    waiting = {zonefile_hash(data) for data in files}
    while waiting:
        line = process.wait_for("has come")
        waiting -= {hash_ for hash_ in waiting if hash_ in line}


def ask(port: int, method: str, *arguments: object) -> Any:
    with ServerProxy(f"http://127.0.0.1:{port}") as proxy:
        return json.loads(str(getattr(proxy, method)(*arguments)))


def zonefiles(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*.txt")]


@pytest.mark.foreign
def test_a_node_of_the_reference_exchanges_zone_files_with_ours(
    make_lab: Labs, backend: BitcoindBackend, tmp_path: Path, port_pool: PortPool, run_directory: Path
) -> None:
    lab = make_lab(chain=backend, identity="a network with the reference")
    lab.namespace("test", by="alice")
    files = announce(lab, *NAMES)
    lab.publish(*files[:2])
    reference = install(platformdirs.user_cache_path("bnslab"), lambda _: None)
    with ExitStack() as stack:
        core = Core(tmp_path / "node", lab, backend.node, port_pool, stack)
        port = port_pool.take()
        core.set("environment", "BLOCKSTACK_ATLAS_PEER_PING_INTERVAL", 1)
        core.set("blockstack", "atlas_port", core.rpc_port)
        core.set("blockstack", "atlas_seeds", f"localhost:{port}")
        process = core.start("--no-api")
        process.wait_for(f"indexed up to block {lab.height}")
        peer = ReferencePeer(reference, run_directory, record(lab), port)
        stack.callback(peer.close)
        put(core, *files[2:])
        wait_for_files(process, files[:2])
        peer.wait_for(files[2:])
        inventories = [ask(each, "get_zonefile_inventory", 0, 100)["inv"] for each in (core.rpc_port, port)]
        assert inventories == ["8A==", "8A=="]
        stored = [set(zonefiles(place)) for place in (core.directory / "zonefiles", peer.zonefiles)]
        assert stored == [set(files)] * 2
        announced = [ask(each, "get_zonefiles_by_block", 1, lab.height, 0, 100) for each in (core.rpc_port, port)]
        assert announced[0]["zonefile_info"] == announced[1]["zonefile_info"]
        assert ask(port, "get_atlas_peers")["peers"] == [f"localhost:{core.rpc_port}"]  # it has found us by itself
        assert ask(core.rpc_port, "get_atlas_peers")["peers"] == [peer.address]


def test_a_network_around_a_lab(make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace("test", by="alice")
    network = lab.network(nodes=4, loss=0.1)
    files = announce(lab, *NAMES)
    assert network.sync() == 0  # nobody has anything
    lab.publish(*files[:3])
    assert set(network.lacking()) == {f"peer{number}" for number in range(1, 5)}
    assert network.sync() > 0
    assert network.peers[0].holdings.put(files[3])
    assert network.sync() > 0
    for peer in network.nodes:
        assert [peer.holdings.stored(zonefile_hash(data)) for data in files] == files
    assert lab.node.offchain.inventory() == b"\xf0"


def test_the_same_lab_has_the_same_network(make_lab: Labs) -> None:
    def trace(seed: int) -> str:
        lab = make_lab()
        lab.namespace("test", by="alice")
        network = lab.network(nodes=3, seed=seed)
        lab.publish(*announce(lab, "one.test"))
        network.sync()
        return network.simulator.trace_hash()

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


def test_no_time_passes_in_a_branch(make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace("test", by="alice")
    network = lab.network(nodes=2)
    with lab.branch():
        lab.publish(*announce(lab, "one.test"))
        with pytest.raises(InvalidInput, match=r"outside of lab\.branch"):
            network.sync()
        with pytest.raises(InvalidInput, match=r"outside of lab\.branch"):
            lab.network(nodes=2)
    lab.publish(*announce(lab, "two.test"))
    assert network.sync() > 0


def test_a_file_that_does_not_get_through_is_found_out_at_the_end(
    make_lab: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bnslab.network.simulated.PATIENCE", 50.0)
    apart = Topology(lambda _node, _nodes: [0], lambda _nodes, _time, one, other: 2 not in (one, other))
    for skip in ((), ("network",)):
        lab = make_lab(skip=skip)
        lab.namespace("test", by="alice")
        lab.network(nodes=2, topology=apart)
        lab.publish(*announce(lab, "one.test"))
        if skip:
            lab.finish()
        else:
            with pytest.raises(CheckFailed, match=r"(?s)zone files.*after 50 s.*peer2 lacks 1, such as"):
                lab.finish()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"nodes": 0}, "nodes: expected a number from 1 on"),
        ({"nodes": "3"}, "nodes: expected a number from 1 on"),
        ({"topology": "ring"}, "topology: expected one of mesh, line, chain, nat, churn"),
        ({"loss": 1}, "loss: expected a share below 1"),
    ],
)
def test_networks_that_cannot_be(make_lab: Labs, arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        make_lab().network(**arguments)  # type: ignore[call-overload]
