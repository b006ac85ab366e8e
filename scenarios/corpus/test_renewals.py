"""Renewals (spec 10 section 3.4)."""

from bnslab import Reason
from bnslab.corpus.facts import CH_1, np, own, ready
from bnslab.corpus.rows import E1, E3, row, table, w0, w1, w2, w3, w4
from bnslab.corpus.steps import block, blocks, h11, h22, no, ns, p_r, renew, save, upd, xfer

BEGIN = (*ns(), *p_r(w2 >> w3))
PLAIN = (np(w2 >> w3), ready())


def moved(old, new):
    return xfer(old >> new), block, own(new, ch=CH_1), save_record


def save_record(play):
    play.hashes["record"] = play.lab.name("foo.test").record.consensus_hash


ROWS = table(
    row("name_pre_reg_renew", E1, BEGIN, blocks(10), renew(w3), blocks(2), own(w3, renewed=11), PLAIN),
    row(
        "name_pre_reg_renew_renew", E1, BEGIN, blocks(10), renew(w3), blocks(2), renew(w3), block,
        own(w3, renewed=13), PLAIN,
    ),
    row(
        "name_pre_reg_renew_cantforce", E1, BEGIN, blocks(10), no(Reason.RECIPIENT_NOT_OWNER, renew(w4)), blocks(2),
        own(w3, renewed=0), PLAIN,
    ),
    row(
        "name_pre_reg_renew_transfer_update", E1, BEGIN, block, renew(w3), blocks(2), xfer(w3 >> w4), block,
        upd(h11, w4), blocks(2), own(w4, hash=h11, renewed=2), PLAIN,
    ),
    row(
        "name_pre_reg_renew_update_transfer", E1, BEGIN, block, renew(w3), blocks(2), upd(h11, w3), blocks(2),
        xfer(w3 >> w4), block, own(w4, hash=h11, renewed=2), PLAIN,
    ),
    row(
        "name_pre_reg_xfer_renew", E1, BEGIN, xfer(w3 >> w4), block, renew(w4), block,
        own(w4, hash=None, renewed=2), PLAIN,
    ),
    row(
        "name_pre_reg_xfer_renew_update", E1, BEGIN, xfer(w3 >> w4), block, renew(w4), block, upd(h11, w4), block,
        own(w4, hash=h11, renewed=2), PLAIN,
    ),
    row(
        "name_pre_reg_xfer_renew_xfer", E1, BEGIN, moved(w3, w4), renew(w4), block, own(w4, ch="record", renewed=2),
        moved(w4, w3), own(w3, renewed=2), PLAIN,
    ),
    row(
        "name_pre_reg_xfer_renew_xfer_update", E1, BEGIN, moved(w3, w4), renew(w4), block,
        own(w4, ch="record", renewed=2), moved(w4, w3), upd(h11, w3), block, own(w3, hash=h11, renewed=2, ch=CH_1),
        PLAIN,
    ),
    row(
        "name_pre_reg_xfer_xfer_renew_xfer", E1, BEGIN, moved(w3, w4), moved(w4, w3), renew(w3), block,
        own(w3, ch="record", renewed=3), moved(w3, w4), own(w4, renewed=3), PLAIN,
    ),
    row(
        "name_pre_reg_up_renew", E1, BEGIN, upd(h11, w3), block, renew(w3), block, own(w3, hash=h11, renewed=2), PLAIN,
    ),
    row(
        "name_pre_reg_renewxferup", E3, BEGIN, renew(w3), block, own(w3, hash=None),
        renew(w3 >> w0, value_hash=h22), block, own(w0, hash=h22), renew(w0 >> w1), block,
        own(w1, hash=h22, renewed=3), np(w3 >> w0), np(w0 >> w1), PLAIN,
    ),
    row(
        "name_pre_reg_xfer_renewxferup_multi", E3, BEGIN, renew(w3), block, own(w3, hash=None),
        xfer(w3 >> w4), block, own(w4, hash=None), renew(w4, value_hash=h11), block, own(w4, hash=h11),
        xfer(w4 >> w1), block, own(w1, hash=h11), renew(w1 >> w0, value_hash=h22), block, own(w0, hash=h22),
        xfer(w0 >> w2), block, own(w2, hash=h22), renew(w2 >> w1), block, own(w1, hash=h22, renewed=7),
    ),
)  # fmt: skip


@ROWS
def test_renewal(lab, row):
    row.play(lab)


def test_the_consensus_hash_of_a_record_is_remembered(lab):
    """What the rows above compare with is not None by accident."""
    play = row("", E1, BEGIN, save("before"), moved(w3, w4)).play(lab)
    assert play.hashes["record"] == play.hashes["before"]
