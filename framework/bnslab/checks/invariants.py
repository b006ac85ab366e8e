"""What holds of the state after every block, whatever the block did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bns import consensus
from bns.operations.names import name_hash128, namespace_of
from bns.operations.records import Name, Namespace, Preorder
from bns.state import rows
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bns.operations.base import Accepted
    from bns.state.store import State
    from bnslab.lab import Lab


class Invariants:
    """Looks at the tables, not at the engine: they must tell the same story as the receipt."""

    name = "invariants"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """The chain position, the ops hash as the tables give it, and every record that was touched."""
        state = lab.node.state
        self._equal(receipt.height, "last block of the state", lab.height, state.last_block)
        snapshot = state.snapshot(receipt.height)
        stored = (None, None) if snapshot is None else (snapshot.block_hash, snapshot.consensus_hash)
        self._equal(receipt.height, "block hash in the state", lab.tip, stored[0])
        self._equal(receipt.height, "consensus hash in the state", receipt.consensus_hash, stored[1])
        self._equal(
            receipt.height, "ops hash", receipt.ops_hash, consensus.ops_hash(stored_operations(state, receipt.height))
        )
        latest: dict[str, Accepted] = {}
        for accepted in receipt.accepted:
            if isinstance(accepted.record, Preorder):
                self._preorder(state, receipt.height, accepted.record, receipt)
            elif accepted.record is not None:
                latest[history_id(accepted.record)] = accepted
        for id_, accepted in latest.items():
            self._record(state, receipt.height, id_, accepted)

    def at_end(self, lab: Lab) -> None:
        """Nothing more to see."""

    def _preorder(self, state: State, height: int, preorder: Preorder, receipt: Receipt) -> None:
        spent = {a.preorder.preorder_hash for a in receipt.accepted if a.preorder is not None}
        pending = preorder in state.preorders(preorder.preorder_hash)
        self._equal(height, f"preorder {preorder.preorder_hash} pending", preorder.preorder_hash not in spent, pending)

    def _record(self, state: State, height: int, id_: str, accepted: Accepted) -> None:
        record = accepted.record
        if isinstance(record, Name):
            self._equal(height, f"record of {id_}", record, _stored_name(state, id_))
            self._equal(height, f"name_hash128 of {id_}", name_hash128(id_), record.name_hash128)
            if _stored_namespace(state, namespace_of(id_)) is None:
                self._fail(height, f"namespace of {id_}", "known", "unknown")
            heights = [record.block_number, record.preorder_block_number, record.first_registered, record.last_renewed]
            self._equal(height, f"heights of {id_}", sorted([*heights, height]), [*heights, height])
        elif isinstance(record, Namespace):
            self._equal(height, f"record of {id_}", record, _stored_namespace(state, id_))
        if accepted.preorder is not None:
            self._equal(height, f"preorders left of {id_}", [], state.preorders(accepted.preorder.preorder_hash))
        query = "SELECT txid FROM history WHERE history_id = ? ORDER BY block_id DESC, vtxindex DESC LIMIT 1"
        newest = state.connection.execute(query, (id_,)).fetchone()
        self._equal(height, f"newest history row of {id_}", accepted.operation.carrier.txid, newest and newest[0])

    def _equal(self, height: int, subject: str, expected: object, actual: object) -> None:
        if expected != actual:
            self._fail(height, subject, str(expected), str(actual))

    def _fail(self, height: int, subject: str, expected: str, actual: str) -> None:
        raise CheckFailed(self.name, height, subject, expected, actual)


def history_id(record: Name | Namespace) -> str:
    """The name or namespace id of a record."""
    return record.name if isinstance(record, Name) else record.namespace_id


# Not state.name() and state.namespace(), which remember what they were given.


def _stored_name(state: State, name: str) -> Name | None:
    row = state.connection.execute(rows.NAME, (name,)).fetchone()
    return rows.to_name(row) if row else None


def _stored_namespace(state: State, namespace_id: str) -> Namespace | None:
    row = state.connection.execute(rows.NAMESPACE, (namespace_id,)).fetchone()
    return rows.to_namespace(row) if row else None


def stored_operations(state: State, height: int) -> list[str]:
    """The serialized operations of a block, rebuilt from preorders and history alone (spec 03 section 12)."""
    cursor = state.connection.execute("SELECT * FROM preorders WHERE block_number = ?", (height,))
    columns = [column[0] for column in cursor.description]
    records = [dict(zip(columns, row, strict=True)) for row in cursor]
    history = state.connection.execute("SELECT history_data FROM history WHERE block_id = ?", (height,))
    records += [json.loads(data) for (data,) in history]
    return [consensus.serialize_fields(record["op"][0], record) for record in records]
