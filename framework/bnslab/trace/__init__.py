"""What a scenario did, line by line: shown at the end of a failure, written out on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bns.engine import Receipt
    from bnslab.sent import Sent


class Trace:
    """Lines in order; a block's line comes after those of its operations."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def block(self, receipt: Receipt, sent: Mapping[str, Sent]) -> None:
        """Record a block that the node has indexed."""
        for accepted in receipt.accepted:
            who = sent.get(accepted.operation.carrier.txid)
            self.lines.append(f"{receipt.height}  {who or accepted.opcode}  accepted")
        for rejected in receipt.rejected:
            who = sent.get(rejected.txid)
            label = who or rejected.payload.hex()
            self.lines.append(f"{receipt.height}  {label}  rejected: {rejected.reason.name} ({rejected.detail})")
        self.lines.append(f"{receipt.height}  consensus hash {receipt.consensus_hash}")

    def last(self, count: int) -> list[str]:
        """The last lines."""
        return self.lines[-count:]
