"""Which rule decided over an operation, in words: for the report of a divergence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.operations.reasons import RULES
from bnslab.divergence import operation_txid

if TYPE_CHECKING:
    from bns.engine import Receipt, RejectedOperation


def rule_behind(serialized: str, receipt: Receipt) -> str:
    """What the receipt says of the transaction of a serialized operation, or of all it refused if that is unknown."""
    txid = operation_txid(serialized)
    for accepted in receipt.accepted:
        if accepted.operation.carrier.txid == txid:
            return f"accepted as {accepted.opcode}: it passed every check of {type(accepted.operation).__module__}"
    refused = [entry for entry in receipt.rejected if entry.txid == txid] or receipt.rejected
    return "; ".join(map(refusal, refused)) or "no such operation, and none refused"


def refusal(entry: RejectedOperation) -> str:
    """A rejection with the rule behind its reason."""
    rule = RULES[entry.reason]
    return (
        f"rejected {entry.txid}: {entry.reason.name}: {entry.detail}, by spec 02 section {rule.section}: {rule.meaning}"
    )
