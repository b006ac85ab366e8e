"""Consensus hashes of all heights in memory, 16 bytes each: every block needs some two dozen of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIZE = 16


class HashColumn:
    """Hashes (32 hex) of consecutive heights from `first` on."""

    def __init__(self, first: int, hashes: Iterable[str]) -> None:
        self.first = first
        self._data = bytearray()
        for hash_ in hashes:
            self.append(hash_)

    @property
    def last(self) -> int:
        """The greatest height."""
        return self.first + len(self._data) // _SIZE - 1

    def append(self, hash_: str) -> None:
        """Add the hash of the next height."""
        self._data += bytes.fromhex(hash_)

    def get(self, height: int) -> str | None:
        """Hash of a height, None outside the column."""
        start = (height - self.first) * _SIZE
        return (self._data[start : start + _SIZE].hex() or None) if start >= 0 else None

    def between(self, first: int, last: int) -> list[str]:
        """Hashes of the heights from first to last that are in the column."""
        start, end = ((height - self.first) * _SIZE for height in (first, last + 1))
        text = self._data[max(0, start) : max(0, end)].hex()
        return [text[i : i + 2 * _SIZE] for i in range(0, len(text), 2 * _SIZE)]

    def truncate(self, last: int) -> None:
        """Forget every height above last."""
        del self._data[max(0, last + 1 - self.first) * _SIZE :]
