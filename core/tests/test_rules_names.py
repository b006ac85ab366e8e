"""Updates, transfers, revocations, announcements: why they are refused (spec 02 sections 7.7 to 7.11)."""

from __future__ import annotations

import pytest

from bns.errors import Reason
from tests.chain import (
    ALICE,
    BOB,
    CAROL,
    OTHER_SHARED,
    SHARED,
)
from tests.situations import (
    EVERY_EPOCH,
    NAME,
    UNKNOWN,
    Case,
    after_grace,
    aged,
    crowded,
    imported,
    in_epochs,
    in_grace,
    long_owned,
    opened,
    owned,
    revoked,
)

STALE = Reason.STALE_CONSENSUS_HASH

CASES = [
    # NAME_UPDATE
    Case("update", None, lambda c: owned(c).update(NAME, ALICE), EVERY_EPOCH),
    Case("update by another", Reason.NO_SUCH_NAME, lambda c: owned(c).update(NAME, BOB)),
    Case("update of another name", Reason.NO_SUCH_NAME, lambda c: owned(c).update("bar.test", ALICE)),
    Case("update of a revoked name", Reason.NO_SUCH_NAME, lambda c: revoked(c).update(NAME, ALICE)),
    Case("update, hash unknown", Reason.NO_SUCH_NAME, lambda c: owned(c).update(NAME, ALICE, consensus=UNKNOWN)),
    Case("update, hash 24 blocks old", None, lambda c: long_owned(c).update(NAME, ALICE, consensus=aged(c, 24))),
    Case(
        "update, hash 25 blocks old",
        Reason.NO_SUCH_NAME,
        lambda c: long_owned(c).update(NAME, ALICE, consensus=aged(c, 25)),
    ),
    Case("update by an owner of 25", None, lambda c: crowded(c).update("name0.test", ALICE)),
    Case("update by an owner of 26", Reason.TOO_MANY_NAMES, lambda c: crowded(c, 26).update("name0.test", ALICE)),
    Case("update in a revealed namespace", Reason.NAMESPACE_NOT_READY, lambda c: imported(c).update(NAME, ALICE)),
    Case("update in the grace period", Reason.NAME_IN_GRACE_PERIOD, lambda c: in_grace(c).update(NAME, ALICE)),
    # NAME_TRANSFER
    Case("transfer", None, lambda c: owned(c).transfer(NAME, ALICE, BOB), EVERY_EPOCH),
    Case("transfer by another", Reason.NOT_OWNER, lambda c: owned(c).transfer(NAME, BOB, CAROL)),
    Case("transfer of an unknown name", Reason.NAME_NOT_REGISTERED, lambda c: opened(c).transfer(NAME, ALICE, BOB)),
    Case("transfer of a revoked name", Reason.NAME_NOT_REGISTERED, lambda c: revoked(c).transfer(NAME, ALICE, BOB)),
    Case("transfer, hash unknown", STALE, lambda c: owned(c).transfer(NAME, ALICE, BOB, consensus=UNKNOWN)),
    Case(
        "transfer, hash 24 blocks old", None, lambda c: long_owned(c).transfer(NAME, ALICE, BOB, consensus=aged(c, 24))
    ),
    Case(
        "transfer, hash 25 blocks old", STALE, lambda c: long_owned(c).transfer(NAME, ALICE, BOB, consensus=aged(c, 25))
    ),
    Case("transfer to oneself", Reason.RECIPIENT_IS_OWNER, lambda c: owned(c).transfer(NAME, ALICE, ALICE)),
    Case("transfer by another to its owner", Reason.NOT_OWNER, lambda c: owned(c).transfer(NAME, BOB, ALICE)),
    Case("transfer to an owner of 24", None, lambda c: crowded(c, 24).transfer(NAME, BOB, ALICE)),
    Case("transfer to an owner of 25", Reason.TOO_MANY_NAMES, lambda c: crowded(c).transfer(NAME, BOB, ALICE)),
    Case(
        "transfer in a revealed namespace", Reason.NAMESPACE_NOT_READY, lambda c: imported(c).transfer(NAME, ALICE, BOB)
    ),
    Case("transfer in the grace period", Reason.NAME_IN_GRACE_PERIOD, lambda c: in_grace(c).transfer(NAME, ALICE, BOB)),
    Case("transfer to a script hash", None, lambda c: owned(c).transfer(NAME, ALICE, SHARED), EVERY_EPOCH),
    Case(
        "transfer by a script hash",
        Reason.MULTISIG_NOT_SUPPORTED,
        lambda c: c.opened(imports={NAME: SHARED}).transfer(NAME, SHARED, OTHER_SHARED),
        (1,),
    ),
    Case(
        "transfer by a script hash, in time",
        None,
        lambda c: c.opened(imports={NAME: SHARED}).transfer(NAME, SHARED, OTHER_SHARED),
        (2, 3),
    ),
    # NAME_REVOKE
    Case("revoke", None, lambda c: owned(c).revoke(NAME, ALICE), EVERY_EPOCH),
    Case("revoke by a script hash", None, lambda c: c.opened(imports={NAME: SHARED}).revoke(NAME, SHARED), EVERY_EPOCH),
    Case("revoke by another", Reason.NOT_OWNER, lambda c: owned(c).revoke(NAME, BOB)),
    Case("revoke of an unknown name", Reason.NAME_NOT_REGISTERED, lambda c: opened(c).revoke(NAME, ALICE)),
    Case("revoke twice", Reason.NAME_REVOKED, lambda c: revoked(c).revoke(NAME, ALICE)),
    Case("revoke in a revealed namespace", Reason.NAMESPACE_NOT_READY, lambda c: imported(c).revoke(NAME, ALICE)),
    Case("revoke in the grace period", Reason.NAME_IN_GRACE_PERIOD, lambda c: in_grace(c).revoke(NAME, ALICE)),
    Case("revoke after the grace period", Reason.NAME_EXPIRED, lambda c: after_grace(c).revoke(NAME, ALICE)),
    # ANNOUNCE
    Case("announce", None, lambda c: c.opened("id", imports={"muneeb.id": ALICE}).announce(ALICE)),
    Case(
        "announce by another",
        Reason.NOT_AN_ANNOUNCER,
        lambda c: c.opened("id", imports={"muneeb.id": ALICE}).announce(BOB),
    ),
    Case(
        "announce by the owner of a revoked name",
        None,
        lambda c: c.opened("id", imports={"muneeb.id": ALICE}).must(c.revoke("muneeb.id", ALICE)).announce(ALICE),
    ),
    Case("announce by an owner of any name", Reason.NOT_AN_ANNOUNCER, lambda c: owned(c).announce(ALICE)),
]


@pytest.mark.parametrize(("case", "epoch"), in_epochs(CASES))
def test_what_owners_do(case: Case, epoch: int) -> None:
    chain = case.chain(epoch)
    assert chain.judge(case.act(chain)) is case.reason
