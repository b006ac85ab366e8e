"""What a scenario costs, and the budgets that a run may set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bns.errors import InvalidInput
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bnslab.lab import Lab


class Costs(NamedTuple):
    """Blocks indexed, RPC calls to a bitcoind, requests to the node, seconds of wall time."""

    blocks: int
    rpc: int
    rest: int
    seconds: float

    @classmethod
    def of(cls, lab: Lab, rpc_before: int, seconds: float) -> Costs:
        """Those of a lab; rpc_before is what the chain had been asked before it began."""
        return cls(len(lab.receipts), lab.chain.rpc_calls - rpc_before, lab.node.requests, seconds)

    def require_within(self, budgets: Mapping[str, float]) -> None:
        """LabError for the first budget that is exceeded."""
        for what, limit in budgets.items():
            if getattr(self, what) > limit:
                raise LabError(f"budget of {what}: expected at most {limit:g}, got {getattr(self, what):.5g}")


def read_budgets(texts: Iterable[str]) -> dict[str, float]:
    """Budgets by what they limit, from texts like `blocks=300`; InvalidInput for any other text."""
    budgets = {}
    for text in texts:
        what, _, limit = text.partition("=")
        try:
            budgets[what] = float(limit)
        except ValueError:
            what = ""
        if what not in Costs._fields or budgets[what] < 0:
            raise InvalidInput("budget", text, f"one of {', '.join(Costs._fields)}, =, and a number")
    return budgets
