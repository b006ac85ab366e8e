"""The servers of a node: look-ups by many clients, and by some while thousands of blocks are being indexed.

The node is the command in a process of its own, which follows a bitcoind; the clients are one process that keeps its
connections open. `load` is the part of a core that each of the two used: where that of the clients is near 1, they are
what is slow. Latencies are in milliseconds, from the first byte of a request to the last of its answer.
With --reference the historical node answers the same look-ups on a short chain, and so does ours beside it: there all
clients make a connection for each request, which the reference would end anyway.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
import xmlrpc.client
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import platformdirs
import psutil
from rich.console import Console
from rich.table import Table

from bns.zonefiles.store import zonefile_hash
from bnslab.bitcoind import PortPool, RunDirectory, find
from bnslab.campaigns.chains import lifecycle_lab
from bnslab.campaigns.load import Clients
from bnslab.chain import start_node
from bnslab.chain.factory import base_chain
from bnslab.nodes.reference import install
from bnslab.nodes.reference.live import LiveReference
from bnslab.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bnslab.bitcoind import RegtestNode
    from bnslab.campaigns.load import Row
    from bnslab.lab import Lab

COLUMNS = (
    "what",
    "clients",
    "requests",
    "req/s",
    "p50",
    "p99",
    "max",
    "node load",
    "us/req",
    "client load",
    "blocks/s",
    "ratio",
)
PARTS = ("indexing", "look-ups")
WITH_ZONEFILE = 100
NAMES = [f"zone{number}.bench" for number in range(WITH_ZONEFILE)]
SHORT = 150
"""Blocks, and operations in them, of the chain that the reference indexes too."""
SECONDS_OF_REFERENCE = 10.0
PACED = 200
"""Requests a second, all clients together, of those who read while blocks are being indexed."""


# The node


class Node:
    """The command, following a bitcoind, with a log that is read line by line."""

    def __init__(self, directory: Path, lab: Lab, bitcoind: RegtestNode, ports: PortPool) -> None:
        self.rpc_port, self.api_port = ports.take(), ports.take()
        settings = dict(
            line.split("=", 1) for line in (bitcoind.directory / "bitcoin.conf").read_text().splitlines() if "=" in line
        )
        sections: dict[str, dict[str, object]] = {
            "blockstack": {"server_version": "19.0.8.1", "rpc_port": self.rpc_port, "backup_frequency": 10**6},
            "blockstack-api": {"api_port": self.api_port},
            "bitcoind": {
                "server": "127.0.0.1", "port": bitcoind.rpc_port, "user": settings["rpcuser"],
                "passwd": settings["rpcpassword"], "regtest": "yes",
            },
            "environment": {**lab.params.to_reference_env()},
        }  # fmt: skip
        text = [
            f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
            for name, keys in sections.items()
        ]
        (directory / "blockstack-server.ini").write_text("\n".join(text))
        command = [sys.executable, "-m", "bns.cli", "start", "--foreground", f"--working-dir={directory}"]
        self._popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.process = psutil.Process(self._popen.pid)

    def wait_for(self, pattern: str) -> None:
        """Read the log up to a line."""
        assert self._popen.stderr is not None
        for line in self._popen.stderr:
            if re.search(pattern, line):
                return
        raise AssertionError(f"the node ended before it said {pattern!r}")

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return float(sum(self.process.cpu_times()[:2]))

    def close(self) -> None:
        """End it."""
        self._popen.terminate()
        self._popen.communicate()


def get(name: str, more: str = "") -> str:
    """A look-up by REST."""
    return f"GET /v1/names/{name} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n"


def call(name: str, more: str = "") -> str:
    """A look-up by RPC."""
    body = xmlrpc.client.dumps((name,), "get_name_blockchain_record")
    return f"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}"


def zonefile(number: int) -> bytes:
    """A zone file as they are."""
    target = f"https://gaia.example/hub/{number:034d}/profile.json"
    return f'$ORIGIN zone{number}.bench\n$TTL 3600\n_http._tcp\tIN\tURI\t10\t1\t"{target}"\n'.encode()


def make_chain(blocks: int, operations: int) -> Lab:
    """Names in all states, the last of them with zone files."""
    lab = lifecycle_lab(blocks, operations)
    owners = [lab.wallet(f"zone owner {number % 10}") for number in range(WITH_ZONEFILE)]
    for name, owner in zip(NAMES, owners, strict=True):
        lab.name_preorder(name, by=owner)
    lab.mine()
    for number, (name, owner) in enumerate(zip(NAMES, owners, strict=True)):
        lab.name_registration(name, by=owner, value_hash=zonefile_hash(zonefile(number)))
    lab.mine()
    return lab


@contextmanager
def bitcoind_with(lab: Lab, options: argparse.Namespace, ports: PortPool) -> Iterator[RegtestNode]:
    """A fresh bitcoind with the chain of a scenario."""
    program = find(options.bitcoind, options.cache)
    with RunDirectory.create(options.cache) as run, start_node(program, run.path, ports) as node:
        blocks = lab.chain.blocks_from(base_chain().height + 1)
        raws = [*base_chain().hex_blocks, *(block.raw.hex() for block in blocks)]
        for start in range(0, len(raws), 50):
            reasons = node.rpc.batch([("submitblock", (raw,)) for raw in raws[start : start + 50]])
            assert not any(reasons), reasons
        yield node


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """All parts, one after the other, against nodes that index the same chain."""
    ports = PortPool.claimed()
    if options.only:
        lab = make_chain(options.blocks, options.operations)
        with bitcoind_with(lab, options, ports) as bitcoind:
            if "indexing" in options.only:
                for clients in (0, 8) * options.rounds:
                    with running(lab, bitcoind, ports) as node:
                        yield catch_up(node, lab.receipts[-1].height, len(lab.receipts), clients)
            if "look-ups" in options.only:
                with indexed(lab, bitcoind, ports) as node:
                    yield from steady(node, options)
    if options.reference:
        lab = make_chain(SHORT, SHORT)
        with bitcoind_with(lab, options, ports) as bitcoind, indexed(lab, bitcoind, ports) as node:
            ours = list(look_ups("ours", node.rpc_port, node.api_port, options.seconds))
        with reference_with(lab, options.cache) as reference:
            seconds = max(SECONDS_OF_REFERENCE, options.seconds)
            theirs = list(look_ups("reference", reference.ports.rpc, reference.ports.rest, seconds))
        for our, their in zip(ours, theirs, strict=True):
            yield from (our, {**their, "ratio": our["req/s"] / their["req/s"]})


@contextmanager
def indexed(lab: Lab, bitcoind: RegtestNode, ports: PortPool) -> Iterator[Node]:
    """A node that has the whole chain and its zone files."""
    with running(lab, bitcoind, ports) as node:
        node.wait_for(f"indexed up to block {lab.receipts[-1].height},")
        with xmlrpc.client.ServerProxy(f"http://127.0.0.1:{node.rpc_port}") as proxy:
            for number in range(WITH_ZONEFILE):
                proxy.put_zonefiles([base64.b64encode(zonefile(number)).decode()])
        yield node


@contextmanager
def reference_with(lab: Lab, cache: Path) -> Iterator[LiveReference]:
    """The reference with the whole chain and its zone files."""
    base = [block.raw for block in base_chain().blocks]
    blocks = lab.chain.blocks_from(base_chain().height + 1)
    outputs = Outputs.of_blocks([*base, *(block.raw for block in blocks)])
    found = install(cache, Console(stderr=True).print)
    with (
        RunDirectory.create(cache) as run,
        closing(LiveReference(lab.params, outputs, reference=found, base_blocks=base, run_dir=run.path)) as node,
    ):
        for height, block in enumerate(blocks, lab.params.first_block):
            node.apply(height, block.raw)
        for number in range(WITH_ZONEFILE):
            node.put_zonefile(zonefile(number))
        yield node


def look_ups(who: str, rpc_port: int, api_port: int, seconds: float) -> Iterator[Row]:
    """Look-ups at 1, 8 and 64 clients, each on a connection of its own."""
    for what, port, question in (("GET name", api_port, get), ("RPC", rpc_port, call)):
        for clients in (1, 8, 64):
            questions = [question(name, "Connection: close\r\n") for name in NAMES]
            yield {"what": f"{what}, {who}", **Clients(port, questions, clients, seconds, afresh=True).figures()}


@contextmanager
def running(lab: Lab, bitcoind: RegtestNode, ports: PortPool) -> Iterator[Node]:
    """A node with an empty database."""
    with tempfile.TemporaryDirectory(dir=bitcoind.run_dir) as directory, ExitStack() as stack:
        node = Node(Path(directory), lab, bitcoind, ports)
        stack.callback(node.close)
        yield node


def catch_up(node: Node, tip: int, blocks: int, clients: int) -> Row:
    """Reads while the whole chain is being indexed; without any, the rate to compare with."""
    node.wait_for("the node is ready")
    started, cpu = perf_counter(), node.cpu()
    questions = [
        "GET /v1/info HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /v1/names?page=0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ]
    reading = Clients(node.api_port, questions, clients, 0, clients / PACED) if clients else None
    node.wait_for(f"indexed up to block {tip},")
    seconds = perf_counter() - started
    row: Row = {"what": "indexing", "clients": 0, "blocks/s": blocks / seconds}
    if reading is not None:
        row |= {**reading.figures(), "what": "reads while indexing"}
    return {**row, "node load": (node.cpu() - cpu) / seconds}


def steady(node: Node, options: argparse.Namespace) -> Iterator[Row]:
    """As many look-ups as the node can answer."""
    for what, port, question in (
        ("GET /v1/names", node.api_port, get),
        ("RPC get_name_blockchain_record", node.rpc_port, call),
    ):
        for clients in (64, 8):
            for _ in range(options.rounds):
                cpu, started = node.cpu(), perf_counter()
                figures = Clients(port, [question(name) for name in NAMES], clients, options.seconds).figures()
                cpu = node.cpu() - cpu
                load = cpu / (perf_counter() - started)
                yield {"what": what, **figures, "node load": load, "us/req": 1e6 * cpu / figures["requests"]}


def main(argv: Sequence[str]) -> int:
    """Measure and print; --json FILE writes the figures."""
    parser = argparse.ArgumentParser(prog="servers", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--reference", action="store_true", help="measure the historical node too, on a short chain")
    parser.add_argument("--blocks", type=int, default=5000)
    parser.add_argument("--operations", type=int, default=6500)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bitcoind", type=Path)
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("bnslab"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    rows = list(measure(options))
    show(rows)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def show(rows: Sequence[Row]) -> None:
    """The figures as a table."""
    table = Table(*COLUMNS, title="servers")
    for row in rows:
        values = (row.get(column, "") for column in COLUMNS)
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in values))
    Console(width=140).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
