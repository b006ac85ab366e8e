"""The real package from the real mirror: downloaded, verified, moved, run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bnslab.bitcoind import PortPool, RegtestNode, RunDirectory, debian, find, install
from bnslab.bitcoind.errors import SourceFailed
from bnslab.bitcoind.install import Source

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network


def test_install_from_debian_and_run_from_wherever_the_cache_lies(tmp_path: Path, port_pool: PortPool) -> None:
    cache = tmp_path / "cache with space"
    said: list[str] = []
    installed = install(cache, said.append, sources=[Source("debian", debian.fetch)])
    assert installed.flavour == "knots"
    assert [entry.name for entry in (cache / "bitcoind").glob("*-*")] == [f"debian-{installed.version}"]
    assert "http" not in " ".join(said)
    stored = [path for path in (cache / "bitcoind").rglob("*") if path.is_file() and path.stat().st_size < 4096]
    assert not [path for path in stored if str(cache).encode() in path.read_bytes()]
    moved = cache.rename(tmp_path / "moved")
    found = find(None, moved, path="")
    assert found.argv[0].startswith(str(moved))
    with (
        RunDirectory.create(moved) as run,
        RegtestNode.start(found, run.path, port_pool, mocktime=1_500_000_000) as node,
    ):
        assert node.rpc.call("getblockcount") == 0


def test_a_mirror_without_the_suites_is_named_as_the_reason(tmp_path: Path) -> None:
    empty = tmp_path / "mirror" / "debian"
    empty.mkdir(parents=True)
    (tmp_path / "sources.list").write_text(f"deb file:{empty} bookworm main\n")
    with pytest.raises(SourceFailed, match="the mirror"):
        debian.fetch(tmp_path, lambda _: None, apt=tmp_path)


def test_an_archive_debian_did_not_sign_is_refused(tmp_path: Path) -> None:
    for suite in ("sid", "trixie"):
        directory = tmp_path / "mirror" / "debian" / "dists" / suite
        directory.mkdir(parents=True)
        (directory / "Release").write_text(f"Suite: {suite}\nCodename: {suite}\nDate: Sat, 01 Jan 2022 00:00:00 UTC\n")
    (tmp_path / "sources.list").write_text(f"deb file:{tmp_path}/mirror/debian bookworm main\n")
    with pytest.raises(SourceFailed, match="not signed"):
        debian.fetch(tmp_path, lambda _: None, apt=tmp_path)
