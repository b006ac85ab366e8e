"""Where two lists of serialized operations first differ, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def side_by_side(expected: Sequence[str], actual: Sequence[str]) -> str:
    """The first operation that is on one side only, or the first pair that differs, with the differing fields."""
    missing = [text for text in expected if text not in actual]
    extra = [text for text in actual if text not in expected]
    if not missing and not extra:
        return "the operations are equal: an earlier block differs, or their order"
    if missing and extra:
        return f"expected {missing[0]}\nactual   {extra[0]}\n{_fields(missing[0], extra[0])}"
    return f"missing  {missing[0]}" if missing else f"surplus  {extra[0]}"


def _fields(expected: str, actual: str) -> str:
    one, other = parse_items(expected), parse_items(actual)
    pairs = [(i, a, b) for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    shown = ", ".join(f"field {i}: {a!r} against {b!r}" for i, a, b in pairs)
    return f"differ in {shown or 'the number of fields'}"


def parse_items(serialized: str) -> list[str]:
    """The items of a serialized operation, its opcode first (spec 01 section 9)."""
    items = [serialized[:1]]
    rest = serialized[2:]
    while rest:
        length, _, rest = rest.partition(":")
        size = int(length)
        items.append(rest[:size])
        rest = rest[size + 1 :]
    return items
