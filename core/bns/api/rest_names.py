"""REST endpoints about names, zone files, addresses and identifiers (spec 07 sections 5.2 to 5.7, 5.9 and 5.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from bns.api import chain, listings, lookups, records
from bns.api.arguments import Failure, is_address, is_name, is_subdomain, zonefile_bytes
from bns.api.replies import (
    EVERYONE,
    PAGE,
    Query,
    bytes_reply,
    error_reply,
    is_true,
    json_reply,
    page_number,
    page_offset,
    require,
    require_bitcoin,
    with_grace,
)
from bns.api.rest_schemas import PushedZonefile
from bns.zonefiles.schema import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.api.records import NodeView
    from bns.api.sources import Record
    from bns.identity.tokens import Profile

INVALID_NAME = "Invalid name or subdomain"
MAX_PUSH = 1 << 20
"""Bytes that a request with a zone file must stay below."""

_DID_CONTEXT = "https://w3id.org/did/v1"


def names(node: NodeView, query: Query) -> Response:
    """GET /v1/names."""
    offset = page_offset(query)
    listing = listings.all_names_cumulative if is_true(query, "all") else listings.all_names
    return json_reply(listing(node, offset, PAGE)["names"])


def subdomains(node: NodeView, query: Query) -> Response:
    """GET /v1/subdomains."""
    return json_reply(listings.all_subdomains(node, page_offset(query), PAGE)["names"])


def subdomain_operations(node: NodeView, _: Query, txid: str) -> Response:
    """GET /v1/subdomains/{txid}."""
    return json_reply(listings.subdomain_ops_at_txid(node, txid)["subdomain_ops"])


def name(node: NodeView, _: Query, name: str) -> Response:
    """GET /v1/names/{name}."""
    if not is_name(name):
        require(is_subdomain(name), 400, INVALID_NAME)
        return _subdomain(node, name)
    found = records.find_name(node, name)
    if found is None:
        return json_reply({"status": "available"}, 404)
    row, term = found
    height = node.state.last_block
    require(not term.is_expired(height), 404, "Name expired")
    zonefile = records.zonefile(node, row)
    return json_reply(
        {
            "status": "revoked" if row.revoked else "registered",
            "address": row.address,
            "blockchain": "bitcoin",
            "zonefile": None if zonefile is None else zonefile.decode("utf-8", "replace"),
            "zonefile_hash": row.value_hash,
            "last_txid": row.txid,
            "expire_block": term.expire_block,
            "renewal_deadline": term.renewal_deadline,
            "grace_period": term.in_grace(height),
            "resolver": node.subdomains.resolver(name),
            "did": _did_member(records.did(node, name)),
        }
    )


def _subdomain(node: NodeView, name: str) -> Response:
    record = node.subdomains.record(name)
    if record is None:
        return _unknown_subdomain(node, name)
    zonefile = zonefile_bytes(record["zonefile"]) or b""
    return json_reply(
        {
            "status": "registered_subdomain",
            "address": record["address"],
            "blockchain": "bitcoin",
            "zonefile": zonefile.decode("utf-8", "replace"),
            "zonefile_hash": record["value_hash"],
            "last_txid": record["txid"],
            "did": _did_member(node.subdomains.did(name)),
        }
    )


def _did_member(did: str | None) -> str | Record:
    return {"error": "Not supported for this name"} if did is None else did


def _unknown_subdomain(node: NodeView, name: str) -> Response:
    domain = name.partition(".")[2]
    found = records.find_name(node, domain)
    if found is None or found.term.is_expired(node.state.last_block):
        return json_reply({"status": "available", "more": "failed to look up parent domain"}, 404)
    resolver = node.subdomains.resolver(domain)
    if resolver is None:
        return json_reply({"status": "available", "more": "failed to find parent domain's resolver"}, 404)
    return json_reply({"status": "redirect"}, 301, {**EVERYONE, "Location": f"{resolver}/v1/names/{name}"})


def history(node: NodeView, query: Query, name: str) -> Response:
    """GET /v1/names/{name}/history."""
    require(is_name(name) or is_subdomain(name), 400, INVALID_NAME)
    text = query.get("page", "0")
    page = page_number(text) if len(text) < 10 else None
    if page is None:
        raise Failure("Invalid page")
    return json_reply(lookups.name_history_page(node, name, page)["history"])


def zonefile(node: NodeView, query: Query, name: str) -> Response:
    """GET /v1/names/{name}/zonefile."""
    require(is_name(name) or is_subdomain(name), 400, INVALID_NAME)
    data = _zonefile(node, _current(node, name))
    if data is None:
        raise Failure("No zone file for name", 404)
    if is_true(query, "raw"):
        return bytes_reply(data)
    if decode(data) is None:
        return error_reply(200, "Non-standard zone file.  Try passing raw=1 to get the raw zone file.")
    return json_reply({"zonefile": data.decode("utf-8", "replace")})


def past_zonefile(node: NodeView, query: Query, name: str, hash_: str) -> Response:
    """GET /v1/names/{name}/zonefile/{hash}."""
    require(is_name(name) or is_subdomain(name), 400, INVALID_NAME)
    used = lookups.is_name_zonefile_hash(node, name, hash_)["result"]
    require(used, 404, "No such zonefile")
    data = node.zonefile(hash_)
    if not data:
        raise Failure("Blockstack does not have this zonefile.  Try again later.", 404)
    if is_true(query, "raw"):
        return bytes_reply(data)
    if decode(data) is None:
        return Response(status_code=204, headers={**EVERYONE, "Content-Type": "application/json"})
    return json_reply({"zonefile": data.decode("utf-8", "replace")})


def any_zonefile(node: NodeView, _: Query, hash_: str) -> Response:
    """GET /v1/zonefiles/{hash}."""
    data = node.zonefile(hash_)
    if not data:
        raise Failure("Blockstack node does not have this zonefile.  Try again later.", 404)
    return bytes_reply(data)


def push_zonefile(node: NodeView, content_type: str, body: bytes) -> Callable[[], Response]:
    """POST /v1/zonefile. It says yes even to a zone file that is not kept (spec 07 section 5.6)."""
    try:
        require(content_type.partition(";")[0].strip().lower() == "application/json", 400, "Invalid request")
        pushed = msgspec.json.decode(body, type=PushedZonefile)
    except (msgspec.DecodeError, RecursionError):
        raise Failure("Invalid request") from None
    text = records.base64_text(pushed.zonefile.encode()) if pushed.zonefile else pushed.zonefile_b64
    require(bool(text), 400, "Invalid request")
    require(bool(pushed.zonefile) or zonefile_bytes(text) is not None, 400, "Invalid request")

    def reply() -> Response:
        chain.put_zonefiles(node, [text or ""])
        return json_reply({"status": True, "servers": [node.rpc_url]})

    return reply


def addresses(node: NodeView, _: Query, chain: str, address: str) -> Response:
    """GET /v1/addresses/{chain}/{address}."""
    require(is_address(address), 400, "Invalid address")
    require_bitcoin(chain)
    own = records.own_address(node, address)
    names = listings.names_owned_by_address(node, own)["names"]
    for form in dict.fromkeys((address, own)):
        names += listings.subdomains_owned_by_address(node, form)["subdomains"]
    return json_reply({"names": names})


def raw_record(node: NodeView, _: Query, chain: str, name: str) -> Response:
    """GET /v1/blockchains/{chain}/names/{name}."""
    require(is_name(name) or is_subdomain(name), 400, INVALID_NAME)
    require_bitcoin(chain)
    return json_reply(_current(node, name))


def _current(node: NodeView, name: str) -> Record:
    return with_grace(lookups.name_record(node, name)["record"], node.state.last_block)


def _zonefile(node: NodeView, record: Record) -> bytes | None:
    if "zonefile" in record:
        return zonefile_bytes(record["zonefile"])
    return node.zonefile(record["value_hash"]) or None if record["value_hash"] else None


# Profiles: a name leads to a signed document on the web (spec 07 section 5.9)


def user(node: NodeView, _: Query, name: str) -> Callable[[], Response]:
    """GET /v1/users/{name}."""
    require(is_name(name) or is_subdomain(name), 400, INVALID_NAME)
    try:
        record = lookups.name_record(node, name)["record"]
        require(not 0 < record.get("expire_block", 0) < node.state.last_block, 404, "Name expired")
    except Failure as failure:
        raise Failure(f"Failed to get name record: {failure.text}", 404) from None
    find = _profile_finder(node, name, record)

    def reply() -> Response:
        profile = find()
        return error_reply(404, "No profile found for this name") if profile is None else json_reply(profile.claim)

    return reply


def did(node: NodeView, _: Query, did: str) -> Callable[[], Response]:
    """GET /v1/dids/{did}."""
    try:
        record = lookups.did_record(node, did)["record"]
    except Failure as failure:
        if failure.status == 400:
            raise
        raise Failure(f"Failed to get DID record: {failure.text}", 404) from None
    find = _profile_finder(node, did, record)

    def reply() -> Response:
        profile = find()
        if profile is None:
            return error_reply(404, "No public key found for the given DID")
        key = {"id": did, "type": "secp256k1", "publicKeyHex": profile.public_key}
        document: dict[str, Any] = {**profile.claim, "@context": _DID_CONTEXT, "publicKey": [key]}
        return json_reply({"public_key": profile.public_key, "document": document})

    return reply


def _profile_finder(node: NodeView, what: str, record: Record) -> Callable[[], Profile | None]:
    data = _zonefile(node, record)
    if data is None:
        raise Failure(f"Failed to get zone file for {what}", 404)
    zonefile = decode(data)
    if zonefile is None or "uri" not in zonefile:
        raise Failure(f"Failed to parse zone file {record['value_hash']} for {what}", 404)
    targets = [uri["target"] for uri in zonefile["uri"]]
    fetch, address = node.profiles, record["address"]
    return lambda: None if fetch is None else fetch(targets, address)
