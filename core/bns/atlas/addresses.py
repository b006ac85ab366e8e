"""Addresses of peers, `host:port` (spec 05 section 2.3)."""

from __future__ import annotations

import re

_HOSTPORT = re.compile(r"(?:https?://)?(?:[^@/]*@)?([^:@/\s]{1,255})(?::([0-9]{1,5}))?(?:/.*)?", re.DOTALL)
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
_LAST_PORT = 65_534  # the reference takes 65535 for no port


def parse_hostport(text: str, default_port: int) -> str | None:
    """The `host:port` that a text means; None for what means none, such as an IPv6 address or a bad port."""
    found = _HOSTPORT.fullmatch(text)
    if found is None:
        return None
    port = int(found[2] or default_port)
    return f"{found[1]}:{port}" if 0 < port <= _LAST_PORT else None


def canonical(hostport: str) -> str:
    """A peer's address with one name for this machine."""
    host, _, port = hostport.rpartition(":")
    return f"localhost:{port}" if host in _LOCAL else hostport


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    return host in _LOCAL
