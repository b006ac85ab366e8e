"""A sample of benchmarks/fuzz_parsers.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

CAMPAIGN = Path(__file__).parents[2] / "benchmarks" / "fuzz_parsers.py"


@pytest.fixture(scope="module")
def campaign() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz_parsers", CAMPAIGN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("target", ["zonefile", "subdomain", "snapshot", "profile", "peer"])
def test_random_inputs(campaign: Any, target: str) -> None:
    figures = campaign.campaign(target, seed=7, count=300)
    assert figures.inputs == 300
    assert 0 < figures.read < 300


def test_an_input_that_breaks_a_parser_is_named(campaign: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(campaign.TARGETS, "zonefile", campaign.TARGETS["zonefile"]._replace(read=lambda data: 1 / 0))
    with pytest.raises(ZeroDivisionError) as caught:
        campaign.campaign("zonefile", seed=7, count=1)
    assert caught.value.__notes__[0].startswith("zonefile, seed 7, input 0: b")
