"""What `consume` says of a fixture whose zone files or subdomains are not those of the core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bnslab.consume import Difference, compare
from bnslab.fixtures import Expected, Fixture, load

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference"


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return load(REFERENCE / "name_pre_regup_subdomain_initialchecks.json.gz")


def failure(fixture: Fixture) -> str:
    with pytest.raises(Difference) as caught:
        compare(fixture, ("tables",))
    return str(caught.value)


def expecting(fixture: Fixture, **changes: Any) -> Fixture:
    assert isinstance(fixture.expected, Expected)
    return msgspec.structs.replace(fixture, expected=msgspec.structs.replace(fixture.expected, **changes))


def changed(raw: msgspec.Raw, old: str, new: str) -> msgspec.Raw:
    text = json.dumps(json.loads(bytes(raw)))
    assert old in text
    return msgspec.Raw(text.replace(old, new, 1).encode())


def test_the_fixture_as_it_is(fixture: Fixture) -> None:
    compare(fixture, ("tables",))


def test_another_inventory(fixture: Fixture) -> None:
    assert failure(expecting(fixture, atlas_zonefile_inventory="111110")).startswith(
        "tables: atlas_zonefile_inventory bits: expected 111110 got 111111"
    )


def test_another_subdomain(fixture: Fixture) -> None:
    assert fixture.expected is not None
    raw = changed(fixture.expected.subdomains, '"accepted": 1', '"accepted": 0')
    assert failure(expecting(fixture, subdomains=raw)).startswith("tables: subdomains (6 rows expected, 6 there)")
    none = failure(expecting(fixture, subdomains=msgspec.Raw(b"[]")))
    assert none.startswith("tables: subdomains (0 rows expected, 6 there)")


@pytest.mark.parametrize(
    ("table", "old"), [("subdomains.subdomain_records", '"bar.foo1.test"'), ("atlas_zonefiles", '"foo1.test"')]
)
def test_another_row(fixture: Fixture, table: str, old: str) -> None:
    assert fixture.expected is not None
    tables = json.loads(bytes(fixture.expected.tables))
    only = msgspec.Raw(json.dumps({table: tables[table]}).encode())
    assert failure(expecting(fixture, tables=changed(only, old, '"other.foo1.test"'))).startswith(
        f"tables: {table} (6 rows"
    )


def test_a_zonefile_that_was_not_saved(fixture: Fixture) -> None:
    entries = [msgspec.structs.replace(fixture.zonefiles[0], saved=0), *fixture.zonefiles[1:]]
    text = failure(msgspec.structs.replace(fixture, zonefiles=entries))
    assert text.endswith("zonefiles[0].saved: expected 0 got 1")


def test_a_zonefile_that_never_came(fixture: Fixture) -> None:
    text = failure(msgspec.structs.replace(fixture, zonefiles=fixture.zonefiles[:-1]))
    assert text.startswith("tables: ")
