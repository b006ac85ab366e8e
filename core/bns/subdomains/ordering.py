"""The order in which the reference goes through a dictionary: that of CPython 2.7 with 64 bits.

It decides which zone files are settled together, and so, where they come out of order, which records are accepted
(spec 04 section 5.4). Every reference node has the same order; strings have no secret in their hashes there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WORD = 2**64 - 1
_SMALLEST = 8
_LARGE = 50_000


def dictionary_order(texts: Iterable[str]) -> list[str]:
    """The keys of a dictionary in its order, when they were inserted in the order given; text is latin-1."""
    keys = list(dict.fromkeys(texts))
    if len(keys) < 2:
        return keys
    table: list[tuple[str, int] | None] = [None] * _SMALLEST
    for used, key in enumerate(keys, start=1):
        _insert(table, (key, _hash(key)))
        if used * 3 >= len(table) * 2:
            table = _grown(table, used)
    return [entry[0] for entry in table if entry is not None]


def _grown(table: Sequence[tuple[str, int] | None], used: int) -> list[tuple[str, int] | None]:
    size, wanted = _SMALLEST, used * (2 if used > _LARGE else 4)
    while size <= wanted:
        size *= 2
    grown: list[tuple[str, int] | None] = [None] * size
    for entry in table:
        if entry is not None:
            _insert(grown, entry)
    return grown


def _insert(table: list[tuple[str, int] | None], entry: tuple[str, int]) -> None:
    mask = len(table) - 1
    perturb = entry[1]
    place = perturb & mask
    while table[place & mask] is not None:
        place = 5 * place + perturb + 1
        perturb >>= 5
    table[place & mask] = entry


def _hash(text: str) -> int:
    data = text.encode("latin-1")
    if not data:
        return 0
    value = data[0] << 7
    for byte in data:
        value = (1000003 * value & _WORD) ^ byte
    value ^= len(data)
    return value - 1 if value == _WORD else value
