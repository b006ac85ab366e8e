"""Directories of nodes with a backup to make snapshots of."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bns.bitcoin.keys import PrivateKey
from bns.node.backups import Backups
from bns.node.snapshots.archive import add_signature
from bns.node.snapshots.export import export
from bns.node.snapshots.restore import Target, restore
from bns.state.schema import APPLICATION_ID, SCHEMA_VERSION
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import ZonefileStore
from tests.api_nodes import replay
from tests.files import PARAMS, busy_blocks, index, tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bns.params import Params

KEYS = [PrivateKey.from_label(f"signer {number}") for number in range(6)]
OWN = {"meta", "undo", "subdomain_undo", "sqlite_sequence"}
"""Tables that tell how a node came to its state."""


@dataclass
class Place:
    """The directory of a node that does not run."""

    directory: Path
    params: Params

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        self.database = self.directory / "blockstack-server.db"
        self.zonefiles = self.directory / "zonefiles"
        self.backups = Backups(self.database, 144, 1008)

    @classmethod
    def of_chain(cls, name: str, directory: Path) -> Place:
        """A node that has indexed a chain of fixtures/reference, with a backup of its state."""
        node = replay(name)
        place = cls.of_state(node.state, directory)
        store = ZonefileStore(place.zonefiles)
        assert node.atlas is not None
        for entry in node.atlas.announcements(0, 10**9, 0, 10**6):
            if data := node.zonefile(entry.zonefile_hash):
                store.put(data)
        return place

    @classmethod
    def of_state(cls, state: State, directory: Path) -> Place:
        """A node with a copy of a state, and a backup of it."""
        place = cls(directory, state.params)
        with closing(sqlite3.connect(place.database)) as target:
            state.connection.backup(target)
            target.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}")
        place.backups.make(state.last_block)
        return place

    def export(self, path: Path, *keys: PrivateKey) -> Path:
        """A snapshot signed by keys."""
        export(self.backups, self.zonefiles, self.params, path, keys[0])
        for key in keys[1:]:
            add_signature(path, key)
        return path

    def restore(self, snapshot: Path, keys: Sequence[PrivateKey], required: int, **options: Any) -> int:
        """Restore a file here."""
        target = Target(self.database, self.zonefiles, self.params, **options)
        public = [key.public_key for key in keys]

        def fetch(path: Path) -> None:
            path.write_bytes(snapshot.read_bytes())

        return restore(fetch, target, public, required)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the database says, apart from hashes of blocks."""
        with closing(State.open(self.database, self.params)) as state:
            Offchain(state, ZonefileStore(self.zonefiles))
            found = tables(state)
        found["snapshots"] = [(row[0], *row[2:]) for row in found["snapshots"]]
        found["subdomain_queue"] = [row[1:3] for row in found["subdomain_queue"] if row[3] is None]
        return {name: rows for name, rows in found.items() if name not in OWN}

    def files(self) -> dict[str, bytes]:
        """The zone files."""
        return {path.name: path.read_bytes() for path in self.zonefiles.rglob("*.txt")}


def configured(directory: Path) -> Place:
    """The directory of a node on the busy chain, with a configuration."""
    place = Place(directory, PARAMS)
    (directory / "blockstack-server.ini").write_text(
        "[blockstack]\nserver_version = 19.0.8.1\n[environment]\n"
        + "".join(f"{key} = {value}\n" for key, value in PARAMS.to_reference_env().items())
    )
    return place


def grow(place: Place, count: int) -> None:
    """Index up to so many blocks of the busy chain, and make a backup."""
    make = State.open if place.database.exists() else State.create
    with closing(make(place.database, PARAMS)) as state:
        index(state, busy_blocks()[:count])
        place.backups.make(state.last_block)
