"""Records as served: one layer under every interface (spec 03 section 13, spec 06 section 4)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

from bns.api.sources import AlwaysCurrent, NoSubdomains
from bns.bitcoin.address import address_of_script, script_of_address
from bns.errors import InvalidInput
from bns.operations.base import opcode_name
from bns.operations.names import name_consensus_hash, namespace_of
from bns.operations.records import fields_of
from bns.state import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from contextlib import AbstractContextManager

    from bns.api.sources import Atlas, ProfileFetcher, Progress, Record, Subdomains, Unspents
    from bns.operations.records import Name
    from bns.params import Params
    from bns.state.queries import Term
    from bns.state.store import State
    from bns.subdomains.offchain import Offchain

_INTEGERS_END = 2**63


@dataclass(frozen=True)
class NodeView:
    """What the API sees of a node.

    zonefile gives the bytes of a stored zone file by its hash (40 hex), None if it is not here. reading is entered for
    each answer: what is read inside comes from one whole block. It is a ReadState, or a lock that whoever applies
    blocks holds meanwhile. writing is entered instead to keep a zone file, and may be waited for; without it reading
    will do. version is equal for as long as the chain and the zone files stay what they are. aside is the same node as
    another thread sees it, which neither waits for readers here nor makes them wait. Parts that a node lacks are None,
    or answer as if they knew of nothing. In test mode heights below the first block of the name system's own chain are
    accepted. rpc_url is where pushed zone files are said to be kept.
    """

    state: State
    zonefile: Callable[[str], bytes | None]
    atlas: Atlas | None = None
    subdomains: Subdomains = field(default_factory=NoSubdomains)
    progress: Progress = field(default_factory=AlwaysCurrent)
    profiles: ProfileFetcher | None = None
    unspents: Unspents | None = None
    test_mode: bool = True
    rpc_url: str = "http://localhost:16264"
    reading: AbstractContextManager[Any] = field(default_factory=RLock)
    writing: AbstractContextManager[Any] | None = None
    version: Callable[[], Hashable] | None = None
    aside: NodeView | None = None

    @property
    def params(self) -> Params:
        """The constants of the network."""
        return self.state.params

    @property
    def moment(self) -> Hashable:
        """Equal for as long as answers are that tell of chain and zone files only; None if that is not known."""
        if self.version is None:
            return None
        return self.version(), self.progress.indexing, self.progress.stale_since

    def close(self) -> None:
        """Close the states, for views that have states of their own."""
        if self.aside is not None:
            self.aside.close()
        self.state.close()


def view(state: State, offchain: Offchain, **parts: Any) -> NodeView:  # noqa: ANN401 - any part of a NodeView
    """The view of a node with zone files and subdomains, and with such further parts."""
    return NodeView(state, offchain.zonefiles.get, offchain, offchain.subdomains, **parts)


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
    return NameAnswer(row, queries.term(node.state, row.last_renewed, namespace))


def name_record(node: NodeView, name: str) -> Record | None:
    """A name's record without resolver, did and history (spec 06 section 4.1); None as in find_name."""
    found = find_name(node, name)
    if found is None:
        return None
    row, term = found
    record = fields_of(row)
    if row.op == "+":
        record["name_consensus_hash"] = name_consensus_hash(row.name, row.consensus_hash or "")
    elif row.op in (">>", ">~"):
        record["keep_data"] = row.op == ">>"
    fee = row.op_fee
    # a fee is written as a float in imports, and where an integer of 64 bits cannot hold it
    if row.op != ";" and fee < _INTEGERS_END and float(fee).is_integer():
        record["op_fee"] = int(fee)
    record["opcode"] = opcode_name(row.op)
    return _served(node, record, term)


def state_record(node: NodeView, state: Record) -> Record | None:
    """A past state of a name as a record like name_record's; None if its namespace cannot be served."""
    namespace = queries.live_namespace(node.state, namespace_of(state["name"]))
    if namespace is None:
        return None
    return _served(node, dict(state), queries.term(node.state, state["last_renewed"], namespace))


def _served(node: NodeView, record: Record, term: Term) -> Record:
    del record["last_creation_op"]
    record |= term._asdict()
    record["expired"] = 0 < term.expire_block <= node.state.last_block
    zonefile = node.zonefile(record["value_hash"]) if node.atlas and record["value_hash"] else None
    if zonefile is not None:
        record["zonefile"] = base64_text(zonefile)
    return record


def operation(state: Record) -> Record:
    """A history entry or pending preorder as the operation that it was (spec 06 section 4.5)."""
    return {key: value for key, value in state.items() if key != "last_creation_op"}


def namespace_record(node: NodeView, namespace_id: str) -> Record | None:
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


def zonefile(node: NodeView, name: Name) -> bytes | None:
    """The current zone file of a name, None if it has none or it is not here."""
    return node.zonefile(name.value_hash) if name.value_hash else None


def did(node: NodeView, name: str) -> str | None:
    """The decentralised identifier of a name's current life, None if it was never created (spec 03 section 9.2)."""
    creation = queries.creation_index(node.state, name)
    return None if creation is None else f"did:stack:v0:{creation[0]}-{creation[1]}"


def own_address(node: NodeView, address: str) -> str:
    """An address in the form of the node's network; one of an unknown version stays as it is."""
    try:
        script = script_of_address(address, node.params.network)
    except InvalidInput:
        return address
    return address_of_script(script, node.params.network) or address


def base64_text(data: bytes) -> str:
    """Bytes as base64 text, padded."""
    return base64.b64encode(data).decode("ascii")
