"""Where snapshots come from: a web server, or a file."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bns.errors import BnsError, InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 64 << 30
"""Bytes of the greatest snapshot that is fetched."""

TIMEOUT = 60.0
"""Seconds of silence after which a server is given up."""

_CHUNK = 1 << 20


class FetchFailed(BnsError):
    """A snapshot cannot be had."""


def fetch(url: str, path: Path, *, most_bytes: int = MOST_BYTES, timeout: float = TIMEOUT) -> None:
    """Write what is behind a URL (http, https, file) to a path. Raises FetchFailed, InvalidInput for another scheme."""
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise InvalidInput("URL of a snapshot", url, "one that begins with http, https or file")
    try:
        with urllib.request.urlopen(url, timeout=timeout) as reply, path.open("xb") as file:
            size = 0
            while chunk := reply.read(_CHUNK):
                size += len(chunk)
                if size > most_bytes:
                    raise FetchFailed(f"{url}: more than {most_bytes} bytes")
                file.write(chunk)
            length = reply.headers.get("Content-Length", "")
            if length.isdigit() and int(length) != size:
                raise FetchFailed(f"{url}: {size} bytes of {length}, then the connection was closed")
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise FetchFailed(f"{url}: {getattr(reason, 'strerror', None) or reason}") from None
