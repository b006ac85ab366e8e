"""How the answers of an interface come about: each is made once for as long as nothing changes, long ones aside."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from anyio import CapacityLimiter, to_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from bns.api.records import NodeView

T = TypeVar("T")

MOST_BYTES = 16 << 20
"""Bytes of answers that are remembered; where more are asked for, all are forgotten and it begins anew."""

MOST_OF_ONE = 32 * 1024
"""Bytes of an answer and its question above which it is not remembered."""

_OVERHEAD = 512


class Made(NamedTuple, Generic[T]):
    """An answer; with its size in bytes, question included, if it stays true for as long as the node's moment lasts."""

    answer: T
    size: int | None = None


class Answering(Generic[T]):
    """Makes the answers of one interface of a node, and remembers those of the moment.

    Long answers are made in another thread, from a view of the node that is theirs; a node without one makes them here.
    One is made at a time: the next ones take up neither threads nor processors while they wait.
    """

    def __init__(self, node: NodeView) -> None:
        self._node = node
        self._turns = CapacityLimiter(1)
        self._answers: dict[Hashable, T] = {}
        self._moment: Hashable = None
        self._bytes = 0

    @property
    def aside(self) -> NodeView:
        """The node as other threads see it."""
        return self._node.aside or self._node

    def known(self, question: Hashable) -> T | None:
        """The answer that this question had at this moment, if it had one. To be asked before make."""
        try:
            moment = self._node.moment
        except sqlite3.Error:  # whoever makes the answer will meet it, and say so
            moment = None
        if moment != self._moment:
            self._forget()
            self._moment = moment
        return self._answers.get(question)

    async def make(self, question: Hashable, make: Callable[[NodeView], Made[T]], *, long: bool = False) -> T:
        """What make gives for the node, remembered unless the node moves on meanwhile."""
        moment = self._moment
        if not long or self._node.aside is None:
            return self._keep(moment, question, make(self._node))
        async with self._turns:
            known = self._answers.get(question)
            if known is not None:  # somebody else asked the same, and had the turn before
                return known
            return self._keep(moment, question, await to_thread.run_sync(make, self._node.aside))

    def _keep(self, moment: Hashable, question: Hashable, made: Made[T]) -> T:
        if made.size is not None and made.size <= MOST_OF_ONE and moment is not None and moment == self._moment:
            size = made.size + _OVERHEAD
            if self._bytes + size > MOST_BYTES:
                self._forget()
            self._answers[question] = made.answer
            self._bytes += size
        return made.answer

    def _forget(self) -> None:
        self._answers.clear()
        self._bytes = 0
