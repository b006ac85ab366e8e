"""Why nothing was proven."""

from __future__ import annotations

from bns.errors import BnsError


class SnvError(BnsError):
    """Base of everything that keeps a proof from being found."""


class BadAnswer(SnvError):
    """The node's answer is not of the form that the question calls for."""


class NotProven(SnvError):
    """The node's answers do not lead back to the trusted consensus hash: some of them are false, or the hash is."""

    def __init__(self, height: int, problem: str) -> None:
        super().__init__(f"block {height}: {problem}")
        self.height = height


class Unreachable(SnvError):
    """No chain of hashes leads from the trusted block to the one asked about."""


class NotFound(SnvError):
    """The block is proven, and what was asked for is not in it."""


class BadTrustRoot(SnvError):
    """What should be trusted is no consensus hash, or does not lead to one."""
