"""The core as its users run it: `blockstack-core start` in a process of its own, beside the scenario's bitcoind."""

from __future__ import annotations

import os
import secrets
import sqlite3
import sys
from configparser import RawConfigParser
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bns.bitcoin.block import block_hash
from bns.identity.hosts import write_hosts
from bns.node.daemon import DATABASE
from bns.node.signals import LOOK
from bns.params import SUBDOMAINS_VARIABLE
from bns.zonefiles.store import ZonefileStore
from bnslab.nodes.child import Child, NodeFailed, new_directory
from bnslab.nodes.mirror import Mirror
from bnslab.nodes.remote import RemoteNode
from bnslab.nodes.told import Told, receipt_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bns.engine import Receipt
    from bns.params import Params
    from bnslab.bitcoind import PortPool, RegtestNode
    from bnslab.nodes.child import Process
    from bnslab.nodes.forkserver import ForkServer
    from bnslab.outputs import Outputs

PORT_ATTEMPTS = 8
_PORT_TAKEN = "the port is in use by another program"
_NO_PEERS: Mapping[str, object] = {}
_TABLES = (
    "name_records", "namespaces", "preorders", "history", "keychains", "chainstate", "snapshots", "atlas_zonefiles",
    "subdomain_records", "subdomain_queue", "subdomain_undo", "embedded_zonefiles",
)  # fmt: skip


class _Saved(NamedTuple):
    """What it takes to undo zone files: the last block, a copy of the database, the zone files that were there."""

    height: int
    database: Path
    zonefiles: frozenset[Path]


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
        forks: ForkServer | None = None,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """Start and wait until it answers; NodeFailed if it does not. With a fork server, it is quick about it."""
        self._outputs = outputs
        self._forks = forks
        self._height = self._highest = 0
        self._saved: list[_Saved] = []
        self._hosts: dict[str, tuple[str, int]] = {}
        for attempts_left in reversed(range(PORT_ATTEMPTS)):
            self._directory = new_directory(run_dir, token())
            rpc_port, rest_port = ports.take(), ports.take()
            configure(self._directory, params, bitcoind, rpc_port, rest_port)
            write_hosts(self._hosts_file, self._hosts)
            try:
                child = self._start()
                break
            except NodeFailed as error:
                if not (is_of_ports(error) and attempts_left):
                    raise
        super().__init__(child, Mirror(params, ZonefileStore(self._zonefiles), {}), rpc_port, rest_port)

    @property
    def _hosts_file(self) -> Path:
        return self._directory / "hosts.json"

    @property
    def _database(self) -> Path:
        return self._directory / DATABASE

    @property
    def _zonefiles(self) -> Path:
        return self._directory / "zonefiles"

    def _start(self) -> Child:
        child = start(self._directory, f"--hosts-file={self._hosts_file}", forks=self._forks)
        try:
            child.read()
        except BaseException:
            child.end()
            raise
        return child

    def restart(self) -> None:
        """Stop it as users do, and start it again; NodeFailed if it does not do either."""
        self._stop()
        self._child = self._start()

    def _stop(self) -> None:
        self._rest.close()
        self._rpc.close()
        self._child.stop()

    def apply(self, height: int, raw: bytes) -> Receipt:
        """Wait until it has indexed the block, which it hears of from bitcoind."""
        if height <= self._highest:  # it still waits for one that is higher
            self._child.signal(LOOK)
        self._height, self._highest = height, max(self._highest, height)
        wanted = block_hash(raw)
        told = self._read()
        while isinstance(told, int) or told.block_hash != wanted:  # blocks on other branches, if it saw them
            told = self._read()
        self._copy()
        return receipt_of(told, raw, told.block_hash, self._outputs, self.state)

    def rollback(self, height: int) -> None:
        """Have it look at the chain, which has left the blocks above a height, and wait until it has seen that."""
        self._height = height
        self._child.signal(LOOK)
        self._await_rollback()

    def _await_rollback(self) -> None:
        while self._read() != self._height:
            pass
        self._copy()

    def put_zonefile(self, data: bytes) -> bool:
        """Hand over a zone file; whether it is kept."""
        self._saved.append(self._save())
        return super().put_zonefile(data)

    def _save(self) -> _Saved:
        copy = self._directory / f"before-{len(self._saved)}.db"
        with closing(sqlite3.connect(self._database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        return _Saved(self._height, copy, frozenset(self._zonefiles.rglob("*.txt")))

    def forget_zonefiles(self, kept: int) -> bool:
        """Go back to its files of before the first zone file too many, and catch up with the chain from there."""
        saved = self._saved[kept]
        del self._saved[kept:]
        self._stop()
        saved.database.replace(self._database)
        for path in set(self._zonefiles.rglob("*.txt")) - saved.zonefiles:
            path.unlink()
        self._child = self._start()
        if saved.height > self._height:
            self._await_rollback()
        else:
            self._copy()
        return True

    def _read(self) -> Told | int:
        """What it tells next: of a block, or the height it has rolled back to."""
        return msgspec.json.decode(self._child.read(), type=Told | int)

    def add_host(self, name: str, address: tuple[str, int]) -> None:
        """Let it find a host on the web."""
        self._hosts[name] = address
        write_hosts(self._hosts_file, self._hosts)

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


def start(directory: Path, *options: str, what: str = "the node", forks: ForkServer | None = None) -> Child:
    """A node in the foreground that tells of what it does, with further options of `blockstack-core start`."""
    arguments = ["start", "--foreground", f"--working-dir={directory}", *options]
    reader, writer = os.pipe()

    def fork(command: Sequence[str], log: int) -> Process:
        assert forks is not None, "called with one only"
        return forks.fork(command, directory, log, writer)

    try:
        if forks is not None:
            return Child(what, arguments, directory, reader, start=fork)
        command = [sys.executable, "-P", "-m", "bns.cli", *arguments, f"--receipts-fd={writer}"]
        return Child(what, command, directory, reader, pass_fds=(writer,))
    finally:
        os.close(writer)
