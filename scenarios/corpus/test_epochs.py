"""Names and namespaces across the ends of epochs (spec 10 section 3.10). Heights are those of the catalogue."""

from bnslab import Reason
from bnslab.corpus.facts import absent, equal, hist, live, np, own, price, ready
from bnslab.corpus.rows import epoch_2_until, height_of, row, table, until, w0, w1, w2, w3, w4, w5, w6, w7, w8
from bnslab.corpus.steps import (
    block,
    blocks,
    forced,
    h00,
    h11,
    h22,
    h33,
    h44,
    h66,
    imp,
    no,
    note,
    ns,
    nspre,
    nsrdy,
    nsrev,
    p_r,
    pre,
    reg,
    renew,
    revealed,
    unsent,
    upd,
    xfer,
)  # fmt: skip

FULL = 6_400_000
"""Satoshis for foo.test in epochs 1 and 2."""
TENTH = 640_000
GRACE_5 = {"grace": (0, 0, 5)}
GRACE, TAKEN, UNPAID = Reason.NAME_IN_GRACE_PERIOD, Reason.NAME_TAKEN, Reason.NO_RENEWAL_FEE


def at(height):
    """The chain stands at a height of the catalogue."""
    return lambda play: equal(play, "height", height_of(height), play.lab.height)


def imported(owner=w3, **rules):
    """A namespace of short life, foo imported; launched in 692."""
    return (*revealed(life=2, **rules), imp(owner, h11), block, note("import"), nsrdy("test", w1), block, at(692))


def opened(*ids, payers, keys):
    """Several namespaces preordered, revealed and launched side by side, in three blocks."""
    trio = list(zip(ids, payers, keys, strict=True))
    return (
        *(nspre(id_, payer >> key) for id_, payer, key in trio), block,
        *(nsrev(id_, payer >> key) for id_, payer, key in trio), block,
        *(nsrdy(id_, key) for id_, _, key in trio), block,
    )  # fmt: skip


def paid(*ids, fees):
    """What the preorders of namespaces cost: those of one, two, four and eight characters."""
    return tuple(ready(id_, op_fee=fee) for id_, fee in zip(ids, fees, strict=True))


FEES = (4_100_000_000, 4_000_000_000, 400_000_000, 40_000_000)
TENTHS = (410_000_000, 400_000_000, 40_000_000, 4_000_000)
BATCH_1 = opened("t", "te", "test", "testtest", payers=(w0, w1, w2, w3), keys=(w1, w2, w3, w4))
BATCH_2 = opened("a", "as", "asdf", "asdfasdf", payers=(w5, w6, w7, w8), keys=(w1, w2, w3, w4))
BATCH_3 = opened("b", "bs", "bsdf", "bsdfasdf", payers=(w5, w6, w7, w8), keys=(w1, w2, w3, w4))
TWO_PAID = (
    paid("t", "te", "test", "testtest", fees=FEES), paid("a", "as", "asdf", "asdfasdf", fees=FEES)
)  # fmt: skip
LABELS = ["f" + "o" * count for count in range(32)] + ["j", "1"]
ROUTES = [f"/v1/prices/names/{label}.test" for label in LABELS]
ROUTES += [f"/v1/prices/namespaces/{'b' * length}" for length in range(1, 20)]


def quotes(play):
    """Every price as the interface tells it; once they are known, each must be a tenth of what it was."""
    told = [play.lab.node.get(route).json() for route in ROUTES]
    satoshis = [answer.get("name_price", answer)["satoshis"] for answer in told]
    if hasattr(play, "quoted"):
        equal(play, "prices", play.quoted, [each * 10 for each in satoshis])
    play.quoted = satoshis


def unchanged(opening):
    """Nothing has happened to the name since the block noted."""
    return lambda play: equal(play, "last operation", play.heights[opening], _last_operation(play))


def _last_operation(play):
    query = "SELECT max(block_id) FROM history WHERE history_id = 'foo.test'"
    return play.lab.node.state.connection.execute(query).fetchone()[0]


