"""Compares the tables of a state with those that a fixture expects (golden format 1, part `tables`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from bns.operations.base import opcode_name
from bns.state.queries import history, live_namespace, operations_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bns.state.store import State
    from bnslab.fixtures import Expected

Row = dict[str, Any]

_JSON_COLUMNS = ("senders", "history_data")

COMPARED = {
    **{table: table for table in ("history", "name_records", "namespaces", "chainstate", "snapshots")},
    "atlas_zonefiles": "atlas_zonefiles",
    "subdomains.subdomain_records": "subdomain_records",
}
"""Tables of the fixture, and those of the core with the same rows; in no particular order."""


class TableDifference(Exception):
    """Where a table differs: the place, and both values."""

    def __init__(self, where: str, expected: object, actual: object) -> None:
        super().__init__(where)
        self.where = where
        self.expected = expected
        self.actual = actual


def compare_tables(expected: Expected, state: State) -> None:
    """Raise TableDifference at the first difference in rows, records, histories or operations of a block.

    The state has the tables of a bns.subdomains.offchain.Offchain too.
    """
    for name, table in _members(expected.tables).items():
        if name in COMPARED:
            rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
            _compare_rows(name, rows, _rows(state, COMPARED[name], table["columns"]))
    if preorders := _decoded(expected.preorders):
        _compare_rows("preorders", preorders, _rows(state, "preorders", list(preorders[0])))
    elif expected.preorders:
        _compare_rows("preorders", [], _rows(state, "preorders", ["preorder_hash"]))
    if expected.subdomains:
        subdomains = _decoded(expected.subdomains)
        columns = list(subdomains[0]) if subdomains else ["fully_qualified_subdomain"]
        _compare_rows("subdomains", subdomains, _rows(state, "subdomain_records", columns))
    if expected.atlas_zonefile_inventory is not None:
        present = state.connection.execute("SELECT present FROM atlas_zonefiles ORDER BY inv_index")
        inventory = "".join(str(bit) for (bit,) in present)
        _compare("atlas_zonefile_inventory", "bits", expected.atlas_zonefile_inventory, inventory)
    for name, record in _members(expected.names).items():
        _compare("names", name, record, _final_record(state, "name_records", "name", name))
    for id_, record in _members(expected.namespaces).items():
        found = None if live_namespace(state, id_) is None else _final_record(state, "namespaces", "namespace_id", id_)
        _compare("namespaces", id_, record, found)
    for height, operations in _members(expected.accepted_ops).items():
        _compare("accepted_ops", height, operations, list(operations_at(state, int(height))))


def _decoded(raw: msgspec.Raw) -> Any:  # noqa: ANN401 - any JSON value
    return msgspec.json.decode(raw) if raw else None


def _members(raw: msgspec.Raw) -> dict[str, Any]:
    return _decoded(raw) or {}


def _rows(state: State, table: str, columns: list[str]) -> Iterator[Row]:
    cursor = state.connection.execute(f"SELECT {', '.join(columns)} FROM {table}")
    return (dict(zip(columns, row, strict=True)) for row in cursor)


def _compare_rows(table: str, expected: Iterable[Row], actual: Iterable[Row]) -> None:
    wanted, found = sorted(map(_text, expected)), sorted(map(_text, actual))
    if wanted == found:
        return
    missing = next((text for text in wanted if text not in found), None)
    surplus = next((text for text in found if text not in wanted), None)
    raise TableDifference(f"{table} ({len(wanted)} rows expected, {len(found)} there)", missing, surplus)


def _text(row: Row) -> str:
    parsed = {column: json.loads(row[column]) for column in _JSON_COLUMNS if row.get(column)}
    return json.dumps({**row, **parsed}, sort_keys=True)


def _compare(what: str, which: str, expected: Any, actual: Any) -> None:  # noqa: ANN401 - any JSON value
    if expected == actual:
        return
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            if expected.get(key) != actual.get(key):
                raise TableDifference(f"{what} {which} {key}", expected.get(key), actual.get(key))
    raise TableDifference(f"{what} {which}", expected, actual)


def _final_record(state: State, table: str, key: str, id_: str) -> Row | None:
    """The row of a name or namespace with its operation name and its whole history."""
    cursor = state.connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", (id_,))
    row = cursor.fetchone()
    if row is None:
        return None
    record: Row = dict(zip([column[0] for column in cursor.description], row, strict=True))
    if "revoked" in record:
        record["revoked"] = bool(record["revoked"])
    if "buckets" in record:
        record["buckets"] = json.loads(record["buckets"])
    return {**record, "opcode": opcode_name(record["op"]), "history": history(state, id_)}
