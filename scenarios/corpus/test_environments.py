"""The environments that the catalogue keeps for work by hand (spec 10 section 3.20): what their chains hold."""

from bnslab import epochs
from bnslab.corpus.facts import own, ready
from bnslab.corpus.rows import E3, MULTISIG, WALLETS, row, table, until, w0, w1, w2, w3, w4
from bnslab.corpus.steps import block, h, ns, nspre, nsrdy, nsrev, p_r, pre, reg

E3L1 = epochs(3, lifetime=1)
L2G5 = {"grace": (0, 0, 5)}
PAYERS = WALLETS[2:10]
LISTED = [(f"name{place}.id", PAYERS[place % len(PAYERS)], WALLETS[place % 2]) for place in range(20)]


def unrevealed(namespace_id):
    """The namespace is revealed and not ready."""

    def step(play):
        assert play.lab.node.state.namespace(namespace_id).op == "&"

    return step


ROWS = table(
    row("namespace_check", E3, ns(), ready(), kinds=dict.fromkeys(WALLETS[5:9], MULTISIG)),
    row("name_pre_reg_portal", E3, ns("id"), p_r(w2 >> w3, "demo.id"), ready("id"), own(w3, "demo.id")),
    row(
        "portal_test_env", E3L1, nspre("id", w0 >> w1), nspre("reveal", w0 >> w1), block,
        nsrev("id", w0 >> w1), nsrev("reveal", w0 >> w1), block, nsrdy("id", w1), block,
        p_r(w2 >> w3, "foo.id", h(0x5A)), ready("id"), own(w3, "foo.id", hash=h(0x5A)), unrevealed("reveal"),
    ),
    row("portal_empty_namespace_no_api", until(689, 690, **L2G5), ns("id"), ready("id")),
    row(
        "portal_empty_namespace", until(689, 690, **L2G5), ns("id", life=10),
        *(pre(payer >> owner, name) for name, payer, owner in LISTED), block,
        *(reg(payer >> owner, name, h(place)) for place, (name, payer, owner) in enumerate(LISTED)), block,
        *(own(owner, name, hash=h(place)) for place, (name, _, owner) in enumerate(LISTED)), ready("id"),
    ),
    row("browser_env", E3L1, ns("id"), p_r(w2 >> w3, "foo.id"), ready("id"), own(w3, "foo.id")),
    # its last epoch is over before the first block, where the rules end; so it stands in epoch 3, without multipliers
    row(
        "testnet_public", epochs(3, lifetime=1, price=1.0), ns("id"), p_r(w2 >> w4, "foo.id"), ready("id"),
        own(w4, "foo.id"),
    ),
)  # fmt: skip


@ROWS
def test_environment(lab, row):
    row.play(lab)
