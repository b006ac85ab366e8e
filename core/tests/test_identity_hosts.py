"""Hosts of a web that is only a table."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from bns.identity.hosts import KnownHosts, read_hosts, write_hosts

if TYPE_CHECKING:
    from pathlib import Path


def test_a_table_that_grows(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    write_hosts(path, {})
    find = KnownHosts(lambda: read_hosts(path))
    with pytest.raises(socket.gaierror, match=r"the table has no host gaia\.localhost"):
        find("gaia.localhost", 80)
    write_hosts(path, {"gaia.localhost": ("127.0.0.1", 4321)})
    ((family, kind, _, _, address),) = find("gaia.localhost", 80, type=socket.SOCK_STREAM)
    assert (family, kind, address) == (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 4321))
    assert [entry.name for entry in tmp_path.iterdir()] == ["hosts.json"]
