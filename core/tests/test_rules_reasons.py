"""No reason without a case: every member of the enumeration is the verdict in some table."""

from __future__ import annotations

from bns.errors import Reason
from tests import (
    test_rules_collisions,
    test_rules_fatal,
    test_rules_names,
    test_rules_namespaces,
    test_rules_parsing,
    test_rules_registration,
    test_rules_timeline,
)

TABLES = (
    test_rules_fatal,
    test_rules_names,
    test_rules_namespaces,
    test_rules_parsing,
    test_rules_registration,
)


def test_every_reason_is_the_verdict_of_a_case() -> None:
    verdicts = {case.reason for table in TABLES for case in table.CASES}
    verdicts.update(verdict for case in test_rules_collisions.CASES for verdict in case.verdicts)
    verdicts.update(verdict for _, table in test_rules_timeline.TABLES for row in table.values() for verdict in row)
    assert verdicts - {None} == set(Reason)
