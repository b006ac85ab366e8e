"""Preorders, registrations and renewals: why they are refused, in each epoch where it differs (spec 02 7.5, 7.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.errors import Reason
from tests.chain import (
    ALICE,
    BOB,
    NS,
    RV,
    SHARED,
)
from tests.situations import (
    EVERY_EPOCH,
    NAME,
    TO_CREATOR,
    UNKNOWN,
    Case,
    aged,
    crowded,
    imported,
    in_epochs,
    opened,
    owned,
    preordered,
    revoked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chain import Chain

PLANTED = Reason.PREORDERED_BY_ANOTHER
STALE = Reason.STALE_CONSENSUS_HASH


def registered_for(fee: int) -> Callable[[Chain], str]:
    return lambda chain: preordered(chain, fee=fee).register(NAME, ALICE)


def renewed_for(fee: int) -> Callable[[Chain], str]:
    return lambda chain: owned(chain).renew(NAME, ALICE, fee=fee)


CASES = [
    # NAME_PREORDER
    Case("preorder twice", Reason.PREORDER_PENDING, lambda c: preordered(c).preorder(NAME, ALICE)),
    Case("preorder for another", None, lambda c: preordered(c).preorder(NAME, ALICE, BOB)),
    Case("preorder of a living name", None, lambda c: owned(c).preorder(NAME, ALICE)),
    Case("preorder, hash unknown", STALE, lambda c: opened(c).preorder(NAME, ALICE, consensus=UNKNOWN)),
    Case("preorder, hash 24 blocks old", None, lambda c: c.preorder(NAME, ALICE, consensus=aged(c, 24))),
    Case("preorder, hash 25 blocks old", STALE, lambda c: c.preorder(NAME, ALICE, consensus=aged(c, 25))),
    Case("preorder by an owner of 24", None, lambda c: crowded(c, 24).preorder("new.test", ALICE)),
    Case("preorder by an owner of 25", Reason.TOO_MANY_NAMES, lambda c: crowded(c).preorder("new.test", ALICE)),
    # NAME_REGISTRATION
    Case("registration", None, lambda c: preordered(c).register(NAME, ALICE), EVERY_EPOCH),
    Case("registration of a revoked name", Reason.NAME_REVOKED, lambda c: revoked(c).register(NAME, ALICE)),
    Case("registration in a revealed namespace", Reason.NAMESPACE_NOT_READY, lambda c: imported(c).register(NAME, BOB)),
    Case("registration in no namespace", Reason.NAMESPACE_NOT_READY, lambda c: c.register(NAME, ALICE)),
    Case("registration without preorder", Reason.NOT_PREORDERED, lambda c: opened(c).register(NAME, ALICE)),
    Case("registration by another", Reason.NOT_PREORDERED, lambda c: preordered(c).register(NAME, BOB)),
    Case("registration for another", Reason.NOT_PREORDERED, lambda c: preordered(c).register(NAME, ALICE, BOB)),
    Case("registration for another as preordered", None, lambda c: preordered(c, BOB).register(NAME, ALICE, BOB)),
    Case("registration of another name", Reason.NOT_PREORDERED, lambda c: preordered(c).register("bar.test", ALICE)),
    Case("registration of a taken name", Reason.NAME_TAKEN, lambda c: owned(c).register(NAME, BOB)),
    Case("registration of one's own name", Reason.NO_RENEWAL_FEE, lambda c: owned(c).register(NAME, ALICE)),
    Case(
        "registration of a planted preorder",
        PLANTED,
        lambda c: c.must(opened(c).preorder(NAME, BOB, ALICE, sealed_for=ALICE)).register(NAME, ALICE),
    ),
    Case(
        "registration, preordered too early",
        Reason.PREORDERED_BEFORE_READY,
        lambda c: c.must(c.must(c.revealed().preorder(NAME, ALICE)).ready("test")).register(NAME, ALICE),
    ),
    Case(
        "registration for an owner of 25",
        Reason.TOO_MANY_NAMES,
        lambda c: c.must(crowded(c).preorder("new.test", BOB, ALICE)).register("new.test", BOB, ALICE),
    ),
    Case(
        "registration for a script hash",
        Reason.MULTISIG_NOT_SUPPORTED,
        lambda c: preordered(c, SHARED).register(NAME, ALICE, SHARED),
        (1,),
    ),
    Case(
        "registration for a script hash, in time",
        None,
        lambda c: preordered(c, SHARED).register(NAME, ALICE, SHARED),
        (2, 3),
    ),
    *(
        Case(f"registration for {fee}", reason, registered_for(fee), epochs)
        for epochs, price in (((1, 2), 102400), ((3,), 10240))
        for fee, reason in ((price, None), (price - 1, Reason.FEE_TOO_LOW))
    ),
    Case(
        "registration, paid to the creator",
        Reason.WRONG_FEE_ADDRESS,
        lambda c: preordered(c, fee_to=NS).register(NAME, ALICE),
        EVERY_EPOCH,
    ),
    Case(
        "registration, burnt where the creator is paid",
        Reason.WRONG_FEE_ADDRESS,
        lambda c: c.opened(terms=TO_CREATOR).must(c.preorder(NAME, ALICE)).register(NAME, ALICE),
    ),
    Case(
        "registration, paid to the reveal address",
        Reason.WRONG_FEE_ADDRESS,
        lambda c: c.opened(terms=TO_CREATOR).must(c.preorder(NAME, ALICE, fee_to=RV)).register(NAME, ALICE),
    ),
    Case(
        "registration, paid to the creator in time",
        None,
        lambda c: c.opened(terms=TO_CREATOR).must(c.preorder(NAME, ALICE, fee_to=NS)).register(NAME, ALICE),
    ),
    # NAME_RENEWAL
    Case("renewal", None, lambda c: owned(c).renew(NAME, ALICE), EVERY_EPOCH),
    Case("renewal by another", Reason.NOT_OWNER, lambda c: owned(c).renew(NAME, BOB)),
    Case("renewal by another for itself", Reason.RECIPIENT_NOT_OWNER, lambda c: owned(c).renew(NAME, BOB), (1, 2)),
    Case("renewal by another for the owner", Reason.NOT_OWNER, lambda c: owned(c).renew(NAME, BOB, ALICE), EVERY_EPOCH),
    Case("renewal of a revoked name", Reason.NAME_REVOKED, lambda c: revoked(c).renew(NAME, ALICE)),
    Case("renewal of an unknown name", Reason.NOT_PREORDERED, lambda c: opened(c).renew(NAME, ALICE)),
    Case("renewal in a revealed namespace", Reason.NAMESPACE_NOT_READY, lambda c: imported(c).renew(NAME, ALICE)),
    Case("renewal with transfer", Reason.RECIPIENT_NOT_OWNER, lambda c: owned(c).renew(NAME, ALICE, BOB), (1, 2)),
    Case("renewal with transfer, in time", None, lambda c: owned(c).renew(NAME, ALICE, BOB)),
    Case("renewal for an owner of 25", Reason.TOO_MANY_NAMES, lambda c: crowded(c).renew(NAME, BOB, ALICE)),
    Case("renewal by an owner of 24", None, lambda c: crowded(c, 24).renew("name0.test", ALICE)),
    Case("renewal by an owner of 25", Reason.TOO_MANY_NAMES, lambda c: crowded(c).renew("name0.test", ALICE)),
    *(
        Case(f"renewal for {fee}", reason, renewed_for(fee), epochs)
        for epochs, price in (((1, 2), 102400), ((3,), 10240))
        for fee, reason in ((price, None), (price - 1, Reason.FEE_TOO_LOW))
    ),
    Case("renewal, paid to the creator", Reason.WRONG_FEE_ADDRESS, lambda c: owned(c).renew(NAME, ALICE, fee_to=NS)),
]


@pytest.mark.parametrize(("case", "epoch"), in_epochs(CASES))
def test_preorders_registrations_and_renewals(case: Case, epoch: int) -> None:
    chain = case.chain(epoch)
    assert chain.judge(case.act(chain)) is case.reason
