"""Snapshots of a scenario's node: made, published, restored elsewhere and compared (spec 08 sections 11, 12)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from bns.node.backups import Backups
from bns.node.snapshots.archive import add_signature
from bns.node.snapshots.export import export
from bns.node.snapshots.publisher import Publisher
from bns.node.snapshots.restore import Target, restore
from bns.state.schema import APPLICATION_ID, SCHEMA_VERSION
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import ZonefileStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bnslab.lab import Lab
    from bnslab.wallets import Wallet

    Tables = dict[str, list[tuple[Any, ...]]]

_TABLES = {
    "names": "SELECT * FROM name_records",
    "namespaces": "SELECT * FROM namespaces",
    "preorders": "SELECT * FROM preorders",
    "history": "SELECT * FROM history",
    "keychains": "SELECT * FROM keychains",
    "transactions": "SELECT * FROM chainstate",
    "consensus hashes": "SELECT block_id, consensus_hash, ops_hash FROM snapshots",
    "announcements": "SELECT * FROM atlas_zonefiles",
    "subdomains": "SELECT * FROM subdomain_records",
    "queue": "SELECT zonefile_hash, block_height FROM subdomain_queue WHERE processed IS NULL",
}


class NodeOnDisk:
    """The node of a scenario, kept in a directory with backups, as a node of its own keeps itself."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        self.directory = directory
        self.zonefiles = directory / "zonefiles"
        self.backups = Backups(directory / "blockstack-server.db", 1, 10**6)
        directory.mkdir(parents=True, exist_ok=True)

    def back_up(self) -> None:
        """Write the state after the last block, its zone files, and a backup."""
        state, offchain = self.lab.node.state, self.lab.node.offchain
        with closing(sqlite3.connect(self.backups.database)) as target:
            state.connection.backup(target)
            target.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}")
        store = ZonefileStore(self.zonefiles)
        for announcement in offchain.announced.between(0, self.lab.height):
            if data := offchain.zonefiles.get(announcement.zonefile_hash):
                store.put(data)
        self.backups.make(self.lab.height)

    def snapshot(self, path: Path, *signers: Wallet) -> Path:
        """A snapshot of the newest backup, signed by the first keys of wallets."""
        first, *others = [wallet.keys[0] for wallet in signers]
        export(self.backups, self.zonefiles, self.lab.params, path, first)
        for key in others:
            add_signature(path, key)
        return path

    def publish(self, directory: Path, signer: Wallet, max_age: int) -> list[str]:
        """One pass of the service that publishes snapshots; the names in its directory."""
        Publisher(self.backups, self.zonefiles, self.lab.params, directory, signer.keys[0], max_age).run_once()
        return sorted(path.name for path in directory.iterdir())

    def tables(self) -> Tables:
        """What the node of the scenario knows."""
        return _tables(self.lab.node.state)


class Restored:
    """A node that began with a snapshot. Raises as bns.node.snapshots.restore does."""

    def __init__(self, lab: Lab, snapshot: Path, directory: Path, signers: Sequence[Wallet], required: int) -> None:
        directory.mkdir(parents=True)
        self._target = Target(directory / "blockstack-server.db", directory / "zonefiles", lab.params)
        keys = [wallet.keys[0].public_key for wallet in signers]
        self.height = restore(lambda path: _copy(snapshot, path), self._target, keys, required)

    def tables(self) -> Tables:
        """What it knows."""
        with closing(State.open(self._target.database, self._target.params)) as state:
            Offchain(state, ZonefileStore(self._target.zonefiles))
            return _tables(state)

    def zonefile(self, hash_: str) -> bytes | None:
        """A zone file that it has."""
        return ZonefileStore(self._target.zonefiles).get(hash_)


def _copy(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())


def _tables(state: State) -> Tables:
    return {name: sorted(state.connection.execute(query), key=repr) for name, query in _TABLES.items()}
