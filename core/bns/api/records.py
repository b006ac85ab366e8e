"""Records as served: one layer under every interface (spec 03 section 13, spec 06 section 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

from bns.operations.base import opcode_name
from bns.operations.names import name_consensus_hash
from bns.operations.records import fields_of
from bns.state import queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.operations.records import Name
    from bns.params import Params
    from bns.state.queries import Term
    from bns.state.store import State

_URI_TARGET = re.compile(r"(?:[a-z0-9+]+://)?[a-zA-Z0-9\-_.~%#?&\\:/=]+")


@dataclass(frozen=True)
class NodeView:
    """What the API sees of a node.

    zonefile gives the bytes of a stored zone file by its hash (40 hex), None if it is not here. Whoever applies blocks
    while another thread answers requests holds lock meanwhile, so that every answer comes from one whole block.
    """

    state: State
    zonefile: Callable[[str], bytes | None]
    lock: RLock = field(default_factory=RLock)

    @property
    def params(self) -> Params:
        """The constants of the network."""
        return self.state.params


class NameAnswer(NamedTuple):
    """A name that can be served, with its deadlines."""

    name: Name
    term: Term


def find_name(node: NodeView, name: str) -> NameAnswer | None:
    """A name, expired and revoked ones too; None if there is none, or its namespace's reveal has expired."""
    row = node.state.name(name)
    namespace = queries.live_namespace(node.state, row.namespace_id) if row else None
    if row is None or namespace is None:
        return None
    return NameAnswer(row, queries.term(node.state, row, namespace))


def name_record(node: NodeView, name: str) -> dict[str, Any] | None:
    """A name's record without zonefile, resolver, did and history (spec 06 section 4.1); None as in find_name."""
    found = find_name(node, name)
    if found is None:
        return None
    row, term = found
    record = fields_of(row)
    del record["last_creation_op"]
    if row.op == "+":
        record["name_consensus_hash"] = name_consensus_hash(row.name, row.consensus_hash or "")
    elif row.op in (">>", ">~"):
        record["keep_data"] = row.op == ">>"
    if row.op != ";" and float(row.op_fee).is_integer():  # a fee is written as a float in imports only
        record["op_fee"] = int(row.op_fee)
    expired = 0 < term.expire_block <= node.state.last_block
    return {**record, "opcode": opcode_name(row.op), **term._asdict(), "expired": expired}


def namespace_record(node: NodeView, namespace_id: str) -> dict[str, Any] | None:
    """A namespace's record with its whole history (spec 06 section 4.4); None if unknown or its reveal has expired."""
    namespace = queries.live_namespace(node.state, namespace_id)
    if namespace is None:
        return None
    return {
        **fields_of(namespace),
        "buckets": str(list(namespace.buckets)),
        "opcode": opcode_name(namespace.op),
        "ready": namespace.op == "!",
        "history": queries.history(node.state, namespace_id),
    }


def resolver(node: NodeView, name: Name) -> str | None:
    """Where to ask for unknown subdomains of a name: the target of the `_resolver` URI in its zone file, if any."""
    for line in (zonefile(node, name) or b"").decode("utf-8", "replace").splitlines():
        words = line.split()
        if words[:1] == ["_resolver"] and words[-4:-3] == ["URI"]:
            target = words[-1].strip('"')
            return target if _URI_TARGET.fullmatch(target) else None
    return None


def zonefile(node: NodeView, name: Name) -> bytes | None:
    """The current zone file of a name, None if it has none or it is not here."""
    return node.zonefile(name.value_hash) if name.value_hash else None
