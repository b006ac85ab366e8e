"""Expiry, grace period, registration again (spec 10 section 3.8). L is a lifetime, m its multiplier, G the grace."""

from bnslab import Reason, epochs
from bnslab.corpus.facts import CH_1, absent, equal, hist, np, own, ready
from bnslab.corpus.rows import E1, E2, WALLETS, row, table, w0, w1, w2, w3, w4, w7, w8
from bnslab.corpus.steps import (
    block,
    blocks,
    forced,
    h,
    h11,
    h22,
    h33,
    h44,
    h55,
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
    revoke,
    save,
    upd,
    xfer,
)  # fmt: skip

NO_GRACE = epochs(3, lifetime=1, grace=0)
GRACE_1 = epochs(3, lifetime=1, grace=1)
GRACE_5 = epochs(3, lifetime=1, grace=5)
CHEAP = {"coeff": 4, "base": 4}
FOOS = ("foo1", "foo2", "foo3")
BEFORE, AFTER = (h11, h22, h33), (h(0x1A), h(0x2A), h(0x3A))

FIRST = (*ns(life=5), *p_r(w2 >> w3))
GONE = (Reason.NO_SUCH_NAME, Reason.NAME_NOT_REGISTERED, Reason.NOT_PREORDERED, Reason.NAME_NOT_REGISTERED)


def imported(*then, **rules):
    """`…`: foo imported for w3 with h11, its height noted, the namespace ready."""
    return (*revealed(**rules), imp(w3, h11), block, note("import"), *then, nsrdy("test", w1), block)


def refused(reasons, *operations):
    """Operations that fail, a block each, their heights noted."""
    pairs = enumerate(zip(reasons, operations, strict=True))
    return tuple((no(*pair), block, note(f"dead {place}")) for place, pair in pairs)


def was(opcode, count, **fields):
    """What the name was when those operations failed."""
    return tuple(hist(f"dead {place}", opcode, **fields) for place in range(count))


def three(op, who, values=(None, None, None)):
    """The same for three names, each with a value hash of its own."""
    return tuple(op(who, name, *([value] if value else [])) for name, value in zip(FOOS, values, strict=True))


def owned(who, values):
    """The three names belong to a wallet and have these value hashes."""
    return tuple(own(who, name, hash=value) for name, value in zip(FOOS, values, strict=True))


def updated(who, values):
    """The three names updated."""
    return tuple(upd(value, who, name) for name, value in zip(FOOS, values, strict=True))


def at_once(pair, value_hash):
    """`[…]`: preorder and registration in one block."""
    return pre(pair), reg(pair, value_hash=value_hash)


def counts(live, ever):
    """Names alive and names ever, as the interface tells."""

    def step(play):
        route = "/v1/blockchains/bitcoin/name_count"
        told = [play.lab.node.get(path).json()["names_count"] for path in (route, f"{route}?all=true")]
        equal(play, "name counts", [live, ever], told)

    return step


def delayed(op):
    """An operation that uses the consensus hash saved before it, then one block and two more."""
    return op, block, save("c"), blocks(2)


def owners(number):
    """The payer of round `number`, and the owner after it."""
    return WALLETS[number], WALLETS[number + 1]


def up_xfer(number, *after):
    """Registered, updated by its owner, handed back to the payer; then what else."""
    payer, owner = owners(number)
    return (
        p_r(payer >> owner), upd(h(number), owner), block, note(f"up {number}"),
        xfer(owner >> payer), block, note(f"xfer {number}"), *after,
    )  # fmt: skip


def up_xfer_history(*numbers):
    """What those rounds left."""
    return tuple(
        step
        for number in numbers
        for step in (
            hist(f"up {number}", "NAME_UPDATE", value_hash=h(number)),
            hist(f"xfer {number}", "NAME_TRANSFER", address=WALLETS[number]),
        )
    )


def up_xfer_delayed(number):
    payer, owner = owners(number)
    return (
        delayed(pre(payer >> owner, ch="c")), delayed(reg(payer >> owner)), delayed(upd(h(number), owner, ch="c")),
        note(f"up {number}"), delayed(xfer(owner >> payer, ch="c")), note(f"xfer {number}"),
    )  # fmt: skip


def xfer_up_delayed(number):
    payer, owner = owners(number)
    return (
        delayed(pre(payer >> owner, ch="c")), delayed(reg(payer >> owner)), delayed(xfer(owner >> payer, ch="c")),
        note(f"xfer {number}"), delayed(upd(h(number), payer, ch="c")), note(f"up {number}"),
    )  # fmt: skip


