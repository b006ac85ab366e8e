"""Recorded answers compared with ours: what passes, what is found, and the differences that are meant."""

from __future__ import annotations

import functools
import gzip
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from bns.api.records import view
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import MemoryZonefiles
from bnslab.answers import WAYS, AnswerDifference, Answers, AnswersDiffer, kind_of, known_differences
from bnslab.consume import consume, replay
from bnslab.fixtures import load

if TYPE_CHECKING:
    from collections.abc import Callable

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference"
PARTS = ("rpc", "rest")

FILES = [
    "fuzz/valid_5",
    "fuzz/wild_3",
    "fuzz/wild_6",
    "blockstackd_100_big_zonefiles",
    "blockstackd_big_request",
    "name_import_lookup_expire_grace_renewxferup",
    "name_import_nextepoch_epoch3_expire_grace",
    "name_pre_reg_expire_isdead",
    "name_pre_reg_quota_sameblock",
    "name_pre_reg_revoke_reregister_newowner",
    "name_pre_reg_up_atlas_mesh",
    "name_pre_regup_long_history",
    "name_pre_regup_ops_expire_reregup_dids",
    "name_pre_regup_subdomain_holes",
    "name_pre_regup_subdomain_lookups",
    "name_pre_regup_subdomain_reorg_deep",
    "namespace_preorder_reveal_import_expire",
    "namespace_preorder_reveal_ready_multisig_v2",
]


class Outcome(NamedTuple):
    differences: list[AnswerDifference]
    compared: int
    meant: Counter[str]


def outcome(path: Path, way: str = "calls") -> Outcome:
    fixture = load(path)
    state = State.memory(fixture.params)
    offchain = Offchain(state, MemoryZonefiles())
    differences = []
    with Answers(fixture, view(state, offchain), PARTS, way) as answers:
        for receipt in replay(fixture, state, offchain):
            answers.after_block(receipt.height)
        try:
            answers.at_end()
        except AnswersDiffer as error:
            differences = error.differences
    state.close()
    return Outcome(differences, answers.compared, answers.meant)


@functools.cache
def reference_outcome(name: str) -> Outcome:
    return outcome(REFERENCE / f"{name}.json.gz")


@pytest.mark.parametrize("name", FILES)
def test_answers_are_those_of_the_reference(name: str) -> None:
    assert reference_outcome(name).differences == []


def test_the_line_of_a_file_that_passes() -> None:
    assert str(consume(REFERENCE / "name_pre_reg.json.gz", PARTS)) == "PASS name_pre_reg"


def changed(path: Path, to: Path, change: Callable[[Any], object]) -> Path:
    document = msgspec.json.decode(gzip.decompress(path.read_bytes()))
    change(document["expected"])
    to.write_bytes(gzip.compress(msgspec.json.encode(document), 1))
    return to


def thin_out(expected: Any) -> None:
    """Keep one recorded answer in ten."""
    for part in ("rpc", "rest"):
        expected[part] = dict(list(expected[part].items())[::10])


def test_answers_over_sockets_are_the_same(tmp_path: Path) -> None:
    assert set(WAYS) == {"calls", "sockets"}
    path = changed(REFERENCE / "name_pre_reg_up_xfer.json.gz", tmp_path / "x.json.gz", thin_out)
    found = outcome(path, "sockets")
    assert (found.differences, found.compared > 60) == ([], True)


