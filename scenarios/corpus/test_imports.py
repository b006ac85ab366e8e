"""Names that come by import (spec 10 section 3.2)."""

from bnslab import Reason
from bnslab.corpus.facts import CH_1, absent, np, own, ready
from bnslab.corpus.rows import E1, E2, row, table, w0, w1, w2, w3, w4, w5, w6, w7, w8
from bnslab.corpus.sequences import CONDENSED, SEPARATE
from bnslab.corpus.steps import (
    block,
    blocks,
    h11,
    h22,
    h33,
    h44,
    h55,
    h66,
    h77,
    h88,
    h99,
    imp,
    no,
    nsrdy,
    renew,
    revealed,
    revoke,
    upd,
    xfer,
)  # fmt: skip

C0, C1 = w1.child(0), w1.child(1)
READY = (nsrdy("test", w1), block)
IMPORTED = (*revealed(), imp(w3, h11), block, *READY)
IMPORTED_6 = (*revealed(life=6), imp(w3, h11), block, *READY)
THREE = (imp(w2, h11), imp(w3, h22, "bar"), imp(w4, h33, "baz"))
THREE_OWNED = (own(w2, hash=h11), own(w3, "bar", hash=h22), own(w4, "baz", hash=h33), ready())
FOREIGN = no(
    Reason.NOT_AN_IMPORT_KEY, imp(w4, h11, by=w2), imp(w2, h11, "bar", by=w3), imp(w3, h11, "baz", by=w4)
)  # fmt: skip
SEVERAL_KEYS = (
    imp(w5, h44, "baz"), imp(w5, h55, "baz", by=C0), imp(w5, h66, "baz", by=C1), block,
    imp(w5, h66), imp(w3, h77, "bar", by=C0), imp(w4, h88, "baz", by=C1), block,
)  # fmt: skip


def no_preorders(*names):
    """`npAll`: no preorder of a name by any wallet for the next one."""
    five = (w0, w1, w2, w3, w4)
    return tuple(np(a >> b, name) for name in names for a, b in zip(five, five[1:] + five[:1], strict=True))


def handed_on(names, before, after):
    return tuple(xfer(old >> new, name) for name, old, new in zip(names, before, after, strict=True))


