"""Profiles on the web: the first good one at the URLs of a zone file (spec 04 section 9, spec 07 section 5.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from bns.identity.tokens import BadToken, read_profile
from bns.identity.web import NotFetched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.identity.tokens import Profile
    from bns.identity.web import Web

SECONDS = 15.0
"""The longest that all URLs of a zone file together may take."""

MOST_TARGETS = 10
"""URLs of a zone file that are tried."""


class ProfileFinder:
    """Finds signed profiles; a bns.api.sources.ProfileFetcher."""

    def __init__(self, web: Web, *, seconds: float = SECONDS, most_targets: int = MOST_TARGETS) -> None:
        self._web = web
        self._seconds = seconds
        self._most_targets = most_targets

    def __call__(self, targets: Sequence[str], address: str) -> Profile | None:
        """The first profile at these URLs that a key of the address has signed; None if there is none in time."""
        return anyio.run(self._find, targets, address)

    async def _find(self, targets: Sequence[str], address: str) -> Profile | None:
        with anyio.move_on_after(self._seconds):
            for target in targets[: self._most_targets]:
                try:
                    return read_profile(await self._web.get(target), address)
                except (NotFetched, BadToken):
                    continue
        return None
