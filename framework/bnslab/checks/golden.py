"""The chain and its hashes are those of the scenario's fixture."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from bnslab.divergence import first_difference, side_by_side
from bnslab.errors import CheckFailed
from bnslab.nodes.told import Unsaid
from bnslab.tables import TableDifference, compare_tables
from bnslab.verdicts import refusal, rule_behind

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.fixtures import Fixture, ZonefileEntry
    from bnslab.lab import Lab


class Golden:
    """Compares block hashes, consensus hashes and rejections with the fixture, block by block."""

    name = "golden"

    def __init__(self, fixture: Fixture, *, reorganised: bool = False) -> None:
        """Reorganised says that blocks may be taken back: about one that is not in the fixture only the end decides."""
        self._fixture = fixture
        self._reorganised = reorganised

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """The first difference is the one that counts, so consensus comes before the bytes of the block."""
        if lab.branching:
            return
        height = receipt.height
        if height == lab.params.first_block:
            self._compare_origin(lab)
        if not self._reorganised or receipt.block_hash == self._fixture.block_hash(height):
            self._compare(lab, receipt)

    def at_end(self, lab: Lab) -> None:
        """All blocks are those of the fixture, which has no more, and so are the zone files and subdomains."""
        fixture = self._fixture
        for receipt in lab.receipts:
            self._compare(lab, receipt)
        if lab.height != fixture.tip:
            self._fail(lab.height, "end of the chain", f"block {fixture.tip}", f"block {lab.height}")
        for number, (expected, actual) in enumerate(zip_longest(fixture.zonefiles, lab.published)):
            if expected != actual:
                self._fail(lab.height, f"zone file {number}", _told(expected), _told(actual))
        assert fixture.expected is not None, "the blocks were compared"
        try:
            compare_tables(fixture.expected, lab.node.state)
        except TableDifference as difference:
            self._fail(lab.height, difference.where, str(difference.expected), str(difference.actual))

    def _compare(self, lab: Lab, receipt: Receipt) -> None:
        height, fixture = receipt.height, self._fixture
        expected = fixture.consensus_hash(height)
        if expected is None:
            self._fail(height, "block", f"the chain to end at block {fixture.tip}", "one more block")
        if receipt.consensus_hash != expected:
            self._fail(height, "consensus hash", str(expected), receipt.consensus_hash, self._divergence(receipt))
        rejected = fixture.rejected_ops(height) or []
        actual = [entry.reason.name for entry in receipt.rejected]
        if not lab.node.tells_reasons:
            rejected = [Unsaid.UNSAID.name] * len(rejected)
        if rejected != actual:
            rules = [f"here     {refusal(entry)}" for entry in receipt.rejected if lab.node.tells_reasons]
            self._fail(
                height, "rejected operations", ", ".join(rejected) or "none", ", ".join(actual) or "none",
                "\n".join(rules),
            )  # fmt: skip
        if receipt.block_hash != fixture.block_hash(height):
            self._fail(
                height, "block hash", str(fixture.block_hash(height)), receipt.block_hash,
                "the transactions or the coinbase differ: keys, amounts, order, or the scenario's name; "
                "a scenario that takes blocks back carries the mark `reorganised`",
            )  # fmt: skip

    def _divergence(self, receipt: Receipt) -> str:
        """The first operation that differs, both texts, and the rule that decided here."""
        expected = self._fixture.serialized_ops(receipt.height)
        difference = first_difference(expected, receipt.serialized)
        if difference is None:
            return side_by_side(expected, receipt.serialized)
        rule = rule_behind(difference.expected or difference.actual or "", receipt)
        return f"{side_by_side(expected, receipt.serialized)}\nhere     {rule}"

    def _compare_origin(self, lab: Lab) -> None:
        if self._fixture.scenario != lab.identity:
            self._fail(lab.height, "scenario of the fixture", lab.identity, self._fixture.scenario)
        expected, actual = self._fixture.env, lab.params.to_reference_env()
        for key in sorted(expected.keys() | actual.keys()):
            if expected.get(key) != actual.get(key):
                self._fail(lab.height, "rules", f"{key}={expected.get(key)}", f"{key}={actual.get(key)}")

    def _fail(self, height: int, subject: str, expected: str, actual: str, reason: str = "") -> None:
        raise CheckFailed(self.name, height, subject, expected, actual, reason)


def _told(entry: ZonefileEntry | None) -> str:
    return "none" if entry is None else f"after block {entry.after_height}, saved {entry.saved}: {entry.base64}"
