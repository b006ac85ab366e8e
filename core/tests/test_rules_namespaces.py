"""Namespaces and imports: why they are refused, in each epoch where it differs (spec 02 sections 7.1 to 7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.keys import PrivateKey
from bns.errors import Reason
from tests.chain import (
    ALICE,
    BOB,
    NS,
    RV,
    SHARED,
    key_owner,
)
from tests.situations import (
    EVERY_EPOCH,
    NAME,
    TO_CREATOR,
    UNKNOWN,
    Case,
    aged,
    in_epochs,
    preordered_namespace,
    with_keychain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chain import Chain

CHILD = key_owner(PrivateKey.from_label("reveal address").child(4).public_key)
SIXTH_CHILD = key_owner(PrivateKey.from_label("reveal address").child(5).public_key)
PLANTED = Reason.PREORDERED_BY_ANOTHER
STALE = Reason.STALE_CONSENSUS_HASH


def revealed_for(namespace_id: str, fee: int) -> Callable[[Chain], str]:
    return lambda chain: preordered_namespace(chain, namespace_id, fee=fee).reveal(namespace_id)


CASES = [
    # NAMESPACE_PREORDER
    Case(
        "namespace preordered twice",
        Reason.PREORDER_PENDING,
        lambda c: preordered_namespace(c).preorder_namespace("test"),
    ),
    Case(
        "namespace preordered by two",
        None,
        lambda c: preordered_namespace(c).preorder_namespace("test", ALICE),
    ),
    Case(
        "namespace preordered again after its reveal",
        None,
        lambda c: c.revealed().preorder_namespace("test"),
    ),
    Case("namespace preorder, hash unknown", STALE, lambda c: c.preorder_namespace("test", consensus=UNKNOWN)),
    Case("namespace preorder, hash 24 blocks old", None, lambda c: c.preorder_namespace("test", consensus=aged(c, 24))),
    Case(
        "namespace preorder, hash 25 blocks old", STALE, lambda c: c.preorder_namespace("test", consensus=aged(c, 25))
    ),
    # NAMESPACE_REVEAL
    Case("reveal twice", Reason.NAMESPACE_REVEALED, lambda c: c.revealed().reveal("test")),
    Case("reveal of a ready namespace", Reason.NAMESPACE_READY, lambda c: c.opened().reveal("test")),
    Case("reveal without preorder", Reason.NOT_PREORDERED, lambda c: c.reveal("test")),
    Case("reveal for another", Reason.NOT_PREORDERED, lambda c: preordered_namespace(c).reveal("test", to=BOB)),
    Case("reveal by another", Reason.NOT_PREORDERED, lambda c: preordered_namespace(c).reveal("test", ALICE)),
    Case("reveal of another id", Reason.NOT_PREORDERED, lambda c: preordered_namespace(c).reveal("other")),
    Case(
        "reveal of a planted preorder",
        PLANTED,
        lambda c: c.must(c.preorder_namespace("test", ALICE, sealed_for=NS)).reveal("test"),
    ),
    Case(
        "reveal, fees to the creator",
        Reason.VERSION_NOT_SUPPORTED,
        lambda c: preordered_namespace(c).reveal("test", terms=TO_CREATOR),
        (1, 2),
    ),
    Case(
        "reveal, fees to the creator, in time", None, lambda c: preordered_namespace(c).reveal("test", terms=TO_CREATOR)
    ),
    *(
        Case(
            f"reveal of {namespace_id!r} for {fee}",
            reason,
            revealed_for(namespace_id, fee),
            epochs,
        )
        for namespace_id, price in (
            ("a", 4_100_000_000),
            ("ab", 4_000_000_000),
            ("test", 400_000_000),
            ("longer-id", 40_000_000),
        )
        for epochs, divisor in (((1, 2), 1), ((3,), 10))
        for fee, reason in ((price // divisor, None), (price // divisor - 1, Reason.FEE_TOO_LOW))
    ),
    # NAMESPACE_READY
    Case("ready without reveal", Reason.NAMESPACE_NOT_REVEALED, lambda c: preordered_namespace(c).ready("test")),
    Case("ready by the preorderer", Reason.NOT_REVEALER, lambda c: c.revealed().ready("test", NS)),
    Case("ready twice", Reason.NAMESPACE_READY, lambda c: c.opened().ready("test")),
    # NAME_IMPORT
    Case("import", None, lambda c: c.revealed().import_name(NAME, RV, ALICE), EVERY_EPOCH),
    Case("import by the preorderer", Reason.NOT_AN_IMPORT_KEY, lambda c: c.revealed().import_name(NAME, NS, ALICE)),
    Case(
        "import by a child key before the keychain is known",
        Reason.NOT_AN_IMPORT_KEY,
        lambda c: c.revealed().import_name(NAME, CHILD, ALICE),
    ),
    Case("import by a child key", None, lambda c: with_keychain(c).import_name(NAME, CHILD, ALICE)),
    Case(
        "import by a child key beyond the keychain",
        Reason.NOT_AN_IMPORT_KEY,
        lambda c: with_keychain(c).import_name(NAME, SIXTH_CHILD, ALICE),
    ),
    Case("import without public key", Reason.NO_PUBLIC_KEY, lambda c: c.revealed().import_name(NAME, SHARED, ALICE)),
    Case("import into nothing", Reason.NAMESPACE_NOT_REVEALED, lambda c: c.revealed().import_name("a.b", RV, ALICE)),
    Case("import when ready", Reason.NAMESPACE_NOT_REVEALED, lambda c: c.opened().import_name(NAME, RV, ALICE)),
]


@pytest.mark.parametrize(("case", "epoch"), in_epochs(CASES))
def test_namespaces_and_imports(case: Case, epoch: int) -> None:
    chain = case.chain(epoch)
    assert chain.judge(case.act(chain)) is case.reason
