"""The core as its users run it: `blockstack-core start` in a process of its own, beside the scenario's bitcoind."""

from __future__ import annotations

import os
import secrets
import sys
from configparser import RawConfigParser
from typing import TYPE_CHECKING

import msgspec

from bns.node.daemon import DATABASE
from bns.params import SUBDOMAINS_VARIABLE
from bnslab.errors import LabError
from bnslab.nodes.child import Child, NodeFailed, new_directory
from bnslab.nodes.mirror import Mirror
from bnslab.nodes.remote import RemoteNode
from bnslab.nodes.told import Told, receipt_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bns.engine import Receipt
    from bns.params import Params
    from bnslab.bitcoind import PortPool, RegtestNode
    from bnslab.outputs import Outputs

PORT_ATTEMPTS = 8
_PORT_TAKEN = "the port is in use by another program"
_NO_PEERS: Mapping[str, object] = {}
_TABLES = (
    "name_records", "namespaces", "preorders", "history", "keychains", "chainstate", "snapshots", "atlas_zonefiles",
    "subdomain_records", "subdomain_queue", "subdomain_undo",
)  # fmt: skip


class ProcessNode(RemoteNode):
    """A node that follows a bitcoind, asked over real sockets, its database read beside it.

    It tells of each block through a pipe once it answers from it (bns.node.receipts), so that nobody has to look again
    and again. It is killed with close, with the harness, or with its run directory.
    """

    name = "process"
    tells_reasons = True
    foreign_tables: frozenset[str] = frozenset()

    def __init__(
        self,
        params: Params,
        outputs: Outputs,
        *,
        bitcoind: RegtestNode,
        run_dir: Path,
        ports: PortPool,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """Start and wait until it answers; NodeFailed if it does not."""
        self._outputs = outputs
        for attempts_left in reversed(range(PORT_ATTEMPTS)):
            directory = new_directory(run_dir, token())
            rpc_port, rest_port = ports.take(), ports.take()
            configure(directory, params, bitcoind, rpc_port, rest_port)
            child = start(directory)
            try:
                child.read()
                break
            except BaseException as error:
                child.end()
                if not (is_of_ports(error) and attempts_left):
                    raise
        self._database = directory / DATABASE
        super().__init__(child, Mirror(params, {}), rpc_port, rest_port)

    def apply(self, height: int, raw: bytes) -> Receipt:
        """Wait until it has indexed the block, which it hears of from bitcoind."""
        told = msgspec.json.decode(self._child.read(), type=Told)
        while told.height < height:
            told = msgspec.json.decode(self._child.read(), type=Told)
        if told.height > height:
            raise LabError(f"the node told of block {told.height}, expected block {height}")
        self._copy()
        return receipt_of(told, raw, told.block_hash, self._outputs, self.state)

    def rollback(self, height: int) -> None:
        """Nothing: it sees by itself, with the next block at the latest, what the chain has left."""

    def _copy(self) -> None:
        self._mirror.copy(((self._database, {table: table for table in _TABLES}),))


def is_of_ports(error: BaseException) -> bool:
    """Whether a node could not start because another program has one of its ports."""
    return isinstance(error, NodeFailed) and any(_PORT_TAKEN in line for line in error.tail)


def configure(
    directory: Path,
    params: Params,
    bitcoind: RegtestNode,
    rpc_port: int,
    rest_port: int,
    network: Mapping[str, object] = _NO_PEERS,
) -> None:
    """Write the node's configuration: the rules of the chain, and no confirmations, which test mode implies.

    network are the settings of its part in the peer network; it looks at its peers every second.
    """
    user, password = bitcoind.credentials
    parser = RawConfigParser()
    parser.read_dict(
        {
            "blockstack": {"server_version": "19.0.8.1", "rpc_port": rpc_port, **network},
            "blockstack-api": {"api_port": rest_port, "api_host": "127.0.0.1"},
            "bitcoind": {
                "server": "127.0.0.1", "port": bitcoind.rpc_port, "user": user, "passwd": password, "regtest": "yes",
            },
            "environment": {
                **params.to_reference_env(), SUBDOMAINS_VARIABLE: str(params.first_subdomain_block),
                "BLOCKSTACK_ATLAS_PEER_PING_INTERVAL": "1",
            },
        }
    )  # fmt: skip
    with (directory / "blockstack-server.ini").open("w", encoding="utf-8") as file:
        parser.write(file)


def start(directory: Path, *options: str, what: str = "the node") -> Child:
    """A node in the foreground that tells of what it does, with further options of `blockstack-core start`."""
    reader, writer = os.pipe()
    try:
        command = [sys.executable, "-P", "-m", "bns.cli", "start", "--foreground", f"--receipts-fd={writer}"]
        command += [f"--working-dir={directory}", *options]
        return Child(what, command, directory, reader, pass_fds=(writer,))
    finally:
        os.close(writer)
