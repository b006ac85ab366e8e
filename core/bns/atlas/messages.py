"""What peers ask each other, and what counts as an answer (spec 05 sections 4.2, 4.4, 4.6, 4.8, 5.3 and 6).

An exchange is a generator: it yields a Call, is sent the JSON object that the peer answered, or None if it did not, and
returns what the answer means. Nobody is trusted: every answer is checked for its shape and its size.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from bns.atlas.constants import HASHES_AT_ONCE, INVENTORY_BYTES, OLDEST_VERSION
from bns.zonefiles.store import MAX_ZONEFILE_SIZE, zonefile_hash

if TYPE_CHECKING:
    from bns.atlas.constants import Constants

SHORT_ANSWER = 64 << 10
NEIGHBOURS_ANSWER = 512 << 10
INVENTORY_ANSWER = 1 << 20
LONGEST_ANSWER = 6_144_000
"""Bytes that an answer may have; the reference gives up above this many, too."""

_PEERS_AT_ONCE = 1000
_PEER = re.compile(r"([^:\s]{1,255}):([1-9][0-9]{1,4})")
_HASH = re.compile("[0-9a-f]{40}")
_LONGEST_BASE64 = (MAX_ZONEFILE_SIZE + 2) // 3 * 4


class Call(NamedTuple):
    """A call to a peer: timeout in seconds for all of it, limit in bytes for the answer."""

    peer: str
    method: str
    arguments: tuple[Any, ...]
    timeout: float
    limit: int


class Pause(NamedTuple):
    """Nothing to do before a time; wakeable if it ends early when there is something."""

    until: float
    wakeable: bool = False


Answer = Mapping[str, Any] | None
T = TypeVar("T")
Exchange = Generator[Call, Answer, T]
Process = Generator[Call | Pause, Answer, None]


class PeerInfo(NamedTuple):
    """What a usable peer says of itself."""

    last_block: int
    consensus_hash: str
    version: str


def info(peer: str, constants: Constants, *, testnet: bool) -> Exchange[PeerInfo | None]:
    """Ask a peer about itself; None if it cannot be used. Spec 05 section 4.4."""
    answer = yield Call(peer, "getinfo", (), constants.info_timeout, SHORT_ANSWER)
    return None if answer is None else read_info(answer, testnet=testnet)


def read_info(answer: Mapping[str, Any], *, testnet: bool) -> PeerInfo | None:
    """The meaning of an answer to getinfo, None if the peer cannot be used."""
    heights = [answer.get("last_block_seen"), answer.get("last_block_processed")]
    texts = [answer.get("consensus"), answer.get("server_version")]
    flags = [answer.get("server_alive"), answer.get("indexing"), answer.get("stale", False)]
    usable = (
        "error" not in answer
        and all(_is_natural(height) for height in heights)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(flag, bool) for flag in flags)
        and _is_natural(answer.get("zonefile_count", 0))
        and isinstance(answer.get("warning", ""), str)
        and not answer.get("stale")
        and ("testnet" not in answer or bool(answer["testnet"]) == testnet)
    )
    if not usable:
        return None
    return PeerInfo(answer["last_block_processed"], answer["consensus"], answer["server_version"])


def is_new_enough(version: str) -> bool:
    """Whether a node of this version becomes a peer; one that is not written in three parts does."""
    parts = version.split(".")
    if len(parts) < 3:
        return True
    try:
        return (int(parts[0]), int(parts[1])) >= OLDEST_VERSION
    except ValueError:
        return False


def neighbours(peer: str, own_address: str, constants: Constants) -> Exchange[list[str] | None]:
    """Ask a peer for its neighbours; None if there is no good answer. Spec 05 section 4.6."""
    limits = constants.neighbours_timeout, NEIGHBOURS_ANSWER
    answer = yield Call(peer, "atlas_peer_exchange", (own_address,), *limits)
    if answer is not None and "error" in answer and "traceback" in answer:
        answer = yield Call(peer, "get_atlas_peers", (), *limits)  # of a node too old for the exchange
    if answer is None or not _has_status(answer):
        return None
    peers = answer.get("peers")
    return peers if isinstance(peers, list) and _are_peers(peers) else None


def inventory(peer: str, constants: Constants) -> Exchange[bytes | None]:
    """Ask a peer for its inventory; None if there is no good answer. Spec 05 section 4.8."""
    arguments = 0, INVENTORY_BYTES
    answer = yield Call(peer, "get_zonefile_inventory", arguments, constants.inventory_timeout, INVENTORY_ANSWER)
    if answer is None or not _has_status(answer):
        return None
    found = _bytes(answer.get("inv"), INVENTORY_ANSWER)
    return found if found is not None and len(found) <= INVENTORY_BYTES else None


def zonefiles(peer: str, hashes: Sequence[str], constants: Constants) -> Exchange[dict[str, bytes] | None]:
    """Ask a peer for zone files: those it gave, by hash, asked for or not. None if any batch was not answered well.

    One file that does not have the hash it is said to have makes the whole answer a bad one. Spec 05 section 5.3.
    """
    found: dict[str, bytes] = {}
    for first in range(0, len(hashes), HASHES_AT_ONCE):
        batch = list(hashes[first : first + HASHES_AT_ONCE])
        answer = yield Call(peer, "get_zonefiles", (batch,), constants.zonefiles_timeout, LONGEST_ANSWER)
        files = read_zonefiles(answer) if answer is not None and _has_status(answer) else None
        if files is None:
            return None
        found |= files
    return found


def read_zonefiles(answer: Mapping[str, Any]) -> dict[str, bytes] | None:
    """The zone files in an answer; None if it is malformed or a hash is not that of its file."""
    texts = answer.get("zonefiles")
    if not isinstance(texts, dict) or len(texts) > HASHES_AT_ONCE:
        return None
    found = {}
    for hash_, text in texts.items():
        data = _bytes(text, _LONGEST_BASE64) if _HASH.fullmatch(hash_) else None
        if data is None or zonefile_hash(data) != hash_:
            return None
        found[hash_] = data
    return found


def _has_status(answer: Mapping[str, Any]) -> bool:
    return answer.get("status") is True and "error" not in answer


def _is_natural(value: object) -> bool:
    return type(value) is int and value >= 0


def _are_peers(peers: list[object]) -> bool:
    return len(peers) <= _PEERS_AT_ONCE and all(isinstance(peer, str) and _PEER.fullmatch(peer) for peer in peers)


def _bytes(text: object, longest: int) -> bytes | None:
    if not isinstance(text, str) or len(text) > longest:
        return None
    try:
        return binascii.a2b_base64(text, strict_mode=True) if text else b""
    except ValueError:
        return None
