"""How pytest shows two records that are not equal: a small table of what differs."""

from __future__ import annotations

from dataclasses import fields, is_dataclass


def compared(left: object, right: object) -> list[str] | None:
    """Lines for a failed `left == right` of two records of one kind; None for anything else."""
    names = _fields(left)
    if not names or type(left) is not type(right):
        return None
    rows = [("field", "left", "right")]
    for name in names:
        one, other = getattr(left, name), getattr(right, name)
        if one != other:
            inner = compared(one, other)
            rows += [(f"{name}.{row}", "", "") for row in inner[2:]] if inner else [(name, repr(one), repr(other))]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    equal = len(names) - len({row[0].partition(".")[0] for row in rows[1:]})
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows]
    return [f"two of {type(left).__name__}, {equal} fields equal", *lines]


def _fields(record: object) -> tuple[str, ...]:
    """The names of a record's fields: those of a dataclass or a msgspec struct."""
    if is_dataclass(record) and not isinstance(record, type):
        return tuple(field.name for field in fields(record))
    names: tuple[str, ...] = getattr(record, "__struct_fields__", ())
    return names if not isinstance(record, type) else ()
