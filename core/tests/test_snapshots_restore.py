"""Snapshots: what is made of a node and restored elsewhere is that node; anything else is refused, and nothing lost."""

from __future__ import annotations

import bz2
import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput
from bns.node.backups import NoBackup
from bns.node.snapshots import archive, contents
from bns.node.snapshots.archive import BadSnapshot, NotSigned
from bns.node.snapshots.export import export
from bns.node.snapshots.restore import TooOld
from bns.state.store import State
from tests.files import PARAMS, busy_blocks, fresh, index
from tests.snapshot_nodes import KEYS, Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHAINS = [
    "name_pre_reg_fast_sync",
    "name_pre_reg_snapshots",
    "name_pre_regup_subdomain_lookups",
    "name_pre_regup_subdomain_batch_reversed_independent",
    "extra_many_ops",
]
SUBDOMAINS = CHAINS[2]


@pytest.mark.parametrize("name", CHAINS)
def test_restored_elsewhere_it_is_the_same(name: str, tmp_path: Path) -> None:
    source = Place.of_chain(name, tmp_path / "source")
    snapshot = source.export(tmp_path / "snapshot.bsk", KEYS[3])
    copy = Place(tmp_path / "copy", source.params)
    copy.restore(snapshot, [KEYS[3]], 1)
    assert copy.tables() == source.tables()
    assert copy.files().items() >= source.files().items()
    assert names_in(copy) == ["blockstack-server.db", "blockstack-server.db.lock", "zonefiles"]


def names_in(place: Place) -> list[str]:
    return sorted(path.name for path in place.directory.iterdir())


def test_the_same_backup_gives_the_same_bytes(tmp_path: Path) -> None:
    source = Place.of_chain(SUBDOMAINS, tmp_path / "source")
    one, other = (source.export(tmp_path / name, KEYS[0]).read_bytes() for name in ("one", "other"))
    assert one == other


# Spec 10 section 3.14
@pytest.mark.parametrize(
    ("keys", "required"), [("345", 3), ("543", 3), ("34", 2), ("35", 2), ("45", 2), ("3", 1), ("40", 1), ("015", 1)]
)
def test_keys_and_thresholds(keys: str, required: int, signed: Place, tmp_path: Path) -> None:
    copy = Place(tmp_path / "copy", signed.params)
    copy.restore(signed.directory / "snapshot.bsk", [KEYS[int(key)] for key in keys], required)
    assert copy.tables() == signed.tables()


@pytest.mark.parametrize(("keys", "required"), [("3", 2), ("34", 3), ("0", 1), ("03", 2), ("034", 3)])
def test_keys_and_thresholds_that_do_not_suffice(keys: str, required: int, signed: Place, tmp_path: Path) -> None:
    copy = Place(tmp_path / "copy", signed.params)
    expected = NotSigned if required <= len(keys) else InvalidInput
    with pytest.raises(expected):
        copy.restore(signed.directory / "snapshot.bsk", [KEYS[int(key)] for key in keys], required)
    assert names_in(copy) in ([], ["blockstack-server.db.lock"])


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A node and a snapshot of it, signed by the keys 3, 4 and 5."""
    source = Place.of_chain(SUBDOMAINS, tmp_path_factory.mktemp("signed") / "source")
    source.export(source.directory / "snapshot.bsk", *KEYS[3:])
    return source


# Snapshots that are signed and yet wrong: not even those who are trusted can make a node say what the rules do not


def forged(signed: Place, path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The snapshot with other files in it, signed again."""
    with (signed.directory / "snapshot.bsk").open("rb") as file:
        size = archive.read_trailer(file).payload_size
        file.seek(0)
        plain = bz2.decompress(file.read(size))
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        files = {e.name: found.read() for e in tar.getmembers() if (found := tar.extractfile(e)) is not None}
    change(files)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    path.write_bytes(bz2.compress(buffer.getvalue()))
    with path.open("r+b") as file:
        archive.sign_new(file, KEYS[0])
    return path


def sql(name: str, *statements: str) -> Callable[[dict[str, bytes]], None]:
    """A change of a database."""

    def change(files: dict[str, bytes]) -> None:
        (path,) = (path for path in files if f"/{name}.bak." in path)
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(files[path])
            for statement in statements:
                connection.execute(statement)
            connection.commit()
            files[path] = connection.serialize()

    return change


def file(name: str, data: bytes | None) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        (path,) = [path for path in files if f"/{name}.bak." in path] or [name]
        if data is None:
            del files[path]
        else:
            files[path] = data

    return change


