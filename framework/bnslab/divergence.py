"""Where two lists of serialized operations first differ, in words."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from bns.consensus import SERIALIZED_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTHING = "no such operation"


class OperationDifference(NamedTuple):
    """An operation that only one list has, or None; what tells the two apart."""

    expected: str | None
    actual: str | None
    fields: str = ""


def first_difference(expected: Sequence[str], actual: Sequence[str]) -> OperationDifference | None:
    """The first operations that are on one side only, else the first pair in another order; None for equal lists."""
    if list(expected) == list(actual):
        return None
    missing = next((text for text in expected if expected.count(text) > actual.count(text)), None)
    surplus = next((text for text in actual if actual.count(text) > expected.count(text)), None)
    if missing is None and surplus is None:
        missing, surplus = next((a, b) for a, b in zip(expected, actual, strict=True) if a != b)
        return OperationDifference(missing, surplus, "the same operations in another order")
    if missing is None or surplus is None:
        return OperationDifference(missing, surplus)
    return OperationDifference(missing, surplus, _fields(missing, surplus))


def side_by_side(expected: Sequence[str], actual: Sequence[str]) -> str:
    """The first difference on two lines, and on a third what it is."""
    difference = first_difference(expected, actual)
    if difference is None:
        return "the operations are equal: an earlier block differs"
    lines = [f"expected {difference.expected or NOTHING}", f"actual   {difference.actual or NOTHING}"]
    return "\n".join([*lines, *filter(None, [difference.fields])])


def named_fields(serialized: str) -> dict[str, str]:
    """The fields of a serialized operation by name, its opcode first.

    A name that comes again has a 2 behind it, and what is beyond the known fields the number of its place.
    """
    opcode, *values = parse_items(serialized)
    fields = {"opcode": opcode}
    for number, (name, value) in enumerate(zip_longest(SERIALIZED_FIELDS.get(opcode, ()), values), 1):
        if value is not None:
            name = name or f"field {number}"
            fields[f"{name} 2" if name in fields else name] = value
    return fields


def operation_txid(serialized: str) -> str | None:
    """The transaction of a serialized operation, where its fields say it."""
    return named_fields(serialized).get("txid")


def field_differences(expected: str, actual: str) -> list[tuple[str, str | None, str | None]]:
    """Name and both values of each field that two serialized operations do not share; None where one has none."""
    one, other = named_fields(expected), named_fields(actual)
    return [(name, one.get(name), other.get(name)) for name in one | other if one.get(name) != other.get(name)]


def _fields(expected: str, actual: str) -> str:
    shown = [f"{name}: {a!r} against {b!r}" for name, a, b in field_differences(expected, actual)]
    return f"differ in {', '.join(shown) or 'the lengths that are written before the fields'}"


def parse_items(serialized: str) -> list[str]:
    """The items of a serialized operation, its opcode first (spec 01 section 9); what is malformed ends the list."""
    items = [serialized[:1]]
    rest = serialized[2:]
    while rest:
        length, colon, tail = rest.partition(":")
        if not colon or not (length.isascii() and length.isdigit()):
            return [*items, rest]
        size = int(length[:_LONGEST_LENGTH])
        items.append(tail[:size])
        rest = tail[size + 1 :]
    return items


_LONGEST_LENGTH = 9
