"""The numbers of the peer network (spec 05 section 1.2)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

_OVERRIDES = {
    "max_neighbours": "BLOCKSTACK_ATLAS_NUM_NEIGHBORS",
    "lifetime_interval": "BLOCKSTACK_ATLAS_PEER_LIFETIME",
    "ping_interval": "BLOCKSTACK_ATLAS_PEER_PING_INTERVAL",
    "min_health": "BLOCKSTACK_ATLAS_MIN_PEER_HEALTH",
}


@dataclass(frozen=True, slots=True)
class Constants:
    """Times are seconds.

    A peer's health looks back lifetime_interval; its inventory is asked for again after ping_interval; after
    max_peer_age it must answer again, which is looked into every clean_interval. The crawlers rest crawl_period, the
    health checker health_period. At most `slots` peers are kept, but for seeds, and `pending` candidates.
    """

    lifetime_interval: float = 3600.0
    ping_interval: float = 600.0
    max_peer_age: float = 2_678_400.0
    clean_interval: float = 3600.0
    min_health: float = 0.5
    min_requests: int = 10
    max_neighbours: int = 80
    slots: int = 65_536
    admissions: int = 10
    removals: int = 10
    crawl_period: float = 300.0
    health_period: float = 1.0
    info_timeout: float = 3.0
    inventory_timeout: float = 10.0
    neighbours_timeout: float = 10.0
    zonefiles_timeout: float = 30.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not 0 < value < float("inf") and each.name != "min_health":
                raise InvalidInput(each.name, value, "a number above 0")
        if not 0 <= self.min_health <= 1:
            raise InvalidInput("min_health", self.min_health, "a number from 0 to 1")

    @property
    def pending(self) -> int:
        """How many candidates are remembered, and how many callers wait to become candidates."""
        return min(10 * self.max_neighbours, 65_536)

    @classmethod
    def from_reference_env(cls, env: Mapping[str, str], *, test_mode: bool) -> Constants:
        """The numbers that the reference would use under these overrides; InvalidInput for one that is no number."""
        changes: dict[str, float] = {}
        for name, variable in _OVERRIDES.items():
            if variable in env:
                kind = int if name == "max_neighbours" else float
                try:
                    changes[name] = kind(env[variable])
                except ValueError:
                    raise InvalidInput(variable, env[variable], "a number") from None
        if test_mode:
            changes["crawl_period"] = 1.0
        return cls(**changes)  # type: ignore[arg-type]


SIMULATION = Constants(
    lifetime_interval=10.0, ping_interval=3.0, max_peer_age=10.0, clean_interval=3.0, max_neighbours=10,
    crawl_period=1.0, info_timeout=2.0, inventory_timeout=2.0, neighbours_timeout=2.0, zonefiles_timeout=2.0,
)  # fmt: skip
"""The numbers of the reference's simulated peers (spec 05 section 9)."""

INVENTORY_BYTES = 524_288
"""Bytes of an inventory that are asked for at once."""

HASHES_AT_ONCE = 100
"""Zone files that are asked for at once."""

OLDEST_VERSION = (0, 17)
"""Major and minor version of the oldest node that becomes a peer."""

RECENT_BLOCKS = 24
"""Blocks before the start whose consensus hashes a new peer may be at."""
