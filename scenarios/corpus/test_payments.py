"""Fees burned and fees paid to the creator of a namespace (spec 10 section 3.11). The creator is w0."""

from bnslab import Reason, epochs
from bnslab.corpus.facts import absent, accepted, np, own, received
from bnslab.corpus.rows import E3, row, table, w0, w1, w2, w3, w4
from bnslab.corpus.steps import (
    block,
    blocks,
    forced,
    h11,
    h22,
    h33,
    imp,
    no,
    note,
    ns,
    nsrdy,
    p_r,
    pre,
    reg,
    renew,
    revealed,
    unsent,
)  # fmt: skip
from bnslab.transactions import CARRIED

FEE = 640_000
"""Of foo.test in epoch 3."""
FOO2 = 16_000
"""Of foo2.test."""
CARRIED_TWICE = 2 * CARRIED
"""What the creator receives as the owner in two registrations."""
WRONG = Reason.WRONG_FEE_ADDRESS


def for_a_while(period, **options):
    """The creator receives fees for so many blocks after the reveal."""
    return epochs(3, lifetime=1, receive_fees=period, **options)


def gained(fees, since="start", more=0):
    return received(w0, fees * FEE + more, since=since)


def burned(satoshis, since="start"):
    return received(None, satoshis, since=since)


def last_renewal_burns(owner):
    """A renewal that pays the creator after the period, then one that burns."""
    return (
        note("over"), forced(WRONG, renew(owner, pay=w0)), block, own(owner, renewed_at="renewed"),
        renew(owner), block, note("burnt"), own(owner, renewed_at="burnt"), burned(FEE, "over"),
    )  # fmt: skip


def two_more(payer, owner):
    """foo2 pays as it must; foo_fail pays the creator, too late."""
    failing = pre(payer >> owner, "foo_fail", pay=w0, fee=FEE)
    return (
        note("over"), pre(payer >> owner, "foo2"), unsent(WRONG, failing), failing, block,
        reg(payer >> owner, "foo2"), no(WRONG, reg(payer >> owner, "foo_fail")), block,
        own(owner, "foo2", fee=FOO2), absent("foo_fail"), burned(FOO2, "over"),
        gained(1, "over", more=CARRIED_TWICE if owner == w0 else 0),
    )  # fmt: skip


OPEN = (*ns(version=2), note("start"))

ROWS = table(
    row("name_pre_reg_pay2ns", E3, OPEN, p_r(w2 >> w3), own(w3, fee=FEE), gained(1), np(w2 >> w3)),
    row(
        "name_pre_reg_renew_pay2ns", E3, OPEN, p_r(w2 >> w3), renew(w3 >> w4, value_hash=h22), block,
        renew(w4, value_hash=h33), block, renew(w4 >> w1), block, renew(w1), block, gained(5), burned(0),
        own(w1, hash=h33),
    ),
    row(
        "name_pre_reg_pay2ns_fail", E3, OPEN, unsent(WRONG, pre(w2 >> w3, pay=w1)),
        pre(w2 >> w3, pay=w1), block, no(WRONG, reg(w2 >> w3)), block, absent(),
        no(Reason.PREORDER_PENDING, pre(w2 >> w3, pay=w0)), block, accepted(0),
        pre(w2 >> w4, pay=w0), block, reg(w2 >> w4), block, gained(2), own(w4), np(w2 >> w4),
    ),
    row(
        "name_pre_reg_pay2ns_burn", for_a_while(3), OPEN, p_r(w2 >> w3), gained(1), two_more(w2, w3), gained(2),
        own(w3),
    ),
    row(
        "name_pre_reg_pay2ns_renew_burn", for_a_while(4), OPEN, p_r(w2 >> w3), gained(1),
        renew(w3), block, note("renewed"), gained(2), last_renewal_burns(w3),
    ),
    row(
        "name_pre_reg_pay2ns_renew_burn_multi", for_a_while(6), OPEN, p_r(w2 >> w3), gained(1),
        renew(w3), block, renew(w3), block, renew(w3), block, note("renewed"), gained(4), last_renewal_burns(w3),
    ),
    row(
        "name_pre_reg_expire_pay2ns_multi", for_a_while(17, grace=0), ns(version=2, life=3), note("start"),
        p_r(w2 >> w3), blocks(4), p_r(w3 >> w4), block, renew(w4), blocks(5), p_r(w2 >> w3), gained(4), blocks(4),
        two_more(w4, w0), gained(5, more=CARRIED_TWICE),
    ),
    row(
        "name_import_pay2ns_expire_reregup", epochs(3, grace=0), revealed(version=2, life=2), imp(w3, h11), block,
        nsrdy("test", w1), block, note("start"), blocks(4), absent(), p_r(w2 >> w4, value_hash=h22), gained(1),
        own(w4, hash=h22),
    ),
    row(
        "name_import_pay2ns_renew", E3, revealed(version=2, life=2), imp(w3, h11), nsrdy("test", w1), block,
        note("start"), renew(w3), block, gained(1), renew(w3 >> w4, value_hash=h22), block, gained(2),
        own(w4, hash=h22),
    ),
    row(
        "name_import_renew_pay2ns_burn_multi", for_a_while(4), revealed(version=2), imp(w3, h11), block,
        nsrdy("test", w1), block, note("start"), renew(w3), block, renew(w3), block, note("renewed"), gained(2),
        last_renewal_burns(w3),
    ),
    row(
        "name_import_expire_pre_reg_expire_pay2ns_multi", for_a_while(22, grace=0), revealed(version=2, life=3),
        imp(w3, h11), block, nsrdy("test", w1), block, note("start"), blocks(4),
        p_r(w2 >> w3), blocks(4), p_r(w3 >> w4), block, renew(w4), blocks(5), p_r(w2 >> w3), gained(4), blocks(4),
        two_more(w4, w0), gained(5, more=CARRIED_TWICE),
    ),
)  # fmt: skip


@ROWS
def test_payment(lab, row):
    row.play(lab)
