"""A node starts, answers, ends, and says why it ended."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import threading
from itertools import count
from typing import TYPE_CHECKING

import psutil
import pytest

from bnslab.bitcoind import CacheUnusable, NodeDied, PortPool, PortTaken, RegtestNode, RpcClient, RpcConnectionLost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind

MOCKTIME = 1_500_000_000
ADDRESS = "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"


@pytest.fixture
def taken_port(port_pool: PortPool) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", port_pool.take())) as stranger:
        yield stranger.getsockname()[1]


def test_answers_as_soon_as_started_with_the_clock_it_was_given(node: RegtestNode) -> None:
    assert node.rpc.call("getblockcount") == 0
    (block,) = node.rpc.call("generatetoaddress", 1, ADDRESS)
    assert node.rpc.call("getblockheader", block)["time"] == MOCKTIME
    assert node.alive()
    node.check()


def test_is_alone_in_the_world(node: RegtestNode) -> None:
    assert node.rpc.call("getnetworkinfo")["localaddresses"] == []
    assert node.rpc.call("getpeerinfo") == []
    listening = [c.laddr for c in psutil.Process(node.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", node.rpc_port)]
    assert node.rpc_port < 32768


def test_command_line_holds_no_credentials(node: RegtestNode) -> None:
    settings = dict(line.split("=") for line in (node.directory / "bitcoin.conf").read_text().split())
    command = " ".join(psutil.Process(node.pid).cmdline())
    assert len(settings["rpcpassword"]) == 32
    assert settings["rpcpassword"] not in command
    assert settings["rpcuser"] not in command


def test_kill_leaves_neither_process_nor_files(node: RegtestNode) -> None:
    assert node.directory.is_dir()
    node.kill()
    assert not psutil.pid_exists(node.pid)
    assert not node.directory.exists()
    assert not node.alive()
    node.kill()


def test_death_is_told_by_the_next_call_and_by_check(node: RegtestNode) -> None:
    node.rpc.call("getblockcount")
    os.kill(node.pid, signal.SIGKILL)
    with pytest.raises(NodeDied, match="signal SIGKILL"):
        node.rpc.call("getblockcount")
    with pytest.raises(NodeDied, match="signal SIGKILL"):
        node.check()


def test_death_during_a_call_is_told_by_that_call(node: RegtestNode) -> None:
    def fell_it() -> None:
        os.kill(node.pid, signal.SIGKILL)

    node.rpc.call("getblockcount")
    threading.Timer(0.05, fell_it).start()
    with pytest.raises(NodeDied, match="signal SIGKILL"):
        node.rpc.call("waitfornewblock", 30_000)


def test_a_node_that_does_not_come_up_says_why(
    bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool
) -> None:
    before = set(run_directory.iterdir())
    with pytest.raises(NodeDied) as died:
        RegtestNode.start(bitcoind_binary, run_directory, port_pool, mocktime=MOCKTIME, extra=["-nonsense=1"])
    assert died.value.status == "exit status 1"
    assert "-nonsense=1" in "\n".join(died.value.output)
    assert "-nonsense=1" in str(died.value)
    assert set(run_directory.iterdir()) == before


def test_a_program_that_is_gone(bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool) -> None:
    gone = dataclasses.replace(bitcoind_binary, argv=("/nowhere/bitcoind",))
    with pytest.raises(NodeDied, match="/nowhere/bitcoind"):
        RegtestNode.start(gone, run_directory, port_pool, mocktime=MOCKTIME)


def test_a_directory_that_is_gone(bitcoind_binary: Bitcoind, tmp_path: Path, port_pool: PortPool) -> None:
    with pytest.raises(CacheUnusable, match="gone: No such file"):
        RegtestNode.start(bitcoind_binary, tmp_path / "gone", port_pool, mocktime=MOCKTIME)


def test_the_wait_for_a_start_is_bounded(bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool) -> None:
    before = set(run_directory.iterdir())
    clock = count(0, 1000)
    with pytest.raises(NodeDied, match="not ready within 60 s"):
        RegtestNode.start(
            bitcoind_binary, run_directory, port_pool, mocktime=MOCKTIME, clock=lambda: float(next(clock))
        )
    assert set(run_directory.iterdir()) == before


def test_options_of_the_caller_win(bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool) -> None:
    with RegtestNode.start(
        bitcoind_binary, run_directory, port_pool, mocktime=MOCKTIME, extra=["-minrelaytxfee=0.00001"]
    ) as node:
        assert str(node.rpc.call("getmempoolinfo")["minrelaytxfee"]) == "0.00001000"


def test_a_clock_beyond_the_programs_own_expiry(
    bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool
) -> None:
    with RegtestNode.start(bitcoind_binary, run_directory, port_pool, mocktime=1_900_000_000) as node:
        assert node.rpc.call("getblockcount") == 0


def test_a_port_taken_after_it_was_looked_at_is_left_for_the_next(
    bitcoind_binary: Bitcoind, run_directory: Path, taken_port: int
) -> None:
    looks = count()

    def free(port: int) -> bool:
        # Free at the first look, as it is when a stranger comes between the look and the start.
        return port != taken_port or next(looks) == 0

    pool = PortPool((taken_port - 20_000) // 120, choose=lambda n: (taken_port - 20_000) % n, free=free)
    with RegtestNode.start(bitcoind_binary, run_directory, pool, mocktime=MOCKTIME) as node:
        assert node.rpc_port != taken_port
        assert node.rpc.call("getblockcount") == 0


def test_ports_all_taken(bitcoind_binary: Bitcoind, run_directory: Path, taken_port: int) -> None:
    class OnePort(PortPool):
        def take(self) -> int:
            return taken_port

    with pytest.raises(PortTaken) as refused:
        RegtestNode.start(bitcoind_binary, run_directory, OnePort(), mocktime=MOCKTIME)
    assert refused.value.ports == (taken_port,) * 8
    assert str(taken_port) in str(refused.value)


def test_a_strangers_node_is_not_talked_to(node: RegtestNode) -> None:
    with pytest.raises(RpcConnectionLost, match=f":{node.rpc_port}: refuses our credentials"):
        RpcClient(node.rpc_port, "someone", "else").call("getblockcount")


def test_restart_keeps_the_chain(node: RegtestNode) -> None:
    (block,) = node.rpc.call("generatetoaddress", 1, ADDRESS)
    before = node.pid
    node.restart()
    assert node.pid != before
    assert node.rpc.call("getbestblockhash") == block
    os.kill(node.pid, signal.SIGKILL)
    node.restart()
    assert node.rpc.call("getblockcount") == 1


def test_a_stopped_node_is_dead_in_good_order(node: RegtestNode) -> None:
    node.stop()
    assert not node.alive()
    assert node.directory.is_dir()
    with pytest.raises(NodeDied, match="exit status 0"):
        node.rpc.call("getblockcount")


def test_many_at_once_each_with_its_own_chain(
    bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool
) -> None:
    nodes = RegtestNode.start_many(bitcoind_binary, run_directory, port_pool, 4, mocktime=MOCKTIME)
    try:
        nodes[0].rpc.call("generatetoaddress", 2, ADDRESS)
        assert [node.rpc.call("getblockcount") for node in nodes] == [2, 0, 0, 0]
    finally:
        for node in nodes:
            node.kill()


def test_many_at_once_are_all_ended_when_one_fails(
    bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool
) -> None:
    before = set(run_directory.iterdir())
    with pytest.raises(NodeDied):
        RegtestNode.start_many(bitcoind_binary, run_directory, port_pool, 2, mocktime=MOCKTIME, extra=["-nonsense=1"])
    assert set(run_directory.iterdir()) == before


def test_a_node_outlives_the_thread_that_started_it(
    bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool
) -> None:
    started: list[RegtestNode] = []

    def start() -> None:
        started.append(RegtestNode.start(bitcoind_binary, run_directory, port_pool, mocktime=MOCKTIME))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    with started[0] as node:
        # Killed by the kernel it would be gone within 2 ms; an answered call takes about as long, so ask a few times.
        assert [node.rpc.call("getblockcount") for _ in range(20)] == [0] * 20
        assert node.alive()
