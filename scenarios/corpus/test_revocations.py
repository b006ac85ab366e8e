"""Revocations (spec 10 section 3.7)."""

from bnslab import Reason
from bnslab.corpus.facts import absent, hist, np, own, ready
from bnslab.corpus.rows import E1, E2, row, table, w0, w2, w3, w4, w5, w6, w7
from bnslab.corpus.steps import (
    block,
    blocks,
    h00,
    h11,
    h22,
    h33,
    no,
    note,
    ns,
    p_r,
    pre,
    reg,
    renew,
    revoke,
    upd,
    xfer,
)  # fmt: skip

BEGIN = (*ns(), *p_r(w2 >> w3))
DEAD = (own(w3, revoked=True, hash=None), np(w2 >> w3), ready())
NAMES, OWNERS, NEXT = ("foo", "bar", "baz"), (w5, w6, w7), (w6, w7, w5)


def each(op, owners=NEXT):
    return tuple(op(owner, name) for name, owner in zip(NAMES, owners, strict=True))


def refused(*moments, gone):
    """An update, a transfer and a renewal of a revoked name, a block each; gone: it has expired besides."""
    reasons = (
        Reason.NO_SUCH_NAME,
        Reason.NAME_NOT_REGISTERED,
        Reason.NOT_PREORDERED if gone else Reason.NAME_REVOKED,
    )
    operations = (upd(h11, w3), xfer(w3 >> w4), renew(w3))
    return tuple(
        step
        for reason, operation, moment in zip(reasons, operations, moments, strict=True)
        for step in (no(reason, operation), block, note(moment))
    )


THREE_NAMES = (
    ns(), pre(w2 >> w5), pre(w3 >> w6, "bar"), pre(w4 >> w7, "baz"), block,
    reg(w2 >> w5), reg(w3 >> w6, "bar"), reg(w4 >> w7, "baz"), block,
    upd(h11, w5), upd(h22, w6, "bar"), upd(h33, w7, "baz"), block,
    xfer(w5 >> w6), xfer(w6 >> w7, "bar"), xfer(w7 >> w5, "baz"), block,
)  # fmt: skip
THREE_DEAD = (
    ready(), np(w2 >> w5), np(w3 >> w6, "bar"), np(w4 >> w7, "baz"),
    each(lambda owner, name: own(owner, name, revoked=True, hash=None)),
)  # fmt: skip

ROWS = table(
    row("name_pre_reg_revoke", E1, BEGIN, revoke(w3), block, DEAD),
    row(
        "name_pre_reg_revoke_cantforce", E1, BEGIN, no(Reason.NOT_OWNER, revoke(w4)), block,
        own(w3, revoked=False), np(w2 >> w3), ready(),
    ),
    row(
        "name_pre_reg_xfer_revoke", E1, BEGIN, xfer(w3 >> w4), block, revoke(w4), block,
        own(w4, revoked=True, hash=None), ready(),
    ),
    row(
        "name_pre_reg_up_revoke", E1, BEGIN, upd(h11, w3), block, revoke(w3), block,
        no(Reason.NAME_NOT_REGISTERED, xfer(w3 >> w4)), block, DEAD,
    ),
    row(
        "name_pre_reg_revoke_isdead", E2, ns(life=10), p_r(w2 >> w3), revoke(w3), block,
        refused("a", "b", "c", gone=False), blocks(16), refused("d", "e", "f", gone=True),
        absent(), *(hist(moment, "NAME_REVOKE") for moment in "abcdef"),
    ),
    row(
        "name_pre_reg_up_xfer_revoke_verify_multi", E1, THREE_NAMES, each(revoke), blocks(5), THREE_DEAD,
    ),
    row(
        "name_pre_reg_up_xfer_renew_revoke_verify_multi", E1, THREE_NAMES, each(renew), block,
        each(lambda owner, name: own(owner, name, renewed=3)), each(revoke), blocks(5), THREE_DEAD,
        each(lambda owner, name: own(owner, name, renewed=3)),
    ),
    row(
        "name_pre_reg_up_revoke_reregister_update", E2, ns(life=10), p_r(w2 >> w3), upd(h00, w3), block,
        revoke(w3), block, refused("a", "b", "c", gone=False), blocks(16), refused("d", "e", "f", gone=True),
        p_r(w4 >> w0), upd(h11, w0), block, own(w0, hash=h11, revoked=False),
    ),
)  # fmt: skip


@ROWS
def test_revocation(lab, row):
    row.play(lab)
