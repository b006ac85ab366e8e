"""The table of RPC methods (spec 06 section 5), and what happens to a call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from bns.api import answers, chain, listings, lookups, schemas
from bns.api.arguments import (
    Argument,
    Failure,
    address,
    any_name,
    block,
    hex_digits,
    integer,
    name,
    namespace,
    several,
    string,
    zonefile,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bns.api.records import NodeView
    from bns.api.sources import Record

_log = logging.getLogger(__name__)


class Method(NamedTuple):
    """A method: its function, the checks of its arguments in order, and the shapes that its answer may have.

    A bare method's answer comes without the members that all others share. One that knows_caller is told where the
    call came from. One that writes may have to wait for the indexer, a long one looks at as many rows as there are. The
    answer of a live one tells of more than the chain and the zone files.
    """

    function: Callable[..., Record]
    arguments: tuple[Argument, ...]
    shapes: tuple[type, ...]
    bare: bool = False
    knows_caller: bool = False
    writes: bool = False
    long: bool = False
    live: bool = False

    @property
    def lasting(self) -> bool:
        """Whether the same call has the same answer for as long as the node stays at a moment."""
        return not (self.live or self.writes or self.knows_caller)


_OFFSET = integer("invalid offset")
_INVENTORY_BYTES = 524_288


def _count(most: int) -> Argument:
    return integer("invalid count", most)


_BLOCKS = several(32, block(), no_list="Invalid block heights", too_many="Too many block heights")
_HASHES = several(
    100,
    hex_digits(40, "Invalid zone file hash"),
    no_list="Invalid zonefile hashes",
    too_many="Too many requests (no more than 100 allowed)",
)
_ZONEFILES = several(5, zonefile(), no_list="Invalid data", too_many="Too many zonefiles")
_RECORD = (answers.OneName, answers.OneSubdomain)

METHODS: dict[str, Method] = {
    "ping": Method(chain.ping, (), (schemas.Ping,), bare=True, live=True),
    "getinfo": Method(chain.info, (), (schemas.Info,), bare=True, live=True),
    "get_name_record": Method(lookups.name_record, (any_name(),), _RECORD),
    "get_name_blockchain_record": Method(lookups.name_blockchain_record, (any_name(),), _RECORD),
    "get_name_history_page": Method(
        lookups.name_history_page,
        (any_name("invalid name"), integer("invalid page")),
        (answers.NamePage, answers.SubdomainPage),
    ),
    "is_name_zonefile_hash": Method(
        lookups.is_name_zonefile_hash,
        (any_name("invalid name"), hex_digits(40, "invalid zone file hash")),
        (answers.Result,),
    ),
    "get_name_at": Method(lookups.name_at, (name(), block()), (answers.States,)),
    "get_historic_name_at": Method(lookups.historic_name_at, (name(), block()), (answers.States,)),
    "get_name_DID": Method(lookups.name_did, (any_name(),), (answers.OneDid,)),
    "get_DID_record": Method(lookups.did_record, (string("Invalid DID: not a string"),), _RECORD),
    "get_names_owned_by_address": Method(listings.names_owned_by_address, (address(),), (answers.NameList,), long=True),
    "get_subdomains_owned_by_address": Method(
        listings.subdomains_owned_by_address, (address(),), (answers.SubdomainList,), long=True
    ),
    "get_historic_names_by_address": Method(
        listings.historic_names_by_address, (address(), _OFFSET, _count(10)), (answers.CreatedList,), long=True
    ),
    "get_num_historic_names_by_address": Method(
        listings.num_historic_names_by_address, (address(),), (answers.Total,), long=True
    ),
    "get_name_cost": Method(listings.name_cost, (name("Invalid name or namespace"),), (answers.Cost,)),
    "get_namespace_cost": Method(listings.namespace_cost, (namespace("Invalid namespace"),), (answers.Cost,)),
    "get_namespace_blockchain_record": Method(
        listings.namespace_blockchain_record, (namespace(),), (answers.OneNamespace,)
    ),
    "get_all_namespaces": Method(listings.all_namespaces, (), (answers.NamespaceList,)),
    "get_num_names_in_namespace": Method(listings.num_names_in_namespace, (namespace(),), (answers.Total,), long=True),
    "get_names_in_namespace": Method(
        listings.names_in_namespace, (namespace(), _OFFSET, _count(100)), (answers.NameList,), long=True
    ),
    "get_num_names": Method(listings.num_names, (), (answers.Total,), long=True),
    "get_num_names_cumulative": Method(listings.num_names_cumulative, (), (answers.Total,), long=True),
    "get_num_subdomains": Method(listings.num_subdomains, (), (answers.Total,), long=True),
    "get_all_names": Method(listings.all_names, (_OFFSET, _count(100)), (answers.NameList,), long=True),
    "get_all_names_cumulative": Method(
        listings.all_names_cumulative, (_OFFSET, _count(100)), (answers.NameList,), long=True
    ),
    "get_all_subdomains": Method(listings.all_subdomains, (_OFFSET, _count(100)), (answers.NameList,), long=True),
    "get_subdomain_ops_at_txid": Method(
        listings.subdomain_ops_at_txid, (hex_digits(64, "Not a valid txid"),), (answers.SubdomainOps,)
    ),
    "get_num_blockstack_ops_at": Method(chain.num_ops_at, (block(),), (answers.Total,)),
    "get_blockstack_ops_at": Method(
        chain.ops_at, (block(), integer("Invalid offset"), integer("Invalid count", 10)), (answers.NameOps,)
    ),
    "get_blockstack_ops_hash_at": Method(chain.ops_hash_at, (block(),), (answers.OpsHash,)),
    "get_consensus_at": Method(chain.consensus_at, (block(),), (answers.Consensus,)),
    "get_consensus_hashes": Method(chain.consensus_hashes, (_BLOCKS,), (answers.ConsensusHashes,)),
    "get_block_from_consensus": Method(
        chain.block_from_consensus, (hex_digits(32, "Not a valid consensus hash"),), (answers.Block,)
    ),
    "get_zonefiles": Method(chain.zonefiles, (_HASHES,), (answers.ZonefileMap,)),
    "put_zonefiles": Method(chain.put_zonefiles, (_ZONEFILES,), (answers.Saved,), writes=True),
    "get_zonefiles_by_block": Method(
        chain.zonefiles_by_block,
        (block("Invalid from_block height"), block("Invalid to_block height"), _OFFSET, _count(100)),
        (answers.AnnouncedList,),
    ),
    "get_zonefile_inventory": Method(
        chain.zonefile_inventory, (_OFFSET, integer("invalid length", _INVENTORY_BYTES)), (answers.Inventory,)
    ),
    "get_atlas_peers": Method(chain.atlas_peers, (), (answers.Peers,), knows_caller=True),
    "atlas_peer_exchange": Method(
        chain.atlas_peer_exchange, (string("Invalid remote peer address"),), (answers.Peers,), knows_caller=True
    ),
    "get_all_neighbor_info": Method(chain.all_neighbor_info, (), (), bare=True, live=True),
}


def call(node: NodeView, method: str, arguments: Sequence[Any], caller: str = "127.0.0.1") -> Record:
    """The answer to a call: never an exception. caller is the address that the call came from."""
    found = METHODS.get(method)
    if found is None:
        return {"error": f"KeyError: 'rpc_{method}'", "traceback": []}
    if len(arguments) != len(found.arguments):
        return {"error": f"TypeError: {_miscounted(method, len(found.arguments), len(arguments))}", "traceback": []}
    try:
        return _call(node, found, arguments, caller)
    except Failure as failure:
        return {"error": failure.text, "http_status": failure.status}
    except Exception as error:  # noqa: BLE001 - a call is always answered, and this one is logged
        _log.exception("%s%r", method, tuple(arguments))
        return {"error": f"{type(error).__name__}: the call failed inside the node", "traceback": []}


def _call(node: NodeView, method: Method, arguments: Sequence[Any], caller: str) -> Record:
    for checks, argument in zip(method.arguments, arguments, strict=True):
        for check in checks:
            if not check.accepts(node, argument):
                raise Failure(check.text)
    if method.writes:
        own = method.function(node, *arguments)
        with node.reading:
            return {**own, **_envelope(node)}
    with node.reading:
        own = method.function(node, *arguments, **({"caller": caller} if method.knows_caller else {}))
        return own if method.bare else {**own, **_envelope(node)}


def _envelope(node: NodeView) -> Record:
    envelope: Record = {"status": True, "indexing": node.progress.indexing, "lastblock": node.state.last_block}
    since = node.progress.stale_since
    if since is not None:
        envelope |= {"stale": True, "warning": f"Daemon has not reindexed since {since}"}
    return envelope


def _miscounted(method: str, takes: int, given: int) -> str:
    # in the words of the reference, which counts the server itself
    arguments = "argument" if takes == 0 else "arguments"
    return f"rpc_{method}() takes exactly {takes + 1} {arguments} ({given + 1} given)"
