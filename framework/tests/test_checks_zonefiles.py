"""The checks of zone files, subdomains and identifiers are shown to fail, one defect at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bnslab.errors import CheckFailed
from bnslab.recording import record
from tests.defects import Failing, answer_changed, examine, row_changed, rpc_changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnslab.fixtures import Fixture
    from bnslab.lab import Lab
    from tests.labs import Labs

LAST = 121


def play(lab: Lab) -> None:
    """Two zone files with three records of two subdomains, one that never came, and a name that was revoked."""
    lab.namespace("test", by="alice")
    bar, baz = (lab.subdomain(f"{label}.foo.test", owner="carol") for label in ("bar", "baz"))
    first, second = lab.zonefile("foo.test", bar), lab.zonefile("foo.test", bar.update(), baz)
    lab.register("foo.test", by="bob", zonefile=first)
    lab.publish(first)
    lab.update("foo.test", by="bob", zonefile=second)
    lab.mine()
    lab.publish(second)
    lab.register("qux.test", by="bob", value_hash="11" * 20)
    lab.revoke("qux.test", by="bob")
    lab.mine(3)
    lab.finish()


@pytest.fixture
def golden(make_lab: Labs) -> Fixture:
    """What a right core gives."""
    lab = make_lab()
    play(lab)
    return record(lab)


def test_a_right_core_passes_all_checks(make_lab: Labs, golden: Fixture) -> None:
    lab = make_lab(fixture=golden)
    play(lab)
    assert lab.height == LAST
    assert [row["accepted"] for row in lab.node.offchain.subdomains.rows()] == [1, 1, 1]


FIRST_ZONEFILE = "/v1/zonefiles/44eb1dfc1bca33706259b0a0c3ae002b125145ed"
EMBEDDED = "/v1/zonefiles/68f55e1bfae39f2c2ca318329fbe3644c2dfc9d8"
OPERATIONS = "/v1/subdomains/780a39283fe083bb80e853be4efe18a8ea61583e97c146976c54cdca3bf8300a"
BOB, CAROL = "mvHj7sRP1FUooBaVDo6DU9khD31ui2EiPp", "tM9svFAvDTycEaF2ice9n7rCVxjVznJNWR"


def in_record(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Another value of some members of the record in an answer."""
    return lambda answer: {**answer, "record": {**answer.get("record", {}), **changes}}


