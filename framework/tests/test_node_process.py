"""The node as its users have it: the command, a process of its own, a real bitcoind."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.block import read_transactions
from bns.node import daemon
from bns.node.config import load
from bns.node.follow import TipWatch
from bns.node.rpc import RpcClient
from bns.state.store import State
from bns.zonefiles.store import zonefile_hash
from bnslab.chain import BitcoindBackend, BlockFactory
from tests.cores import WAIT_SECONDS, Core, credentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.bitcoind import PortPool
    from bnslab.lab import Lab
    from tests.labs import Labs


@pytest.fixture
def lab(make_lab: Labs, backend: BitcoindBackend, request: pytest.FixtureRequest) -> Lab:
    """A chain with one name."""
    lab = make_lab(chain=backend, identity=request.node.name)
    lab.namespace("test", by="alice")
    lab.register("one.test", by="bob")
    return lab


@pytest.fixture
def core(tmp_path: Path, lab: Lab, backend: BitcoindBackend, port_pool: PortPool) -> Iterator[Core]:
    with ExitStack() as stack:
        yield Core(tmp_path / "node", lab, backend.node, port_pool, stack)


def test_a_node_follows_the_chain(core: Core, lab: Lab) -> None:
    process = core.start()
    process.wait_for(f"indexed up to block {lab.height}, consensus hash {lab.consensus_hash}")
    assert core.get("/v1/names/one.test")["address"] == lab.wallet("bob").address
    lab.register("two.test", by="carol")
    process.wait_for(f"indexed up to block {lab.height}, consensus hash {lab.consensus_hash}")
    assert core.get("/v1/names/two.test")["status"] == "registered"
    assert core.rpc("get_name_record", "two.test")["record"]["address"] == lab.wallet("carol").address
    info = core.rpc("getinfo")
    assert (info["last_block_seen"], info["last_block_processed"]) == (lab.height, lab.height)
    assert info["consensus"] == lab.consensus_hash
    assert process.end(signal.SIGTERM) == 0
    assert not (core.directory / "blockstack-server.pid").exists()


def test_answers_come_from_one_block_while_others_arrive(core: Core, lab: Lab) -> None:
    process = core.start()
    process.wait_for("the node is ready")
    hashes = {receipt.height: receipt.consensus_hash for receipt in lab.receipts}
    hashes[lab.params.first_block - 1] = lab.params.genesis_consensus_hash
    last, goal = 0, lab.height + 20
    while last < goal:
        if lab.height < goal:
            receipt = lab.mine()
            hashes[receipt.height] = receipt.consensus_hash
        for info in (core.get("/v1/info"), core.rpc("getinfo")):
            assert info["consensus"] == hashes[info["last_block_processed"]]
            assert info["last_block_processed"] >= last
            last = info["last_block_processed"]


def test_a_zone_file_is_taken_and_kept(core: Core, lab: Lab) -> None:
    data = b'$ORIGIN one.test\n$TTL 3600\n_http._tcp URI 10 1 "http://example.com"\n'
    lab.update("one.test", by="bob", value_hash=zonefile_hash(data))
    lab.mine()
    process = core.start()
    process.wait_for(f"indexed up to block {lab.height}")
    assert core.rpc("put_zonefiles", [base64.b64encode(data).decode()])["saved"] == [1]
    assert core.get("/v1/names/one.test")["zonefile"] == data.decode()
    process.end(signal.SIGKILL)
    core.start().wait_for("the node is ready")
    assert core.get("/v1/names/one.test")["zonefile"] == data.decode()


def test_ports_of_the_command_line_and_no_rest(core: Core, lab: Lab, port_pool: PortPool) -> None:
    configured, core.rpc_port = core.rpc_port, port_pool.take()
    process = core.start("--port", core.rpc_port, "--no-api")
    process.wait_for("the node is ready")
    assert core.rpc("ping")["status"] == "alive"
    for unused in (configured, core.api_port):
        with socket.create_server(("127.0.0.1", unused)):
            pass
    assert process.end(signal.SIGTERM) == 0


def test_a_node_without_zone_files(core: Core, lab: Lab) -> None:
    core.set("blockstack", "atlas", "false")
    process = core.start()
    process.wait_for(f"indexed up to block {lab.height}")
    assert core.rpc("get_zonefiles", ["11" * 20])["error"] == "No data"
    assert core.get("/v1/names/one.test")["status"] == "registered"
    assert "zonefile_count" not in core.get("/v1/info")


def test_a_watch_hears_of_a_block_from_bitcoind(lab: Lab, backend: BitcoindBackend) -> None:
    secrets = credentials(backend.node)
    client = RpcClient(("127.0.0.1", backend.node.rpc_port), secrets["rpcuser"], secrets["rpcpassword"])
    heard = threading.Event()
    with closing(client):
        watch = TipWatch(client, WAIT_SECONDS, heard.set)
        watch.expect(lab.height - 1)
        assert heard.wait(WAIT_SECONDS / 2)  # there already
        heard.clear()
        watch.expect(lab.height)
        lab.mine()
        assert heard.wait(WAIT_SECONDS / 2)
        watch.close()


def test_a_reorganisation_is_followed(core: Core, lab: Lab, backend: BitcoindBackend) -> None:
    process = core.start()
    process.wait_for(f"indexed up to block {lab.height}")
    fork, first, *_ = backend.blocks_from(lab.height - 3)
    factory = BlockFactory.for_scenario(lab.identity, branch=1)
    backend.rollback(fork.tip.height)
    tip = fork.tip
    for transactions in (read_transactions(first.raw)[1:], (), (), ()):
        tip = backend.accept(factory.build(tip, transactions).raw)
    process.wait_for(f"the chain was reorganised: back to block {fork.tip.height}")
    process.wait_for(f"indexed up to block {tip.height}")
    assert core.get("/v1/info")["last_block_processed"] == tip.height
    assert core.rpc("get_name_record", "one.test")["error"] == "Not found."
    assert core.get("/v1/names/one.test") == {"status": "available"}


def test_a_killed_node_goes_on_where_it_was(core: Core, lab: Lab) -> None:
    process = core.start()
    process.wait_for(f"indexed up to block {lab.height}")
    process.end(signal.SIGKILL)
    assert (core.directory / "blockstack-server.pid").exists()
    lab.register("two.test", by="carol")
    process = core.start()
    line = process.wait_for("accepted, ")
    assert f"block {lab.height - 1}: 1 accepted" in line  # the first block that the killed one did not have
    process.wait_for(f"indexed up to block {lab.height}, consensus hash {lab.consensus_hash}")
    assert core.get("/v1/names/two.test")["status"] == "registered"
    assert process.end(signal.SIGINT) == 0


def test_a_daemon_from_start_to_stop(core: Core) -> None:
    try:
        assert core("start") == (0, "", "")
        assert core.get("/v1/node/ping")["status"] == "alive"
        pid = int((core.directory / "blockstack-server.pid").read_text())
        assert "the node is ready" in (core.directory / "blockstack-server.log").read_text()
        status, _, complaint = core("start")
        assert status == 1
        assert complaint.endswith("a node runs here already: stop it with `blockstack-core stop`\n")
        assert complaint.count("\n") == 1
        assert core("restore")[0] == 1
    finally:
        stopped = core("stop")
    assert stopped == (0, f"Stopped process {pid}\n", "")
    with socket.create_server(("127.0.0.1", core.rpc_port)), socket.create_server(("127.0.0.1", core.api_port)):
        assert not (core.directory / "blockstack-server.pid").exists()
    assert core("stop") == (0, f"No node runs in {core.directory}\n", "")


def test_a_pid_file_of_another_process_is_stale(core: Core) -> None:
    (core.directory / "blockstack-server.pid").write_text(str(os.getpid()))
    assert core("stop") == (0, f"No node runs in {core.directory}\n", "")
    (core.directory / "blockstack-server.pid").write_text(str(os.getpid()))
    process = core.start()
    process.wait_for("the node is ready")
    assert process.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(("server", "key"), [("rpc_port", "RPC"), ("api_port", "REST")])
def test_a_port_in_use_is_named(core: Core, server: str, key: str) -> None:
    port = getattr(core, server)
    with socket.create_server(("127.0.0.1", port)):
        status, _, complaint = core("start")
    assert status == 2
    host = "127.0.0.1" if key == "RPC" else "localhost"
    expected = f"{key} server ({server}) at {host}:{port}: the port is in use by another program"
    assert complaint == f"blockstack-core: {expected}\n"
    assert not (core.directory / "blockstack-server.pid").exists()


def test_a_bitcoind_that_is_away_is_waited_for(core: Core, lab: Lab, backend: BitcoindBackend) -> None:
    backend.node.stop()
    try:
        process = core.start()
        process.wait_for("; waiting for it")
        process.wait_for("the node is ready")
        assert core.get("/v1/names/one.test") == {"status": "available"}
        backend.node.restart()
        process.wait_for(f"indexed up to block {lab.height}")
    finally:
        backend.discard()
    assert process.end(signal.SIGTERM) == 0


def test_a_bitcoind_that_hangs_keeps_nobody(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "GREETING_SECONDS", 0.2)
    monkeypatch.setattr(daemon, "LEAVING_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        core.set("bitcoind", "port", silent.getsockname()[1])
        node = daemon.Node(load(core.directory), serve_api=True, expected={}, ended=lambda: None)
        node.start()
        assert core.get("/v1/names/one.test") == {"status": "available"}
        node.stop()
    State.open(core.directory / daemon.DATABASE, load(core.directory).params).close()


@pytest.mark.parametrize(
    ("section", "key", "value", "complaint"),
    [
        ("bitcoind", "passwd", "wrong", "refuses our credentials"),
        ("bitcoind", "regtest", "no", "expected the chain 'test', got 'regtest': see [bitcoind] regtest"),
        ("blockstack", "rpc_port", "many", "[blockstack] rpc_port: expected a number, got 'many'"),
        ("environment", "blockstack_test_first_block", "x", "first block: expected an integer, got 'x'"),
    ],
)
def test_what_is_wrong_with_the_configuration(core: Core, section: str, key: str, value: str, complaint: str) -> None:
    core.set(section, key, value)
    for foreground in ((), ("--foreground",)):
        status, output, error = core("start", *foreground)
        assert (status, output) == (2, "")
        assert error.startswith("blockstack-core: ")
        assert error.endswith(f"{complaint}\n")
        assert error.count("\n") == 1


def test_a_backup_is_made_and_restored(core: Core, lab: Lab) -> None:
    lab.mine(4)
    process = core.start()
    process.wait_for(f"indexed up to block {lab.height}")
    process.end(signal.SIGTERM)
    backups = core.directory / "backups"
    labels = [height - 1 for height in range(lab.params.first_block, lab.height + 1) if height % 4 == 0]
    assert sorted(path.name for path in backups.iterdir()) == [f"blockstack-server.db.bak.{n}" for n in labels]
    assert core("restore") == (0, f"Restored the state after block {labels[-1] + 1}\n", "")
    assert core("restore", labels[0]) == (0, f"Restored the state after block {labels[0] + 1}\n", "")
    status, _, complaint = core("restore", 99999)
    assert (status, complaint.count("\n")) == (1, 1)
    assert f"no backup 99999; there are {labels[0]}, " in complaint
    process = core.start()
    assert f"block {labels[0] + 2}: " in process.wait_for("accepted, ")
    process.wait_for(f"indexed up to block {lab.height}, consensus hash {lab.consensus_hash}")


def test_a_database_is_verified_while_its_node_runs(core: Core, lab: Lab, tmp_path: Path) -> None:
    process = core.start()
    process.wait_for(f"indexed up to block {lab.height}")
    hash_ = lab.consensus_hash
    done = core("verifydb", lab.height, hash_, core.directory)
    assert done == (0, f"Database is consistent with {hash_}\n", "")
    status, output, complaint = core("verifydb", lab.height, "00" * 16, core.directory)
    assert (status, output) == (1, "Database is NOT CONSISTENT\n")
    assert complaint == f"blockstack-core: block {lab.height}: expected consensus hash {'00' * 16}, got {hash_}\n"
    assert core("verifydb", lab.height, hash_, core.directory, "--blocks") == done
    status, _, complaint = core("verifydb", 99999, hash_, core.directory)
    assert (status, "height to verify: expected" in complaint) == (2, True)


def test_a_node_stops_before_it_stores_a_hash_that_is_not_the_expected_one(
    core: Core, lab: Lab, tmp_path: Path
) -> None:
    expected = tmp_path / "expected.json"
    expected.write_text(json.dumps({"snapshots": {str(lab.height): "00" * 16}}))
    process = core.start(f"--expected-snapshots={expected}")
    process.wait_for(f"block {lab.height}: expected consensus hash {'00' * 16}, got {lab.consensus_hash}")
    assert process.popen.wait(WAIT_SECONDS) == 2
    assert core("verifydb", lab.height, lab.consensus_hash, core.directory)[0] == 2
    expected.write_text("{}")
    assert core("start", f"--expected-snapshots={expected}")[0] == 1
