"""./lab up: says where everything is, and leaves nothing behind however it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import psutil
import pytest

from bnslab.clients import BlockstackJs
from bnslab.commands.up import Ports
from bnslab.http import HttpClient
from tests.processes import ends
from tests.stories import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bnslab.bitcoind import PortPool
    from bnslab.clients import javascript

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
        (url,) = self.words(what, r"(http://127\.0\.0\.1:\d+)")
        return url

    def words(self, what: str, pattern: str) -> tuple[str, ...]:
        """What the groups of a pattern find in the line of something."""
        line = next(line for line in self.lines if line.startswith(f"{what} "))
        found = re.search(pattern, line)
        assert found, line
        return found.groups()

    def funding(self) -> str:
        """The transaction that filled alice's wallet."""
        (alice,) = self.words("alice", r"alice +(\w+)")
        with HttpClient(self.url("Insight")) as insight:
            txid: str = insight.get(f"/insight-api/addr/{alice}/utxo").json()[0]["txid"]
        return txid

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Ask again and again, for there is nobody here whom a block would be told."""
        deadline = time.monotonic() + WITHIN
        while not holds():
            assert time.monotonic() < deadline, "expected it to hold by now"

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


def indexed(rest: HttpClient, height: int) -> bool:
    return int(rest.get("/v1/info").json()["last_block_processed"]) >= height


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


@pytest.mark.foreign
def test_blockstack_js_registers_a_name_on_what_the_command_has_printed(
    up: Callable[..., Up], installed: javascript.Installed
) -> None:
    one = up("--legacy-rpc")
    user, password = one.words("bitcoind for old clients", r"\(user (.+), password (.+)\)")
    ((alice, key), (bob, _)) = (one.words(name, r"(\w+) \(private key (\w+)\)") for name in ("alice", "bob"))
    settings = {"api": one.url("REST"), "bitcoind": one.url("bitcoind for old clients"), "user": user}
    settings |= {"password": password, "broadcaster": one.url("broadcaster")}
    with BlockstackJs(installed, **settings) as js, HttpClient(one.url("REST")) as rest:
        for function, arguments in (
            ("makeNamespacePreorder", ("test", alice, key)),
            ("makeNamespaceReveal", ({"namespace": NAMESPACE}, alice, key)),
            ("makeNamespaceReady", ("test", key)),
        ):
            next_block = rest.get("/v1/info").json()["last_block_processed"] + 1
            assert js.call("config.network.broadcastTransaction", js.call(f"transactions.{function}", *arguments))
            one.wait_until(partial(indexed, rest, next_block))
        zonefile = js.call("makeProfileZoneFile", "foo.test", "https://example.com/foo.json")
        preorder = js.call("transactions.makePreorder", "foo.test", bob, key)
        js.call("config.network.modifyUTXOSetFrom", preorder)
        register = js.call("transactions.makeRegister", "foo.test", bob, key, zonefile)
        assert js.call("config.network.broadcastNameRegistration", preorder, register, zonefile)["status"] is True
        one.wait_until(lambda: rest.get("/v1/names/foo.test").json().get("zonefile") == zonefile)
        assert js.call("config.network.getNameInfo", "foo.test")["address"] == bob


def test_what_the_broadcaster_cannot_send_is_printed(up: Callable[..., Up]) -> None:
    one = up("--legacy-rpc")
    body = {"zoneFile": "$ORIGIN nobody\n", "transactionToWatch": one.funding()}
    with HttpClient(one.url("broadcaster")) as http:
        assert http.request("POST", "/v1/broadcast/zone-file", body=json.dumps(body).encode()).status == 202
    assert one.process.stdout is not None
    said = next(line for line in one.process.stdout if line.startswith("broadcaster: "))
    assert "the node does not keep it" in said


def test_blocks_come_by_themselves_with_a_block_time(up: Callable[..., Up]) -> None:
    one = up("--blocktime", "0.05")
    with HttpClient(one.url("REST")) as rest:
        one.wait_until(partial(indexed, rest, 114))


def test_it_ends_with_one_line_when_bitcoind_dies(up: Callable[..., Up]) -> None:
    one = up("--blocktime", "0.1")
    bitcoind = next(child for child in one.children if any("-datadir=" in word for word in child.cmdline()))
    bitcoind.kill()
    output, _ = one.process.communicate(timeout=WITHIN)
    assert one.process.returncode == 2
    assert "./lab: bitcoind ended: signal SIGKILL" in output
    assert "Traceback" not in output


def test_a_port_that_is_taken_is_named(tmp_path: Path, make_cache: Callable[[Path], Path], port_pool: PortPool) -> None:
    port = port_pool.take()  # those that follow it have to be free
    with socket.create_server(("127.0.0.1", port)):
        done = subprocess.run(
            [*UP, make_cache(tmp_path / "cache"), "--port", str(port)], capture_output=True, text=True
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"./lab: panel (--port) at 127.0.0.1:{port}: the port is in use by another program\n"


def test_ports_follow_the_first_and_old_clients_have_theirs() -> None:
    assert Ports.chosen(None, for_clients=False) == Ports()
    assert Ports.chosen(7000, for_clients=False) == Ports(7000, 7001, 7002, 7003, 7004)
    assert Ports.chosen(None, for_clients=True) == Ports(None, 16268, 16264, 18332, 16269)