ROWS = table(
    row("namespace_preorder_reveal_import_ready", E1, revealed(), THREE, block, READY, THREE_OWNED),
    row("namespace_preorder_reveal_import_ready_sameblock", E1, revealed(), THREE, READY, THREE_OWNED),
    row(
        "namespace_preorder_reveal_import_multi_ready", E1, revealed(),
        imp(w2, h11), block, imp(w3, h22), block, imp(w4, h44), imp(w4, h55), imp(w4, h33), block, READY,
        ready(), own(w4, hash=h33),
    ),
    row(
        "namespace_preorder_reveal_import_multi_multikey_ready", E1, revealed(),
        imp(w2, h11), block, imp(w3, h33, by=C1), block, imp(w4, h22, by=C0), block, READY,
        ready(), own(w4, hash=h22),
    ),
    row(
        "namespace_preorder_reveal_import_onlyimporter", E1, revealed(),
        FOREIGN, block, imp(w2, h11, "goo"), FOREIGN, block, READY,
        ready(), own(w2, "goo", hash=h11), absent("foo", "bar", "baz"),
    ),
    row(
        "name_import", E1, revealed(),
        imp(w3, h11), block, imp(w4, h22, "bar"), block, imp(w4, h33, "bar", by=C0), block,
        SEVERAL_KEYS, SEVERAL_KEYS, READY,
        ready(), no_preorders("foo", "bar", "baz"),
        own(w5, hash=h66), own(w3, "bar", hash=h77), own(w4, "baz", hash=h88),
    ),
    row(
        "name_imp_xfer_up", E1, IMPORTED, own(w3, ch=None),
        xfer(w3 >> w4), block, own(w4, ch=CH_1), upd(h22, w4), block, own(w4, ch=CH_1, hash=h22), no_preorders("foo"),
    ),
    row(
        "name_imp_xfer_xfer_up", E1, IMPORTED, own(w3, ch=None),
        xfer(w3 >> w4), block, own(w4, ch=CH_1), xfer(w4 >> w0), block, own(w0, ch=CH_1),
        upd(h22, w0), block, own(w0, ch=CH_1, hash=h22), no_preorders("foo"),
    ),
    row("name_imp_xfer_up_xfer", E1, IMPORTED, own(w3, ch=None), SEPARATE, own(w4, hash=h11)),
    row("name_imp_xfer_up_xfer_condensed", E1, IMPORTED, CONDENSED, own(w4, hash=h11)),
    row("name_import_renew", E1, IMPORTED, blocks(10), renew(w3), blocks(2), own(w3, renewed=12)),
    row(
        "name_import_renew_revoke", E1, IMPORTED, blocks(10), renew(w3), block, revoke(w3), block,
        own(w3, revoked=True, hash=None, renewed=12),
    ),
    row(
        "name_import_renew_transfer", E1, IMPORTED, blocks(10), renew(w3), blocks(2), xfer(w3 >> w4), blocks(2),
        own(w4, renewed=12),
    ),
    row(
        "name_import_renew_transfer_update", E2, IMPORTED_6, blocks(8), renew(w3), blocks(2),
        xfer(w3 >> w4), blocks(2), upd(h22, w4), block, own(w4, hash=h22, renewed=10),
    ),
    row(
        "name_import_renew_update", E1, IMPORTED, blocks(10), renew(w3), block, upd(h22, w3), block,
        own(w3, hash=h22, renewed=12),
    ),
    row(
        "name_import_renew_update_transfer", E2, IMPORTED_6, blocks(11), renew(w3), block, upd(h22, w3), block,
        xfer(w3 >> w4), block, own(w4, hash=h22, renewed=13),
    ),
    row("name_import_revoke", E1, IMPORTED, revoke(w3), block, own(w3, revoked=True, hash=None)),
    row(
        "name_import_update_renew", E1, IMPORTED, upd(h22, w3), block, blocks(10), renew(w3), blocks(2),
        own(w3, hash=h22, renewed=13),
    ),
    row("name_import_update_transfer", E1, IMPORTED, upd(h22, w3), block, xfer(w3 >> w4), block, own(w4, hash=h22)),
    row(
        "name_import_update_transfer_renew", E1, IMPORTED, upd(h22, w3), block, xfer(w3 >> w4), block,
        blocks(10), renew(w4), blocks(2), own(w4, hash=h22, renewed=14),
    ),
    row(
        "name_import_update_transfer_revoke_verify_multi", E1, revealed(),
        imp(w5, h99), imp(w6, h88, "bar", by=C0), imp(w7, h77, "baz", by=C1), block, READY,
        upd(h22, w5), upd(h33, w6, "bar"), upd(h44, w7, "baz"), block,
        upd(h11, w5), upd(h22, w6, "bar"), upd(h33, w7, "baz"), block,
        handed_on(("foo", "bar", "baz"), (w5, w6, w7), (w6, w7, w5)), block,
        revoke(w6), revoke(w7, "bar"), revoke(w5, "baz"), blocks(5),
        ready(), np(w2 >> w5), np(w3 >> w6, "bar"), np(w4 >> w7, "baz"),
        own(w6, revoked=True, hash=None),
        own(w7, "bar", revoked=True, hash=None),
        own(w5, "baz", revoked=True, hash=None),
    ),
)  # fmt: skip


@ROWS
def test_import(lab, row):
    row.play(lab)


def test_an_import_key_beyond_the_keyring(lab):
    """Not in the catalogue: the sixth derived key is nobody's."""
    sixth = no(Reason.NOT_AN_IMPORT_KEY, imp(w8, h11, "bar", by=w1.child(5)))
    row("", E1, revealed(), imp(w8, h11), block, sixth, block).play(lab)
