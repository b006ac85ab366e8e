"""Several operations in one block: collisions, order and quotas (spec 02 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from bns.bitcoin.keys import PrivateKey
from bns.errors import Reason
from bns.operations.base import wire
from tests.chain import ALICE, BOB, BURN, CAROL, CHANGE, NS, OTHER_VALUE, PLENTY, RV, VALUE, Chain, Terms, key_owner
from tests.situations import NAME, crowded, owned

if TYPE_CHECKING:
    from collections.abc import Callable

CLASH = Reason.COLLISION
OK = None


class Case(NamedTuple):
    """act builds up to a block and queues operations of that block; verdicts in the order of the txids it gives."""

    title: str
    verdicts: list[Reason | None]
    act: Callable[[Chain], list[str]]


def two_preordered(chain: Chain) -> Chain:
    """ALICE and BOB have preordered foo.test."""
    chain.opened()
    assert chain.judge_all(chain.preorder(NAME, ALICE), chain.preorder(NAME, BOB)) == [OK, OK]
    return chain


def two_namespaces(chain: Chain) -> list[str]:
    """Two reveals of one namespace, preordered before."""
    chain.mine()
    chain.preorder_namespace("test")
    chain.preorder_namespace("test", ALICE, BOB)
    chain.mine()
    return [chain.reveal("test"), chain.reveal("test", ALICE, BOB)]


def two_namespaces_at_once(chain: Chain) -> list[str]:
    chain.mine()
    preorders = [chain.preorder_namespace("test"), chain.preorder_namespace("test", ALICE, BOB)]
    return [*preorders, chain.reveal("test"), chain.reveal("test", ALICE, BOB)]


def renewals(chain: Chain, *kinds: str) -> list[str]:
    """Renewals of foo.test by its owner ALICE ("renew") and invalid registrations of it by BOB ("invalid")."""
    owned(chain)
    return [chain.renew(NAME, ALICE) if kind == "renew" else chain.register(NAME, BOB) for kind in kinds]


def imports(chain: Chain, *others: str) -> list[str]:
    chain.revealed()
    return [chain.import_name(NAME, RV, ALICE), chain.import_name(NAME, RV, BOB, OTHER_VALUE)]


def planted_alike(chain: Chain) -> list[str]:
    """A name preorder and a namespace preorder of one hash."""
    chain.mine()
    data = wire("?", bytes(20) + bytes.fromhex(chain.hash))
    return [
        chain.op(ALICE, data, (ALICE, CHANGE), (BURN, PLENTY)),
        chain.op(BOB, data.replace(b"?", b"*"), (BOB, CHANGE), (BURN, PLENTY)),
    ]


def preorders_of_a_taken_hash(chain: Chain) -> list[str]:
    """The hash of a living name may be preordered again, once a block."""
    owned(chain)
    return [chain.preorder(NAME, ALICE), chain.preorder(NAME, ALICE)]


def handed_on_and_renewed(chain: Chain) -> list[str]:
    owned(chain)
    return [chain.renew(NAME, ALICE, BOB), chain.renew(NAME, BOB)]


def all_at_once(chain: Chain) -> list[str]:
    chain.revealed()
    return [chain.ready("test"), chain.preorder(NAME, ALICE), chain.register(NAME, ALICE)]


def a_chain_of_owners(chain: Chain) -> list[str]:
    owned(chain)
    return [
        chain.update(NAME, ALICE, VALUE),
        chain.update(NAME, ALICE, OTHER_VALUE),
        chain.transfer(NAME, ALICE, BOB),
        chain.update(NAME, ALICE),
        chain.transfer(NAME, BOB, CAROL, keep=False),
        chain.renew(NAME, CAROL),
        chain.revoke(NAME, CAROL),
        chain.update(NAME, CAROL),
    ]


def too_young(chain: Chain) -> list[str]:
    """Whatever follows a registration in its own block."""
    chain.opened()
    chain.must(chain.preorder(NAME, ALICE))
    return [
        chain.register(NAME, ALICE),
        chain.update(NAME, ALICE),
        chain.transfer(NAME, ALICE, BOB),
        chain.revoke(NAME, ALICE),
    ]


TAKEN, NO_NAME, PENDING, NOT_PREORDERED = (
    Reason.NAME_TAKEN,
    Reason.NO_SUCH_NAME,
    Reason.PREORDER_PENDING,
    Reason.NOT_PREORDERED,
)

CASES = [
    Case(
        "two registrations, preordered before",
        [CLASH, CLASH],
        lambda c: [two_preordered(c).register(NAME, ALICE), c.register(NAME, BOB)],
    ),
    Case(
        "two registrations, one preordered in this block",
        [OK, OK, CLASH],
        lambda c: [
            c.opened().must(c.preorder(NAME, ALICE)).preorder(NAME, BOB),
            c.register(NAME, ALICE),
            c.register(NAME, BOB),
        ],
    ),
    Case(
        "two registrations, preordered in this block",
        [OK, OK, OK, CLASH],
        lambda c: [
            c.opened().preorder(NAME, ALICE),
            c.preorder(NAME, BOB),
            c.register(NAME, ALICE),
            c.register(NAME, BOB),
        ],
    ),
    Case(
        "an invalid registration and a valid one",
        [NOT_PREORDERED, OK],
        lambda c: [c.opened().must(c.preorder(NAME, ALICE)).register(NAME, BOB), c.register(NAME, ALICE)],
    ),
    Case(
        "a valid registration and an invalid one",
        [OK, NOT_PREORDERED],
        lambda c: [c.opened().must(c.preorder(NAME, ALICE)).register(NAME, ALICE), c.register(NAME, BOB)],
    ),
    Case("two reveals, preordered before", [CLASH, CLASH], two_namespaces),
    Case("two reveals, preordered in this block", [OK, OK, OK, CLASH], two_namespaces_at_once),
    Case("two renewals", [OK, CLASH], lambda c: renewals(c, "renew", "renew")),
    Case("three renewals", [CLASH, CLASH, CLASH], lambda c: renewals(c, "renew", "renew", "renew")),
    Case("invalid, renewal", [TAKEN, OK], lambda c: renewals(c, "invalid", "renew")),
    Case("invalid, renewal, renewal", [TAKEN, CLASH, CLASH], lambda c: renewals(c, "invalid", "renew", "renew")),
    Case("renewal, invalid, renewal", [CLASH, TAKEN, CLASH], lambda c: renewals(c, "renew", "invalid", "renew")),
    Case("renewal, renewal, invalid", [OK, CLASH, TAKEN], lambda c: renewals(c, "renew", "renew", "invalid")),
    Case(
        "invalid import, renewal, renewal",
        [Reason.NAMESPACE_NOT_REVEALED, CLASH, CLASH],
        lambda c: [owned(c).import_name(NAME, RV, BOB), c.renew(NAME, ALICE), c.renew(NAME, ALICE)],
    ),
    Case("two imports", [OK, OK], imports),
    Case("renewal with transfer, then renewal by the new owner", [OK, CLASH], handed_on_and_renewed),
    Case(
        "two preorders of one hash",
        [OK, PENDING],
        lambda c: [c.opened().preorder(NAME, ALICE), c.preorder(NAME, ALICE)],
    ),
    Case("two preorders of a hash that is taken", [OK, CLASH], preorders_of_a_taken_hash),
    Case("a name preorder and a namespace preorder of one hash", [OK, CLASH], planted_alike),
    Case("ready, preorder, registration", [OK, OK, OK], all_at_once),
    Case(
        "registration, preorder",
        [NOT_PREORDERED, OK],
        lambda c: [c.opened().register(NAME, ALICE), c.preorder(NAME, ALICE)],
    ),
    Case(
        "namespace preorder, reveal, ready",
        [OK, OK, Reason.NAMESPACE_NOT_REVEALED],
        lambda c: [c.preorder_namespace("test"), c.reveal("test"), c.ready("test")],
    ),
    Case(
        "reveal, import",
        [OK, Reason.NAMESPACE_NOT_REVEALED],
        lambda c: [
            c.must(c.preorder_namespace("test")).reveal("test"),
            c.import_name(NAME, RV, ALICE),
        ],
    ),
    Case("an owner after another", [OK, OK, OK, NO_NAME, OK, OK, OK, NO_NAME], a_chain_of_owners),
    Case(
        "a name that is too young",
        [OK, NO_NAME, Reason.NAME_NOT_REGISTERED, Reason.NAME_NOT_REGISTERED],
        too_young,
    ),
    Case(
        "a registration and a renewal that could be one",
        [CLASH, CLASH],
        lambda c: [c.opened().must(c.preorder(NAME, ALICE)).register(NAME, ALICE), c.renew(NAME, ALICE)],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_operations_of_one_block(case: Case) -> None:
    chain = Chain()
    assert chain.judge_all(*case.act(chain)) == case.verdicts


def test_collided_registrations_can_be_repeated() -> None:
    chain = two_preordered(Chain())
    assert chain.judge_all(chain.register(NAME, ALICE), chain.register(NAME, BOB)) == [CLASH, CLASH]
    assert chain.judge(chain.register(NAME, BOB)) is None


def test_collided_reveals_can_be_repeated() -> None:
    chain = Chain()
    assert chain.judge_all(*two_namespaces(chain)) == [CLASH, CLASH]
    assert chain.judge(chain.reveal("test", ALICE, BOB)) is None


def test_the_last_import_of_a_block_wins() -> None:
    chain = Chain()
    assert chain.judge_all(*imports(chain)) == [None, None]
    row = chain.state.name(NAME)
    assert row is not None
    assert (row.sender, row.value_hash) == (BOB.hex, OTHER_VALUE)


# Keychains that the scan makes (section 7.4)

CHILD = key_owner(PrivateKey.from_label("reveal address").child(0).public_key)
NOT_A_KEY = Reason.NOT_AN_IMPORT_KEY


def test_a_child_key_may_import_before_the_reveal_key_in_one_block() -> None:
    chain = Chain().revealed()
    txids = [chain.import_name("a.test", CHILD, ALICE), chain.import_name("b.test", RV, ALICE)]
    assert chain.judge_all(*txids) == [None, None]


def test_even_if_the_reveal_keys_import_is_refused_then() -> None:
    chain = Chain().revealed()
    txids = [chain.import_name("a.test", CHILD, ALICE), chain.ready("test"), chain.import_name("b.test", RV, ALICE)]
    assert chain.judge_all(*txids) == [None, None, Reason.NAMESPACE_NOT_REVEALED]


def test_an_import_that_is_refused_in_the_scan_makes_no_keychain() -> None:
    chain = Chain().revealed()
    txids = [chain.import_name("a.test", CHILD, ALICE), chain.import_name("b.test", NS, ALICE)]
    assert chain.judge_all(*txids) == [NOT_A_KEY, NOT_A_KEY]
    assert chain.state.keychain("test") is None


# Quotas (section 5.1)

MANY = Reason.TOO_MANY_NAMES


def register_many(chain: Chain, count: int, preorders_by: int) -> list[Reason | None]:
    """BOB and CAROL registered for ALICE, who has 23 names: verdicts of `count` registrations in one block."""
    crowded(chain, 23)
    senders = [BOB, CAROL][:preorders_by]
    names = [f"new{number}.test" for number in range(count)]
    for number, name in enumerate(names):
        chain.must(chain.preorder(name, senders[number % preorders_by], ALICE))
    return chain.judge_all(
        *(chain.register(name, senders[number % preorders_by], ALICE) for number, name in enumerate(names))
    )


def test_registrations_of_the_block_count() -> None:
    assert register_many(Chain(), 4, 2) == [None, None, MANY, MANY]


def test_preorders_count_registrations_of_the_block() -> None:
    chain = crowded(Chain(), 24)
    chain.must(chain.preorder("new.test", ALICE))
    txids = [
        chain.preorder("before.test", ALICE),
        chain.register("new.test", ALICE),
        chain.preorder("after.test", ALICE),
    ]
    assert chain.judge_all(*txids) == [None, None, MANY]


def test_renewals_and_imports_of_the_block_do_not_count() -> None:
    chain = crowded(Chain(), 24)
    chain.must(chain.preorder("new.test", BOB, ALICE))
    txids = [chain.renew("name0.test", ALICE), chain.renew("name1.test", ALICE), chain.register("new.test", BOB, ALICE)]
    assert chain.judge_all(*txids) == [None, None, None]


def test_transfers_do_not_count_registrations_of_the_block() -> None:
    chain = crowded(Chain(), 24)
    chain.must(chain.preorder("new.test", BOB, ALICE))
    txids = [chain.register("new.test", BOB, ALICE), chain.transfer(NAME, BOB, ALICE)]
    assert chain.judge_all(*txids) == [None, None]
    assert chain.judge(chain.update("new.test", ALICE)) is MANY  # 26 names


def test_transfers_of_the_block_count_at_once() -> None:
    chain = crowded(Chain(), 24)
    chain.must(chain.preorder("new.test", BOB, ALICE))
    txids = [chain.transfer(NAME, BOB, ALICE), chain.register("new.test", BOB, ALICE)]
    assert chain.judge_all(*txids) == [None, MANY]


def test_a_name_given_away_makes_room_at_once() -> None:
    chain = crowded(Chain(), 25)
    txids = [chain.preorder("a.test", ALICE), chain.transfer("name0.test", ALICE, BOB), chain.preorder("b.test", ALICE)]
    assert chain.judge_all(*txids) == [MANY, None, None]


def test_revoked_names_do_not_count() -> None:
    chain = crowded(Chain(), 25)
    txids = [chain.preorder("a.test", ALICE), chain.revoke("name0.test", ALICE), chain.preorder("b.test", ALICE)]
    assert chain.judge_all(*txids) == [MANY, None, None]


def test_imports_know_no_quota() -> None:
    chain = crowded(Chain(), 40)
    assert len(chain.state.names_of(ALICE.hex)) == 40


def test_expired_names_do_not_count() -> None:
    chain = Chain()
    names = {f"name{number}.test": ALICE for number in range(25)}
    chain.opened(terms=Terms(lifetime=3), imports=names)
    ready = chain.state.last_block
    chain.mine_to(ready + 3 + 5)
    assert chain.judge(chain.preorder(NAME, ALICE)) is MANY
    assert chain.judge(chain.preorder(NAME, ALICE)) is None


def test_refused_registrations_count_in_the_scan() -> None:
    """Invalid registrations by ALICE use up her quota in the scan, so that a collision goes unnoticed there."""
    chain = crowded(Chain(), 23)
    chain.must(chain.preorder("new.test", ALICE))
    chain.must(chain.preorder("new.test", BOB))
    both = [chain.register("new.test", ALICE), chain.register("new.test", BOB)]
    assert chain.judge_all(*both) == [CLASH, CLASH]
    invalid = [chain.register(f"never{number}.test", ALICE) for number in range(2)]
    both = [chain.register("new.test", ALICE), chain.register("new.test", BOB)]
    assert chain.judge_all(*invalid, *both) == [NOT_PREORDERED, NOT_PREORDERED, None, CLASH]
