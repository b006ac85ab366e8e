"""What a careful client refuses to send: the rules of the next block say so, and nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput, Reason
from bnslab.errors import CheckFailed
from bnslab.recording import record

if TYPE_CHECKING:
    from bnslab.lab import Lab
    from tests.labs import Labs

H1 = "11" * 20


def named(lab: Lab) -> Lab:
    """With a namespace by alice and foo.test, which is bob's."""
    lab.namespace("test", by="alice")
    lab.register("foo.test", by="bob")
    return lab


def test_what_is_refused_is_not_sent(make_lab: Labs) -> None:
    plain, lab = named(make_lab()), named(make_lab())
    balance = lab.wallet("carol").balance
    with lab.refuses(Reason.NOT_OWNER):
        refused = lab.revoke("foo.test", by="carol")
        lab.transfer("foo.test", by="carol", to="alice")
    assert (refused.accepted, refused.reason, refused.height) == (False, Reason.NOT_OWNER, lab.height + 1)
    assert refused.detail
    assert refused.txid not in lab.sent
    assert (lab.pending, lab.wallet("carol").balance) == ((), balance)
    for each in (plain, lab):
        each.update("foo.test", by="bob", value_hash=H1)
        each.mine()
        each.finish()
    assert record(lab) == record(plain), "the chain is that of a scenario without refusals"


def test_what_is_pending_counts_and_stays_pending(make_lab: Labs) -> None:
    lab = named(make_lab())
    transfer = lab.transfer("foo.test", by="bob", to="carol")
    pending = lab.pending
    with lab.refuses(Reason.NOT_OWNER):
        lab.revoke("foo.test", by="bob")
    assert lab.pending == pending
    lab.update("foo.test", by="carol", value_hash=H1)
    lab.mine()
    assert transfer.accepted


def test_a_preorder_is_refused_for_what_it_leads_to(make_lab: Labs) -> None:
    lab = named(make_lab())
    with lab.refuses(Reason.NAME_TAKEN):
        refused = lab.name_preorder("foo.test", by="carol")
    assert (refused.opcode, refused.height) == ("NAME_REGISTRATION", lab.height + 2)
    with lab.refuses(Reason.NAMESPACE_READY):
        lab.namespace_preorder("test", by="bob")
    with lab.refuses(Reason.FEE_TOO_LOW):
        lab.name_preorder("bar.test", by="bob", fee=100)
    lab.register("bar.test", by="bob")
    lab.finish()


@pytest.mark.parametrize(
    ("wallet", "verdict"), [("bob", "accepted"), ("carol", "rejected: NO_SUCH_NAME: no name of the sender matches")]
)
def test_a_refusal_that_is_none(make_lab: Labs, wallet: str, verdict: str) -> None:
    lab = named(make_lab())
    with pytest.raises(CheckFailed) as found, lab.refuses(Reason.NAME_EXPIRED):
        lab.update("foo.test", by=wallet, value_hash=H1)
    assert found.value.subject == f"NAME_UPDATE foo.test by {wallet} (not sent)"
    assert (found.value.expected, found.value.actual) == ("refused: NAME_EXPIRED: name expired", verdict)
    assert lab.pending == ()
    lab.update("foo.test", by="bob", value_hash=H1)
    lab.mine()


def test_what_cannot_be_refused(make_lab: Labs) -> None:
    lab = named(make_lab())
    update = lab.update("foo.test", by="bob", value_hash=H1)
    (transaction,) = (each for each in lab.pending if each.txid == update.txid)
    with pytest.raises(InvalidInput, match="reason: expected a member"), lab.refuses("NOT_OWNER"):  # type: ignore[arg-type]
        pass
    with pytest.raises(InvalidInput, match="expected an operation inside"), lab.refuses(Reason.NOT_OWNER):
        pass
    with lab.refuses(Reason.NOT_OWNER):
        lab.revoke("foo.test", by="carol")
        with pytest.raises(InvalidInput, match="expected one at a time"), lab.refuses(Reason.NOT_OWNER):
            pass
        with pytest.raises(InvalidInput, match="expected an operation that is not signed yet"):
            lab.send_transaction(transaction)
    assert lab.mine().accepted