def renewed_round(number, *after):
    payer, _ = owners(number)
    return (*up_xfer(number), renew(payer), block, note(f"renew {number}"), *after)


ROWS = table(
    row("name_pre_reg_expire", E2, FIRST, blocks(10), block, ready(), np(w2 >> w3), absent()),
    row("name_pre_reg_expire_failure", E2, FIRST, blocks(5), block, own(w3)),
    row(
        "name_pre_reg_expire_isdead", E2, ns(life=2), p_r(w2 >> w3), blocks(5),
        refused(GONE, upd(h11, w3), xfer(w3 >> w4), renew(w3), revoke(w3)), absent(), was("NAME_REGISTRATION", 4),
    ),
    row(
        "name_pre_reg_expire_num_names", E2, ns(life=5), counts(0, 0), p_r(w2 >> w3), counts(1, 1),
        blocks(10), block, counts(0, 1), p_r(w2 >> w3, "foo2"), counts(1, 2), p_r(w2 >> w3), counts(2, 2),
        own(w3), own(w3, "foo2"),
    ),
    row(
        "name_pre_reg_expire_reregister", E1, ns(life=5), pre(w2 >> w3), block, note("first preorder"),
        reg(w2 >> w3), block, blocks(5), block, p_r(w2 >> w3), note("again"),
        own(w3, first="again", created="first preorder"), np(w2 >> w3), ready(),
    ),
    row(
        "name_pre_reg_expire_reregister_multi", E1, ns(life=2),
        *((p_r(WALLETS[r] >> WALLETS[r + 1]), blocks(4), p_r(w3 >> w4), blocks(3)) for r in range(3)), ready(),
    ),
    row(
        "name_pre_reg_expire_reregister_parallel", E1, ns(life=2), pre(w2 >> w3), pre(w3 >> w4), block,
        reg(w2 >> w3), block, blocks(4), no(Reason.NOT_PREORDERED, reg(w3 >> w4)), block, np(w2 >> w3), absent(),
    ),
    row(
        "name_pre_reg_grace_expire", GRACE_5, ns(life=4, **CHEAP), p_r(w2 >> w3), blocks(3),
        no(Reason.NAME_IN_GRACE_PERIOD, upd(h22, w3)), block, own(w3, hash=None),
        forced(Reason.NAME_IN_GRACE_PERIOD, xfer(w3 >> w4)), block, own(w3),
        forced(Reason.NAME_IN_GRACE_PERIOD, revoke(w3)), block, own(w3, revoked=False),
        renew(w3), block, own(w3, renewed=7),
    ),
    row(
        "name_pre_reg_renew_expire_multi", E1, ns(life=3), p_r(w2 >> w3), blocks(2), own(w3), renew(w3), blocks(5),
        absent(), p_r(w3 >> w2), blocks(2), own(w2), renew(w2), blocks(2),
        own(w2, renewed=3), np(w2 >> w3), np(w3 >> w2),
    ),
    row(
        "name_pre_reg_reregister_newowner", E2, ns(life=1), pre(w2 >> w3), block, note("first preorder"),
        reg(w2 >> w3), block, blocks(2), p_r(w3 >> w4), blocks(2), p_r(w4 >> w0), note("last"),
        own(w0, first="last", created="first preorder"),
    ),
    row(
        "name_pre_reg_reregister_sameowner", E2, ns(life=1), pre(w2 >> w3), block, note("first preorder"),
        reg(w2 >> w3), block, blocks(2), p_r(w2 >> w3), blocks(2), p_r(w2 >> w3), note("last"),
        own(w3, first="last", created="first preorder"),
    ),
    row(
        "name_pre_reg_revoke_reregister", E2, ns(life=10), p_r(w2 >> w3), revoke(w3), block,
        no(Reason.NO_SUCH_NAME, upd(h11, w3)), block, no(Reason.NAME_NOT_REGISTERED, xfer(w3 >> w4)), block,
        no(Reason.NAME_REVOKED, renew(w3)), block, blocks(16),
        refused(GONE[:3], upd(h11, w3), xfer(w3 >> w4), renew(w3)),
        p_r(w3 >> w4), own(w4, hash=None, revoked=False), np(w3 >> w4), ready(), was("NAME_REVOKE", 3),
    ),
    row(
        "name_pre_reg_revoke_reregister_newowner", E2, ns(life=10), p_r(w2 >> w3), revoke(w3), block,
        no(Reason.NO_SUCH_NAME, upd(h11, w3)), block, note("a"),
        no(Reason.NAME_NOT_REGISTERED, xfer(w3 >> w4)), block, note("b"),
        no(Reason.NAME_REVOKED, renew(w3)), block, note("c"), blocks(16),
        refused(GONE[:3], upd(h11, w3), xfer(w3 >> w4), renew(w3)),
        p_r(w4 >> w0), own(w0, hash=None, revoked=False), was("NAME_REVOKE", 3),
        *(hist(moment, "NAME_REVOKE") for moment in "abc"),
    ),
    row(
        "name_pre_reg_up_expire_reregister", E2, ns(life=1),
        *(
            (
                p_r(WALLETS[i] >> WALLETS[(i + 1) % 11]), upd(h(i), WALLETS[(i + 1) % 11]), block, note(f"up {i}"),
                *([block] if i < 10 else []),
            )
            for i in range(2, 11)
        ),
        own(w0, hash=h(10)), *(hist(f"up {i}", "NAME_UPDATE", value_hash=h(i)) for i in range(2, 11)),
    ),
    row(
        "name_pre_reg_up_expire_reregister_failure", E2, ns(life=2), p_r(w2 >> w3), upd(h(2), w3), block,
        pre(w3 >> w4), block, no(Reason.RECIPIENT_NOT_OWNER, reg(w3 >> w4)), block, own(w3, hash=h(2)),
    ),
    row(
        "name_pre_reg_up_expire_reregup", NO_GRACE, ns(life=2), three(pre, w2 >> w3), block,
        three(reg, w2 >> w3), block,
        updated(w3, BEFORE), block,
        owned(w3, BEFORE), blocks(4),
        three(pre, w3 >> w2), block, three(reg, w3 >> w2, AFTER), block,
        owned(w2, AFTER),
        *(np(pair, n) for pair in (w2 >> w3, w3 >> w2) for n in FOOS),
    ),
    row(
        "name_pre_reg_up_xfer_expire_reregister", E2, ns(life=2),
        up_xfer(2, blocks(3)), up_xfer(3, blocks(3)), up_xfer(4), own(w4, hash=h(4)), up_xfer_history(2, 3, 4),
    ),
    row(
        "name_pre_reg_up_xfer_expire_reregister_delays", E2, ns(life=10), save("c"), blocks(2),
        up_xfer_delayed(2), blocks(10), save("c"), blocks(3),
        up_xfer_delayed(3), blocks(10), save("c"), blocks(3), up_xfer_delayed(4),
        own(w4, hash=h(4)), up_xfer_history(2, 3, 4),
    ),
    row(
        "name_pre_reg_up_xfer_expire_reregister_failure", E2, ns(life=3), up_xfer(2),
        pre(w3 >> w4), block, no(Reason.NAME_TAKEN, reg(w3 >> w4)), block,
        no(Reason.NO_SUCH_NAME, upd(h(3), w4)), block, no(Reason.NOT_OWNER, xfer(w4 >> w3)), block,
        own(w2, hash=h(2)),
    ),
    row(
        "name_pre_reg_up_xfer_renew_expire_reregister", E2, ns(life=2),
        renewed_round(2, blocks(4)), renewed_round(3, blocks(4)), renewed_round(4, blocks(3)),
        own(w4, hash=h(4)), up_xfer_history(2, 3, 4), *(hist(f"renew {i}", "NAME_RENEWAL", op="::") for i in (2, 3, 4)),
    ),
    row(
        "name_pre_reg_up_xfer_renew_expire_reregister_failure", E2, ns(life=4), renewed_round(2),
        pre(w3 >> w4), block, no(Reason.NAME_TAKEN, reg(w3 >> w4)), block,
        no(Reason.NO_SUCH_NAME, upd(h(3), w4)), block, no(Reason.NOT_OWNER, xfer(w4 >> w3)), block,
        no(Reason.RECIPIENT_NOT_OWNER, renew(w4)), block, own(w2, hash=h(2)),
    ),
    row(
        "name_pre_reg_xfer_up_expire_rereg_delays_failure", E2, ns(life=10), save("c"), blocks(2), xfer_up_delayed(2),
        delayed(pre(w3 >> w4, ch="c")), delayed(no(Reason.NAME_TAKEN, reg(w3 >> w4))),
        delayed(no(Reason.NOT_OWNER, xfer(w4 >> w3, ch="c"))),
        delayed(no(Reason.NO_SUCH_NAME, upd(h(3), w3, ch="c"))), own(w2, hash=h(2)),
    ),
    row(
        "name_pre_reg_xfer_update_expire_reregister_delays", E2, ns(life=10), save("c"), blocks(2),
        xfer_up_delayed(2), block, blocks(11), save("c"), blocks(2),
        xfer_up_delayed(3), block, blocks(11), save("c"), blocks(2), xfer_up_delayed(4),
        own(w4, hash=h(4)), up_xfer_history(2, 3, 4),
    ),
    row(
        "name_pre_regup_expire_reregup", NO_GRACE, ns(life=2), three(pre, w2 >> w3), block,
        three(reg, w2 >> w3, BEFORE), block,
        owned(w3, BEFORE), blocks(5),
        three(pre, w3 >> w2), block, three(reg, w3 >> w2, AFTER), block,
        owned(w2, AFTER),
        *(np(pair, n) for pair in (w2 >> w3, w3 >> w2) for n in FOOS),
    ),
    row(
        "name_pre_regup_expire_reregup_sameblock", GRACE_1, ns(life=1),
        at_once(w2 >> w3, h11), block, own(w3, hash=h11), blocks(3),
        at_once(w3 >> w2, h22), block, own(w2, hash=h22), blocks(3),
        at_once(w2 >> w3, h33), block, own(w3, hash=h33), blocks(3),
        at_once(w3 >> w4, h44), block, own(w4, hash=h44), blocks(3),
        at_once(w2 >> w3, h55), block, own(w3, hash=h55),
    ),
    row(
        "name_pre_regup_up_expire_reregup_up_sameblock", GRACE_1, ns(life=2),
        at_once(w2 >> w3, h11), block, upd(h(1), w3), blocks(4),
        at_once(w3 >> w2, h22), block, own(w2, hash=h22), blocks(4),
        at_once(w2 >> w3, h33), blocks(5), at_once(w3 >> w4, h44), block, own(w4, hash=h44), blocks(4),
        at_once(w2 >> w3, h55), block, own(w3, hash=h55),
    ),
    row(
        "name_import_expire_isdead", E1, imported(life=2), blocks(5),
        refused(GONE, upd(h22, w3), xfer(w3 >> w4), renew(w3), revoke(w3)), absent(),
        hist("import", "NAME_IMPORT", value_hash=h11, address=w3), was("NAME_IMPORT", 4),
    ),
    row(
        "name_import_expire_reregister", E1, imported(life=10), blocks(20), p_r(w7 >> w8), own(w8, key=w7),
        hist("import", "NAME_IMPORT", value_hash=h11, address=w3),
    ),
    row(
        "name_import_import_expire_reregister", E1,
        imported(block, imp(w4, h22), block, note("second"), block, life=10), blocks(20), p_r(w7 >> w8),
        own(w8, key=w7), hist("import", "NAME_IMPORT", value_hash=h11, address=w3),
        hist("second", "NAME_IMPORT", value_hash=h22, address=w4),
    ),
    row(
        "name_import_renew_transfer_expire_reregister", E2, imported(life=6), blocks(6), renew(w3), block,
        xfer(w3 >> w4), block, note("moved"), blocks(12), p_r(w7 >> w8), own(w8, key=w7, hash=None),
        hist("moved", "NAME_TRANSFER", address=w4),
    ),
    row(
        "name_import_renew_update_expire_reregister", E2, imported(life=6), blocks(6), renew(w3), block,
        upd(h22, w3), block, note("up"), blocks(12), p_r(w7 >> w8), own(w8, key=w7, hash=None, renewed=0),
        hist("up", "NAME_UPDATE", value_hash=h22),
    ),
    row(
        "name_import_revoke_expire_reregister", E2, imported(life=6), blocks(6), renew(w3), block,
        revoke(w3), block, note("dead"), blocks(12), p_r(w7 >> w8), note("again"),
        own(w8, key=w7, hash=None, renewed=0, first="again"), hist("dead", "NAME_REVOKE"),
    ),
    row(
        "name_imp_xfer_update_xfer_expire_rereg_xfer_up", E1, imported(life=10),
        xfer(w3 >> w4), block, own(w4, ch=CH_1), save("c"), upd(h22, w4), block, own(w4, ch="c"),
        xfer(w4 >> w3), block, own(w3, ch="c"), blocks(20), p_r(w7 >> w8), own(w8, ch=None),
        xfer(w8 >> w0), block, own(w0, ch=CH_1), xfer(w0 >> w8), block, own(w8, ch=CH_1),
        upd(h33, w8), block, own(w8, ch=CH_1, hash=h33, key=None),
        hist("import", "NAME_IMPORT", value_hash=h11, address=w3),
    ),
)  # fmt: skip


@ROWS
def test_expiry(lab, row):
    row.play(lab)
