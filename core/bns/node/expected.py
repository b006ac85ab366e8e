"""Consensus hashes that somebody vouches for, to compare an index with (spec 08 section 5.2)."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from bns.errors import BnsError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{32}")
_SQLITE = b"SQLite format 3\0"


class UnreadableSnapshots(BnsError):
    """A file of expected consensus hashes cannot be used."""


class Diverged(BnsError):
    """The index has another consensus hash than expected."""

    def __init__(self, height: int, expected: str, actual: str | None) -> None:
        super().__init__(f"block {height}: expected consensus hash {expected}, got {actual}")
        self.height = height
        self.expected = expected
        self.actual = actual


def read_expected(path: Path) -> dict[int, str]:
    """Consensus hash by height, from JSON `{"snapshots": {"<height>": "<hash>"}}` or a database with snapshots.

    Raises UnreadableSnapshots.
    """
    try:
        data = path.read_bytes()
        if data.startswith(_SQLITE):
            return _checked(_from_database(path), path)
        return _checked(json.loads(data)["snapshots"], path)
    except OSError as error:
        raise UnreadableSnapshots(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, sqlite3.Error) as error:
        expected = 'expected JSON {"snapshots": {"<height>": "<consensus hash>"}} or a database of snapshots'
        raise UnreadableSnapshots(f"{path}: {expected} ({type(error).__name__}: {error})") from None


def require_hash(text: str) -> str:
    """A consensus hash as it is written: InvalidInput if it is none."""
    if not _HASH.fullmatch(text):
        raise InvalidInput("consensus hash", text, "32 lower-case hex digits")
    return text


def _from_database(path: Path) -> dict[object, object]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT block_id, consensus_hash FROM snapshots"))


def _checked(found: Mapping[object, object], path: Path) -> dict[int, str]:
    hashes = {int(str(height)): str(hash_) for height, hash_ in found.items()}
    for height, hash_ in hashes.items():
        if not _HASH.fullmatch(hash_):
            raise UnreadableSnapshots(f"{path}: block {height}: expected a consensus hash of 32 hex, got {hash_!r}")
    return hashes
