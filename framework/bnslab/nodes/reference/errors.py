"""What can go wrong with the reference: having it, and running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReferenceUnavailable(LabError):
    """The reference cannot be had here; the text says why and what to do."""


class ReferenceCrashed(LabError):
    """The reference ended without a result, which for some malformed chains is what it does.

    `status` says how it ended ("signal SIGABRT", "exit status 1"), `height` is the block it was indexing (None when it
    had not begun or was through with all blocks), `output` holds the last lines of its log.
    """

    def __init__(self, status: str, height: int | None, output: Sequence[str]) -> None:
        self.status = status
        self.height = height
        self.output = tuple(output)
        where = "outside of any block" if height is None else f"at block {height}"
        said = "; its log ends:\n  " + "\n  ".join(output) if output else "; its log is empty"
        super().__init__(f"the reference ended {where}: {status}{said}")
