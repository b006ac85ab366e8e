"""A state in this process that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.state import queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bns.state.store import State


class StateSource:
    """Answers from a state, which nobody writes to meanwhile; see proof.Source."""

    def __init__(self, state: State) -> None:
        self._state = state

    def height_of(self, consensus_hash: str, /) -> int | None:
        """The greatest height with a consensus hash."""
        return self._state.consensus_hash_height(consensus_hash)

    def ops_hash_at(self, height: int, /) -> str | None:
        """Ops hash as stored."""
        snapshot = self._state.snapshot(height)
        return None if snapshot is None else snapshot.ops_hash

    def consensus_hashes(self, heights: Sequence[int], /) -> Mapping[int, str | None]:
        """Consensus hashes as stored."""
        return {height: self._state.consensus_hash(height) for height in heights}

    def operations_at(self, height: int, /) -> Sequence[Mapping[str, Any]]:
        """Operations as the history and the pending preorders tell them."""
        return queries.operations_at(self._state, height)
