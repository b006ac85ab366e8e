"""What an accepted operation adds to the history of a name or namespace (spec 02 section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bns.operations.base import opcode_name
from bns.operations.records import HistoryRow, Name, Namespace, Preorder, Record, fields_of

if TYPE_CHECKING:
    from bns.operations.base import Accepted

_CREATED_HERE = frozenset({":", ";"})


def history_rows(accepted: Accepted, height: int) -> list[HistoryRow]:
    """The rows of an operation accepted at a height, in order: first the preorder that it consumes."""
    record = accepted.record
    if record is None or isinstance(record, Preorder):
        return []
    history_id = record.name if isinstance(record, Name) else record.namespace_id
    rows = []
    if accepted.preorder is not None:
        rows.append(_row(accepted.preorder, history_id, accepted.preorder.block_number, None, {}))
    rows.append(_row(record, history_id, height, accepted.creator_address, accepted.extras))
    return rows


def _row(
    record: Record, history_id: str, height: int, creator_address: str | None, extras: dict[str, str | bool]
) -> HistoryRow:
    opcode = opcode_name(record.op)
    data = {**fields_of(record), **extras, "opcode": opcode}
    value_hash = None
    if isinstance(record, Name):
        value_hash = record.value_hash
        if record.op in _CREATED_HERE:
            del data["name_hash128"], data["namespace_id"]
    elif isinstance(record, Namespace):
        data["buckets"] = str(list(record.buckets))
    return HistoryRow(
        record.txid, history_id, creator_address, height, record.vtxindex, record.op, opcode, value_hash,
        orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode(),
    )  # fmt: skip