def taken(*heights, value_hash=None, owner=None, since="import"):
    """A registration by w1 for w2 in each of these blocks fails: the name is alive."""
    return tuple(
        (
            forced(TAKEN, reg(w1 >> w2, value_hash=value_hash)), block, at(height),
            *([unchanged(since)] if owner is None else [own(owner), unchanged(since)]),
        )
        for height in heights
    )  # fmt: skip


IMPORTED_THEN_PREORDERED = (
    imported(), block, blocks(3), at(696), own(w3, exp=0, ddl=5), pre(w3 >> w0), pre(w1 >> w2), block,
    taken(698, 699, 700, value_hash=h44),
)  # fmt: skip

ROWS = table(
    row("namespace_preorder_reveal_ready_nextepoch", until(690), BATCH_1, BATCH_2, TWO_PAID),
    row(
        "namespace_preorder_reveal_ready_nextepoch_epoch3", until(690, 693), BATCH_1, BATCH_2, BATCH_3,
        TWO_PAID, paid("b", "bs", "bsdf", "bsdfasdf", fees=TENTHS),
    ),
    row(
        "name_preorder_nextepoch_register", until(691), ns(), pre(w2 >> w3), block, at(692), pre(w3 >> w4, "bar"),
        block, reg(w2 >> w3), block, reg(w3 >> w4, "bar"), block,
        own(w3, fee=FULL), own(w4, "bar", fee=FULL), np(w2 >> w3), np(w3 >> w4, "bar"),
    ),
    row(
        "name_import_renew_nextepoch", until(697), revealed(), imp(w3, h11), block, note("import"),
        nsrdy("test", w1), block, blocks(10), renew(w3), blocks(2), own(w3, renewed=12, fee=float(FULL)),
        hist("import", "NAME_IMPORT", op_fee=float(FULL)), price("foo", FULL),
    ),
    row(
        "name_import_nextepoch_import_expire_reregister", until(701), revealed(life=5), imp(w3, h11), blocks(10),
        note("first"), block, imp(w4, h22), block, note("second"), block, nsrdy("test", w1), block, own(w4),
        blocks(10), absent(), p_r(w7 >> w8), own(w8, key=w7, fee=FULL), price("foo", FULL),
        hist("first", "NAME_IMPORT", value_hash=h11, address=w3, op_fee=float(FULL)),
        hist("second", "NAME_IMPORT", value_hash=h22, address=w4, op_fee=float(FULL)),
    ),
    row(
        "name_pre_reg_expire_nextepoch_reregister", until(698), ns(life=5), pre(w2 >> w3), block, note("preorder"),
        reg(w2 >> w3), block, at(693), note("registered"), blocks(5), block, pre(w2 >> w3), block,
        no(TAKEN, reg(w2 >> w3)), block, own(w3, first="registered"), blocks(2),
        pre(w3 >> w4), block, reg(w3 >> w4), block, note("last"),
        own(w4, first="last", created="preorder", fee=FULL), live(w2 >> w3, fee=FULL), np(w3 >> w4),
        hist("registered", "NAME_REGISTRATION", address=w3, op_fee=FULL),
    ),
    row(
        "name_pre_reg_nextepoch_expire_reregister", until(698), ns(life=5), pre(w2 >> w3), block, note("preorder"),
        reg(w2 >> w3), block, at(693), note("registered"), blocks(5), block, blocks(5), p_r(w2 >> w3), note("last"),
        own(w3, first="last", created="preorder", fee=FULL), np(w2 >> w3),
        hist("registered", "NAME_REGISTRATION", address=w3, op_fee=FULL),
    ),
    row(
        "name_pre_reg_nextepoch_renew", until(704), ns(life=11), p_r(w2 >> w3), at(693), note("registered"),
        blocks(10), block, blocks(10), renew(w3), blocks(2), own(w3, renewed=22, fee=FULL),
        hist("registered", "NAME_REGISTRATION", op_fee=FULL),
    ),
    row(
        "name_pre_epoch3_regup", epoch_2_until(693), ns(), pre(w2 >> w3), block, at(692),
        no(Reason.INVALID_NAME, reg(w2 >> w3, value_hash=h22)), block, absent(),
        reg(w2 >> w3, value_hash=h22), block, own(w3, hash=h22), np(w2 >> w3), ready(),
    ),
    row(
        "name_pre_reg_epoch3_newprices", epoch_2_until(693), ns(), p_r(w2 >> w3), at(693), quotes, block, quotes,
        renew(w3 >> w0, value_hash=h22), block, at(695), note("renewed"), own(w0, hash=h22, renewed_at="renewed"),
    ),
    row(
        "name_pre_reg_epoch3_renewxferup", epoch_2_until(694), ns(), p_r(w2 >> w3), at(693),
        no(Reason.INVALID_NAME, renew(w3 >> w0, value_hash=h22)), block, own(w3, renewed=0), block,
        renew(w3 >> w0, value_hash=h22), block, at(696), note("renewed"), own(w0, hash=h22, renewed_at="renewed"),
    ),
    row(
        "name_pre_reg_epoch3_renewxferup_renewxferup", epoch_2_until(694), ns(), p_r(w2 >> w3), at(693),
        no(Reason.INVALID_NAME, renew(w3 >> w0, value_hash=h22)), block, own(w3, renewed=0), block,
        renew(w3 >> w0, value_hash=h22), block, renew(w0 >> w1, value_hash=h33), block, at(697), note("renewed"),
        own(w1, hash=h33, renewed_at="renewed"),
    ),
    row(
        "name_import_nextepoch_epoch3_renewxferup", until(691, 692, **GRACE_5), imported(), own(w3, exp=4),
        renew(w3 >> w2, value_hash=h22), block, own(w2, hash=h22, exp=4, ddl=9, renewed=2),
        hist("import", "NAME_IMPORT", op_fee=float(FULL)), price("foo", TENTH),
    ),
    row(
        "name_import_nextepoch_epoch3_renewxferup_renewxferup", until(691, 692, **GRACE_5), imported(), own(w3, exp=4),
        renew(w3 >> w2, value_hash=h22), block, own(w2, hash=h22, exp=4, ddl=9), blocks(4), own(w2, exp=0, ddl=5),
        renew(w2 >> w4, value_hash=h33), block, own(w4, hash=h33, exp=4, ddl=9, renewed=7), price("foo", TENTH),
    ),
    row(
        "name_import_nextepoch_renew_epoch3_renewxferup", until(694, 696, **GRACE_5), imported(), block, at(693),
        own(w3, exp=1), renew(w3), block, block, at(695), own(w3, exp=3), block, own(w3, exp=2), block, own(w3, exp=1),
        blocks(5), at(702), renew(w3 >> w2, value_hash=h22), block, own(w2, hash=h22, exp=4, ddl=9, renewed=12),
        price("foo", TENTH),
    ),
    row(
        "name_import_nextepoch_transfer_epoch3_renewxferup", until(692, 694, **GRACE_5), imported(), own(w3, exp=2),
        block, own(w3, exp=3), xfer(w3 >> w4), block, own(w4, exp=2, ddl=2), block, own(w4, exp=1, ddl=6), block,
        at(696), forced(GRACE, upd(h66, w4)), renew(w4 >> w2, value_hash=h22), block, at(697),
        own(w2, hash=h22, exp=4, ddl=9, renewed=6), price("foo", TENTH),
    ),
    row(
        "name_import_update_nextepoch_update_epoch3_renewxferup", until(692, 694, **GRACE_5), imported(),
        own(w3, exp=2), upd(h00, w3), block, own(w3, exp=3, hash=h00), upd(h33, w3), block,
        own(w3, exp=2, ddl=2, hash=h33), upd(h44, w3), block, own(w3, exp=1, ddl=6, hash=h44), block, at(696),
        forced(GRACE, upd(h66, w3)), renew(w3 >> w2, value_hash=h22), block, at(697),
        own(w2, hash=h22, exp=4, ddl=9, renewed=6), price("foo", TENTH),
    ),
    row(
        "name_import_nextepoch_epoch3_expire_reregup", until(693, 695, **GRACE_5), imported(), own(w3, exp=2),
        blocks(2), own(w3, exp=2, ddl=2), blocks(2), at(696), own(w3, exp=0, ddl=5),
        *((unsent(UNPAID, pre(w3 >> w4)), block) for _ in range(4)), block, absent(),
        pre(w3 >> w4), block, reg(w3 >> w4, value_hash=h33), block, at(703), own(w4, hash=h33),
    ),
    row(
        "name_import_nextepoch_transfer_epoch3_expire_reregup", until(693, 695, **GRACE_5), imported(w2),
        own(w2, exp=2), blocks(2), own(w2, exp=2, ddl=2), xfer(w2 >> w0), block, block, at(696),
        own(w0, exp=0, ddl=5), blocks(5), absent(), pre(w3 >> w4), block, reg(w3 >> w4, value_hash=h33), block,
        at(703), own(w4, hash=h33),
    ),
    row(
        "name_import_nextepoch_epoch3_expire_grace", until(693, 695, **GRACE_5), IMPORTED_THEN_PREORDERED,
        taken(701), absent(), no(Reason.NOT_PREORDERED, reg(w1 >> w2, value_hash=h44)), block, at(702),
        no(Reason.NOT_PREORDERED, reg(w3 >> w0, value_hash=h33)), block, absent(),
    ),
    row(
        "name_import_nextepoch_epoch3_expire_grace_renewxferup", until(693, 695, **GRACE_5),
        IMPORTED_THEN_PREORDERED, no(TAKEN, reg(w1 >> w2)), renew(w3 >> w0, value_hash=h33), block,
        at(701), own(w0), forced(TAKEN, reg(w1 >> w2)), block, own(w0, hash=h33),
    ),
    row(
        "name_import_nextepoch_preorder_epoch3_expire_grace", until(693, 695, **GRACE_5), imported(),
        pre(w1 >> w2), block, at(693), taken(694, 695, 696, 697, owner=w3), taken(698, 699, value_hash=h44, owner=w3),
        pre(w3 >> w0), taken(700, value_hash=h44, owner=w3), forced(UNPAID, reg(w3 >> w0)), block, at(701),
        absent(), no(Reason.NOT_PREORDERED, reg(w1 >> w2)), block, absent(),
        reg(w3 >> w0, value_hash=h33), block, at(703), own(w0, hash=h33),
    ),
    row(
        "name_pre_reg_nextepoch_preorder_epoch3_expire_grace", until(693, 695, grace=(0, 0, 4)),
        revealed(life=2), nsrdy("test", w1), block, pre(w2 >> w3), pre(w1 >> w2), block, reg(w2 >> w3), block,
        at(693), note("registered"), taken(694, owner=w3, since="registered"), own(w3, exp=3, ddl=3),
        taken(695, 696, owner=w3, since="registered"), own(w3, exp=1, ddl=5), pre(w3 >> w0),
        taken(697, 698, 699, 700, owner=w3, since="registered"), taken(701, since="registered"),
        taken(702, since="registered"), absent(), no(Reason.NOT_PREORDERED, reg(w1 >> w2)), block, absent(),
        no(Reason.NOT_PREORDERED, reg(w3 >> w0, value_hash=h44)), block, at(704), absent(),
    ),
    # zone files and profiles are no matter of the chain: what is left is who owns the name, and until when
    row(
        "name_import_lookup_expire_grace_renewxferup", until(693, 695, **GRACE_5), imported(), blocks(3), at(695),
        own(w3, exp=1, ddl=1), block, own(w3, exp=0, ddl=5), blocks(4), at(700), own(w3, ddl=1),
        renew(w3 >> w0, value_hash=h22), block, block, at(702), own(w0, hash=h22),
    ),
)  # fmt: skip


@ROWS
def test_epochs(lab, row):
    row.play(lab)
