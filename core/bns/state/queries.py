"""What the API asks of names and namespaces, as of the last stored block (spec 03 sections 6 to 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from bns.operations.base import opcode_name
from bns.params import INFINITE_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bns.operations.records import Name, Namespace
    from bns.params import Epoch
    from bns.state.store import State

NEVER = -1
"""The height that stands for no expiry."""

# Mind `>` in one line and `>=` in the next (spec 03 section 6.1).
_UNEXPIRED = """
    (ns.op = '!' AND (ns.ready_block + ns.lifetime * :multiplier + :grace > :height
                      OR n.last_renewed + ns.lifetime * :multiplier + :grace >= :height)
     OR ns.op = '&' AND ns.reveal_block <= :height AND :height < ns.reveal_block + :reveal)
"""
_NAMES = "name_records AS n JOIN namespaces AS ns USING (namespace_id)"
_VISIBLE = f"{_UNEXPIRED} AND n.first_registered <= :height"
_IN_NAMESPACE = "n.namespace_id = :namespace_id"

_STATES = "SELECT op, block_id, history_data FROM history WHERE history_id = ?"
_NEWEST_FIRST = "ORDER BY block_id DESC, vtxindex DESC"
# A reveal of a namespace has a creator too, but only names count.
_CREATIONS = "history WHERE creator_address = ? AND op <> '&'"


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


class Creation(NamedTuple):
    """A name that came to be (again): its name and its place in the chain."""

    name: str
    block_id: int
    vtxindex: int


def consensus_hash(state: State) -> str:
    """Consensus hash (32 hex) of the last stored block."""
    hash_ = state.consensus_hash(state.last_block)
    assert hash_ is not None, state.last_block
    return hash_


def epoch(state: State, height: int) -> Epoch:
    """The epoch of a height; above the last one its rules go on to be quoted."""
    return state.params.epoch(height) or state.params.epochs[-1]


# Namespaces


def live_namespace(state: State, namespace_id: str) -> Namespace | None:
    """The namespace if it is ready, or revealed and not past its reveal period (spec 03 section 5.2)."""
    namespace = state.namespace(namespace_id)
    if namespace is None or namespace.op == "!":
        return namespace
    expiry = namespace.reveal_block + state.params.namespace_reveal_expire
    return namespace if namespace.reveal_block <= state.last_block < expiry else None


def ready_namespaces(state: State) -> list[str]:
    """Ids of the namespaces that are ready, in the order in which they were first revealed."""
    first_reveal = "SELECT min(block_id << 32 | vtxindex) FROM history WHERE history_id = namespace_id AND op = '&'"
    query = f"SELECT namespace_id FROM namespaces WHERE op = '!' ORDER BY ({first_reveal})"
    return _column(state.connection.execute(query))


# Names


def term(state: State, last_renewed: int, namespace: Namespace) -> Term:
    """The deadlines of a name as served (spec 03 section 6.2); the epoch is that of the last block."""
    if namespace.op != "!" or namespace.lifetime == INFINITE_LIFETIME:
        return Term(NEVER, NEVER)
    now = epoch(state, state.last_block)
    expire_block = max(namespace.ready_block, last_renewed) + namespace.lifetime * now.lifetime_multiplier
    return Term(expire_block, expire_block + now.grace_period)


def was_unexpired(state: State, name: Name, height: int) -> bool:
    """Whether a name had not run out at a height; heights before its registration count too (spec 03 section 7.3)."""
    query = f"SELECT 1 FROM {_NAMES} WHERE n.name = :name AND {_UNEXPIRED}"
    return state.connection.execute(query, {**_moment(state, height), "name": name.name}).fetchone() is not None


def count_names(state: State, *, namespace_id: str | None = None, expired: bool = False) -> int:
    """How many names there are, revoked ones too, of a namespace or of all; expired ones only on request."""
    query = f"SELECT count(*) FROM {_NAMES} WHERE {_chosen(namespace_id, expired)}"
    (count,) = state.connection.execute(query, {**_moment(state), "namespace_id": namespace_id}).fetchone()
    return int(count)


def names_page(
    state: State, offset: int, count: int, *, namespace_id: str | None = None, expired: bool = False
) -> list[str]:
    """Some of the names that count_names counts, ascending."""
    chosen = _chosen(namespace_id, expired)
    query = f"SELECT n.name FROM {_NAMES} WHERE {chosen} ORDER BY n.name LIMIT :count OFFSET :offset"
    values = {**_moment(state), "namespace_id": namespace_id, "count": count, "offset": offset}
    return _names(state, query, values)


def names_owned_by(state: State, address: str) -> list[str]:
    """Names of an address that are neither revoked nor past their deadline, ascending."""
    query = f"SELECT n.name FROM {_NAMES} WHERE n.address = :address AND n.revoked = 0 AND {_VISIBLE} ORDER BY n.name"
    return _names(state, query, {**_moment(state), "address": address})


def _names(state: State, query: str, values: dict[str, Any]) -> list[str]:
    """The names that a query gives, in one step: between two of them another thread may take its turn, and its time."""
    (names,) = state.connection.execute(f"SELECT json_group_array(name) FROM ({query})", values).fetchone()
    return list(orjson.loads(names))


def _chosen(namespace_id: str | None, expired: bool) -> str:
    conditions = ([] if expired else [_VISIBLE]) + ([] if namespace_id is None else [_IN_NAMESPACE])
    return " AND ".join(conditions) or "TRUE"


def _moment(state: State, height: int | None = None) -> dict[str, Any]:
    """The values of the conditions above, at the last block or another height."""
    at = state.last_block if height is None else height
    rules = epoch(state, at)
    return {
        "height": at,
        "multiplier": rules.lifetime_multiplier,
        "grace": rules.grace_period,
        "reveal": state.params.namespace_reveal_expire,
    }


def _column(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    return [value for (value,) in rows]


# History


def history(state: State, history_id: str) -> dict[str, list[dict[str, Any]]]:
    """Every state of a name or namespace by height (as decimal text), oldest first (spec 03 section 7.2)."""
    return _by_height(state.connection.execute(f"{_STATES} ORDER BY block_id, vtxindex", (history_id,)))


def history_page(state: State, history_id: str, offset: int, count: int) -> dict[str, list[dict[str, Any]]]:
    """Some states of a name or namespace by height (as decimal text), newest first."""
    query = f"{_STATES} {_NEWEST_FIRST} LIMIT ? OFFSET ?"
    return _by_height(state.connection.execute(query, (history_id, count, offset)))


def states_at(state: State, name: str, height: int) -> list[dict[str, Any]]:
    """Every state that a name took in a block, newest first, else the one it came with (spec 03 section 7.3)."""
    execute = state.connection.execute
    rows = execute(f"{_STATES} AND block_id = ? {_NEWEST_FIRST}", (name, height)).fetchall()
    rows = rows or execute(f"{_STATES} AND block_id < ? {_NEWEST_FIRST} LIMIT 1", (name, height)).fetchall()
    return [_state(op, data) for op, _, data in rows]


def has_used_value_hash(state: State, name: str, value_hash: str) -> bool:
    """Whether a zone file hash ever appeared in the history of a name (spec 03 section 7.5)."""
    query = "SELECT 1 FROM history WHERE history_id = ? AND value_hash = ? LIMIT 1"
    return state.connection.execute(query, (name, value_hash)).fetchone() is not None


def _by_height(rows: Iterable[tuple[str, int, str]]) -> dict[str, list[dict[str, Any]]]:
    states: dict[str, list[dict[str, Any]]] = {}
    for op, height, data in rows:
        record = _state(op, data)
        if "buckets" in record:
            record["buckets"] = orjson.loads(record["buckets"])
        states.setdefault(str(height), []).append(record)
    return states


def _state(op: str, data: str) -> dict[str, Any]:
    return {**orjson.loads(data), "opcode": opcode_name(op)}


# Creations: what decentralised identifiers count (spec 03 section 9)


def creations(state: State, address: str, offset: int, count: int) -> list[Creation]:
    """Names created for an address, in the order of the chain."""
    # which ones is found in the index, whose entries are short
    places = f"SELECT block_id, vtxindex FROM {_CREATIONS} ORDER BY block_id, vtxindex LIMIT ? OFFSET ?"
    query = f"""
        SELECT history_id, block_id, vtxindex FROM history WHERE (block_id, vtxindex) IN ({places})
        ORDER BY block_id, vtxindex
    """
    return [Creation(*row) for row in state.connection.execute(query, (address, count, offset))]


def creation(state: State, address: str, index: int) -> Creation | None:
    """The name with this place (from 0) among those created for an address."""
    return next(iter(creations(state, address, index, 1)), None)


def count_creations(state: State, address: str) -> int:
    """How many names were created for an address."""
    (count,) = state.connection.execute(f"SELECT count(*) FROM {_CREATIONS}", (address,)).fetchone()
    return int(count)


def creation_index(state: State, name: str) -> tuple[str, int] | None:
    """Whom the current life of a name was created for: the address, and how many it had before (section 9.2)."""
    execute = state.connection.execute
    query = (
        "SELECT creator_address, block_id, vtxindex FROM history WHERE history_id = ? AND creator_address IS NOT NULL"
    )
    creation = execute(f"{query} {_NEWEST_FIRST} LIMIT 1", (name,)).fetchone()
    if creation is None:
        return None
    (index,) = execute(f"SELECT count(*) FROM {_CREATIONS} AND (block_id, vtxindex) < (?, ?)", creation).fetchone()
    return creation[0], index


def last_state_of_life(state: State, creation: Creation) -> dict[str, Any] | None:
    """How a name stood before its next preorder, or stands now; None if it was revoked by then (section 9.3)."""
    last: dict[str, Any] | None = None
    query = f"{_STATES} AND (block_id, vtxindex) >= (?, ?) ORDER BY block_id, vtxindex"
    for op, _, data in state.connection.execute(query, creation):
        if op == "?":
            break
        last = _state(op, data)
        if last["revoked"]:
            return None
    return last


# Blocks


def count_operations_at(state: State, height: int) -> int:
    """How many operations operations_at gives."""
    query = (
        "SELECT (SELECT count(*) FROM preorders WHERE block_number = ?) + "
        "(SELECT count(*) FROM history WHERE block_id = ?)"
    )
    (count,) = state.connection.execute(query, (height, height)).fetchone()
    return int(count)


def operations_at(state: State, height: int) -> list[dict[str, Any]]:
    """The accepted operations of a block: pending preorders, then history rows by vtxindex (spec 03 section 12)."""
    cursor = state.connection.execute("SELECT * FROM preorders WHERE block_number = ? ORDER BY vtxindex", (height,))
    columns = [column[0] for column in cursor.description]
    records = [dict(zip(columns, row, strict=True)) for row in cursor]
    rows = state.connection.execute("SELECT history_data FROM history WHERE block_id = ? ORDER BY vtxindex", (height,))
    records += [orjson.loads(data) for (data,) in rows]
    for record in records:
        record["opcode"] = opcode_name(record["op"])
    return records
