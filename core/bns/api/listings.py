"""Calls about what belongs to an address or namespace, prices and enumerations (spec 06 sections 6.4 to 6.7)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bns.api import records
from bns.api.arguments import Failure
from bns.operations.names import namespace_of
from bns.operations.prices import name_price
from bns.state import queries

if TYPE_CHECKING:
    from bns.api.records import NodeView
    from bns.api.sources import Record

UNITS = "BTC"
"""The unit of quoted prices is called so, yet they are satoshis."""


def names_owned_by_address(node: NodeView, address: str) -> Record:
    """get_names_owned_by_address."""
    return {"names": queries.names_owned_by(node.state, address)}


def subdomains_owned_by_address(node: NodeView, address: str) -> Record:
    """get_subdomains_owned_by_address: those since transferred away too."""
    return {"subdomains": node.subdomains.owned_by(address)}


def historic_names_by_address(node: NodeView, address: str, offset: int, count: int) -> Record:
    """get_historic_names_by_address: what identifiers of this address count."""
    return {"names": [creation._asdict() for creation in queries.creations(node.state, address, offset, count)]}


def num_historic_names_by_address(node: NodeView, address: str) -> Record:
    """get_num_historic_names_by_address."""
    return {"count": queries.count_creations(node.state, address)}


def name_cost(node: NodeView, name: str) -> Record:
    """get_name_cost: satoshis, at the last block."""
    namespace = queries.live_namespace(node.state, namespace_of(name))
    if namespace is None:
        raise Failure("Unknown/invalid namespace", 404)
    epoch = queries.epoch(node.state, node.state.last_block)
    price = name_price(name, namespace, epoch, node.params.name_cost_unit)
    return {"amount": math.ceil(price), "units": UNITS}


def namespace_cost(node: NodeView, namespace_id: str) -> Record:
    """get_namespace_cost: satoshis, at the last block; one that is ready has a price too."""
    epoch = queries.epoch(node.state, node.state.last_block)
    quote: Record = {"amount": epoch.namespace_prices.of(namespace_id), "units": UNITS}
    namespace = node.state.namespace(namespace_id)
    if namespace is not None and namespace.op == "!":
        quote["warning"] = "Namespace already exists"
    return quote


def namespace_blockchain_record(node: NodeView, namespace_id: str) -> Record:
    """get_namespace_blockchain_record."""
    record = records.namespace_record(node, namespace_id)
    if record is None:
        raise Failure("No such namespace", 404)
    return {"record": record}


def all_namespaces(node: NodeView) -> Record:
    """get_all_namespaces: those that are ready."""
    return {"namespaces": queries.ready_namespaces(node.state)}


def num_names_in_namespace(node: NodeView, namespace_id: str) -> Record:
    """get_num_names_in_namespace."""
    return {"count": queries.count_names(node.state, namespace_id=namespace_id)}


def names_in_namespace(node: NodeView, namespace_id: str, offset: int, count: int) -> Record:
    """get_names_in_namespace."""
    return {"names": queries.names_page(node.state, offset, count, namespace_id=namespace_id)}


def num_names(node: NodeView) -> Record:
    """get_num_names."""
    return {"count": queries.count_names(node.state)}


def num_names_cumulative(node: NodeView) -> Record:
    """get_num_names_cumulative: expired ones too."""
    return {"count": queries.count_names(node.state, expired=True)}


def all_names(node: NodeView, offset: int, count: int) -> Record:
    """get_all_names."""
    return {"names": queries.names_page(node.state, offset, count)}


def all_names_cumulative(node: NodeView, offset: int, count: int) -> Record:
    """get_all_names_cumulative: expired ones too."""
    return {"names": queries.names_page(node.state, offset, count, expired=True)}


def num_subdomains(node: NodeView) -> Record:
    """get_num_subdomains."""
    return {"count": node.subdomains.count()}


def all_subdomains(node: NodeView, offset: int, count: int) -> Record:
    """get_all_subdomains: those without an accepted record too."""
    return {"names": node.subdomains.names(offset, count)}


def subdomain_ops_at_txid(node: NodeView, txid: str) -> Record:
    """get_subdomain_ops_at_txid."""
    return {"subdomain_ops": node.subdomains.operations_at(txid)}
