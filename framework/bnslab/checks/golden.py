"""The chain and its hashes are those of the scenario's fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnslab.divergence import side_by_side
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.fixtures import Fixture
    from bnslab.lab import Lab


class Golden:
    """Compares block hashes, consensus hashes and rejections with the fixture, block by block."""

    name = "golden"

    def __init__(self, fixture: Fixture) -> None:
        self._fixture = fixture

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """The first difference is the one that counts, so consensus comes before the bytes of the block."""
        height, fixture = receipt.height, self._fixture
        expected = fixture.consensus_hash(height)
        if expected is None:
            self._fail(height, "block", f"the chain to end at block {fixture.tip}", "one more block")
        if receipt.consensus_hash != expected:
            difference = side_by_side(fixture.serialized_ops(height), receipt.serialized)
            self._fail(height, "consensus hash", str(expected), receipt.consensus_hash, difference)
        rejected = fixture.rejected_ops(height)
        actual = [entry.reason.name for entry in receipt.rejected]
        if rejected is not None and rejected != actual:
            self._fail(height, "rejected operations", ", ".join(rejected) or "none", ", ".join(actual) or "none")
        if receipt.block_hash != fixture.block_hash(height):
            self._fail(
                height, "block hash", str(fixture.block_hash(height)), receipt.block_hash,
                "the transactions or the coinbase differ: keys, amounts, order, or the scenario's name",
            )  # fmt: skip

    def at_end(self, lab: Lab) -> None:
        """The fixture has no more blocks."""
        if lab.height != self._fixture.tip:
            self._fail(lab.height, "end of the chain", f"block {self._fixture.tip}", f"block {lab.height}")

    def _fail(self, height: int, subject: str, expected: str, actual: str, reason: str = "") -> None:
        raise CheckFailed(self.name, height, subject, expected, actual, reason)
