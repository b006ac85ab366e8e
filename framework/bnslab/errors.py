"""What the harness raises: every error a user can meet derives from LabError."""

from __future__ import annotations


class LabError(Exception):
    """Base of everything the harness raises; its text is one readable line or block for the user."""


class CheckFailed(LabError):
    """A check found something else than it should: at which block, about what, expected and actual, and why."""

    def __init__(self, check: str, height: int, subject: str, expected: str, actual: str, reason: str = "") -> None:
        self.check = check
        self.height = height
        self.subject = subject
        self.expected = expected
        self.actual = actual
        self.reason = reason
        rows = [("check", check), ("expected", expected), ("actual", actual), ("reason", reason)]
        lines = [f"block {height}: {subject}"]
        lines += [f"  {label:<10}{_indented(text)}" for label, text in rows if text]
        super().__init__("\n".join(lines))


class NotMined(LabError):
    """Something was asked of an operation that is in no block yet."""


class NotSaid(LabError):
    """A scenario asks for a reason, and its node gives none."""


class NotSupported(LabError):
    """A scenario asks for something that its node cannot do."""


class EmptyScenario(LabError):
    """A scenario ended without a single block."""


def _indented(text: str) -> str:
    return text.replace("\n", "\n" + " " * 12)
