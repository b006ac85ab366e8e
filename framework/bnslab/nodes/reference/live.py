"""The reference as the node of a scenario: fed block by block, asked at its own servers, its databases read."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import msgspec

from bns.bitcoin.block import read_transactions
from bns.zonefiles.store import ZonefileStore
from bnslab.errors import LabError, NotSupported
from bnslab.nodes.child import Child, new_directory
from bnslab.nodes.mirror import Mirror
from bnslab.nodes.reference.node import DRIVER, environment_of, stripped_block
from bnslab.nodes.remote import RemoteNode
from bnslab.nodes.told import Told, receipt_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from bns.bitcoin.transaction import Transaction
    from bns.engine import Receipt
    from bns.params import Params
    from bnslab.nodes.reference.install import Reference
    from bnslab.outputs import Outputs

_NAMES = ("name_records", "namespaces", "preorders", "history")
_ABSENT = {"block_hash": None, "digest": b""}


class Ports(msgspec.Struct, frozen=True):
    """Where its servers answer, on loopback."""

    rpc: int
    rest: int


class _Indexed(msgspec.Struct, frozen=True):
    height: int
    serialized: tuple[str, ...]
    accepted: tuple[str, ...]


class LiveReference(RemoteNode):
    """The reference in its Python 2.7, its own parser, indexer, databases and servers at work.

    It follows no bitcoind: blocks go to it through a pipe, without witnesses, of which it knows nothing. It does not
    say why it rejects, knows no reorganisation, and keeps the importers of namespaces in files.
    """

    name = "reference"
    tells_reasons = False
    foreign_tables = frozenset({"keychains"})

    def __init__(
        self,
        params: Params,
        outputs: Outputs,
        *,
        reference: Reference,
        base_blocks: Iterable[bytes],
        run_dir: Path,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """Start and wait until its servers answer, or raise NodeFailed. base_blocks come before the first block."""
        self._outputs = outputs
        self._hashes: list[tuple[str, int]] = []
        self._earlier: dict[str, str] = {}
        directory = new_directory(run_dir, token())
        self._files = directory / "state"
        earlier = [transaction for raw in base_blocks for transaction in read_transactions(raw)]
        document = {
            "live": True,
            "first_block": params.first_block,
            "blocks": [],
            "transactions": {transaction.txid: transaction.stripped.hex() for transaction in earlier},
        }
        (directory / "chain.json").write_bytes(msgspec.json.encode(document))
        child = _start(reference, directory, params)
        try:
            self.ports = msgspec.json.decode(child.read(), type=Ports)
        except BaseException:
            child.end()
            raise
        super().__init__(
            child, Mirror(params, ZonefileStore(self._files / "zonefiles"), _ABSENT), self.ports.rpc, self.ports.rest
        )

    def learn(self, transaction: Transaction) -> None:
        """Let the next block spend a transaction of before the first block."""
        self._earlier[transaction.txid] = transaction.stripped.hex()

    def apply(self, height: int, raw: bytes) -> Receipt:
        """Have it index the block; NodeFailed if it aborts, which for some malformed chains is what it does."""
        block = stripped_block(height, raw)
        block["transactions"] |= self._earlier
        self._earlier.clear()
        self._child.write(msgspec.json.encode(block))
        indexed = msgspec.json.decode(self._child.read(), type=_Indexed)
        self._hashes.append((block["hash"], height))
        self._copy()
        snapshot = self.state.snapshot(height)
        if snapshot is None:
            raise LabError(f"the reference has no snapshot of block {height}")
        told = Told(height, snapshot.consensus_hash, snapshot.ops_hash or "", indexed.serialized, indexed.accepted)
        return receipt_of(told, raw, block["hash"], self._outputs, self.state)

    def rollback(self, height: int) -> None:
        """NotSupported: the reference only moves forward."""
        raise NotSupported(f"the reference cannot go back to block {height}: it knows no reorganisation")

    def restart(self) -> None:
        """NotSupported: blocks come to it through a pipe of this process."""
        raise NotSupported("the reference cannot be restarted: what it has been fed goes with its process")

    def forget_zonefiles(self, kept: int) -> bool:
        """NotSupported: it keeps what it has."""
        raise NotSupported("the reference cannot forget zone files")

    def add_host(self, name: str, address: tuple[str, int]) -> None:
        """NotSupported: it looks hosts up by itself."""
        raise NotSupported(f"the reference cannot find the host {name}: it looks hosts up by itself")

    def _copy(self) -> None:
        self._mirror.copy(
            (
                (self._files / "blockstack-server.db", {table: table for table in _NAMES}),
                (self._files / "blockstack-server.snapshots", {"snapshots": "snapshots", "chainstate": "chainstate"}),
                (self._files / "atlas.db", {"atlas_zonefiles": "zonefiles"}),
                (self._files / "subdomains.db", {"subdomain_records": "subdomain_records"}),
            )
        )
        connection, zonefiles = self.state.connection, self.offchain.zonefiles
        # it keeps no hashes of blocks, and all zone files in one place, but for the empty one
        connection.executemany("UPDATE snapshots SET block_hash = ? WHERE block_id = ?", self._hashes)
        for (hash_,) in connection.execute("SELECT DISTINCT zonefile_hash FROM subdomain_records").fetchall():
            if zonefiles.embedded(hash_) is None:
                zonefiles.embed(zonefiles.get(hash_) or b"")


def _start(reference: Reference, directory: Path, params: Params) -> Child:
    reader, writer = os.pipe()
    try:
        # Without -S the interpreter's own packages would be in reach.
        command = [
            str(reference.python.program),
            "-B",
            "-S",
            str(DRIVER),
            f"-datadir={directory}",
            f"-answers={writer}",
        ]
        environment = environment_of(reference, directory, params.to_reference_env())
        return Child("the reference", command, directory, reader, pass_fds=(writer,), environment=environment)
    finally:
        os.close(writer)
