"""How many names one owner may have (spec 10 section 3.9)."""

from bnslab import Reason
from bnslab.corpus.facts import absent, own
from bnslab.corpus.rows import E1, WALLETS, row, table, w1, w2, w3, w4
from bnslab.corpus.steps import (
    block,
    blocks,
    forced,
    h11,
    h22,
    h33,
    h44,
    h55,
    h66,
    imp,
    no,
    ns,
    nsrdy,
    pre,
    reg,
    revealed,
    revoke,
    unsent,
    upd,
    xfer,
)  # fmt: skip

FULL = 25
FOOS = [f"foo{number}" for number in range(FULL)]
BARS = [f"bar{number}" for number in range(FULL + 1)]
TOO_MANY = Reason.TOO_MANY_NAMES
ONE_MORE = (pre(w2 >> w3, "bar"), block, no(TOO_MANY, reg(w2 >> w3, "bar")), block, absent("bar"))
ALL_OWNED = tuple(own(w3, name) for name in FOOS)


def by_turns(op, names, *payers):
    return tuple(op(payers[place % len(payers)] >> w3, name) for place, name in enumerate(names))


ROWS = table(
    row(
        "name_pre_reg_quota", E1, ns(), by_turns(pre, FOOS, w2), block, by_turns(reg, FOOS, w2), block, ONE_MORE,
        ALL_OWNED,
    ),
    row(
        "name_pre_reg_quota_sameblock", E1, ns(), by_turns(pre, [*FOOS, "foo25"], w2, w3), block,
        by_turns(reg, FOOS, w2, w3), no(TOO_MANY, reg(w2 >> w3, "foo26")), block,
        unsent(TOO_MANY, pre(w2 >> w3, "bar")), pre(w2 >> w3, "bar"), block,
        forced(TOO_MANY, reg(w2 >> w3, "bar")), block, absent("bar"),
        ALL_OWNED, absent("foo25", "foo26"),
    ),
    row(
        "name_pre_reg_sameblock_quota", E1, ns(),
        *((pre(WALLETS[2 + i % 4] >> w3, name), reg(WALLETS[2 + i % 4] >> w3, name)) for i, name in enumerate(FOOS)),
        block, ONE_MORE, ALL_OWNED, absent("foo26"),
    ),
    row(
        "namespace_preorder_reveal_import_multi_ready_quota", E1, revealed(), imp(w2, h11), block,
        *((imp(w3, h22, name), *([block] if place % 2 else [])) for place, name in enumerate(FOOS)), block,
        *(imp(w4, h33, name) for name in BARS), block, nsrdy("test", w1), block,
        no(TOO_MANY, pre(w3 >> w1, "foofail")), block, no(Reason.NOT_PREORDERED, reg(w3 >> w1, "foofail")), block,
        upd(h55, w3, "foo0"), block,
        no(TOO_MANY, pre(w4 >> w2, "barfail")), block, no(Reason.NOT_PREORDERED, reg(w4 >> w2, "barfail")), block,
        no(TOO_MANY, upd(h44, w4, "bar0")), block, xfer(w4 >> w1, "bar0"), block,
        no(Reason.NO_SUCH_NAME, upd(h44, w4, "bar0")), block, revoke(w4, "bar2"), block, upd(h66, w4, "bar1"), block,
        own(w3, "foo0", hash=h55), *(own(w3, name, hash=h22) for name in FOOS[1:]),
        own(w1, "bar0", hash=h33), own(w4, "bar1", hash=h66), own(w4, "bar2", revoked=True),
        *(own(w4, name, hash=h33) for name in BARS[3:]), absent("foofail", "barfail"),
    ),
)  # fmt: skip


@ROWS
def test_quota(lab, row):
    row.play(lab)


def test_the_catalogue_counts_from_the_end_of_a_block(lab):
    """Not in the catalogue: the 25th name of a block is in, the 26th is out, whatever their order."""
    names = [*FOOS, "more"]
    steps = (ns(), by_turns(pre, names, w2), block, by_turns(reg, names[::-1][:FULL], w2))
    row("", E1, steps, no(TOO_MANY, reg(w2 >> w3, names[0])), blocks(2), absent(names[0])).play(lab)
