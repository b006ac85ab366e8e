"""A node of the peer network: what it knows, and the calls by which it learns. Nothing here does I/O, reads a clock or
rolls dice by itself: clock, chance and zone files are handed in, calls are yielded (see bns.atlas.messages).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bns.atlas import messages
from bns.atlas.addresses import canonical, parse_hostport
from bns.atlas.constants import Constants
from bns.atlas.peers import NoPeerStore, PeerTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from bns.atlas.messages import Exchange
    from bns.atlas.peers import Peer, PeerStore

INVENTORY_SLACK = 128
"""Bytes of a peer's inventory that are kept beyond the end of our own: it may know blocks that we do not yet."""


class Holdings(Protocol):
    """The zone files of a node, and which ones the chain announced."""

    def count(self) -> int:
        """How many announcements there are."""

    def missing(self) -> Mapping[str, Sequence[int]]:
        """Announced hashes (40 hex) whose files are not here, each with the places (from 0) of its announcements."""

    def discover(self, hash_: str, /) -> bool:
        """Take note of a file that is in the store already; whether it is there."""

    def put(self, data: bytes, /) -> bool:
        """Keep a file, if it is announced and not too long; whether it is kept."""


class Chain(Protocol):
    """What a node has indexed of the chain."""

    def last_block(self) -> int:
        """The height of the last block."""

    def is_recent(self, consensus_hash: str, /) -> bool:
        """Whether a block since shortly before the start has this consensus hash (32 hex). Spec 05 section 4.4."""


@dataclass(frozen=True)
class Identity:
    """Who a node is: address as host:port, the port of peers that give none, seeds and blacklist as host:port.

    testnet tells the networks apart: peers of the other one are of no use.
    """

    address: str
    default_port: int = 6264
    seeds: Sequence[str] = ()
    blacklist: Sequence[str] = ()
    testnet: bool = False


class AtlasNode:
    """What a node knows of its peers. Spec 05 sections 3.4 and 4.

    clock gives Unix time. peer_added is called when the table has grown. Callers see to it that one thread at a time
    is inside: a process runs between two of its yields.
    """

    def __init__(
        self,
        identity: Identity,
        holdings: Holdings,
        chain: Chain,
        *,
        clock: Callable[[], float],
        chance: Random,
        constants: Constants | None = None,
        store: PeerStore | None = None,
        peer_added: Callable[[], None] = lambda: None,
    ) -> None:
        self.identity = identity
        self.address = canonical(identity.address)
        self.holdings = holdings
        self.chain = chain
        self.clock = clock
        self.chance = chance
        self.constants = constants or Constants()
        self.peer_added = peer_added
        self.table = PeerTable(self.constants, chance, store or NoPeerStore())
        self.callers: list[str] = []
        """Who asked for our peers and may become one, oldest first."""
        self.unvisited = list(self.table)
        """Peers that were added since the health checker looked."""
        for addresses, flag in ((identity.seeds, "whitelisted"), (identity.blacklist, "blacklisted")):
            for text in addresses:
                self._mark(text, flag)

    def _mark(self, text: str, flag: str) -> None:
        hostport = parse_hostport(text, self.identity.default_port)
        if hostport is None or canonical(hostport) == self.address:
            return
        setattr(self.table.get(canonical(hostport)) or self.admit(canonical(hostport)), flag, True)

    # Serving

    def peers(self, asking: str) -> list[str]:
        """Up to 80 neighbours for a peer that asks, which is remembered as a candidate. Spec 05 section 4.6."""
        asking = canonical(asking)
        found = self.table.neighbours(asking)
        if asking not in self.table and len(self.callers) < self.constants.pending:
            self.callers.append(asking)
        return found

    # Calling: each notes how it went

    def info(self, peer: str) -> Exchange[messages.PeerInfo | None]:
        """Ask a peer about itself."""
        found = yield from messages.info(peer, self.constants, testnet=self.identity.testnet)
        self._record(peer, answered=found is not None)
        return found

    def neighbours(self, peer: str) -> Exchange[list[str]]:
        """The neighbours of a peer, or our own if it is us; nobody if it does not answer well."""
        if peer == self.address:
            return self.table.neighbours(self.address)
        found = yield from messages.neighbours(peer, self.address, self.constants)
        self._record(peer, answered=found is not None)
        return [] if found is None else [hostport for hostport in map(canonical, found) if hostport != self.address]

    def refresh_inventory(self, peer: str) -> Exchange[None]:
        """Ask a peer what it holds. One that does not say holds nothing. Spec 05 section 4.8."""
        entry = self.table.get(peer)
        if entry is not None:
            entry.inventory = b""
            if self.holdings.count():
                found = yield from messages.inventory(peer, self.constants)
                self._record(peer, answered=found is not None)
                entry.inventory = (found or b"")[: self.inventory_size() + INVENTORY_SLACK]
            entry.last_refresh = self.clock()

    def zonefiles(self, peer: str, hashes: Sequence[str]) -> Exchange[dict[str, bytes]]:
        """Zone files from a peer; none if it did not answer well. It counts as an answer in any case (quirk A5)."""
        found = yield from messages.zonefiles(peer, hashes, self.constants)
        if found is None:
            self._record(peer, answered=False)
        self._record(peer, answered=True)
        return found or {}

    def inventory_size(self) -> int:
        """Bytes of our own inventory."""
        return (self.holdings.count() + 7) // 8

    # The table

    def is_welcome(self, peer: str) -> Exchange[bool]:
        """Whether a new peer is of use: it has our rules, a fitting version, and our chain. Spec 05 section 4.4."""
        found = yield from self.info(peer)
        if found is None or not messages.is_new_enough(found.version):
            return False
        return found.last_block > self.chain.last_block() or self.chain.is_recent(found.consensus_hash)

    def try_admit(self, peer: str) -> Exchange[bool]:
        """Add a peer, unless one in its slot still answers; those that do not make room. Spec 05 section 4.3."""
        if peer in self.table:
            return True
        slot = self.table.slot_for(peer)
        for occupant in self.table.in_slot(slot):
            if (yield from self.info(occupant)) is not None:
                return False
            self.table.remove(occupant)
        if peer not in self.table:  # it may have come while we asked
            self.admit(peer, slot)
        return True

    def admit(self, peer: str, slot: int | None = None) -> Peer:
        """Add a peer that is not in the table, whatever its slot holds."""
        entry = self.table.add(peer, self.table.slot_for(peer) if slot is None else slot, self.clock())
        self.unvisited.append(peer)
        self.peer_added()
        return entry

    def take_unvisited(self) -> list[str]:
        """The peers that are new since the last call."""
        new, self.unvisited = self.unvisited, []
        return new

    def _record(self, peer: str, *, answered: bool) -> None:
        self.table.record(peer, self.clock(), answered=answered)
