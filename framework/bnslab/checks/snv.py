"""A light client that trusts one consensus hash can prove every accepted operation, and no rejected one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.identity.snv import proof
from bns.identity.snv.errors import SnvError
from bns.identity.snv.sources import StateSource
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab


class NameVerification:
    """Goes from the last block to the first: what is proven on the way is proven from every block in between too."""

    name = "snv"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Nothing to see before the end."""

    def at_end(self, lab: Lab) -> None:
        """Prove each block, and compare with its receipt."""
        if not lab.receipts:
            return
        receipts = {receipt.height: receipt for receipt in lab.receipts}
        trusted = proof.Trusted(lab.height, receipts[lab.height].consensus_hash)
        proven = proof.all_operations(StateSource(lab.node.state), lab.params.first_block, trusted)
        height = lab.height
        try:
            for height in sorted(receipts, reverse=True):
                block, found = next(proven)
                self._compare(lab, receipts[height], block, {str(one["txid"]) for one in found})
        except SnvError as error:
            subject = f"proof from block {lab.height}"
            raise CheckFailed(self.name, height, subject, "the operations of the block", str(error)) from error

    def _compare(self, lab: Lab, receipt: Receipt, block: proof.Trusted, proven: set[str]) -> None:
        height = receipt.height
        if block.consensus_hash != receipt.consensus_hash:
            subject = f"consensus hash proven from block {lab.height}"
            raise CheckFailed(self.name, height, subject, receipt.consensus_hash, block.consensus_hash)
        accepted = {entry.operation.carrier.txid for entry in receipt.accepted if entry.record is not None}
        for txid in sorted(accepted ^ proven):
            subject = f"{lab.sent[txid]} (tx {txid})" if txid in lab.sent else f"transaction {txid}"
            verdicts = ("proven", "not proven") if txid in accepted else ("not proven", "proven")
            raise CheckFailed(self.name, height, subject, *verdicts)
