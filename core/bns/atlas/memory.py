"""Zone files and a chain in memory: what a node of the network needs, without a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.atlas.inventory import mask_of
from bns.zonefiles.store import MAX_ZONEFILE_SIZE, zonefile_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class Announced:
    """The hashes that a chain has announced so far, in order; shared by all nodes that follow it."""

    def __init__(self, hashes: Iterable[str] = (), height: int = 0, consensus_hash: str = "00" * 16) -> None:
        self.hashes: list[str] = []
        self.places: dict[str, list[int]] = {}
        self.height = height
        self.consensus_hash = consensus_hash
        self.extend(hashes)

    def extend(self, hashes: Iterable[str]) -> None:
        """Announce more."""
        for hash_ in hashes:
            self.places.setdefault(hash_, []).append(len(self.hashes))
            self.hashes.append(hash_)

    def last_block(self) -> int:
        """See bns.atlas.node.Chain."""
        return self.height

    def is_recent(self, consensus_hash: str, /) -> bool:
        """See bns.atlas.node.Chain."""
        return consensus_hash == self.consensus_hash


class MemoryHoldings:
    """The zone files of one node in memory; see bns.atlas.node.Holdings. arrived is called with each new hash."""

    def __init__(self, announced: Announced, arrived: Callable[[str], None] = lambda _: None) -> None:
        self.announced = announced
        self.arrived = arrived
        self._files: dict[str, bytes] = {}
        self._known = -1
        self._inventory = b""

    def count(self) -> int:
        """How many announcements there are."""
        return len(self.announced.hashes)

    def files(self) -> Mapping[str, bytes]:
        """What is here, by hash."""
        return self._files

    def has_all(self) -> bool:
        """Whether every announced file is here."""
        return len(self._files) == len(self.announced.places)

    def missing(self) -> Mapping[str, Sequence[int]]:
        """See Holdings."""
        if self.has_all():
            return {}
        return {hash_: places for hash_, places in self.announced.places.items() if hash_ not in self._files}

    def discover(self, hash_: str, /) -> bool:
        """See Holdings: what is stored has been noted already."""
        return False

    def put(self, data: bytes, /) -> bool:
        """See Holdings."""
        hash_ = zonefile_hash(data)
        if len(data) > MAX_ZONEFILE_SIZE or hash_ not in self.announced.places:
            return False
        if hash_ not in self._files:
            self._files[hash_] = data
            self._known = -1
            self.arrived(hash_)
        return True

    def stored(self, hash_: str, /) -> bytes | None:
        """A zone file by its hash (40 hex)."""
        return self._files.get(hash_) or None

    def inventory(self) -> bytes:
        """One bit for each announcement: 1 if its zone file is here."""
        if self._known != self.count():
            self._known, size = self.count(), (self.count() + 7) // 8
            places = (place for hash_ in self._files for place in self.announced.places[hash_])
            self._inventory = mask_of(places, size).to_bytes(size)
        return self._inventory
