"""pytest plugin of `./lab test` without --all: skips, with the reason, tests that need more than the usual machine.

They are skipped and not deselected because only skips are counted and listed when pytest runs with workers.
"""

from __future__ import annotations

import pytest

NEEDS = {
    "network": "needs the network",
    "browser": "needs a browser",
    "container": "needs a container engine",
    "foreign": "needs a foreign client or the reference",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip each item that carries one of the markers."""
    for item in items:
        needed = [text for marker, text in NEEDS.items() if item.get_closest_marker(marker)]
        if needed:
            item.add_marker(pytest.mark.skip(reason=f"{', '.join(needed)}: ./lab test --all"))
