"""What runs after each block and at the end of a scenario. Each check can be switched off by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.errors import InvalidInput
from bnslab.checks.dids import Dids
from bnslab.checks.expectations import Expectations
from bnslab.checks.golden import Golden
from bnslab.checks.invariants import Invariants
from bnslab.checks.network import Networks
from bnslab.checks.reindex import Reindex
from bnslab.checks.rest import RestAnswers
from bnslab.checks.rpc import RpcAnswers
from bnslab.checks.schemas import Schemas
from bnslab.checks.snv import NameVerification
from bnslab.checks.subdomains import Subdomains
from bnslab.checks.zonefiles import Zonefiles

if TYPE_CHECKING:
    from collections.abc import Collection

    from bnslab.checks.base import Check
    from bnslab.fixtures import Fixture

CHECKS = (
    "expectations", "invariants", "rest", "rpc", "golden", "network", "zonefiles", "subdomains", "dids", "snv",
    "reindex", "schemas",
)  # fmt: skip
"""Names of all checks, in the order in which they run."""


def make_checks(fixture: Fixture | None, skip: Collection[str] = (), *, reorganised: bool = False) -> list[Check]:
    """New checks for one scenario, those in skip left out; InvalidInput for a name that no check has.

    reorganised says that the scenario takes blocks back.
    """
    unknown = sorted(set(skip) - set(CHECKS))
    if unknown:
        raise InvalidInput("check to skip", unknown[0], f"one of {', '.join(CHECKS)}")
    checks: list[Check] = [Expectations(), Invariants(), RestAnswers(), RpcAnswers()]
    if fixture is not None:
        checks.append(Golden(fixture, reorganised=reorganised))
    checks += [Networks(), Zonefiles(), Subdomains(), Dids(), NameVerification(), Reindex(), Schemas()]
    return [check for check in checks if check.name not in skip]