@pytest.mark.parametrize(
    ("change", "call", "moment"),
    [
        (lambda e: e["rpc"]["get_num_names()"].update(count=2), "rpc get_num_names()", "end"),
        (lambda e: e["rpc"]["get_num_names()"].update(count=1.0), "rpc get_num_names()", "end"),
        (lambda e: e["rest"]["GET /v1/ping"].update(status=201), "rest GET /v1/ping", "end"),
        (lambda e: e["rest"]["GET /v1/ping"].update(content_type=None), "rest GET /v1/ping", "end"),
        (lambda e: e["rest"]["GET /v1/namespaces/test"]["json"].pop("ready"), "rest GET /v1/namespaces/test", "end"),
        (
            lambda e: e["per_block"]["695"]["GET /v1/names/foo.test"]["json"].update(zonefile=""),
            "rest GET /v1/names/foo.test", "block 695",
        ),
    ],
)  # fmt: skip
def test_one_changed_value_is_found(change: Any, call: str, moment: str, tmp_path: Path) -> None:
    path = changed(REFERENCE / "name_pre_reg_up_xfer.json.gz", tmp_path / "x.json.gz", change)
    (found,) = outcome(path).differences
    assert (found.call, found.moment) == (call, moment)
    line = str(consume(path, PARTS))
    assert line.startswith(f"FAIL x: {call}: {moment}: expected {found.expected} got {found.actual} (in all: ")
    assert consume(path, ("consensus", "tables")).failure is None


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda e: e.update(rpc=[]), "FAIL x: rpc: members: expected golden format 1 got "),
        (lambda e: e.update(rest=1), "FAIL x: rest: members: expected golden format 1 got "),
        (lambda e: e.update(per_block={"700": 1}), "FAIL x: per_block: members: expected golden format 1 got "),
        (lambda e: e["rpc"].update({"ping(x)": 1}), "FAIL x: rpc: call: expected method(arguments) got 'ping(x)'"),
        (lambda e: e["rpc"].update({"ping": 1}), "FAIL x: rpc: call: expected method(arguments) got 'ping'"),
    ],
)
def test_recorded_answers_that_are_none(change: Any, line: str, tmp_path: Path) -> None:
    path = changed(REFERENCE / "name_pre_reg.json.gz", tmp_path / "x.json.gz", change)
    assert str(consume(path, PARTS)).startswith(line)


def test_a_zone_file_that_nobody_hands_over_is_missed(tmp_path: Path) -> None:
    source = REFERENCE / "name_pre_reg_fast_sync.json.gz"
    document = msgspec.json.decode(gzip.decompress(source.read_bytes()))
    del document["zonefiles"][0]
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(msgspec.json.encode(document), 1))
    assert {kind_of(found.call) for found in outcome(path).differences} >= {"get_zonefiles", "get_zonefile_inventory"}


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ('rpc get_name_record("a.b")', "get_name_record"),
        ("rest GET /v1/names/a.b/zonefile?raw=1", "GET /v1/names/*/zonefile"),
        ("rest GET /v1/blockchains/bitcoin/operations/700", "GET /v1/blockchains/bitcoin/operations/*"),
        ("rest GET /v1/blockchains/bitcoin/name_count", "GET /v1/blockchains/bitcoin/name_count"),
    ],
)
def test_kinds_of_calls(call: str, kind: str) -> None:
    assert kind_of(call) == kind


# The differences that are meant


def test_every_known_difference_has_a_reason() -> None:
    reasons = [known.reason for known in known_differences()]
    assert all(reason.endswith(".") for reason in reasons)
    assert len(set(reasons)) == len(reasons) < 20


def test_every_known_difference_is_there() -> None:
    meant: Counter[str] = Counter()
    for name in FILES:
        meant += reference_outcome(name).meant
    assert [known.reason for known in known_differences() if not meant[known.reason]] == []


@pytest.mark.parametrize(
    ("call", "expected", "actual"),
    [
        ('rpc get_name_at("a.b", 1)', '{"error": "TypeError: \'NoneType\' object is not iterable"}', '{"records": []}'),
        ('rpc get_name_at("a.b", 1)', '{"records": []}', '{"records": null}'),
        ('rpc get_name_record("a.b")', '{"record": {}}', '{"error": "Not found."}'),
        ("rest GET /v1/names/a.b", '{"status": 200}', '{"status": "available"}'),
        ("rest GET /v1/dids/did:stack:v0:x-0", '{"status": 500}', '{"status": 200}'),
    ],
)
def test_other_differences_are_not_covered(call: str, expected: str, actual: str) -> None:
    difference = AnswerDifference(call, "end", expected, actual)
    assert not any(known.covers(difference) for known in known_differences())
