"""Answers that are given again, for as long as nothing that they were made from has changed."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from bns.api.records import NodeView

T = TypeVar("T")

MOST_BYTES = 16 << 20
"""Bytes of answers that are remembered; whoever asks for more finds the first ones forgotten."""

MOST_OF_ONE = 32 * 1024
"""Bytes of an answer above which it is not remembered."""

_OVERHEAD = 512


class Remembered(Generic[T]):
    """The answers of one interface by question, all of the same moment of the node. A node that has none has no memory.

    Who makes an answer looks at the moment first, and hands it over with the answer: if the node moves on meanwhile,
    the answer is not kept.
    """

    def __init__(self, node: NodeView) -> None:
        self._node = node
        self._answers: dict[Hashable, T] = {}
        self._moment: Hashable = None
        self._bytes = 0

    def moment(self) -> Hashable:
        """The moment that the node is at; what belongs to another one is forgotten. None for no memory."""
        try:
            moment = self._node.moment
        except sqlite3.Error:  # whoever makes the answer will meet it, and say so
            moment = None
        if moment != self._moment:
            self._forget()
            self._moment = moment
        return moment

    def find(self, question: Hashable) -> T | None:
        """The answer of the moment last looked at."""
        return self._answers.get(question)

    def keep(self, moment: Hashable, question: Hashable, answer: T, size: int) -> None:
        """Remember an answer of so many bytes, question and all."""
        if moment is None or moment != self._moment or size > MOST_OF_ONE:
            return
        size += _OVERHEAD
        if self._bytes + size > MOST_BYTES:
            self._forget()
        self._answers[question] = answer
        self._bytes += size

    def _forget(self) -> None:
        self._answers.clear()
        self._bytes = 0