DEFECTS = {
    "lost zone file": Failing(
        "zonefiles", LAST, f"GET {FIRST_ZONEFILE}", "^status 200, b'.ORIGIN foo", "^status 404, b'{}'$",
        {"node": answer_changed(FIRST_ZONEFILE, lambda _: b"{}", 404)},
    ),
    "another zone file": Failing(
        "zonefiles", LAST, f"GET {FIRST_ZONEFILE}", "^status 200, b'.ORIGIN foo", "^status 200, b'else'$",
        {"node": answer_changed(FIRST_ZONEFILE, lambda _: b"else")},
    ),
    "zone file that seems absent": Failing(
        "zonefiles", LAST, "inventory", "^110$", "^10000000$",
        {"node": row_changed(117, "UPDATE atlas_zonefiles SET present = 0 WHERE inv_index = 2")},
    ),
    "zone file that seems present": Failing(
        "zonefiles", LAST, "inventory", "^110$", "^11100000$",
        {"node": row_changed(118, "UPDATE atlas_zonefiles SET present = 1 WHERE inv_index = 3")},
    ),
    "no inventory": Failing(
        "zonefiles", LAST, "inventory", "^110$", "^{'error': 'lost'}$",
        {"node": rpc_changed("get_zonefile_inventory", lambda _: {"error": "lost"})},
    ),
    "record that counts for nothing": Failing(
        "subdomains", LAST, "subdomains of a fresh index: bar.foo.test in zone file 2",
        "'accepted': 1", "'accepted': 0",
        {"node": row_changed(117, "UPDATE subdomain_records SET accepted = 0 WHERE sequence = 1")},
    ),
    "lost record": Failing(
        "subdomains", LAST, "subdomains of a fresh index: baz.foo.test in zone file 2", "'sequence': 0", "^None$",
        {"node": row_changed(
            117, "DELETE FROM subdomain_records WHERE fully_qualified_subdomain = 'baz.foo.test'"
        )},
    ),
    "another owner in an answer": Failing(
        "subdomains", LAST, "get_name_record of bar.foo.test", "'address': 'm", "'address': 'thief'",
        {"node": rpc_changed("get_name_record", in_record(address="thief"))},
    ),
    "pending for no reason": Failing(
        "subdomains", LAST, "get_name_record of bar.foo.test", "'pending': False", "'pending': True",
        {"node": rpc_changed("get_name_record", in_record(pending=True))},
    ),
    "another embedded zone file": Failing(
        "subdomains", LAST, "hash of the zone file of bar.foo.test", "^68f5", "^9f7fd096",
        {"node": row_changed(117, "UPDATE embedded_zonefiles SET data = x'00'")},
    ),
    "embedded zone file that is not served": Failing(
        "subdomains", LAST, f"GET {EMBEDDED}", "^b'.ORIGIN bar.foo.test", "^b''$",
        {"node": answer_changed(EMBEDDED, lambda _: b"", 404)},
    ),
    "operations out of order": Failing(
        "subdomains", LAST, f"GET {OPERATIONS}", "'bar.*'baz", "'baz.*'bar",
        {"node": answer_changed(OPERATIONS, lambda body: msgspec.json.encode(msgspec.json.decode(body)[::-1]))},
    ),
    "identifier of a name": Failing(
        "dids", LAST, "identifier of foo.test", f"^did:stack:v0:{BOB}-0$", f"^did:stack:v0:{BOB}-1$",
        {"node": rpc_changed("get_name_DID", lambda _: {"did": f"did:stack:v0:{BOB}-1"})},
    ),
    "identifier of a subdomain": Failing(
        "dids", LAST, "identifier of baz.foo.test", f"^did:stack:v0:{CAROL}-1$", f"^did:stack:v0:{CAROL}-0$",
        {"node": rpc_changed(
            "get_name_DID", lambda answer: {"did": answer["did"].replace(f"{CAROL}-1", f"{CAROL}-0")}
        )},
    ),
    "revoked name that resolves": Failing(
        "dids", LAST, f"record of did:stack:v0:{BOB}-1", "^None$", "'name': 'qux.test'",
        {"node": row_changed(LAST, "DELETE FROM history WHERE history_id = 'qux.test' AND op = '~'")},
    ),
    "identifier of nothing": Failing(
        "dids", LAST, f"record of did:stack:v0:{BOB}-0", "'name': 'foo.test'", "^{'error': 'lost'}$",
        {"node": rpc_changed("get_DID_record", lambda _: {"error": "lost"})},
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_found(make_lab: Labs, golden: Fixture, defect: Failing) -> None:
    examine(make_lab, play, golden, defect)


# The golden check


def without_a_zonefile(fixture: Fixture) -> Fixture:
    return msgspec.structs.replace(fixture, zonefiles=fixture.zonefiles[:-1])


def later(fixture: Fixture) -> Fixture:
    entries = [msgspec.structs.replace(entry, after_height=entry.after_height + 1) for entry in fixture.zonefiles]
    return msgspec.structs.replace(fixture, zonefiles=entries)


def another_index(fixture: Fixture) -> Fixture:
    assert fixture.expected is not None
    raw = msgspec.Raw(bytes(fixture.expected.subdomains).replace(b'"accepted":1', b'"accepted":0', 1))
    return msgspec.structs.replace(fixture, expected=msgspec.structs.replace(fixture.expected, subdomains=raw))


def another_inventory(fixture: Fixture) -> Fixture:
    assert fixture.expected is not None
    expected = msgspec.structs.replace(fixture.expected, atlas_zonefile_inventory="111")
    return msgspec.structs.replace(fixture, expected=expected)


STALE: dict[str, tuple[Callable[[Fixture], Fixture], str, str, str]] = {
    "fewer zone files": (without_a_zonefile, "zone file 1", "^none$", "^after block 116, saved 1: "),
    "later zone files": (later, "zone file 0", "^after block 116", "^after block 115"),
    "another index": (
        another_index, "subdomains (3 rows expected, 3 there)", '"accepted": 0', '"accepted": 1',
    ),
    "another inventory": (another_inventory, "atlas_zonefile_inventory bits", "^111$", "^110$"),
}  # fmt: skip


@pytest.mark.parametrize("stale", STALE.values(), ids=STALE)
def test_a_fixture_that_says_something_else(
    make_lab: Labs, golden: Fixture, stale: tuple[Callable[[Fixture], Fixture], str, str, str]
) -> None:
    change, subject, expected, actual = stale
    examine(make_lab, play, change(golden), Failing("golden", LAST, subject, expected, actual, {}))


# The order in which zone files come


def out_of_order(lab: Lab) -> None:
    """The one case of spec 04 section 5.6: another domain's update comes after the creation, which is younger."""
    lab.namespace("test", by="alice")
    first = lab.subdomain("bar.foo.test", owner="carol")
    creation, update = lab.zonefile("foo.test", first), lab.zonefile("qux.test", first.update())
    lab.register("qux.test", by="bob", zonefile=update)
    lab.register("foo.test", by="bob", zonefile=creation)
    for data in (creation, update):
        lab.publish(data)
        lab.mine()


def test_an_order_that_shows_has_to_be_expected(make_lab: Labs) -> None:
    lab = make_lab()
    out_of_order(lab)
    with pytest.raises(CheckFailed, match=r"subdomains of a rebuilt index: bar\.foo\.test in zone file 1"):
        lab.finish()
    lab.expect_order_dependent("bar.foo.test")
    lab.finish()


def test_an_order_that_was_expected_to_show_has_to(make_lab: Labs) -> None:
    lab = make_lab()
    lab.expect_order_dependent("bar.foo.test")
    with pytest.raises(CheckFailed, match=r"rebuilt index of bar\.foo\.test\n.*\n  expected  another than the live"):
        play(lab)


def test_what_comes_after_the_last_block_does_not_count_yet(make_lab: Labs) -> None:
    lab = make_lab()
    lab.namespace("test", by="alice")
    data = lab.zonefile("foo.test", lab.subdomain("bar.foo.test", owner="carol"))
    lab.register("foo.test", by="bob", zonefile=data)
    lab.publish(data)
    lab.finish()
    assert lab.resolve("bar.foo.test") is None
