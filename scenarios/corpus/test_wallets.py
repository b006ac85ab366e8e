"""Multisig and segwit wallets as creators, payers and owners (spec 10 section 3.12)."""

from bnslab import Reason, epochs
from bnslab.corpus.facts import absent, live, np, own, ready, received
from bnslab.corpus.rows import (
    E2L1,
    MULTISIG,
    SEGWIT,
    SEGWIT_MULTISIG,
    WALLETS,
    row,
    table,
    until,
    w0,
    w1,
    w2,
    w3,
    w4,
    w5,
    w6,
    w7,
    w9,
    w10,
)  # fmt: skip
from bnslab.corpus.sequences import CONDENSED, condensed_with
from bnslab.corpus.steps import (
    block,
    blocks,
    h00,
    h11,
    h22,
    h33,
    h44,
    h77,
    h88,
    h99,
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
    revoke,
    save,
    upd,
    xfer,
)  # fmt: skip

FULL = 6_400_000
E3L1 = epochs(3, lifetime=1)
E3G5 = epochs(3, grace=5)
NO_MULTISIG = Reason.MULTISIG_NOT_SUPPORTED
NAMES = ("foo", "bar", "baz")
READY = (nsrdy("test", w1), block)


def all_are(kind, *wallets):
    return dict.fromkeys(wallets, kind)


def multisig(first, last):
    return all_are(MULTISIG, *WALLETS[first : last + 1])


def each(op, owners):
    return tuple(op(owner, name) for name, owner in zip(NAMES, owners, strict=True))


def updated(hashes, owners):
    return tuple(upd(value, owner, name) for name, owner, value in zip(NAMES, owners, hashes, strict=True))


def handed_on(before, after):
    return tuple(xfer(old >> new, name) for name, old, new in zip(NAMES, before, after, strict=True))


BEFORE, AFTER = (w5, w6, w7), (w6, w7, w5)
REGISTERED = (*ns(), *p_r(w2 >> w3))
CONDENSED_END = (own(w4, hash=h11), ready())
DELAYS = condensed_with(
    (None,) * 5, ("ready",) * 5, None,
    (None, None, None, "ready", "ready", None, None, None, None, "ready"),
)  # fmt: skip
IMPORT_DELAYS = condensed_with(
    ("c1",) * 5, ("c1", "c2", "c2", "c1", "c2"), "c1",
    ("c1", "c2", None, "c3", "c3", "c2", "c3", "c1", "c2", "c1"),
)  # fmt: skip


IMPORT_UPDATE_TRANSFER = (
    revealed(), imp(w9, h11), block, READY, upd(h22, w9), block, xfer(w9 >> w10), block, own(w10, hash=h22)
)  # fmt: skip


def two_namespaces(burner, creator):
    """`test` burns its fees and `mult` pays its creator; one of the two wallets and some owners are special."""
    first, second = burner >> w1, creator >> w2
    keys = [w2.child(number) for number in range(3)]
    return (
        nspre("test", first), nspre("mult", second), block,
        nsrev("test", first), nsrev("mult", second, version=2), block,
        imp(w2, h00, "foo.mult", by=w2), block,
        imp(w3, h11, "bar.mult", by=keys[0]), imp(w4, h22, "baz.mult", by=keys[1]),
        imp(w5, h33, "goo.mult", by=keys[2]), block, nsrdy("test", w1), nsrdy("mult", w2), block, note("open"),
        pre(w1 >> w2, "hello.mult"), pre(w6 >> w7, "world.mult"), renew(w2, "foo.mult"), block,
        received(creator, 640_000 + 40_000 + 40_000, since="open"),
        reg(w1 >> w2, "hello.mult"), reg(w6 >> w7, "world.mult", h44), block,
        ready("test", address=burner), ready("mult", address=creator),
        own(w2, "foo.mult", hash=h00), own(w3, "bar.mult", hash=h11), own(w4, "baz.mult", hash=h22),
        own(w5, "goo.mult", hash=h33), own(w2, "hello.mult"), own(w7, "world.mult", hash=h44),
    )  # fmt: skip


