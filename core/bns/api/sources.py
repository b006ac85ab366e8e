"""What the API asks of other parts of a node, and what stands in where a part is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bns.identity.tokens import Profile
    from bns.zonefiles.announcements import Announcement


class Atlas(Protocol):
    """The node's part in the network that spreads zone files (spec 05)."""

    def count(self) -> int:
        """How many zone files were announced."""

    def put(self, data: bytes, /) -> bool:
        """Keep a zone file of at most 40,960 bytes and look for subdomains in it; False if it was not announced."""

    def announcements(self, first: int, last: int, offset: int, count: int) -> Sequence[Announcement]:
        """Some of what was announced in the blocks first to last, by inv_index."""

    def inventory(self) -> bytes:
        """One bit for each announcement, the first one highest in the first byte: 1 if its zone file is here."""

    def peers(self, asking: str) -> Sequence[str]:
        """Up to 80 healthy peers as host:port, without the one that asks, which may become a peer (spec 05, 4.6)."""


Record = dict[str, Any]
"""A record as served; which members it has says spec 06 section 4."""


class Subdomains(Protocol):
    """The index of subdomains (spec 04 section 6); bns.subdomains.queries says what each answer holds."""

    def record(self, name: str, /) -> Record | None:
        """The accepted record that holds now, with `pending`."""

    def history(self, name: str, /) -> dict[str, list[Record]]:
        """Accepted records by height (as decimal text)."""

    def history_page(self, name: str, page: int, /) -> dict[str, list[Record]]:
        """Some accepted records by height (as decimal text)."""

    def has_zonefile_hash(self, name: str, hash_: str, /) -> bool:
        """Whether any record of a subdomain carried this zone file."""

    def did(self, name: str, /) -> str | None:
        """The decentralised identifier of a subdomain."""

    def did_record(self, address: str, index: int, /) -> Record | None:
        """The current record of the subdomain with this place (from 0) among those that an address created."""

    def resolver(self, domain: str, /) -> str | None:
        """Where to ask for unknown subdomains of a name."""

    def owned_by(self, address: str, /) -> list[str]:
        """Subdomains with an accepted record that names this owner, ascending."""

    def operations_at(self, txid: str, /) -> list[Record]:
        """The records in the zone file that a transaction announced, in their order, accepted or not."""

    def count(self) -> int:
        """How many subdomains have an accepted record."""

    def names(self, offset: int, count: int, /) -> list[str]:
        """Some of all subdomains, those without an accepted record too, ascending."""


class ProfileFetcher(Protocol):
    """Finds signed profiles on the web (spec 07 section 5.9). It is called outside of reading and may wait."""

    def __call__(self, targets: Sequence[str], address: str) -> Profile | None:
        """The first good profile at these URLs that a key of the address has signed."""


class Output(NamedTuple):
    """An unspent output: its place among those of its transaction, value in satoshis, txid and script in hex."""

    txid: str
    place: int
    value: int
    script: str
    confirmations: int


class Unspents(Protocol):
    """What a Bitcoin node knows of unspent outputs; only nodes in test mode have it."""

    def __call__(self, address: str) -> Sequence[Output]:
        """The unspent outputs of an address, unconfirmed ones too; OSError if the Bitcoin node is out of reach."""


class Progress(Protocol):
    """How far a node has come with the chain."""

    @property
    def indexing(self) -> bool:
        """Whether blocks are being applied right now."""

    @property
    def stale_since(self) -> float | None:
        """When the last pass over new blocks ended (Unix time), if that is too long ago; None otherwise."""

    @property
    def last_block_seen(self) -> int | None:
        """The height of the Bitcoin node; None for a node that is as far as its Bitcoin node by construction."""


@dataclass
class Passes:
    """Progress by a clock (Unix time): a node is stale some seconds after the end of its last pass."""

    clock: Callable[[], float]
    seconds: float = 7200.0
    indexing: bool = False
    last_block_seen: int | None = None

    def __post_init__(self) -> None:
        self._ended = self.clock()

    def begin(self) -> None:
        """A pass over new blocks begins."""
        self.indexing = True

    def end(self, last_block_seen: int) -> None:
        """A pass has ended; the Bitcoin node is at this height."""
        self.indexing = False
        self.last_block_seen = last_block_seen
        self._ended = self.clock()

    @property
    def stale_since(self) -> float | None:
        """See Progress."""
        return self._ended if self._ended + self.seconds < self.clock() else None


class AlwaysCurrent:
    """The progress of a node that is given its blocks one by one."""

    indexing = False
    stale_since: float | None = None
    last_block_seen: int | None = None


class NoSubdomains:
    """The index of a node that does not look for subdomains."""

    def record(self, name: str, /) -> Record | None:
        """None."""
        return None

    def history(self, name: str, /) -> dict[str, list[Record]]:
        """Nothing."""
        return {}

    def history_page(self, name: str, page: int, /) -> dict[str, list[Record]]:
        """Nothing."""
        return {}

    def has_zonefile_hash(self, name: str, hash_: str, /) -> bool:
        """No."""
        return False

    def did(self, name: str, /) -> str | None:
        """None."""
        return None

    def did_record(self, address: str, index: int, /) -> Record | None:
        """None."""
        return None

    def resolver(self, domain: str, /) -> str | None:
        """None."""
        return None

    def owned_by(self, address: str, /) -> list[str]:
        """Nothing."""
        return []

    def operations_at(self, txid: str, /) -> list[Record]:
        """Nothing."""
        return []

    def count(self) -> int:
        """None of them."""
        return 0

    def names(self, offset: int, count: int, /) -> list[str]:
        """Nothing."""
        return []
