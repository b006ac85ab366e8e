"""Rows of the tables from and to records, and the statements that read and write them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from msgspec.structs import astuple

from bns.operations.records import FIELD_NAMES, HistoryRow, Name, Namespace, Preorder


def _insert(table: str, kind: type, *, replace: bool = False) -> str:
    fields = FIELD_NAMES[kind]
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    return f"{verb} INTO {table} ({', '.join(fields)}) VALUES ({', '.join('?' * len(fields))})"


def _select(table: str, kind: type, where: str) -> str:
    return f"SELECT {', '.join(FIELD_NAMES[kind])} FROM {table} WHERE {where}"


PUT_NAME = _insert("name_records", Name, replace=True)
PUT_NAMESPACE = _insert("namespaces", Namespace, replace=True)
ADD_PREORDER = _insert("preorders", Preorder)
ADD_HISTORY = _insert("history", HistoryRow)
NAME = _select("name_records", Name, "name = ?")
NAMES_OF = "SELECT name FROM name_records WHERE sender = ? AND revoked = 0 ORDER BY name"
NAMES_BY_HASH128 = _select("name_records", Name, "name_hash128 = ? AND revoked = 0 ORDER BY name")
NAMES_BY_PREORDER = _select("name_records", Name, "preorder_hash = ?")
NAMESPACE = _select("namespaces", Namespace, "namespace_id = ?")
PREORDERS = _select("preorders", Preorder, "preorder_hash = ? ORDER BY block_number, txid")
ADD_UNDO = "INSERT INTO undo (block_id, number, source, key, old) VALUES (?, ?, ?, ?, ?)"

# What identifies a row that the undo log has changed.
KEYS = {"name_records": "name", "namespaces": "namespace_id", "keychains": "namespace_id"}


def name_change(old: Name, new: Name) -> tuple[str, list[Any]]:
    """The statement that turns the row of a name into that of a later operation, and its values.

    It leaves alone the indexes of what stays as it is, which is most of them.
    """
    changed = [
        (field, after)
        for field, before, after in zip(FIELD_NAMES[Name], astuple(old), astuple(new), strict=True)
        if before != after
    ]
    return _update_name(tuple(field for field, _ in changed)), [*(after for _, after in changed), new.name]


@lru_cache(maxsize=256)
def _update_name(columns: tuple[str, ...]) -> str:
    return f"UPDATE name_records SET {', '.join(f'{column} = ?' for column in columns)} WHERE name = ?"


def to_name(row: tuple[Any, ...]) -> Name:
    """The record; of the two columns whose type SQLite does not keep, op_fee is a float after an import only."""
    values = list(row)
    values[_REVOKED] = bool(values[_REVOKED])
    if values[_LAST_CREATION_OP] == ";":
        values[_OP_FEE] = float(values[_OP_FEE])
    return Name(*values)


_REVOKED, _OP_FEE, _LAST_CREATION_OP = map(FIELD_NAMES[Name].index, ("revoked", "op_fee", "last_creation_op"))


def namespace_values(namespace: Namespace) -> tuple[Any, ...]:
    """The columns of a namespace."""
    values = list(astuple(namespace))
    values[_BUCKETS] = str(list(namespace.buckets))
    return tuple(values)


_BUCKETS = FIELD_NAMES[Namespace].index("buckets")


def to_namespace(row: tuple[Any, ...]) -> Namespace:
    """The record."""
    values = list(row)
    values[_BUCKETS] = tuple(json.loads(values[_BUCKETS]))
    return Namespace(*values)
