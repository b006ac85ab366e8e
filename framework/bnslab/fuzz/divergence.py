"""Where two readings of the rules first differ on a random chain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Divergence:
    """The first difference: height of the block, what differs, the operation or row, and both values."""

    height: int
    what: str
    subject: str
    expected: str
    actual: str

    @property
    def is_crash(self) -> bool:
        """Whether one side did not get to the end of the block."""
        return self.what.startswith("crash")

    @property
    def line(self) -> str:
        """The difference in one line."""
        return str(self).splitlines()[0]

    def __str__(self) -> str:
        return f"block {self.height}: {self.what}: expected {self.expected} got {self.actual}: {self.subject}"
