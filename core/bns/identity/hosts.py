"""Hosts of a web that is only a table, so that tests need no name server: address and port by name."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Hosts = Mapping[str, tuple[str, int]]


class KnownHosts:
    """Looks hosts up like socket.getaddrinfo, but in a table that may grow, and nowhere else."""

    def __init__(self, table: Callable[[], Hosts]) -> None:
        self._table = table

    def __call__(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        """Where a host is; socket.gaierror if the table does not know it."""
        address = self._table().get(host)
        if address is None:
            raise socket.gaierror(socket.EAI_NONAME, f"the table has no host {host}")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]


def read_hosts(path: Path) -> Hosts:
    """The table in a JSON file like {"host.name": ["127.0.0.1", 4321]}."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[str, int]])


def write_hosts(path: Path, hosts: Hosts) -> None:
    """Put a table into a file, at once: whoever reads it meanwhile finds all of it or all of the one before."""
    new = path.with_name(f".{path.name}")
    new.write_bytes(msgspec.json.encode(hosts))
    new.replace(path)
