"""Every fixture that the reference made, replayed into the core."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnslab.consume import consume, find_fixtures

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference"
FILES = find_fixtures([REFERENCE])


def test_all_of_them_are_there() -> None:
    assert len(FILES) >= 186
    assert REFERENCE / "base.json.gz" in FILES


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(REFERENCE).as_posix() for path in FILES])
def test_the_core_does_what_the_reference_did(path: Path) -> None:
    assert consume(path, ("consensus", "tables")).failure is None
