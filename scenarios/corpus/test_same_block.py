"""Several operations on one name or namespace in one block (spec 10 section 3.9)."""

from bnslab import Reason
from bnslab.corpus.facts import absent, accepted, live, np, own, ready
from bnslab.corpus.rows import E1, E3, WALLETS, row, table, w0, w1, w2, w3, w4, w5
from bnslab.corpus.steps import (
    block,
    blocks,
    h,
    h11,
    h22,
    no,
    ns,
    nspre,
    nsrdy,
    nsrev,
    pre,
    reg,
    renew,
    revoke,
    upd,
    xfer,
)  # fmt: skip

AT_ONCE = (pre(w2 >> w3), reg(w2 >> w3))
RIVALS = (w2 >> w3, w4 >> w5, w0 >> w1, w5 >> w2)
SIX = ("utr", "urt", "tur", "tru", "rut", "rtu")


def three_changes(name, owner, other):
    """The operations of a name's letters: update, transfer, renewal; who owns it by then sends them."""
    steps = []
    for place, letter in enumerate(name):
        if letter == "u":
            steps.append(upd(h(0x11 * place), owner, name))
        elif letter == "t":
            steps.append(xfer(owner >> other, name))
            owner = other
        else:
            steps.append(renew(owner, name))
    return tuple(steps)


PAIRS = [(name, WALLETS[2 * place], WALLETS[2 * place + 1]) for place, name in enumerate(SIX)]

ROWS = table(
    row("name_pre_reg_sameblock", E1, ns(), AT_ONCE, block, own(w3), np(w2 >> w3), ready()),
    row(
        "name_pre_regup_sameblock", E3, ns(), pre(w2 >> w3), reg(w2 >> w3, value_hash=h11), block,
        own(w3, hash=h11), np(w2 >> w3), ready(),
    ),
    row(
        "name_pre_reg_renew_sameblock", E1, ns(), AT_ONCE, no(Reason.NOT_PREORDERED, renew(w3)), block,
        accepted(2), own(w3, renewed=0),
    ),
    row(
        "name_pre_reg_revoke_sameblock", E1, ns(), AT_ONCE, no(Reason.NAME_NOT_REGISTERED, revoke(w3)), block,
        accepted(2), own(w3, revoked=False),
    ),
    row(
        "name_pre_reg_update_sameblock", E1, ns(), AT_ONCE, no(Reason.NO_SUCH_NAME, upd(h11, w3)), block,
        accepted(2), own(w3, hash=None),
    ),
    row(
        "name_pre_reg_xfer_sameblock", E1, ns(), AT_ONCE, no(Reason.NAME_NOT_REGISTERED, xfer(w3 >> w4)), block,
        accepted(2), own(w3),
    ),
    row(
        "name_pre_reg_nodups", E1, ns(), *map(pre, RIVALS), block,
        no(Reason.COLLISION, *map(reg, RIVALS)), block, *map(live, RIVALS), absent(),
    ),
    row(
        "name_pre_reg_dup_sameblock", E1, ns(), pre(w4 >> w3), pre(w3 >> w2), reg(w4 >> w3),
        no(Reason.COLLISION, reg(w3 >> w2)), block, own(w3), live(w3 >> w2),
    ),
    row(
        "name_pre_reg_collisions", E1, nspre("test", w0 >> w1), block,
        no(Reason.COLLISION, nsrev("test", w0 >> w1), nsrev("test", w0 >> w1)), block,
        nsrev("test", w0 >> w1), no(Reason.NAMESPACE_NOT_REVEALED, nsrdy("test", w1)), block,
        nsrdy("test", w1), block, pre(w2 >> w3), block,
        no(Reason.COLLISION, reg(w2 >> w3), reg(w2 >> w3)), block, reg(w2 >> w3), block,
        upd(h11, w3), xfer(w3 >> w4), block,
        renew(w4), upd(h22, w4), xfer(w4 >> w3), block,
        *(upd(h(0x11 * digit), w3) for digit in range(9)), block,
        *((xfer(w3 >> w4), xfer(w4 >> w3)) for _ in range(5)), block,
        *((xfer(w3 >> w4), upd(h(0xAA), w4), xfer(w4 >> w3), upd(h(0xBB), w3)) for _ in range(5)), block,
        own(w3, hash=h(0xBB)), np(w2 >> w3), ready(),
    ),
    row(
        "name_pre_reg_up_xfer_renew_interleaving", E1, ns(),
        *(pre(other >> owner, name) for name, owner, other in PAIRS), block,
        *(reg(other >> owner, name) for name, owner, other in PAIRS), block,
        *(three_changes(*pair) for pair in PAIRS), blocks(5),
        *(own(other, name, hash=h(0x11 * name.index("u")), renewed=1) for name, _, other in PAIRS),
    ),
)  # fmt: skip


@ROWS
def test_same_block(lab, row):
    row.play(lab)
