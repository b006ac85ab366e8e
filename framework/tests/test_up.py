"""./lab up: says where everything is, and leaves nothing behind however it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from bnslab.commands.up import Ports
from bnslab.http import HttpClient
from tests.processes import ends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UP = (sys.executable, "-P", "-m", "bnslab", "up", "--cache")
WITHIN = 60.0


class Up:
    """A running command whose output is read up to the line that says it is ready."""

    def __init__(self, cache: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [*UP, cache, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        self.lines: list[str] = []

        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("ready"):
                break
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def url(self, what: str) -> str:
        line = next(line for line in self.lines if line.startswith(f"{what} "))
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        return found[0]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(WITHIN)


@pytest.fixture
def up(tmp_path: Path, make_cache: Callable[[Path], Path]) -> Iterator[Callable[..., Up]]:
    cache = make_cache(tmp_path / "cache")
    started: list[Up] = []

    def start(*options: str) -> Up:
        started.append(Up(cache, *options))
        assert started[-1].lines[-1].startswith("ready"), started[-1].lines
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()
        assert all(map(ends, one.children))
    assert [entry.name for entry in (cache / "runs").iterdir() if entry.name != ".lock"] == []


def listens(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["ctrl-c", "term", "hangup", "kill"],
)
def test_a_devnet_is_there_until_a_signal_and_nothing_of_it_afterwards(
    up: Callable[..., Up], number: signal.Signals, status: int
) -> None:
    one = up("--legacy-rpc")
    urls = [
        one.url(what) for what in ("panel", "REST", "XML-RPC", "bitcoind", "bitcoind for old clients", "broadcaster")
    ]
    assert all(map(listens, urls))
    assert len(one.children) >= 2  # bitcoind, and the guard process
    assert one.end(number) == status
    assert all(map(ends, one.children))
    assert not any(map(listens, urls))


def test_blocks_come_by_themselves_with_a_block_time(up: Callable[..., Up]) -> None:
    one = up("--blocktime", "0.05")
    with HttpClient(one.url("REST")) as rest:
        deadline = time.monotonic() + WITHIN
        while rest.get("/v1/info").json()["last_block_processed"] < 114:
            assert time.monotonic() < deadline, "expected block 114 by now"


def test_it_ends_with_one_line_when_bitcoind_dies(up: Callable[..., Up]) -> None:
    one = up("--blocktime", "0.1")
    bitcoind = next(child for child in one.children if any("-datadir=" in word for word in child.cmdline()))
    bitcoind.kill()
    output, _ = one.process.communicate(timeout=WITHIN)
    assert one.process.returncode == 2
    assert "./lab: bitcoind ended: signal SIGKILL" in output
    assert "Traceback" not in output


def test_a_port_that_is_taken_is_named(tmp_path: Path, make_cache: Callable[[Path], Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*UP, make_cache(tmp_path / "cache"), "--port", str(port)], capture_output=True, text=True
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"./lab: panel (--port) at 127.0.0.1:{port}: the port is in use by another program\n"


def test_ports_follow_the_first_and_old_clients_have_theirs() -> None:
    assert Ports.chosen(None, for_clients=False) == Ports()
    assert Ports.chosen(7000, for_clients=False) == Ports(7000, 7001, 7002, 7003, 7004)
    assert Ports.chosen(None, for_clients=True) == Ports(None, 16268, 16264, 18332, 16269)
