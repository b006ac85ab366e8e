"""Random histories of subdomains: the same from the same seed, rich enough, and the same to the historical node."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import platformdirs
import pytest

from bnslab.campaigns.subdomains import history
from bnslab.consume import compare
from bnslab.nodes.reference import ReferenceNode, install

if TYPE_CHECKING:
    from pathlib import Path


def test_a_seed_gives_one_history() -> None:
    assert history(5) == history(5)
    assert history(5) != history(6)


def test_histories_have_all_kinds_of_records() -> None:
    found: Counter[tuple[str, object]] = Counter()
    for seed in range(8):
        fixture = history(seed)
        compare(fixture, ("tables",))
        assert fixture.expected is not None
        for row in json.loads(bytes(fixture.expected.subdomains)):
            independent = not row["fully_qualified_subdomain"].endswith("." + row["domain"])
            found["accepted", row["accepted"]] += 1
            found["independent", (independent, row["accepted"])] += 1
            found["owner", row["owner"][0]] += 1
            found["sequence", row["sequence"]] += row["accepted"]
    kinds = [("accepted", 1), ("independent", (True, 1)), ("independent", (False, 0)), ("owner", "2"), ("sequence", 3)]
    assert all(found[kind] > 1 for kind in kinds), found


@pytest.mark.foreign
def test_the_historical_node_makes_the_same_of_them(run_directory: Path) -> None:
    """Seed 49 is one in which the order of a dictionary shows."""
    cache = platformdirs.user_cache_path("bnslab")
    node = ReferenceNode(install(cache, lambda _: None), run_directory)
    for seed in (49, 50):
        fixture = history(seed)
        compare(msgspec.structs.replace(fixture, expected=node.run(fixture)), ("consensus", "tables"))
