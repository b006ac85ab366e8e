"""What a node answers to its peers, as JSON objects (spec 05 section 6); over HTTP bns.api does this and more."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.atlas.messages import Call
    from bns.atlas.node import AtlasNode

VERSION = "19.0.8.1"


class Files(Protocol):
    """What an answer looks into."""

    def inventory(self) -> bytes:
        """One bit for each announcement: 1 if its zone file is here."""

    def stored(self, hash_: str, /) -> bytes | None:
        """A zone file by its hash (40 hex)."""


def answer(node: AtlasNode, files: Files, consensus_hash: str, caller: str, call: Call) -> dict[str, Any]:
    """The answer to a call of a peer; caller is host:port, consensus_hash that of the last block."""
    match call.method:
        case "getinfo":
            height, count = node.chain.last_block(), node.holdings.count()
            return {
                "last_block_seen": height, "last_block_processed": height, "consensus": consensus_hash,
                "server_version": VERSION, "server_alive": True, "indexing": False,
                "testnet": node.identity.testnet, "zonefile_count": count + 1 if count else 0,
            }  # fmt: skip
        case "atlas_peer_exchange" | "get_atlas_peers":
            own: dict[str, Any] = {"peers": node.peers(caller)}
        case "get_zonefile_inventory":
            offset, length = call.arguments
            own = {"inv": _text(files.inventory()[offset : offset + length])}
        case "get_zonefiles":
            own = {"zonefiles": _zonefiles(files, *call.arguments)}
        case _:
            return {"error": f"KeyError: 'rpc_{call.method}'", "traceback": []}
    return {"status": True, "indexing": False, "lastblock": node.chain.last_block(), **own}


def _zonefiles(files: Files, hashes: Sequence[str]) -> dict[str, str]:
    found = ((hash_, files.stored(hash_)) for hash_ in hashes)
    return {hash_: _text(data) for hash_, data in found if data}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
