"""Snapshots: what is made of a node and restored elsewhere is that node; anything else is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.snapshot_nodes import KEYS, Place

if TYPE_CHECKING:
    from pathlib import Path

CHAINS = [
    "name_pre_reg_fast_sync",
    "name_pre_reg_snapshots",
    "name_pre_regup_subdomain_lookups",
    "name_pre_regup_subdomain_batch_reversed_independent",
    "extra_many_ops",
]


@pytest.mark.parametrize("name", CHAINS)
def test_restored_elsewhere_it_is_the_same(name: str, tmp_path: Path) -> None:
    source = Place.of_chain(name, tmp_path / "source")
    snapshot = source.export(tmp_path / "snapshot.bsk", KEYS[3])
    copy = Place(tmp_path / "copy", source.params)
    copy.restore(snapshot, [KEYS[3]], 1)
    assert copy.tables() == source.tables()
    assert copy.files().items() >= source.files().items()
    assert sorted(path.name for path in copy.directory.iterdir()) == [
        "blockstack-server.db",
        "blockstack-server.db.lock",
        "zonefiles",
    ]
