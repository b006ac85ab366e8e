"""Who knows whom in a network of nodes, and who can reach whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAIN = "main"
"""The host of the node that is handed what the lab publishes."""

_WINDOW = 8
_MAIN_PLACE = 4  # of the main node in the circle of a network under churn


class Topology(NamedTuple):
    """Who knows whom at first, and who can reach whom.

    seeds gives the numbers of the nodes (0 is the main node) that a node knows, connects says whether a node may call
    another at a time (seconds since the start). Nodes of a hidden network can be called by nobody.
    """

    seeds: Callable[[int, int], Sequence[int]]
    connects: Callable[[int, float, int, int], bool] | None = None
    hidden: bool = False


def _line_seeds(node: int, nodes: int) -> Sequence[int]:
    return [other for other in (node - 1, node + 1) if 0 <= other < nodes]


def _is_next(_: int, _time: float, one: int, other: int) -> bool:
    return abs(one - other) == 1


def _churn_seeds(node: int, nodes: int) -> Sequence[int]:
    half = (nodes + 1) // 2
    return [0] if node <= half else [half, 0] if node == nodes - 1 else [half]


def _in_window(nodes: int, time: float, one: int, other: int) -> bool:
    """At any second only eight nodes in a row of the circle can talk, the next second those one further on."""
    first = int(time) % nodes
    places = (node - 1 if 0 < node <= _MAIN_PLACE else _MAIN_PLACE if node == 0 else node for node in (one, other))
    return all((place - first) % nodes < _WINDOW for place in places)


TOPOLOGIES = {
    "mesh": Topology(lambda _node, _nodes: [0]),
    "line": Topology(_line_seeds),
    "chain": Topology(_line_seeds, _is_next),
    "nat": Topology(lambda _node, _nodes: [0], hidden=True),
    "churn": Topology(_churn_seeds, _in_window),
}
"""Networks by name. mesh: all know the main node; line: each knows its neighbours at first; chain: each talks to them
alone; nat: only the main node can be called; churn: a window of eight nodes that can talk moves round a circle."""


def topology_of(nodes: int, topology: str | Topology) -> Topology:
    """The topology meant by a name or itself; InvalidInput for one that there is not, and for a network of nobody."""
    if type(nodes) is not int or nodes < 1:
        raise InvalidInput("nodes", nodes, "a number from 1 on, the main node not counted")
    found = TOPOLOGIES.get(topology) if isinstance(topology, str) else topology
    if found is None:
        raise InvalidInput("topology", topology, f"one of {', '.join(TOPOLOGIES)}, or a Topology")
    return found


def host_of(number: int) -> str:
    """What a node is called."""
    return f"peer{number}" if number else MAIN
