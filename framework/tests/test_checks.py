"""Each check is shown to fail: something real is made wrong from outside, and the check names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from bns.errors import InvalidInput
from bns.operations.base import Accepted
from bns.operations.records import Preorder
from bnslab import Reason
from bnslab.checks import CHECKS, make_checks
from bnslab.errors import CheckFailed
from bnslab.recording import record
from tests.defects import (
    Failing,
    Rewriting,
    answer_changed,
    cut,
    emptied,
    examine,
    member,
    receipt_changed,
    row_changed,
)
from tests.labs import FIRST_BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.engine import Receipt
    from bnslab.fixtures import Fixture
    from bnslab.lab import Lab
    from tests.labs import Labs

READY, PREORDERED, REGISTERED, REFUSED, LAST = 113, 114, 115, 116, 117


def play(lab: Lab) -> None:
    """A namespace, a name, a refused and an accepted operation, to the end."""
    lab.namespace("test", by="alice")
    lab.name_preorder("foo.test", by="bob")
    lab.mine()
    lab.name_registration("foo.test", by="bob")
    lab.mine()
    with lab.rejects(Reason.NOT_OWNER):
        lab.revoke("foo.test", by="carol")
    lab.name_preorder("bar.test", by="carol")
    lab.finish()


@pytest.fixture
def golden(make_lab: Labs) -> Fixture:
    """What a right core gives."""
    lab = make_lab()
    play(lab)
    return record(lab)


def test_a_right_core_passes_all_checks(make_lab: Labs, golden: Fixture) -> None:
    play(make_lab(fixture=golden))


def taken(receipt: Receipt) -> Accepted:
    """A refused operation as if it had been accepted."""
    operation = receipt.rejected[0].operation
    assert operation is not None
    carrier = operation.carrier
    record = Preorder("", "", carrier.sender, None, carrier.address, receipt.height, "?", 0, carrier.txid, 1, "")
    return Accepted(operation, record)


NAME, CONSENSUS = "/v1/names/foo.test", "/v1/blockchains/bitcoin/consensus"
FLIPPED = "00" * 16


DEFECTS = {
    "accepts what it should not": Failing(
        "expectations", REGISTERED, "NAME_REGISTRATION foo.test by bob", "^accepted$", "^rejected: UNKNOWN_OPCODE",
        {"node": receipt_changed(REGISTERED, accepted=lambda receipt: receipt.accepted[1:])},
    ),
    "refuses for no reason": Failing(
        "expectations", REFUSED, "NAME_REVOKE foo.test by carol", "^rejected: NOT_OWNER", "^rejected: UNKNOWN_OPCODE",
        {"node": receipt_changed(REFUSED, rejected=lambda _: ())},
    ),
    "ops hash": Failing(
        "invariants", PREORDERED, "ops hash", "^00", "^[0-9a-f]{64}$",
        {"node": receipt_changed(PREORDERED, ops_hash=lambda _: "00" * 32)},
    ),
    "lost record": Failing(
        "invariants", REGISTERED, "record of foo.test", "^Name", "^None$",
        {"node": row_changed(REGISTERED, "DELETE FROM name_records")},
    ),
    "another owner": Failing(
        "invariants", REGISTERED, "record of foo.test", "address='m", "address='thief'",
        {"node": row_changed(REGISTERED, "UPDATE name_records SET address = 'thief'")},
    ),
    "lost namespace": Failing(
        "invariants", REGISTERED, "namespace of foo.test", "^known$", "^unknown$",
        {"node": row_changed(REGISTERED, "DELETE FROM namespaces")},
    ),
    "another lifetime": Failing(
        "invariants", READY, "record of test", "lifetime=52595", "lifetime=1,",
        {"node": row_changed(READY, "UPDATE namespaces SET lifetime = 1")},
    ),
    "lost preorder": Failing(
        "invariants", PREORDERED, "ops hash", "^[0-9a-f]{64}$", "^[0-9a-f]{64}$",
        {"node": row_changed(PREORDERED, "DELETE FROM preorders")},
    ),
    "lost history": Failing(
        "invariants", REGISTERED, "ops hash", "^[0-9a-f]{64}$", "^[0-9a-f]{64}$",
        {"node": row_changed(REGISTERED, "DELETE FROM history WHERE history_id = 'foo.test'")},
    ),
    "history of somebody else": Failing(
        "invariants", REGISTERED, "newest history row of foo.test", "^[0-9a-f]{64}$", "^None$",
        {"node": row_changed(REGISTERED, "UPDATE history SET history_id = 'bar.test' WHERE history_id = 'foo.test'")},
    ),
    "another block": Failing(
        "invariants", REFUSED, "block hash in the state", "^[0-9a-f]{64}$", "^00$",
        {"node": row_changed(REFUSED, f"UPDATE snapshots SET block_hash = '00' WHERE block_id = {REFUSED}")},
    ),
    "preorder that stays": Failing(
        "invariants", REGISTERED, "preorders left of foo.test", r"^\[\]$", "^.Preorder",
        {"node": row_changed(
            REGISTERED,
            "INSERT INTO preorders SELECT preorder_hash, '00', sender, sender_pubkey, address, 114, '?', 0, txid, 1, ''"
            " FROM name_records",
        )},
    ),
    "consensus hash in an answer": Failing(
        "rest", PREORDERED, f"GET {CONSENSUS}", f"^consensus_hash '{FLIPPED}'$", "^consensus_hash '[0-9a-f]{32}'$",
        {"node": receipt_changed(PREORDERED, consensus_hash=lambda _: FLIPPED)},
    ),
    "another address in an answer": Failing(
        "rest", REGISTERED, f"GET {NAME}", "^address 'm", "^address 'thief'$",
        {"node": answer_changed(NAME, member("address", "thief"))},
    ),
    "missing member of an answer": Failing(
        "rest", REGISTERED, f"GET {NAME}", "^renewal_deadline 1", "^renewal_deadline 'missing'$",
        {"node": answer_changed(NAME, member("renewal_deadline", None))},
    ),
    "another status": Failing(
        "rest", REGISTERED, f"GET {NAME}", "^status 200$", "^status 404: {",
        {"node": answer_changed(NAME, lambda body: body, 404)},
    ),
    "no JSON": Failing(
        "rest", REGISTERED, f"GET {NAME}", "^a JSON object$", "got b'<html>'",
        {"node": answer_changed(NAME, lambda _: b"<html>")},
    ),
    "no JSON object": Failing(
        "rest", REGISTERED, f"GET {NAME}", "^a JSON object$", r"^\[\]$",
        {"node": answer_changed(NAME, lambda _: b"[]")},
    ),
    "a namespace in an answer": Failing(
        "rest", 112, "GET /v1/namespaces/test", "^ready False$", "^ready 'yes'$",
        {"node": answer_changed("/v1/namespaces/test", member("ready", "yes"))},
    ),
    "flipped consensus hash": Failing(
        "golden", PREORDERED, "consensus hash", "^[0-9a-f]{32}$", f"^{FLIPPED}$",
        {"node": receipt_changed(PREORDERED, consensus_hash=lambda _: FLIPPED)},
    ),
    "fewer refusals": Failing(
        "golden", REFUSED, "rejected operations", "^NOT_OWNER$", "^none$",
        {"node": receipt_changed(REFUSED, rejected=lambda _: ())},
    ),
    "other rules": Failing(
        "golden", FIRST_BLOCK, "rules", "^BLOCKSTACK_EPOCH_3_NAMESPACE_LIFETIME_GRACE_PERIOD=5000$", "PERIOD=9$",
        {"grace": 9},
    ),
    "operation that nobody could prove": Failing(
        "snv", REGISTERED, f"proof from block {LAST}", "^the operations of the block$",
        f"^block {REGISTERED}: expected operations with the ops hash [0-9a-f]{{64}}, got some with",
        {"node": row_changed(
            REFUSED, "UPDATE history SET history_data = json_set(history_data, '$.vtxindex', 9) WHERE op = ':'"
        )},
    ),
    "ops hash that leads nowhere": Failing(
        "snv", PREORDERED, f"proof from block {LAST}", "^the operations of the block$",
        f"^block {PREORDERED}: expected hashes that combine to [0-9a-f]{{32}}, got some that give",
        {"node": row_changed(REFUSED, f"UPDATE snapshots SET ops_hash = '{'00' * 32}' WHERE block_id = {PREORDERED}")},
    ),
    "consensus hash of the past": Failing(
        "snv", PREORDERED, f"consensus hash proven from block {LAST}", f"^{FLIPPED}$", "^[0-9a-f]{32}$",
        {"node": receipt_changed(PREORDERED, consensus_hash=lambda _: FLIPPED)},
    ),
    "refusal of what was accepted": Failing(
        "snv", REGISTERED, "NAME_REGISTRATION foo.test by bob", "^not proven$", "^proven$",
        {"node": receipt_changed(REGISTERED, accepted=lambda receipt: receipt.accepted[1:])},
    ),
    "acceptance of what was refused": Failing(
        "snv", REFUSED, "NAME_REVOKE foo.test by carol", "^proven$", "^not proven$",
        {"node": receipt_changed(REFUSED, accepted=lambda receipt: (taken(receipt),), rejected=lambda _: ())},
    ),
    "block without its transactions": Failing(
        "reindex", REGISTERED, "consensus hash of a fresh index", "^[0-9a-f]{32}$", "^[0-9a-f]{32}$",
        {"chain": Rewriting(emptied(REGISTERED))},
    ),
    "block without a refused transaction": Failing(
        "reindex", REFUSED, "rejected operations of a fresh index", "^NOT_OWNER$", "^none$",
        {"chain": Rewriting(emptied(REFUSED))},
    ),
    "malformed block": Failing(
        "reindex", LAST, "receipt of a fresh index", "^as before$", "^ParseError: ",
        {"chain": Rewriting(cut)},
    ),
    "lost block": Failing(
        "reindex", LAST, "blocks of the chain", "^7$", "^6$", {"chain": Rewriting(lambda blocks: blocks[:-1])},
    ),
    "row that no operation touched": Failing(
        "reindex", LAST, "table name_records of a fresh index", "thief", "foo.test",
        {"node": row_changed(REFUSED, "UPDATE name_records SET address = 'thief'")},
    ),
    "surplus row": Failing(
        "reindex", LAST, "table keychains of a fresh index", "^.'test', '..'.$", "^None$",
        {"node": row_changed(REFUSED, "INSERT INTO keychains VALUES ('test', '[]')")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_found(make_lab: Labs, golden: Fixture, defect: Failing) -> None:
    examine(make_lab, play, golden, defect)


# The golden check, with a right core and fixtures that are wrong

Change = msgspec.structs.replace


def another_operation(fixture: Fixture) -> Fixture:
    """With one other character in the text of the registration, and so another consensus hash."""
    assert fixture.expected is not None
    (text,) = fixture.serialized_ops(REGISTERED)
    operations = {**fixture.expected.serialized_ops, str(REGISTERED): [text.replace("8:foo.test", "8:fop.test")]}
    hashes = {**fixture.expected.consensus_hashes, str(REGISTERED): FLIPPED}
    return Change(fixture, expected=Change(fixture.expected, serialized_ops=operations, consensus_hashes=hashes))


def without_refusals(fixture: Fixture) -> Fixture:
    assert fixture.expected is not None
    return Change(fixture, expected=Change(fixture.expected, rejected_ops={}))


def another_block(fixture: Fixture) -> Fixture:
    blocks = [Change(b, hash="00" * 32) if b.height == PREORDERED else b for b in fixture.blocks]
    return Change(fixture, blocks=blocks)


def shorter(fixture: Fixture) -> Fixture:
    assert fixture.expected is not None
    hashes = {height: hash_ for height, hash_ in fixture.expected.consensus_hashes.items() if height != str(LAST)}
    return Change(fixture, blocks=fixture.blocks[:-1], expected=Change(fixture.expected, consensus_hashes=hashes))


def longer(fixture: Fixture) -> Fixture:
    return Change(fixture, blocks=[*fixture.blocks, Change(fixture.blocks[-1], height=LAST + 1)])


STALE: dict[str, tuple[Callable[[Fixture], Fixture], int, str, str, str]] = {
    "another operation": (another_operation, REGISTERED, "consensus hash", f"^{FLIPPED}$", "^[0-9a-f]{32}$"),
    "no refusals": (without_refusals, REFUSED, "rejected operations", "^none$", "^NOT_OWNER$"),
    "another block": (another_block, PREORDERED, "block hash", "^0{64}$", "^[0-9a-f]{64}$"),
    "shorter": (shorter, LAST, "block", f"end at block {REFUSED}$", "^one more block$"),
    "longer": (longer, LAST, "end of the chain", f"^block {LAST + 1}$", f"^block {LAST}$"),
    "another scenario": (
        lambda fixture: Change(fixture, scenario="another"),
        FIRST_BLOCK,
        "scenario of the fixture",
        "^a scenario$",
        "^another$",
    ),
    "other rules": (
        lambda fixture: Change(fixture, env={**fixture.env, "BLOCKSTACK_EPOCH_3_PRICE_MULTIPLIER": "1.0"}),
        FIRST_BLOCK,
        "rules",
        "^BLOCKSTACK_EPOCH_3_PRICE_MULTIPLIER=1.0$",
        "=0.1$",
    ),
}


@pytest.mark.parametrize("stale", STALE.values(), ids=STALE)
def test_a_fixture_that_says_something_else(
    make_lab: Labs, golden: Fixture, stale: tuple[Callable[[Fixture], Fixture], int, str, str, str]
) -> None:
    change, height, subject, expected, actual = stale
    examine(make_lab, play, change(golden), Failing("golden", height, subject, expected, actual, {}))


def test_the_difference_in_an_operation_is_shown_field_by_field(make_lab: Labs, golden: Fixture) -> None:
    with pytest.raises(CheckFailed) as caught:
        play(make_lab(fixture=another_operation(golden)))
    expected, actual, fields, rule = caught.value.reason.splitlines()
    assert (expected[:19], actual[:19]) == ("expected ::8:fop.te", "actual   ::8:foo.te")
    assert fields == "differ in name: 'fop.test' against 'foo.test'"
    assert f"            {fields}" in str(caught.value)
    assert rule.startswith("here     accepted as NAME_REGISTRATION")


# Which checks there are


def names(fixture: Fixture | None, *skip: str) -> list[str]:
    return [check.name for check in make_checks(fixture, skip)]


@pytest.mark.parametrize("check", CHECKS)
def test_each_is_switched_off_by_its_name(golden: Fixture, check: str) -> None:
    assert names(golden, check) == [name for name in CHECKS if name != check]


def test_all_are_on_unless_there_is_no_fixture(golden: Fixture) -> None:
    assert names(golden) == list(CHECKS)
    assert names(None) == [name for name in CHECKS if name != "golden"]
    assert names(golden, *CHECKS) == []


@pytest.mark.parametrize("name", ["goldem", "", "Rest"])
def test_a_check_that_does_not_exist(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"check to skip: expected one of {', '.join(CHECKS)}, got '{name}'"):
        make_checks(None, ["rest", name])
