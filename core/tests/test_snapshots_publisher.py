"""The service that publishes snapshots, and the commands around them."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.keys import PrivateKey
from bns.cli import main
from bns.commands import snapshots
from bns.node.servers import listen
from bns.node.snapshots.publisher import CHECK_SECONDS, Publisher
from tests.files import PARAMS
from tests.guard import guarded
from tests.snapshot_nodes import KEYS, Place, configured, grow

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["guarded"]

SECRET = KEYS[0].secret.hex()
PUBLIC = KEYS[0].public_key.hex()


@pytest.fixture
def node(tmp_path: Path) -> Place:
    return configured(tmp_path / "node")


def publisher(node: Place, max_age: int) -> Publisher:
    return Publisher(node.backups, node.zonefiles, PARAMS, node.directory / "snapshots", KEYS[0], max_age)


def published(node: Place) -> list[str]:
    return sorted(path.name for path in (node.directory / "snapshots").iterdir())


def test_snapshots_follow_the_backups(node: Place) -> None:
    for count in range(20, 26):
        grow(node, count)
        assert publisher(node, 3).run_once() == [98 + count]
    assert published(node) == ["snapshot.bsk", "snapshot.bsk.121", "snapshot.bsk.122", "snapshot.bsk.123"]
    assert publisher(node, 3).run_once() == []
    assert publisher(node, 1).run_once() == []
    assert published(node) == ["snapshot.bsk", "snapshot.bsk.123"]
    copy = Place(node.directory / "copy", PARAMS)
    assert copy.restore(node.directory / "snapshots" / "snapshot.bsk", [KEYS[0]], 1) == 124


def test_the_service_goes_on_after_what_fails(node: Place, caplog: pytest.LogCaptureFixture) -> None:
    grow(node, 20)
    waits = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 1:
            node.backups.path(140).write_bytes(b"damaged")
        elif len(waits) == 2:
            node.backups.path(140).unlink()
            grow(node, 21)
        return len(waits) == 3

    publisher(node, 100).run(wait)
    assert waits == [CHECK_SECONDS] * 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert published(node) == ["snapshot.bsk", "snapshot.bsk.118", "snapshot.bsk.119"]


# Commands


def service(tmp_path: Path, key: str = SECRET) -> list[str]:
    (tmp_path / "key").write_text(f"{key}\n")
    (tmp_path / "trusted").write_text(f"{PUBLIC}\n")
    (tmp_path / "service.ini").write_text(
        f"[blockstack-snapshots]\nprivate_key = {tmp_path / 'key'}\npublic_keys = {tmp_path / 'trusted'}\nmax_age = 3\n"
    )
    return [f"--config_file={tmp_path / 'service.ini'}", f"--snapshots={tmp_path / 'node' / 'snapshots'}"]


def test_the_command_that_publishes_once(node: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(node, 20)
    arguments = [*service(tmp_path), f"--working_dir={node.directory}"]
    assert snapshots.main(["snapshot", *arguments]) == 0
    assert capsys.readouterr() == ("Made 1 snapshots: 118\n", "")
    assert published(node) == ["snapshot.bsk", "snapshot.bsk.118"]
    (tmp_path / "key").write_text("nonsense")
    assert snapshots.main(["snapshot", *arguments]) == 2
    assert capsys.readouterr().err.startswith("blockstack-snapshots: private key: expected 32 bytes")
    (tmp_path / "key").unlink()
    assert snapshots.main(["snapshot", *arguments]) == 2
    assert capsys.readouterr().err == f"blockstack-snapshots: No such file or directory: {tmp_path / 'key'}\n"


def test_the_service_starts_answers_and_stops(node: Place, tmp_path: Path) -> None:
    grow(node, 20)
    with closing(listen("test", "127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    arguments = [*service(tmp_path), f"--port={port}", f"--working_dir={node.directory}"]

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-W", "error", "-m", "bns.commands.snapshots", *command]
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)

    try:
        started = run("start", *arguments)
        assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
        with closing(HTTPConnection("127.0.0.1", port)) as connection:
            connection.request("GET", "/v1/ping")
            assert connection.getresponse().read() == b'{"status":"alive"}'
        again = run("start", *arguments)
        assert again.returncode == 1
        assert "a node runs here already" in again.stderr
    finally:
        stopped = run("stop", arguments[0])
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert stopped.stdout.startswith("Stopped process ")
    assert published(node) == ["snapshot.bsk", "snapshot.bsk.118"]
    assert run("stop", arguments[0]).stdout == "No service runs\n"


def test_a_snapshot_from_one_command_to_the_other(
    node: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grow(node, 20)
    path, other = tmp_path / "made.bsk", tmp_path / "other"
    where = f"--working-dir={node.directory}"
    assert main(["fast_sync_snapshot", f"{SECRET}01", str(path), where]) == 0
    assert main(["fast_sync_sign", str(path), KEYS[1].secret.hex(), where]) == 0
    assert capsys.readouterr() == (f"Made {path} of backup 118\nSigned {path}\n", "")
    other.mkdir()
    (other / "blockstack-server.ini").write_text((node.directory / "blockstack-server.ini").read_text())
    keys = ",".join(key.public_key.hex() for key in KEYS[:3])
    elsewhere = f"--working-dir={other}"
    assert main(["fast_sync", str(path), keys, elsewhere]) == 1
    assert capsys.readouterr().err == (
        "blockstack-core: fast_sync failed: Not enough signatures match (required 3, found 2)\n"
    )
    assert main(["fast_sync", path.as_uri(), keys, "--num_required", "2", elsewhere]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"Synchronizing from snapshot from {path.as_uri()}.  This may take up to 15 minutes."
    assert said[-4:] == [
        "Restored the state after block 119",
        f"Node synchronized!  Node state written to {other}",
        "Start your node with `blockstack-core start`",
        "Pass `--debug` for extra output.",
    ]
    assert Place(other, PARAMS).tables() == node.tables()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["fast_sync", "x", "zz"], "Invalid public key: public key: expected 66 or 130 hex digits"),
        (["fast_sync", "nowhere.bsk"], "fast_sync failed: file://.*nowhere.bsk: No such file or directory"),
        (["fast_sync", "ftp://x/y"], "fast_sync failed: URL of a snapshot: expected one that begins with http"),
        (["fast_sync", "http://127.0.0.1:1/"], "fast_sync failed: http://127.0.0.1:1/: .*refused"),
        (["fast_sync", "x", PUBLIC, "--num_required=2"], "fast_sync failed: required signatures: expected 1 to 1"),
        (["fast_sync_snapshot", "nonsense", "x"], "^blockstack-core: Invalid private key$"),
        (["fast_sync_snapshot", SECRET, "x"], "Failed to create snapshot: No backups available"),
        (["fast_sync_sign", "x", "nonsense"], "^blockstack-core: Invalid private key$"),
        (["fast_sync_sign", "pyproject.toml", SECRET], "Failed to sign snapshot: Unparseable num_signatures"),
    ],
)
def test_refusals(arguments: list[str], complaint: str, node: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, f"--working-dir={node.directory}"]) == 1
    error = capsys.readouterr().err
    assert re.search(complaint, error.rstrip("\n")), error
    assert error.count("\n") == 1


def test_keys_as_wallets_write_them() -> None:
    key = PrivateKey(b"\x11" * 32)
    texts = ("11" * 32, "11" * 32 + "01", "KwntMbt59tTsj8xqpqYqRRWufyjGunvhSyeMo3NTYpFYzZbXJ5Hp")
    assert [PrivateKey.parse(text) for text in texts] == [key] * 3
