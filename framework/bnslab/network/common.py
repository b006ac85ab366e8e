"""What networks of simulated nodes and of processes have in common."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bnslab.lab import Lab


class Holdings(Protocol):
    """The zone files of a node."""

    def put(self, data: bytes, /) -> bool:
        """Keep a zone file, if it is announced; whether it is kept."""


class Peer(Protocol):
    """A node of a network."""

    @property
    def address(self) -> str:
        """Its host:port."""

    @property
    def holdings(self) -> Holdings:
        """Its zone files."""


def announced_by(lab: Lab) -> list[str]:
    """The hashes of zone files that the chain of a lab has announced, in order; InvalidInput in a branch."""
    if lab.branching:
        raise InvalidInput("network", "a branch of the scenario", "time to pass outside of lab.branch()")
    return [entry.zonefile_hash for entry in lab.node.offchain.announcements(0, lab.height, 0, -1)]


def require_same_inventories(inventories: Mapping[str, bytes], announced: Sequence[str], height: int) -> None:
    """CheckFailed unless the inventories, by host, have the same bits for all that was announced."""
    bits = {host: as_bits(inventory, len(announced)) for host, inventory in inventories.items()}
    for (one, expected), (other, actual) in pairwise(bits.items()):
        if expected != actual:
            raise CheckFailed("network", height, f"inventory of {other}", f"{expected}, that of {one}", actual)


def hand_over(lab: Lab, peer: Peer, zonefiles: Iterable[bytes]) -> None:
    """Hand zone files to a node of a network; CheckFailed unless it keeps each."""
    for data in zonefiles:
        if not peer.holdings.put(data):
            subject = f"zone file {zonefile_hash(data)} of {len(data)} bytes, handed to {peer.address}"
            raise CheckFailed("network", lab.height, subject, "kept", "not kept")


def as_bits(inventory: bytes, count: int) -> str:
    """The first bits of an inventory, as digits."""
    return "".join(f"{byte:08b}" for byte in inventory)[:count].ljust(count, "0")
