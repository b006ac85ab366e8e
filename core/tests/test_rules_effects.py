"""What an accepted operation changes, and the history it writes (spec 02 sections 8 and 9)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bns.operations.records import fields_of
from tests.chain import ALICE, BOB, NS, OTHER_VALUE, PLENTY, RV, VALUE, Chain, Terms
from tests.situations import NAME, expired_reveal

if TYPE_CHECKING:
    from collections.abc import Callable


class Case(NamedTuple):
    """changed: fields of the name beside op and transaction; consensus_hash: the last one."""

    op: str
    act: Callable[[Chain], str]
    changed: dict[str, object]


def given(chain: Chain) -> Chain:
    """ALICE has foo.test with a value, updated once; another transaction precedes in the block under construction."""
    chain.opened()
    chain.must(chain.preorder(NAME, ALICE))
    chain.must(chain.register(NAME, ALICE, value="33" * 20))
    chain.must(chain.update(NAME, ALICE, "44" * 20))
    chain.announce(BOB)
    return chain


RENEWED: dict[str, object] = {"last_renewed": 106, "op_fee": 20000}
CASES = [
    Case("+", lambda c: c.update(NAME, ALICE), {"value_hash": VALUE, "consensus_hash": None}),
    Case(
        ">>",
        lambda c: c.transfer(NAME, ALICE, BOB),
        {"sender": BOB.hex, "address": BOB.address, "sender_pubkey": None},
    ),
    Case(
        ">~",
        lambda c: c.transfer(NAME, ALICE, BOB, keep=False),
        {"sender": BOB.hex, "address": BOB.address, "sender_pubkey": None, "value_hash": None},
    ),
    Case("::", lambda c: c.renew(NAME, ALICE, fee=20000), RENEWED),
    Case("::", lambda c: c.renew(NAME, ALICE, value=VALUE, fee=20000), {**RENEWED, "value_hash": VALUE}),
    Case(
        "::",
        lambda c: c.renew(NAME, ALICE, BOB, OTHER_VALUE, fee=20000),
        {**RENEWED, "value_hash": OTHER_VALUE, "sender": BOB.hex, "address": BOB.address},
    ),
    Case("~", lambda c: c.revoke(NAME, ALICE), {"revoked": True, "value_hash": None}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op} {','.join(case.changed)}")
def test_the_fields_that_an_operation_changes(case: Case) -> None:
    chain = given(Chain())
    before = chain.state.name(NAME)
    hash_ = chain.hash
    txid = case.act(chain)
    assert chain.judge(txid) is None
    after = chain.state.name(NAME)
    assert before is not None
    assert after is not None
    was, now = fields_of(before), fields_of(after)
    expected = {**was, "op": case.op, "txid": txid, "vtxindex": 2, **case.changed}
    if "consensus_hash" in case.changed:
        expected["consensus_hash"] = hash_
    assert now == expected


class Event(NamedTuple):
    """A history row, without its transaction."""

    op: str
    opcode: str
    block: int
    creator: str | None
    value: str | None


def events(chain: Chain, history_id: str) -> list[Event]:
    query = (
        "SELECT op, opcode, block_id, creator_address, value_hash FROM history WHERE history_id = ? "
        "ORDER BY block_id, vtxindex"
    )
    return [Event(*row) for row in chain.state.connection.execute(query, (history_id,))]


def test_the_history_of_a_registered_name() -> None:
    chain = given(Chain())
    for txid in (
        chain.renew(NAME, ALICE),
        chain.transfer(NAME, ALICE, BOB, keep=False),
        chain.update(NAME, BOB),
        chain.revoke(NAME, BOB),
    ):
        chain.must(txid)
        chain.mine()
    chain.mine_to(106 + 10 + 5 + 1)
    chain.given(NAME, BOB)
    again = chain.state.last_block
    assert events(chain, NAME) == [
        Event("?", "NAME_PREORDER", 103, None, None),
        Event(":", "NAME_REGISTRATION", 104, ALICE.address, "33" * 20),
        Event("+", "NAME_UPDATE", 105, None, "44" * 20),
        Event("::", "NAME_RENEWAL", 106, None, "44" * 20),
        Event(">~", "NAME_TRANSFER", 106, None, None),
        Event("+", "NAME_UPDATE", 106, None, VALUE),
        Event("~", "NAME_REVOKE", 106, None, None),
        Event("?", "NAME_PREORDER", again - 1, None, None),
        Event(":", "NAME_REGISTRATION", again, BOB.address, None),
    ]


def test_the_history_of_an_imported_name() -> None:
    chain = Chain().revealed()
    chain.must(chain.import_name(NAME, RV, ALICE))
    chain.must(chain.import_name(NAME, RV, BOB, OTHER_VALUE))
    assert events(chain, NAME) == [
        Event(";", "NAME_IMPORT", 102, ALICE.address, VALUE),
        Event(";", "NAME_IMPORT", 103, None, OTHER_VALUE),
    ]


def test_the_history_of_a_namespace() -> None:
    chain = expired_reveal(Chain())
    chain.must(chain.preorder_namespace("test", reveal_to=BOB, fee=5 * PLENTY))
    chain.must(chain.reveal("test", to=BOB))
    chain.must(chain.ready("test", BOB))
    end = chain.state.last_block
    assert events(chain, "test") == [
        Event("*", "NAMESPACE_PREORDER", 100, None, None),
        Event("&", "NAMESPACE_REVEAL", 101, NS.address, None),
        Event("*", "NAMESPACE_PREORDER", end - 2, None, None),
        Event("&", "NAMESPACE_REVEAL", end - 1, NS.address, None),
        Event("!", "NAMESPACE_READY", end, None, None),
    ]


# Keys of history_data (spec 03 section 7.1)

PREORDER = (
    "address block_number burn_address consensus_hash op op_fee opcode preorder_hash sender sender_pubkey txid vtxindex"
)
NAMESPACE = (
    "address base block_number buckets coeff lifetime namespace_id no_vowel_discount nonalpha_discount op op_fee "
    "opcode preorder_hash ready_block recipient recipient_address reveal_block sender sender_pubkey txid version "
    "vtxindex"
)
CREATION = (
    "address block_number consensus_hash first_registered importer importer_address last_creation_op last_renewed name "
    "namespace_block_number op op_fee opcode preorder_block_number preorder_hash revoked sender sender_pubkey txid "
    "value_hash vtxindex"
)
STATE = f"{CREATION} name_hash128 namespace_id"
KEYS = {
    "?": PREORDER,
    "*": PREORDER,
    "&": NAMESPACE,
    "!": NAMESPACE,
    ":": CREATION,
    ";": CREATION,
    "::": STATE,
    "~": STATE,
    "+": f"{STATE} name_consensus_hash",
    ">>": f"{STATE} keep_data",
    ">~": f"{STATE} keep_data",
}


def test_what_history_rows_hold() -> None:
    chain = Chain().opened(terms=Terms(), imports={"old.test": ALICE}).given(NAME, ALICE)
    for txid in (
        chain.update(NAME, ALICE),
        chain.transfer(NAME, ALICE, BOB),
        chain.transfer("old.test", ALICE, BOB, keep=False),
        chain.renew(NAME, BOB),
        chain.revoke(NAME, BOB),
    ):
        chain.must(txid)
        chain.mine()
    found: dict[str, dict[str, object]] = {}
    for op, text in chain.state.connection.execute("SELECT op, history_data FROM history"):
        data = json.loads(text)
        assert list(data) == sorted(data)
        assert data["op"] == op
        found[op] = data
    assert {op: set(data) for op, data in found.items()} == {op: set(keys.split()) for op, keys in KEYS.items()}
    assert found["&"]["buckets"] == "[6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]"
    assert (found[">>"]["keep_data"], found[">~"]["keep_data"]) == (True, False)
    assert (found["~"]["revoked"], found["::"]["revoked"]) == (True, False)
    assert (repr(found[";"]["op_fee"]), repr(found[">~"]["op_fee"])) == ("10240.0", "10240.0")