ROWS = table(
    row("name_pre_reg_multisig", E2L1, REGISTERED, own(w3), np(w2 >> w3), ready(), kinds=multisig(2, 3)),
    row("name_pre_reg_segwit", E2L1, REGISTERED, own(w3), np(w2 >> w3), ready(), kinds=all_are(SEGWIT, w2, w3)),
    row(
        "name_pre_reg_segwit_multisig", E2L1, REGISTERED, own(w3), np(w2 >> w3), ready(),
        kinds=all_are(SEGWIT_MULTISIG, w2, w3),
    ),
    row(
        "name_pre_reg_nextepoch_register_multisig", until(694), ns(), pre(w2 >> w3), block,
        no(NO_MULTISIG, reg(w2 >> w3)), block, live(w2 >> w3), absent(), pre(w3 >> w4, "bar"), block,
        reg(w2 >> w3), block, reg(w3 >> w4, "bar"), block, own(w3, fee=FULL), own(w4, "bar", fee=FULL),
        np(w2 >> w3), np(w3 >> w4, "bar"), kinds=multisig(2, 3),
    ),
    row(
        "name_pre_reg_xfer_transfer_nextepoch_transfer_multisig", until(695), ns(), p_r(w3 >> w4),
        xfer(w4 >> w2), block, no(NO_MULTISIG, xfer(w2 >> w1)), block, xfer(w2 >> w0), block,
        own(w0), np(w3 >> w4), kinds=multisig(2, 3),
    ),
    row(
        "name_pre_reg_up_xfer_renew_revoke_verify_multi_multisig", E2L1, ns(),
        pre(w2 >> w5), pre(w3 >> w6, "bar"), pre(w4 >> w7, "baz"), block,
        reg(w2 >> w5), reg(w3 >> w6, "bar"), reg(w4 >> w7, "baz"), block,
        updated((h11, h22, h33), BEFORE), block, handed_on(BEFORE, AFTER), block,
        each(renew, AFTER), block, each(revoke, AFTER), blocks(5),
        each(lambda owner, name: own(owner, name, revoked=True, hash=None, renewed=3), AFTER),
        np(w2 >> w5), np(w3 >> w6, "bar"), np(w4 >> w7, "baz"), kinds=multisig(2, 13),
    ),
    row(
        "name_pre_reg_xfer_update_transfer_condensed_multisig", E2L1, REGISTERED, CONDENSED, CONDENSED_END,
        kinds=multisig(2, 5),
    ),
    row(
        "name_pre_reg_xfer_up_xfer_condensed_multisig_singlesig", E2L1, REGISTERED, CONDENSED, CONDENSED_END,
        kinds=multisig(2, 4),
    ),
    row(
        "name_pre_reg_xfer_up_xfer_condensed_multi_single_delays", E2L1, ns(), save("ready"),
        pre(w2 >> w3, ch="ready"), block, reg(w2 >> w3), block, DELAYS, CONDENSED_END, kinds=multisig(2, 4),
    ),
    row(
        "name_imp_xfer_up_xfer_condensed_multisig", E2L1, revealed(), imp(w3, h11), block, READY, CONDENSED,
        CONDENSED_END, kinds=multisig(2, 5),
    ),
    row(
        "name_imp_xfer_up_xfer_condensed_multisig_singlesig", E2L1, revealed(), imp(w3, h11), block, READY,
        CONDENSED, CONDENSED_END, kinds=multisig(2, 4),
    ),
    row(
        "name_imp_xfer_up_xfer_condensed_multisig_delays", E2L1, revealed(), save("c1"), imp(w3, h11), block,
        READY, save("c2"), IMPORT_DELAYS, CONDENSED_END, kinds=multisig(2, 5),
    ),
    row("name_import_update_transfer_multisig", E3L1, IMPORT_UPDATE_TRANSFER, kinds=all_are(MULTISIG, w9, w10)),
    row("name_import_update_transfer_segwit", E3L1, IMPORT_UPDATE_TRANSFER, kinds=all_are(SEGWIT, w9, w10)),
    row(
        "name_import_update_transfer_segwit_multisig", E3L1, IMPORT_UPDATE_TRANSFER,
        kinds=all_are(SEGWIT_MULTISIG, w9, w10),
    ),
    row(
        "name_import_update_transfer_revoke_verify_multi_multisig", E2L1, revealed(),
        imp(w5, h99), imp(w6, h88, "bar", by=w1.child(0)), imp(w7, h77, "baz", by=w1.child(1)), block, READY,
        updated((h22, h33, h44), BEFORE), block, updated((h11, h22, h33), BEFORE), block,
        handed_on(BEFORE, AFTER), block, each(revoke, AFTER), blocks(5),
        each(lambda owner, name: own(owner, name, revoked=True, hash=None), AFTER), ready(), kinds=multisig(2, 11),
    ),
    row("namespace_preorder_reveal_ready_multisig", E3G5, two_namespaces(w5, w0), kinds=multisig(5, 8)),
    row("namespace_preorder_reveal_ready_multisig_v2", E3G5, two_namespaces(w0, w5), kinds=multisig(5, 8)),
    row(
        "namespace_preorder_reveal_ready_segwit", E3G5, two_namespaces(w5, w0),
        kinds=all_are(SEGWIT, *WALLETS[5:9]),
    ),
    row(
        "namespace_preorder_reveal_ready_segwit_multisig", E3G5, two_namespaces(w5, w0),
        kinds=all_are(SEGWIT_MULTISIG, *WALLETS[5:9]),
    ),
)  # fmt: skip


@ROWS
def test_wallet_kinds(lab, row):
    row.play(lab)
