"""Every reason is catalogued, and the documentation shows the catalogue."""

from __future__ import annotations

from pathlib import Path

from bns.errors import Reason
from bns.operations.reasons import RULES, reasons_markdown

ROOT = Path(__file__).parents[2]


def test_every_reason_has_its_rule_in_the_order_of_the_enumeration() -> None:
    assert list(RULES) == list(Reason)


def test_fatal_reasons_name_their_input() -> None:
    for reason, rule in RULES.items():
        assert reason.name.startswith("FATAL_") == ("11.2" in rule.section)


def test_the_table_in_the_documentation_is_up_to_date() -> None:
    written = (ROOT / "docs" / "reference" / "reasons.md").read_text()
    assert written == reasons_markdown(), "run: python -m bns.operations.reasons > docs/reference/reasons.md"
