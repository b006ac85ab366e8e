"""Answers that may take long, apart from those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter, to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.api.records import NodeView

T = TypeVar("T")


class Aside:
    """Makes long answers in other threads, from a view of the node that is theirs; a node without one makes them here.

    One is made at a time: the next ones take up neither threads nor processors while they wait.
    """

    def __init__(self, node: NodeView) -> None:
        self._here = node
        self._turns = CapacityLimiter(1)

    @property
    def node(self) -> NodeView:
        """The node as other threads see it."""
        return self._here.aside or self._here

    async def answer(self, make: Callable[[NodeView], T]) -> T:
        """What make gives for the node."""
        if self._here.aside is None:
            return make(self._here)
        return await to_thread.run_sync(make, self._here.aside, limiter=self._turns)
