"""Inputs that abort the reference: refused here (spec 02 section 11.2)."""

from __future__ import annotations

import pytest

from bns.bitcoin.script import p2wsh
from bns.errors import Reason
from bns.operations import announce, name_import, name_registration, name_revoke
from bns.params import Params
from tests.chain import (
    ALICE,
    BOB,
    PLENTY,
    RV,
    VALUE,
    WITNESS,
    Chain,
    Owner,
    rules,
)
from tests.situations import EVERY_EPOCH, NAME, Case, expired_reveal, in_epochs, opened, owned, preordered


def another_reveal(chain: Chain, fee: int) -> str:
    chain.must(expired_reveal(chain).preorder_namespace("test", reveal_to=BOB, fee=fee))
    return chain.reveal("test", to=BOB)


def reveal_of_a_number(chain: Chain) -> str:
    chain.revealed("1e3")
    return chain.ready("1e3")


def import_at_the_end(chain: Chain, name: str) -> str:
    chain.revealed()
    reveal_block = chain.state.last_block
    chain.must(chain.import_name(NAME, RV, ALICE))
    chain.mine_to(reveal_block + chain.params.namespace_reveal_expire)
    return chain.import_name(name, RV, BOB)


ENDING = Params.from_reference_env({**rules().to_reference_env(), "BLOCKSTACK_EPOCH_3_END_BLOCK": "110"})


def at_the_end(chain: Chain) -> Chain:
    chain.mine_to(110)
    return chain


def after_the_last_epoch(chain: Chain, blocks: int = 1) -> Chain:
    chain.mine_to(110 + blocks)
    return chain


CASES = [
    Case(
        "registration for a witness key",
        Reason.FATAL_BECH32_RECIPIENT,
        lambda c: preordered(c, WITNESS).register(NAME, ALICE, WITNESS),
        EVERY_EPOCH,
    ),
    Case(
        "registration for a witness script",
        Reason.FATAL_BECH32_RECIPIENT,
        lambda c: opened(c).register(NAME, ALICE, Owner(p2wsh(bytes(32)))),
        EVERY_EPOCH,
    ),
    Case("renewal for a witness key", Reason.FATAL_BECH32_RECIPIENT, lambda c: owned(c).renew(NAME, ALICE, WITNESS)),
    Case(
        "registration for a witness key, but the namespace is not ready",
        Reason.NAMESPACE_NOT_READY,
        lambda c: c.register(NAME, ALICE, WITNESS),
    ),
    Case("transfer to a witness key", None, lambda c: owned(c).transfer(NAME, ALICE, WITNESS)),
    Case("another reveal for another fee", Reason.FATAL_REVEAL_FEE_CHANGED, lambda c: another_reveal(c, 4 * PLENTY)),
    Case("another reveal for the same fee", None, lambda c: another_reveal(c, 5 * PLENTY)),
    Case(
        "import of a name and a newline",
        Reason.FATAL_TRAILING_NEWLINE,
        lambda c: c.revealed().op(RV, name_import.encode("foo.test\n"), (ALICE, 1), (BOB, 1)),
    ),
    Case(
        "import of a name and two newlines",
        Reason.INVALID_NAME,
        lambda c: c.revealed().op(RV, name_import.encode("foo.test\n\n"), (ALICE, 1), (BOB, 1)),
    ),
    Case(
        "import of a label and a newline",
        Reason.FATAL_TRAILING_NEWLINE,
        lambda c: c.revealed().op(RV, name_import.encode("foo\n.test"), (ALICE, 1), (BOB, 1)),
    ),
    Case(
        "import of a name and a newline of 37 characters in all",
        Reason.FATAL_TRAILING_NEWLINE,
        lambda c: c.revealed().op(RV, name_import.encode("a" * 31 + ".test\n"), (ALICE, 1), (BOB, 1)),
    ),
    Case(
        "import of the longest name and a newline",
        Reason.INVALID_NAME,
        lambda c: c.revealed().op(RV, name_import.encode("a" * 32 + ".test\n"), (ALICE, 1), (BOB, 1)),
    ),
    Case(
        "revocation of a name and a newline",
        Reason.INVALID_NAME,
        lambda c: owned(c).op(ALICE, name_revoke.encode(NAME + "\n")),
    ),
    Case("ready of a number", Reason.FATAL_NUMERIC_NAMESPACE, reveal_of_a_number),
    Case(
        "import again as the reveal expires",
        Reason.FATAL_IMPORT_AT_REVEAL_EXPIRY,
        lambda c: import_at_the_end(c, NAME),
    ),
    Case(
        "an update above the last epoch",
        Reason.FATAL_BEYOND_LAST_EPOCH,
        lambda c: after_the_last_epoch(owned(c)).update(NAME, ALICE),
        params=ENDING,
    ),
    Case(
        "an update in the last block of the last epoch",
        None,
        lambda c: at_the_end(owned(c)).update(NAME, ALICE),
        params=ENDING,
    ),
    Case(
        "a name preorder in the first block above the last epoch",
        None,
        lambda c: after_the_last_epoch(owned(c), 1).preorder("bar.test", BOB),
        params=ENDING,
    ),
    Case(
        "a name preorder in the second block above the last epoch",
        Reason.FATAL_BEYOND_LAST_EPOCH,
        lambda c: after_the_last_epoch(owned(c), 2).preorder("bar.test", BOB),
        params=ENDING,
    ),
    Case(
        "a namespace preorder above the last epoch",
        None,
        lambda c: after_the_last_epoch(c, 2).preorder_namespace("bar"),
        params=ENDING,
    ),
    Case(
        "an announcement above the last epoch",
        Reason.NOT_AN_ANNOUNCER,
        lambda c: after_the_last_epoch(c, 1).op(ALICE, announce.encode("44" * 20)),
        params=ENDING,
    ),
    Case(
        "a registration above the last epoch, before its name is looked at",
        Reason.FATAL_BEYOND_LAST_EPOCH,
        lambda c: after_the_last_epoch(c).op(ALICE, name_registration.encode("No Name", VALUE), (ALICE, 1)),
        params=ENDING,
    ),
    *(
        Case(f"{title} in the second block above the last epoch", Reason.FATAL_BEYOND_LAST_EPOCH, act, params=ENDING)
        for title, act in (
            ("an update by nobody", lambda c: after_the_last_epoch(c, 2).update(NAME, BOB)),
            ("a transfer of nothing", lambda c: after_the_last_epoch(c, 2).transfer(NAME, BOB, ALICE)),
            ("a revocation of nothing", lambda c: after_the_last_epoch(c, 2).revoke(NAME, BOB)),
        )
    ),
    Case("import as the reveal expires", None, lambda c: import_at_the_end(c, "bar.test")),
]


@pytest.mark.parametrize(("case", "epoch"), in_epochs(CASES))
def test_what_is_fatal_to_the_reference(case: Case, epoch: int) -> None:
    chain = case.chain(epoch)
    assert chain.judge(case.act(chain)) is case.reason