def no_zonefiles(files: dict[str, bytes]) -> None:
    for path in [path for path in files if path.startswith("./zonefiles/")]:
        del files[path]


def relabelled(files: dict[str, bytes]) -> None:
    (path,) = (path for path in files if f"/{contents.ATLAS}.bak." in path)
    files[f"./backups/{contents.ATLAS}.bak.123"] = files.pop(path)


LOOP = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n"
FORGERIES: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "a transaction less": (
        sql(contents.HASHES, "DELETE FROM chainstate WHERE vtxindex = 0 AND opcode = ':'"),
        "its transactions do not give its consensus hashes: block [0-9]+: expected",
    ),
    "another hash": (
        sql(contents.HASHES, f"UPDATE snapshots SET consensus_hash = '{'00' * 16}' WHERE block_id = 692"),
        "its transactions do not give its consensus hashes: block 692: expected consensus hash 00",
    ),
    "a hash less": (
        sql(contents.HASHES, "DELETE FROM snapshots WHERE block_id = 691"),
        "expected consensus hashes of a chain from block 688 on, got another chain's or gaps",
    ),
    "no hashes": (sql(contents.HASHES, "DELETE FROM snapshots"), "expected consensus hashes of a chain"),
    "another chain": (
        sql(contents.HASHES, "UPDATE snapshots SET block_id = block_id + 1000000"),
        "expected consensus hashes of a chain from block 688 on",
    ),
    "a height of text": (
        sql(contents.HASHES, "UPDATE snapshots SET block_id = 'x' WHERE block_id = 691"),
        "expected a number, got 'x'",
    ),
    "transactions of nonsense": (sql(contents.HASHES, "UPDATE chainstate SET tx_hex = '00'"), "ParseError"),
    "no transactions": (sql(contents.HASHES, "DROP TABLE chainstate"), "expected the table chainstate"),
    "a view that never ends": (
        sql(contents.HASHES, "DROP TABLE snapshots", f"CREATE VIEW snapshots AS {LOOP}"),
        "expected the table snapshots",
    ),
    "a queue that never ends": (
        sql(contents.QUEUE, "DROP TABLE queue", f"CREATE VIEW queue AS {LOOP}"),
        "expected the table queue",
    ),
    "a queue of nonsense": (
        sql(contents.QUEUE, "INSERT INTO queue VALUES ('x', 'zonefiles', 'x')"),
        "expected a zone file hash and a height, got 'x'",
    ),
    "a subdomain out of nowhere": (
        sql(contents.SUBDOMAINS, "UPDATE subdomain_records SET fully_qualified_subdomain = 'a.b.test' "
            "WHERE parent_zonefile_index = 1"),
        "subdomain record: expected one in a zone file that is here",
    ),
    "a zone file less": (no_zonefiles, "subdomain record: expected one in a zone file that is here"),
    "a database that is none": (file(contents.HASHES, b"no database at all"), "DatabaseError: file is not a database"),
    "a database less": (file(contents.ATLAS, None), r"got none of atlas\.db"),
    "a keychain of nonsense": (file("./test.keychain", b"one two\xff"), "expected an address a line, got 'one'"),
    "parts of two backups": (relabelled, "expected one backup, got parts of 123, 694$"),
    "a file too many": (file("./blockstack-server.ini", b""), "expected backups, zone files and keychains only"),
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forgeries(forgery: str, signed: Place, tmp_path: Path) -> None:
    change, complaint = FORGERIES[forgery]
    snapshot = forged(signed, tmp_path / "forged.bsk", change)
    copy = Place(tmp_path / "copy", signed.params)
    with pytest.raises(BadSnapshot, match=complaint):
        copy.restore(snapshot, [KEYS[0]], 1)
    assert names_in(copy) == ["blockstack-server.db.lock"]


def test_what_the_tables_of_names_say_does_not_count(signed: Place, tmp_path: Path) -> None:
    change = sql(contents.NAMES, "UPDATE name_records SET address = 'thief'", "DELETE FROM history")
    copy = Place(tmp_path / "copy", signed.params)
    copy.restore(forged(signed, tmp_path / "forged.bsk", change), [KEYS[0]], 1)
    assert copy.tables() == signed.tables()


# What was there before


def indexed(directory: Path, count: int) -> Place:
    """A node with some blocks of the busy chain, and a backup."""
    place = Place(directory, PARAMS)
    with closing(State.create(place.database, PARAMS)) as state:
        index(state, busy_blocks()[:count])
        place.backups.make(state.last_block)
    return place


