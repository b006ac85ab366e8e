"""What the API asks of the state, as of the last stored block (spec 03 sections 6 to 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from bns.operations.base import opcode_name
from bns.params import INFINITE_LIFETIME

if TYPE_CHECKING:
    from bns.operations.records import Name, Namespace
    from bns.state.store import State

NEVER = -1
"""The height that stands for no expiry."""

_HISTORY = "SELECT op, block_id, history_data FROM history WHERE history_id = ? ORDER BY block_id, vtxindex"
_CREATION = (
    "SELECT creator_address, block_id, vtxindex FROM history WHERE history_id = ? AND creator_address IS NOT NULL "
    "ORDER BY block_id DESC, vtxindex DESC LIMIT 1"
)
# A reveal of a namespace has a creator too, but only names count.
_CREATIONS_BEFORE = (
    "SELECT count(*) FROM history WHERE creator_address = ? AND op <> '&' AND (block_id, vtxindex) < (?, ?)"
)


class Term(NamedTuple):
    """How long a name lives: heights, both -1 if it does not run out.

    From expire_block on only a renewal keeps it, from renewal_deadline on it is answered as expired.
    """

    expire_block: int
    renewal_deadline: int

    def is_expired(self, height: int) -> bool:
        """Whether look-ups at a height answer that the name has expired (spec 03 section 6.5)."""
        return 0 < self.renewal_deadline <= height

    def in_grace(self, height: int) -> bool:
        """Whether a height lies in the grace period."""
        return self.expire_block <= height < self.renewal_deadline


def consensus_hash(state: State) -> str:
    """Consensus hash (32 hex) of the last stored block."""
    hash_ = state.consensus_hash(state.last_block)
    assert hash_ is not None, state.last_block
    return hash_


def live_namespace(state: State, namespace_id: str) -> Namespace | None:
    """The namespace if it is ready, or revealed and not past its reveal period (spec 03 section 5.2)."""
    namespace = state.namespace(namespace_id)
    if namespace is None or namespace.op == "!":
        return namespace
    expiry = namespace.reveal_block + state.params.namespace_reveal_expire
    return namespace if namespace.reveal_block <= state.last_block < expiry else None


def term(state: State, name: Name, namespace: Namespace) -> Term:
    """The deadlines of a name as served (spec 03 section 6.2); the epoch is that of the last block."""
    if namespace.op != "!" or namespace.lifetime == INFINITE_LIFETIME:
        return Term(NEVER, NEVER)
    params = state.params
    epoch = params.epoch(state.last_block) or params.epochs[-1]
    start = max(namespace.ready_block, name.last_renewed)
    expire_block = start + namespace.lifetime * epoch.lifetime_multiplier
    return Term(expire_block, expire_block + epoch.grace_period)


def history(state: State, history_id: str) -> dict[str, list[dict[str, Any]]]:
    """Every state of a name or namespace by height (as decimal text), oldest first (spec 03 section 7.2)."""
    states: dict[str, list[dict[str, Any]]] = {}
    for op, height, data in state.connection.execute(_HISTORY, (history_id,)):
        record = orjson.loads(data)
        record["opcode"] = opcode_name(op)
        if "buckets" in record:
            record["buckets"] = orjson.loads(record["buckets"])
        states.setdefault(str(height), []).append(record)
    return states


def did(state: State, name: str) -> str | None:
    """The decentralised identifier of a name's current life, None if it was never created (spec 03 section 9.2)."""
    execute = state.connection.execute
    creation = execute(_CREATION, (name,)).fetchone()
    if creation is None:
        return None
    (index,) = execute(_CREATIONS_BEFORE, creation).fetchone()
    return f"did:stack:v0:{creation[0]}-{index}"


def operations_at(state: State, height: int) -> list[dict[str, Any]]:
    """The accepted operations of a block: pending preorders, then history rows by vtxindex (spec 03 section 12)."""
    cursor = state.connection.execute("SELECT * FROM preorders WHERE block_number = ? ORDER BY rowid", (height,))
    columns = [column[0] for column in cursor.description]
    records = [dict(zip(columns, row, strict=True)) for row in cursor]
    rows = state.connection.execute("SELECT history_data FROM history WHERE block_id = ? ORDER BY vtxindex", (height,))
    records += [orjson.loads(data) for (data,) in rows]
    for record in records:
        record["opcode"] = opcode_name(record["op"])
    return records
