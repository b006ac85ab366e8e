"""REST endpoints about the node, namespaces, prices, blocks, test coins (spec 07 sections 5.1, 5.8, 5.10 to 5.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.api import chain as calls
from bns.api import listings, records
from bns.api.arguments import is_address, is_block, is_name, is_namespace
from bns.api.replies import (
    PAGE,
    Query,
    bare_reply,
    error_reply,
    is_true,
    json_reply,
    page_offset,
    require,
    require_bitcoin,
)
from bns.state import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.responses import Response

    from bns.api.records import NodeView
    from bns.api.sources import Output, Record

INVALID_NAMESPACE = "Invalid namespace"
_LONGEST_HEIGHT = 9


def ping(_: NodeView, __: Query) -> Response:
    """GET /v1/ping and /v1/node/ping: alive even if the node is stale."""
    return json_reply({"status": "alive", "version": calls.VERSION})


def info(node: NodeView, _: Query) -> Response:
    """GET /v1/info."""
    return json_reply(calls.info(node))


# Namespaces


def namespaces(node: NodeView, query: Query) -> Response:
    """GET /v1/namespaces: all of them, or those from offset on and at most count."""
    ids = queries.ready_namespaces(node.state)
    limits = {}
    for key, default in (("offset", 0), ("count", len(ids))):
        text = query.get(key, str(default))
        require(text.isascii() and text.isdigit() and len(text) < 19, 400, f"Invalid {key}= value")
        limits[key] = int(text)
    return json_reply(ids[limits["offset"] : limits["offset"] + limits["count"]])


def namespace(node: NodeView, _: Query, namespace_id: str) -> Response:
    """GET /v1/namespaces/{namespace}."""
    require(is_namespace(namespace_id), 400, INVALID_NAMESPACE)
    record = listings.namespace_blockchain_record(node, namespace_id)["record"]
    del record["opcode"]
    return json_reply(record)


def namespace_names(node: NodeView, query: Query, namespace_id: str) -> Response:
    """GET /v1/namespaces/{namespace}/names."""
    require(is_namespace(namespace_id), 400, INVALID_NAMESPACE)
    offset = page_offset(query)
    return json_reply(listings.names_in_namespace(node, namespace_id, offset, PAGE)["names"])


def namespace_count(node: NodeView, _: Query, namespace_id: str) -> Response:
    """GET /v1/namespaces/{namespace}/name_count."""
    require(is_namespace(namespace_id), 400, INVALID_NAMESPACE)
    return _count(listings.num_names_in_namespace(node, namespace_id))


# Prices


def name_price(node: NodeView, _: Query, name: str) -> Response:
    """GET /v1/prices/names/{name}, and the same under /v2."""
    require(is_name(name), 400, "Invalid name")
    return json_reply({"name_price": _price(listings.name_cost(node, name))})


def namespace_price(node: NodeView, _: Query, namespace_id: str) -> Response:
    """GET /v1/prices/namespaces/{namespace}, and the same under /v2."""
    require(is_namespace(namespace_id), 400, INVALID_NAMESPACE)
    return json_reply(_price(listings.namespace_cost(node, namespace_id)))


def _price(quote: Record) -> Record:
    return {"units": quote["units"], "amount": str(quote["amount"]), "satoshis": quote["amount"]}


# The blockchain


def name_count(node: NodeView, query: Query, chain: str, **_: str) -> Response:
    """GET /v1/blockchains/{chain}/name_count."""
    require_bitcoin(chain)
    return _count(listings.num_names_cumulative(node) if is_true(query, "all") else listings.num_names(node))


def subdomains_count(node: NodeView, _: Query, chain: str, **__: str) -> Response:
    """GET /v1/blockchains/{chain}/subdomains_count."""
    require_bitcoin(chain)
    return _count(listings.num_subdomains(node))


def consensus(node: NodeView, _: Query, chain: str) -> Response:
    """GET /v1/blockchains/{chain}/consensus."""
    require_bitcoin(chain)
    return json_reply({"consensus_hash": queries.consensus_hash(node.state)})


def operations(node: NodeView, _: Query, chain: str, height: str) -> Response:
    """GET /v1/blockchains/{chain}/operations/{height}."""
    require(len(height) <= _LONGEST_HEIGHT and is_block(node, int(height)), 400, "Invalid block")
    require_bitcoin(chain)
    return json_reply(calls.operations(node, int(height)))


def _count(answer: Record) -> Response:
    return json_reply({"names_count": answer["count"]})


# Test coins: what the Bitcoin node knows of unspent outputs


def balance(node: NodeView, _: Query, address: str) -> Response | Callable[[], Response]:
    """GET /insight-api/addr/{address}/balance."""
    return _unspent(node, address, lambda outputs: sum(o.value for o in outputs if o.confirmations > 0))


def unconfirmed_balance(node: NodeView, _: Query, address: str) -> Response | Callable[[], Response]:
    """GET /insight-api/addr/{address}/unconfirmedBalance: what is confirmed counts too."""
    return _unspent(node, address, lambda outputs: sum(o.value for o in outputs))


def unspents(node: NodeView, _: Query, address: str) -> Response | Callable[[], Response]:
    """GET /insight-api/addr/{address}/utxo."""
    return _unspent(node, address, lambda outputs: [_output(output) for output in outputs])


def _unspent(
    node: NodeView, address: str, summary: Callable[[Sequence[Output]], Any]
) -> Response | Callable[[], Response]:
    if node.unspents is None or not node.test_mode:
        return bare_reply(404)
    require(is_address(address), 400, "Invalid address")
    find, own = node.unspents, records.own_address(node, address)

    def reply() -> Response:
        try:
            return json_reply(summary(find(own)))
        except OSError:
            return error_reply(502, f"Failed to get unspents for {address}")

    return reply


def _output(output: Output) -> Record:
    return {
        "transaction_hash": output.txid,
        "outpoint": {"hash": output.txid, "index": output.place},
        "value": output.value,
        "out_script": output.script,
        "confirmations": output.confirmations,
    }
