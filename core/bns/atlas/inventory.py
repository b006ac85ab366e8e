"""Inventories: one bit for each announcement, the first one highest in the first byte (spec 05 section 4.1).

Bits behind the end are 0. Sets of bits are also handled as integers whose lowest bit is the last one of a given number
of bytes: then one instruction looks at thousands of zone files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def with_bits(inventory: bytes, bits: Iterable[int], *, present: bool) -> bytes:
    """An inventory with these bits (from 0) set or cleared, made long enough for the greatest of them first."""
    bits = list(bits)
    changed = bytearray(inventory.ljust(max(bits, default=-8) // 8 + 1, b"\0"))
    for bit in bits:
        mask = 0x80 >> bit % 8
        changed[bit // 8] = changed[bit // 8] | mask if present else changed[bit // 8] & ~mask
    return bytes(changed)


def has_bit(inventory: bytes, bit: int) -> bool:
    """Whether a bit is set."""
    return bit // 8 < len(inventory) and bool(inventory[bit // 8] & 0x80 >> bit % 8)


def missing_count(local: bytes, remote: bytes) -> int:
    """How many zone files the remote inventory has that the local one lacks."""
    size = max(len(local), len(remote))
    return (as_integer(remote, size) & ~as_integer(local, size)).bit_count()


def as_integer(inventory: bytes, size: int) -> int:
    """The first `size` bytes of an inventory as a set of bits."""
    return int.from_bytes(inventory[:size].ljust(size, b"\0"))


def mask_of(bits: Iterable[int], size: int) -> int:
    """A set of bits (from 0) of an inventory of `size` bytes."""
    mask = 0
    for bit in bits:
        mask |= 1 << size * 8 - 1 - bit
    return mask


class Popularity:
    """Counts for every bit how many of some sets have it."""

    def __init__(self) -> None:
        self._planes: list[int] = []  # digit k of every count, as a set of bits

    def add(self, bits: int) -> None:
        """Count one more set."""
        for place, plane in enumerate(self._planes):
            if not bits:
                return
            self._planes[place] = plane ^ bits
            bits &= plane
        if bits:
            self._planes.append(bits)

    def of(self, mask: int) -> int:
        """The sum of the counts of some bits."""
        return sum((plane & mask).bit_count() << place for place, plane in enumerate(self._planes))
