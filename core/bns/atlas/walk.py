"""A random walk over the network, which meets every peer equally often: Metropolis-Hastings with delayed acceptance.

Spec 05 section 4.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.atlas.messages import Exchange
    from bns.atlas.node import AtlasNode


class Place(NamedTuple):
    """A peer and its neighbours."""

    peer: str
    neighbours: Sequence[str]

    @property
    def degree(self) -> int:
        """How many neighbours there are."""
        return len(self.neighbours)


class Walk(NamedTuple):
    """Where a walk is and, unless it has only begun, where it was before."""

    here: Place
    before: Place | None = None


def begin(node: AtlasNode) -> Exchange[Walk | None]:
    """Begin at any peer; None if it has no neighbours."""
    place = yield from _visit(node, node.chance.choice(list(node.table)))
    return Walk(place) if place else None


def step(node: AtlasNode, walk: Walk) -> Exchange[Walk | None]:
    """Go on to a neighbour, or stay; None if the walk ends because somebody has no neighbours or does not answer."""
    here, before = walk
    if not here.degree:
        return None
    ahead = yield from _visit(node, node.chance.choice(here.neighbours))
    if ahead is None:
        return None
    if node.chance.random() > min(1, here.degree / ahead.degree):
        again = yield from _visit(node, here.peer)
        return Walk(again, here) if again else None
    if before is None or ahead.peer != before.peer or here.degree == 1:
        return Walk(ahead, here)
    others = [peer for peer in here.neighbours if peer != ahead.peer]
    other = (yield from _visit(node, node.chance.choice(others))) if others else None
    if other is None:
        return None
    # The reference's third factor, max(1, (degree before / degree here) ** 2), never matters.
    turns = node.chance.random() <= min(1, (here.degree / other.degree) ** 2)
    return Walk(other if turns else ahead, here)


def _visit(node: AtlasNode, peer: str) -> Exchange[Place | None]:
    neighbours = yield from node.neighbours(peer)
    return Place(peer, neighbours) if neighbours else None
