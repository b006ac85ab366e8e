"""Restoring a snapshot: nothing is touched before all of it has proven good, and then all of it at once (11.2).

Of what a snapshot holds, transactions, zone files, keychains and the subdomain index are taken; the name database is
computed from the transactions, and each block must come to the consensus hash that the snapshot says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bns.errors import InvalidInput
from bns.node.expected import Diverged
from bns.node.snapshots import databases
from bns.node.snapshots.archive import BadSnapshot, verify
from bns.node.snapshots.contents import DATABASES, NAMES, members
from bns.node.verify import BadChainstate
from bns.node.verify import verify as replay
from bns.state import files
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.subdomains.table import Queued
from bns.zonefiles.store import ZonefileStore, zonefile_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bns.node.snapshots.contents import Member
    from bns.params import Params

_SCRATCH = ".blockstack-fast-sync-"
_DATABASES = "databases"
_ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{25,64}")


class TooOld(BadSnapshot):
    """A snapshot ends before the state that it would replace."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a snapshot is restored to, and by which rules.

    Nobody else uses the database meanwhile. With `force` even a state that is newer than the snapshot is replaced.
    """

    database: Path
    zonefiles: Path
    params: Params
    force: bool = False


def restore(
    fetch: Callable[[Path], None],
    target: Target,
    trusted: Sequence[bytes],
    required: int,
    report: Callable[[str], None] = lambda _: None,
) -> int:
    """Put a snapshot in the place of a state; the height of its last block.

    fetch writes the file to a path. trusted are public keys, required of which must have signed. Whatever is raised
    (NotSigned, BadSnapshot, TooOld, DatabaseError), and whenever the process is killed, the old state is still there.
    report is told of each step.
    """
    if not 1 <= required <= len(trusted):
        raise InvalidInput("required signatures", required, f"1 to {len(trusted)}, the number of public keys")
    lock = files.FileLock(target.database)
    try:
        with _scratch(target.database.parent) as scratch:
            snapshot = scratch / "snapshot.bsk"
            report("fetch")
            fetch(snapshot)
            report("verify")
            with snapshot.open("rb") as file:
                trailer = verify(file, trusted, required)
                report("unpack")
                keychains = _unpack(members(file, trailer.payload_size), scratch)
            report("replay")
            height = _rebuild(scratch, target, keychains)
            report("replace")
            _replace(scratch, target)
    finally:
        lock.release()
    return height


@contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    """A directory beside the database; those of runs that were killed go."""
    for left in directory.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=directory))
    except OSError as error:
        raise files.os_error(error, directory) from None
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _unpack(found: Iterator[Member], scratch: Path) -> dict[str, list[str]]:
    """Write databases and zone files; the keychains by namespace."""
    (scratch / _DATABASES).mkdir()
    keychains: dict[str, list[str]] = {}
    unpacked: dict[str, int | None] = {}
    for member in found:
        if member.kind == "database":
            unpacked[member.name] = member.label
            if member.name != NAMES:  # computed anew
                with (scratch / _DATABASES / member.name).open("xb") as file:
                    file.writelines(member.chunks())
        elif member.kind == "zonefile":
            if data := member.read():
                path = ZonefileStore.place(scratch / "zonefiles", zonefile_hash(data))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        else:
            keychains[member.name] = _addresses(member)
    missing = [name for name in DATABASES if name not in unpacked]
    if missing:
        raise BadSnapshot(f"expected a backup of {', '.join(DATABASES)}, got none of {', '.join(missing)}")
    labels = sorted({str(label) for label in unpacked.values()})
    if len(labels) > 1:
        raise BadSnapshot(f"expected one backup, got parts of {', '.join(labels)}")
    return keychains


def _addresses(member: Member) -> list[str]:
    lines = member.read().decode("latin-1").split()
    wrong = next((line for line in lines if not _ADDRESS.fullmatch(line)), None)
    if wrong is not None:
        raise BadSnapshot(f"{member.name}.keychain: expected an address a line, got {ascii(wrong)[:80]}")
    return lines


def _rebuild(scratch: Path, target: Target, keychains: dict[str, list[str]]) -> int:
    """Make the new state in the scratch directory; its last block."""
    theirs = scratch / _DATABASES
    databases.check_chainstate(theirs)
    hashes = databases.read_hashes(theirs)
    first, last = target.params.first_block, max(hashes, default=0)
    if min(hashes, default=0) != first - 4 or last < first or len(hashes) != last - first + 5:
        raise BadSnapshot(f"expected consensus hashes of a chain from block {first} on, got another chain's or gaps")
    _refuse_older(last, target)
    with closing(State.create(scratch / target.database.name, target.params)) as state:
        try:
            with state.group():
                replay(theirs, state, last, hashes[last], expected=hashes)
                # the real ones are not in it; no hash is one that fits every chain
                state.connection.execute("UPDATE snapshots SET block_hash = NULL")
                rows = [(namespace, json.dumps(addresses)) for namespace, addresses in keychains.items()]
                state.connection.executemany("INSERT OR IGNORE INTO keychains VALUES (?, ?)", rows)
        except (Diverged, BadChainstate) as error:
            raise BadSnapshot(f"its transactions do not give its consensus hashes: {error}") from None
        _adopt(scratch, state)
    return last


def _adopt(scratch: Path, state: State) -> None:
    """The part that depends on zone files."""
    offchain = Offchain(state, ZonefileStore(scratch / "zonefiles"))
    queue = list(databases.read_queue(scratch / _DATABASES))
    known = databases.read_present(scratch / _DATABASES)
    announced = offchain.announced.between(0, state.last_block)
    news = (found for found in announced if found.present and found.inv_index not in known)
    queue += [Queued(found.zonefile_hash, found.block_height) for found in news]
    try:
        offchain.adopt(databases.read_subdomains(scratch / _DATABASES), queue)
    except InvalidInput as error:
        raise BadSnapshot(str(error)) from None


def _refuse_older(last: int, target: Target) -> None:
    if target.force or not target.database.exists():
        return
    with suppress(sqlite3.Error, files.DatabaseError):  # a damaged state may well be replaced
        files.check(target.database)
        with closing(sqlite3.connect(f"{target.database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (present,) = connection.execute("SELECT max(block_id) FROM snapshots").fetchone()
        if present > last:
            raise TooOld(
                f"it ends at block {last}, and the state here at block {present}: it is old, or not a good one"
            )


def _replace(scratch: Path, target: Target) -> None:
    """Zone files first: more of them do no harm to a state. Then the database, in one step."""
    try:
        target.zonefiles.mkdir(mode=0o700, parents=True, exist_ok=True)
        unpacked = sorted((scratch / "zonefiles").rglob("*.txt"))
        for path in unpacked:
            place = target.zonefiles / path.relative_to(scratch / "zonefiles")
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.replace(place)
        if unpacked:
            os.sync()
        files.put_in_place(scratch / target.database.name, target.database)
    except OSError as error:
        raise files.os_error(error, target.database) from None
