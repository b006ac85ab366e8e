"""All tables of a state in one hash, to compare a state with what it should be."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bns.state.store import State

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
_CONTENT = {"meta": "SELECT * FROM meta WHERE key <> 'undo_floor'"}


def dump(state: State, *, undo: bool) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table, in no order that matters; undo logs only if asked for.

    How far a state can be rolled back is left out: it depends on what was undone before.
    """
    execute = state.connection.execute
    names = [name for (name,) in execute(_TABLES) if undo or not name.endswith("undo")]
    return {name: sorted(execute(_CONTENT.get(name, f"SELECT * FROM {name}")), key=repr) for name in names}


def digest(state: State, *, undo: bool = True) -> str:
    """Hash (hex) of every table."""
    return sha256(repr(dump(state, undo=undo)).encode()).hexdigest()
