"""Calls about the node, blocks, consensus hashes and zone files (spec 06 sections 6.1, 6.8 and 6.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.api import records
from bns.api.arguments import Failure, zonefile_bytes
from bns.atlas.addresses import is_local, parse_hostport
from bns.bitcoin.network import MAINNET
from bns.state import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.api.records import NodeView
    from bns.api.sources import Atlas, Record

VERSION = "19.0.8.1"
"""The version of the reference that this node answers like; its clients compare it with their own."""

MAX_ZONEFILE = 40_960
"""Bytes of a zone file that a node takes."""

BEHIND = "Daemon is behind the chain tip.  Do not rely on it for fresh information."

_ANNOUNCED = ("name", "zonefile_hash", "block_height", "txid", "inv_index")


def ping(node: NodeView) -> Record:
    """ping."""
    stale = node.progress.stale_since is not None
    return {"status": "stale" if stale else "alive", "version": VERSION}


def info(node: NodeView) -> Record:
    """getinfo."""
    last_block, seen = node.state.last_block, node.progress.last_block_seen
    info: Record = {
        "last_block_seen": last_block if seen is None else seen,
        "last_block_processed": last_block,
        "consensus": queries.consensus_hash(node.state),
        "server_version": VERSION,
        "server_alive": True,
        "indexing": node.progress.indexing,
        "testnet": None if node.params.network == MAINNET and not node.test_mode else "1",
    }
    if node.atlas is not None:
        announced = node.atlas.count()
        info["zonefile_count"] = announced + 1 if announced else 0  # one too many: spec 06 section 6.1
    if node.progress.stale_since is not None:
        info |= {"stale": True, "warning": BEHIND}
    return info


def num_ops_at(node: NodeView, height: int) -> Record:
    """get_num_blockstack_ops_at."""
    return {"count": queries.count_operations_at(node.state, height)}


def ops_at(node: NodeView, height: int, offset: int, count: int) -> Record:
    """get_blockstack_ops_at."""
    return {"nameops": operations(node, height)[offset : offset + count]}


def operations(node: NodeView, height: int) -> list[Record]:
    """All operations of a block."""
    return [records.operation(state) for state in queries.operations_at(node.state, height)]


def ops_hash_at(node: NodeView, height: int) -> Record:
    """get_blockstack_ops_hash_at."""
    snapshot = node.state.snapshot(height)
    return {"ops_hash": None if snapshot is None else snapshot.ops_hash}


def consensus_at(node: NodeView, height: int) -> Record:
    """get_consensus_at."""
    return {"consensus": node.state.consensus_hash(height)}


def consensus_hashes(node: NodeView, heights: Sequence[int]) -> Record:
    """get_consensus_hashes."""
    return {"consensus_hashes": {str(height): node.state.consensus_hash(height) for height in heights}}


def block_from_consensus(node: NodeView, consensus_hash: str) -> Record:
    """get_block_from_consensus."""
    return {"block_id": node.state.consensus_hash_height(consensus_hash)}


# Zone files


def zonefiles(node: NodeView, hashes: Sequence[str]) -> Record:
    """get_zonefiles: those that are here."""
    _atlas(node, "No data")
    found = ((hash_, node.zonefile(hash_)) for hash_ in hashes)
    return {"zonefiles": {hash_: records.base64_text(data) for hash_, data in found if data}}


def put_zonefiles(node: NodeView, texts: Sequence[str]) -> Record:
    """put_zonefiles: 1 for each that was kept, 0 for each that was not, for instance because nobody announced it."""
    atlas = _atlas(node, "No data")
    saved = []
    with node.writing or node.reading:
        for text in texts:
            data = zonefile_bytes(text)
            saved.append(int(data is not None and len(data) <= MAX_ZONEFILE and atlas.put(data)))
    return {"saved": saved}


def zonefiles_by_block(node: NodeView, first: int, last: int, offset: int, count: int) -> Record:
    """get_zonefiles_by_block: what was announced in these blocks."""
    announcements = _atlas(node).announcements(first, last, offset, count)
    return {"zonefile_info": [{field: getattr(found, field) for field in _ANNOUNCED} for found in announcements]}


def zonefile_inventory(node: NodeView, offset: int, length: int) -> Record:
    """get_zonefile_inventory: offset and length are bytes."""
    return {"inv": records.base64_text(_atlas(node).inventory()[offset : offset + length])}


def atlas_peers(node: NodeView, *, caller: str) -> Record:
    """get_atlas_peers: caller is the address that the call came from."""
    return {"peers": list(_atlas(node, status=404).peers(f"{caller}:{_default_port(node)}"))}


def atlas_peer_exchange(node: NodeView, peer: str, *, caller: str) -> Record:
    """atlas_peer_exchange: only a caller on this machine can name another peer than itself."""
    atlas = _atlas(node, status=404)
    if not is_local(caller):
        return atlas_peers(node, caller=caller)
    asking = parse_hostport(peer, _default_port(node))
    if asking is None:
        raise Failure("Invalid remote peer address")
    return {"peers": list(atlas.peers(asking))}


def all_neighbor_info(_: NodeView) -> Record:
    """get_all_neighbor_info: only a simulated network of the reference knows the answer."""
    raise Failure("No such method", 401)


def _atlas(node: NodeView, text: str = "Not an atlas node", status: int = 400) -> Atlas:
    if node.atlas is None:
        raise Failure(text, status)
    return node.atlas


def _default_port(node: NodeView) -> int:
    return 16264 if node.test_mode else 6264