def test_an_old_snapshot_replaces_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    old = indexed(tmp_path / "old", 20).export(tmp_path / "old.bsk", KEYS[0])
    node = indexed(tmp_path / "node", 30)
    before = node.tables()
    with pytest.raises(TooOld, match="it ends at block 119, and the state here at block 129: it is old"):
        node.restore(old, [KEYS[0]], 1)
    assert node.tables() == before
    assert node.restore(old, [KEYS[0]], 1, force=True) == 119
    with closing(State.open(node.database, PARAMS)) as state:
        assert state.last_block == 119
        index(state, busy_blocks())
        expected = fresh(busy_blocks())
        hashes = state.connection.execute("SELECT block_id, consensus_hash FROM snapshots").fetchall()
        assert sorted(hashes) == sorted((row[0], row[2]) for row in expected["snapshots"])


def test_a_damaged_state_is_replaced(tmp_path: Path) -> None:
    snapshot = indexed(tmp_path / "source", 20).export(tmp_path / "snapshot.bsk", KEYS[0])
    node = indexed(tmp_path / "node", 30)
    node.database.write_bytes(b"damaged" * 1000)
    assert node.restore(snapshot, [KEYS[0]], 1) == 119


def test_exports_that_cannot_be(tmp_path: Path) -> None:
    node = indexed(tmp_path / "node", 20)
    (tmp_path / "taken").touch()
    with pytest.raises(InvalidInput, match="path of a new snapshot"):
        export(node.backups, node.zonefiles, PARAMS, tmp_path / "taken", KEYS[0])
    with pytest.raises(NoBackup, match=r"no backup 5; there are 118"):
        export(node.backups, node.zonefiles, PARAMS, tmp_path / "new", KEYS[0], 5)
    shutil.rmtree(node.backups.directory)
    with pytest.raises(NoBackup, match=r"^No backups available$"):
        export(node.backups, node.zonefiles, PARAMS, tmp_path / "new", KEYS[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node", "taken"]


KILLED = """
import json, signal, sys
from pathlib import Path
from bns.node.snapshots import restore
from bns.params import Params
directory, snapshot, key, env, fatal = sys.argv[1:]
directory = Path(directory)

def report(step):
    if step == fatal:
        signal.raise_signal(signal.SIGKILL)

if fatal == "database":
    restore.files.put_in_place = lambda *_: report("database")
params = Params.from_reference_env(json.loads(env))
target = restore.Target(directory / "blockstack-server.db", directory / "zonefiles", params)
restore.restore(lambda path: path.write_bytes(Path(snapshot).read_bytes()), target, [bytes.fromhex(key)], 1, report)
"""


@pytest.mark.parametrize("fatal", ["verify", "unpack", "replay", "replace", "database"])
def test_a_restore_that_is_killed_leaves_the_old_state(fatal: str, tmp_path: Path) -> None:
    snapshot = indexed(tmp_path / "source", 30).export(tmp_path / "snapshot.bsk", KEYS[0])
    node = indexed(tmp_path / "node", 20)
    before = node.tables()
    arguments = [
        str(node.directory),
        str(snapshot),
        KEYS[0].public_key.hex(),
        json.dumps(PARAMS.to_reference_env()),
        fatal,
    ]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert [name for name in names_in(node) if name.startswith(".blockstack-fast-sync-")]
    assert node.tables() == before
    assert node.restore(snapshot, [KEYS[0]], 1) == 129
    assert not [name for name in names_in(node) if name.startswith(".")]


def test_a_log_that_a_killed_node_left_is_not_taken_for_that_of_the_new_state(tmp_path: Path) -> None:
    snapshot = indexed(tmp_path / "source", 30).export(tmp_path / "snapshot.bsk", KEYS[0])
    node = indexed(tmp_path / "node", 20)
    writer = sqlite3.connect(node.database)
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("UPDATE name_records SET address = 'unfinished business'")
    writer.commit()
    for suffix in ("", "-wal"):
        shutil.copy(f"{node.database}{suffix}", tmp_path / f"kept{suffix}")
    writer.close()
    for suffix in ("", "-wal"):
        (tmp_path / f"kept{suffix}").replace(f"{node.database}{suffix}")
    assert node.restore(snapshot, [KEYS[0]], 1) == 129
    assert not node.database.with_name("blockstack-server.db-wal").exists()
    assert "unfinished business" not in str(node.tables())
