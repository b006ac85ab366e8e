"""Making a snapshot from a backup (spec 08 section 11.3)."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bns.errors import InvalidInput
from bns.node.backups import NoBackup
from bns.node.snapshots import databases
from bns.node.snapshots.archive import sign_new
from bns.node.snapshots.contents import DATABASES, pack
from bns.state.store import State
from bns.subdomains.embedded import AllZonefiles
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import ZonefileStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bns.bitcoin.keys import PrivateKey
    from bns.node.backups import Backups
    from bns.params import Params

    Content = Iterator[tuple[str, BinaryIO, int]]
    """Files: path, content, size in bytes."""

_HASHES = (
    "SELECT zonefile_hash FROM atlas_zonefiles UNION SELECT lower(hex(zonefile_hash)) FROM embedded_zonefiles "
    "ORDER BY zonefile_hash"
)


def export(
    backups: Backups, zonefiles: Path, params: Params, target: Path, key: PrivateKey, label: int | None = None
) -> int:
    """Make a snapshot of a backup, by default the newest, signed by one key; the label of the backup.

    The node may run meanwhile. The same backup, zone files and key give the same bytes. Raises NoBackup if there is no
    such backup, InvalidInput if something is at the target already, DatabaseError for a damaged backup.
    """
    labels = backups.labels()
    if not labels:
        raise NoBackup("No backups available")
    chosen = labels[-1] if label is None else label
    if chosen not in labels:
        raise NoBackup(f"no backup {chosen}; there are {', '.join(map(str, labels))}")
    if target.exists():
        raise InvalidInput("path of a new snapshot", str(target), "one where nothing is")
    unfinished = target.with_name(f".{target.name}.part")
    try:
        with unfinished.open("w+b") as file, _unpacked(backups.path(chosen), zonefiles, params, chosen) as content:
            pack(file, content)
            sign_new(file, key)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return chosen


@contextmanager
def _unpacked(backup: Path, zonefiles: Path, params: Params, label: int) -> Iterator[Content]:
    """The files of a snapshot, while they are there."""
    with tempfile.TemporaryDirectory(prefix=".blockstack-export-", dir=backup.parent) as name:
        directory = Path(name)
        copy = directory / "state"
        shutil.copyfile(backup, copy)
        with closing(State.open(copy, params)) as state:
            store = ZonefileStore(zonefiles)
            Offchain(state, store)  # fills the tables that a node without Atlas lacks
            written = directory / "databases"
            written.mkdir()
            databases.write(state.connection, written)
            yield _content(state, written, label, store)


def _content(state: State, written: Path, label: int, store: ZonefileStore) -> Content:
    for name in sorted(DATABASES):
        with (written / name).open("rb") as file:
            yield f"backups/{name}.bak.{label}", file, os.fstat(file.fileno()).st_size
    for namespace_id, addresses in state.connection.execute("SELECT * FROM keychains ORDER BY namespace_id"):
        text = "".join(f"{address}\n" for address in json.loads(addresses)).encode("ascii")
        yield f"{namespace_id}.keychain", BytesIO(text), len(text)
    zonefiles = AllZonefiles(state.connection, store)
    for (hash_,) in state.connection.execute(_HASHES).fetchall():
        if data := zonefiles.get(hash_):
            yield str(store.path(hash_).relative_to(store.directory.parent)), BytesIO(data), len(data)
