"""The peer table: who is known, how well they answered, what they say they hold (spec 05 sections 2.2, 2.3 and 4)."""

from __future__ import annotations

import hashlib
from array import array
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from bns.atlas.constants import Constants

EVENTS_KEPT = 512
"""Events of one peer that its health looks at, at most."""


class Peer:
    """A peer. One that is whitelisted or blacklisted is never removed; that is all that either means (quirk A6)."""

    __slots__ = (
        "_events", "answers", "blacklisted", "discovery_time", "inventory", "last_refresh", "slot", "whitelisted"
    )  # fmt: skip

    def __init__(self, slot: int, discovery_time: float) -> None:
        self.slot = slot
        self.discovery_time = discovery_time
        self.whitelisted = False
        self.blacklisted = False
        self.inventory = b""
        self.last_refresh: float | None = None
        self.answers = 0
        """How many calls it answered of late; the reference's "request count"."""
        self._events = array("d")  # times of answers, those of failures with a minus sign

    @property
    def is_kept(self) -> bool:
        """Whether no rule removes it."""
        return self.whitelisted or self.blacklisted

    def record(self, now: float, *, answered: bool, lifetime: float) -> None:
        """Note how a call went, and forget what is older than lifetime (seconds)."""
        events = self._events
        old = 0
        while old < len(events) and abs(events[old]) + lifetime < now:
            old += 1
        old = max(old, len(events) + 1 - EVENTS_KEPT)
        if old > 0:
            self.answers -= sum(event > 0 for event in events[:old])
            del events[:old]
        events.append(now if answered else -now)
        self.answers += answered

    @property
    def health(self) -> float:
        """The share of calls that it answered of late, 0.0 without any."""
        return self.answers / len(self._events) if self._events else 0.0


class PeerRow(NamedTuple):
    """What outlives a restart: the address, the slot, and when the peer was found or renewed (Unix time)."""

    hostport: str
    slot: int
    discovery_time: int


class PeerStore(Protocol):
    """Where the addresses of peers outlive a restart."""

    def load(self) -> Iterable[PeerRow]:
        """All of them."""

    def put(self, row: PeerRow, /) -> None:
        """Add one, or replace it."""

    def remove(self, hostport: str, /) -> None:
        """Remove one, if it is there."""


class NoPeerStore:
    """Forgets."""

    def load(self) -> Iterable[PeerRow]:
        """Nothing."""
        return ()

    def put(self, row: PeerRow, /) -> None:
        """Nothing happens."""

    def remove(self, hostport: str, /) -> None:
        """Nothing happens."""


class PeerTable:
    """All peers by address, in the order in which they were added."""

    def __init__(self, constants: Constants, chance: Random, store: PeerStore) -> None:
        self._constants = constants
        self._chance = chance
        self._store = store
        self._peers: dict[str, Peer] = {}
        self._by_slot: dict[int, set[str]] = {}
        for row in store.load():
            self._enter(row)

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, hostport: str) -> bool:
        return hostport in self._peers

    def __iter__(self) -> Iterator[str]:
        return iter(self._peers)

    def get(self, hostport: str) -> Peer | None:
        """A peer, None if it is not known."""
        return self._peers.get(hostport)

    def items(self) -> Iterable[tuple[str, Peer]]:
        """Addresses and peers."""
        return self._peers.items()

    def slot_for(self, hostport: str) -> int:
        """A slot for a new peer: it depends on its host, not on its port, and on chance."""
        host = hostport.rpartition(":")[0]
        nonce = self._chance.randrange(2**32 + 1)
        return int.from_bytes(hashlib.sha256(f"{nonce}{host}".encode()).digest()) % self._constants.slots

    def in_slot(self, slot: int) -> list[str]:
        """The peers of a slot, in the order of their addresses."""
        return sorted(self._by_slot.get(slot, ()))

    def add(self, hostport: str, slot: int, now: float) -> Peer:
        """Enter a peer that is not in the table."""
        row = PeerRow(hostport, slot, int(now))
        self._store.put(row)
        return self._enter(row)

    def renew(self, hostport: str, now: float) -> None:
        """Count the age of a peer from now on."""
        peer = self._peers[hostport]
        peer.discovery_time = now
        self._store.put(PeerRow(hostport, peer.slot, int(now)))

    def remove(self, hostport: str) -> bool:
        """Forget a peer, unless it is always kept; whether it is gone now."""
        peer = self._peers.get(hostport)
        if peer is None or peer.is_kept:
            return False
        self._store.remove(hostport)
        del self._peers[hostport]
        self._by_slot[peer.slot].discard(hostport)
        if not self._by_slot[peer.slot]:
            del self._by_slot[peer.slot]
        return True

    def record(self, hostport: str, now: float, *, answered: bool) -> None:
        """Note how a call to a peer went, if it is in the table."""
        peer = self._peers.get(hostport)
        if peer is not None:
            peer.record(now, answered=answered, lifetime=self._constants.lifetime_interval)

    def neighbours(self, asking: str) -> list[str]:
        """Some peers that answer, in random order, without the one that asks. Spec 05 section 4.6."""
        least = self._constants.min_health
        drawn: list[str] = []
        peers = list(self._peers)
        for at in range(len(peers)):  # draws no more than it needs, because tables are large
            other = self._chance.randrange(at, len(peers))
            peers[at], peers[other] = peers[other], peers[at]
            peer = self._peers.get(peers[at])  # another thread may have removed it
            if peer is not None and peers[at] != asking and peer.answers >= 1 and peer.health >= least:
                drawn.append(peers[at])
                if len(drawn) == self._constants.max_neighbours:
                    break
        return drawn

    def unhealthy(self) -> list[str]:
        """Some of the peers that answer too rarely to be kept, in random order. Spec 05 section 4.5."""
        constants = self._constants
        found = [
            hostport
            for hostport, peer in self._peers.items()
            if not peer.is_kept and peer.answers >= constants.min_requests and peer.health < constants.min_health
        ]
        return self._chance.sample(found, min(len(found), constants.removals))

    def older_than(self, age: float, now: float) -> list[str]:
        """The peers that were found or renewed longer ago than this."""
        return [hostport for hostport, peer in self._peers.items() if peer.discovery_time < now - age]

    def _enter(self, row: PeerRow) -> Peer:
        peer = Peer(row.slot, row.discovery_time)
        self._peers[row.hostport] = peer
        self._by_slot.setdefault(row.slot, set()).add(row.hostport)
        return peer
