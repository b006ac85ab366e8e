"""Calls about one name, subdomain or identifier (spec 06 sections 6.2 and 6.3).

Every call takes the node and arguments that have been checked, and gives its own members of the answer, or raises
Failure with the text that clients look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.api import records
from bns.api.arguments import Failure, is_name
from bns.errors import InvalidInput
from bns.identity.dids import parse_did
from bns.state import queries

if TYPE_CHECKING:
    from bns.api.records import NodeView
    from bns.api.sources import Record

PAGE = 20
"""History entries on the first page; each further page starts so many later, and has so many more of them."""


def name_record(node: NodeView, name: str) -> Record:
    """get_name_record: a name or subdomain as it stands, with its identifier."""
    record = _record(node, name)
    did = find_did(node, name)
    return {"record": record if did is None else {**record, "did": did}}


def name_blockchain_record(node: NodeView, name: str) -> Record:
    """get_name_blockchain_record: a name or subdomain as it stands, with its whole history."""
    record = _record(node, name)
    history = queries.history(node.state, name) if is_name(name) else node.subdomains.history(name)
    return {"record": {**record, "history": history}}


def _record(node: NodeView, name: str) -> Record:
    if not is_name(name):
        subdomain = node.subdomains.record(name)
        if subdomain is None:
            raise Failure("Failed to load subdomain", 404)
        return subdomain
    record = records.name_record(node, name)
    if record is None:
        raise Failure("Not found.", 404)
    return {**record, "resolver": node.subdomains.resolver(name)}


def name_history_page(node: NodeView, name: str, page: int) -> Record:
    """get_name_history_page: some states of a name or subdomain, of a name the newest first."""
    if is_name(name):
        # pages overlap from the second on: spec 06 section 6.2
        history = queries.history_page(node.state, name, PAGE * page, PAGE * (page + 1))
    else:
        history = node.subdomains.history_page(name, page)
    if not history:
        raise Failure("Not found", 404)
    return {"history": history}


def is_name_zonefile_hash(node: NodeView, name: str, hash_: str) -> Record:
    """is_name_zonefile_hash: whether a zone file hash ever belonged to a name or subdomain."""
    if is_name(name):
        return {"result": queries.has_used_value_hash(node.state, name, hash_)}
    return {"result": node.subdomains.has_zonefile_hash(name, hash_)}


def name_at(node: NodeView, name: str, height: int) -> Record:
    """get_name_at: the states of a name in a block, None if there was no such name or it had expired."""
    row = node.state.name(name)
    if row is None or not queries.was_unexpired(node.state, row, height):
        return {"records": None}
    return historic_name_at(node, name, height)


def historic_name_at(node: NodeView, name: str, height: int) -> Record:
    """get_historic_name_at: the states of a name in a block, None if there was no such name."""
    states = queries.states_at(node.state, name, height)
    return {"records": [records.operation(state) for state in states] or None}


def name_did(node: NodeView, name: str) -> Record:
    """get_name_DID: the identifier of a name or subdomain."""
    did = find_did(node, name)
    if did is None:
        raise Failure("No DID for this name", 404)
    return {"did": did}


def find_did(node: NodeView, name: str) -> str | None:
    """The identifier of a name or subdomain, None if it has none."""
    return records.did(node, name) if is_name(name) else node.subdomains.did(name)


def did_record(node: NodeView, text: str) -> Record:
    """get_DID_record: what a decentralised identifier stands for, as it stands now."""
    try:
        did = parse_did(text, node.params.network)
    except InvalidInput:
        raise Failure("Invalid DID") from None
    if did.kind == "subdomain":
        record = node.subdomains.did_record(did.address, did.index)
        if record is None:
            raise Failure(f"Failed to load subdomain from {text}", 404)
        return {"record": record}
    creation = queries.creation(node.state, did.address, did.index)
    state = None if creation is None else queries.last_state_of_life(node.state, creation)
    if state is None:
        raise Failure("Failed to resolve DID to a non-revoked name", 404)
    record = records.state_record(node, state)
    if record is None:
        raise Failure("DID does not resolve to an existing name", 404)
    return {"record": record}
