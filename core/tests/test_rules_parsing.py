"""Operations that are malformed, beside the nearest ones that are not (spec 02 sections 4 and 7, "Parse")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import coincurve
import pytest

from bns.bitcoin.hashes import hash160
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.script import multisig, op_return, p2sh, p2wsh, push
from bns.bitcoin.transaction import TxOut
from bns.errors import Reason
from bns.operations import name_import, name_preorder, name_registration, name_transfer, name_update, namespace_preorder
from bns.operations.base import wire
from tests.chain import (
    ALICE,
    BOB,
    BURN,
    CHANGE,
    NOBODY,
    NS,
    OTHER_VALUE,
    PLENTY,
    RV,
    SHARED,
    VALUE,
    WITNESS,
    Chain,
    Owner,
    Terms,
    key_owner,
    reveal_data,
)
from tests.situations import Case, in_epochs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Pay = tuple[Owner, int]
CHANGED: Pay = (ALICE, CHANGE)
BURNT: Pay = (BURN, PLENTY)
ADDRESSLESS: Pay = (NOBODY, CHANGE)


def _sealed(opcode: str, chain: Chain) -> bytes:
    if opcode == "*":
        return namespace_preorder.encode("test", ALICE.hex, RV.address, chain.hash)
    return name_preorder.encode("foo.test", ALICE.hex, ALICE.address, chain.hash)


def _preorder(opcode: str, cut: int = 0, outputs: Sequence[Pay] = (CHANGED, BURNT)) -> Callable[[Chain], str]:
    """A preorder whose payload is cut (or lengthened) by some bytes."""

    def act(chain: Chain) -> str:
        chain.mine()
        data = _sealed(opcode, chain)
        return chain.op(ALICE, data[: len(data) - cut] + b"\0" * -cut, *outputs)

    return act


def _reveal(data: bytes | None = None, outputs: Sequence[Pay] = ((RV, CHANGE), (NS, CHANGE))) -> Callable[[Chain], str]:
    def act(chain: Chain) -> str:
        chain.must(chain.preorder_namespace("test"))
        return chain.op(NS, data or reveal_data("test"), *outputs)

    return act


def _reveal_terms(namespace_id: str = "test", **terms: int) -> Callable[[Chain], str]:
    return _reveal(reveal_data(namespace_id, Terms(**terms)))  # type: ignore[arg-type]


def _ready(payload: bytes) -> Callable[[Chain], str]:
    return lambda chain: chain.revealed().op(RV, wire("!", payload), (RV, CHANGE))


IMPORT_OUTPUTS: tuple[Pay, ...] = ((ALICE, CHANGE), (BOB, CHANGE), (RV, CHANGE))


def _import(name: bytes = b"foo.test", outputs: Sequence[Pay] = IMPORT_OUTPUTS) -> Callable[[Chain], str]:
    return lambda chain: chain.revealed().op(RV, wire(";", name), *outputs)


def _register(payload: bytes = b"foo.test", outputs: Sequence[Pay] = (CHANGED,)) -> Callable[[Chain], str]:
    def act(chain: Chain) -> str:
        chain.opened().must(chain.preorder("foo.test", ALICE))
        return chain.op(ALICE, wire(":", payload), *outputs)

    return act


def _update(cut: int = 0) -> Callable[[Chain], str]:
    def act(chain: Chain) -> str:
        data = name_update.encode("foo.test", VALUE, chain.opened().given("foo.test", ALICE).hash)
        return chain.op(ALICE, data[: len(data) - cut] + b"\0" * -cut, CHANGED)

    return act


def _transfer(
    cut: int = 0, disposition: bytes = b">", outputs: Sequence[Pay] = ((BOB, CHANGE),)
) -> Callable[[Chain], str]:
    def act(chain: Chain) -> str:
        data = name_transfer.encode("foo.test", chain.opened().given("foo.test", ALICE).hash, keep_data=True)
        data = data[:3] + disposition + data[4 : len(data) - cut] + b"\0" * -cut
        return chain.op(ALICE, data, *outputs)

    return act


def _revoke(payload: bytes) -> Callable[[Chain], str]:
    return lambda chain: chain.opened().given("foo.test", ALICE).op(ALICE, wire("~", payload))


def _padded(name: bytes, value: str = VALUE) -> bytes:
    return name.ljust(37, b"\0") + bytes.fromhex(value)


def _raw(data: bytes) -> Callable[[Chain], str]:
    return lambda chain: chain.op(ALICE, data)


def _announce(size: int) -> Callable[[Chain], str]:
    def act(chain: Chain) -> str:
        chain.opened("id", imports={"judecn.id": ALICE})
        return chain.op(ALICE, wire("#", bytes(size)))

    return act


LENGTH, COUNT, ADDRESS = Reason.BAD_PAYLOAD_LENGTH, Reason.BAD_OUTPUT_COUNT, Reason.OUTPUT_WITHOUT_ADDRESS
NAME, ID = Reason.INVALID_NAME, Reason.INVALID_NAMESPACE_ID

CASES = [
    Case("the magic alone", Reason.UNKNOWN_OPCODE, _raw(b"id")),
    Case("an opcode of no operation", Reason.UNKNOWN_OPCODE, _raw(b"id$" + bytes(36))),
    Case("an opcode that is no text", Reason.UNKNOWN_OPCODE, _raw(b"id\xff")),
    # NAMESPACE_PREORDER and NAME_PREORDER
    Case("namespace preorder", None, _preorder("*")),
    Case("namespace preorder of 35 bytes", LENGTH, _preorder("*", 1)),
    Case("namespace preorder of 37 bytes", LENGTH, _preorder("*", -1)),
    Case("namespace preorder with two outputs", COUNT, _preorder("*", outputs=[CHANGED])),
    Case("namespace preorder with four outputs", None, _preorder("*", outputs=[CHANGED, BURNT, CHANGED])),
    Case("namespace preorder that pays nobody", ADDRESS, _preorder("*", outputs=[CHANGED, ADDRESSLESS])),
    Case("namespace preorder that pays a witness script", None, _preorder("*", outputs=[CHANGED, (WITNESS, PLENTY)])),
    Case("namespace preorder whose change has no address", None, _preorder("*", outputs=[ADDRESSLESS, BURNT])),
    Case("preorder", None, _preorder("?")),
    Case("preorder by a witness key", Reason.NO_SENDER_ADDRESS, lambda c: c.preorder("foo.test", WITNESS)),
    Case("preorder of 35 bytes", LENGTH, _preorder("?", 1)),
    Case("preorder of 37 bytes", LENGTH, _preorder("?", -1)),
    Case("preorder with two outputs", COUNT, _preorder("?", outputs=[CHANGED])),
    Case("preorder with four outputs", COUNT, _preorder("?", outputs=[CHANGED, BURNT, CHANGED])),
    Case("preorder that pays nobody", ADDRESS, _preorder("?", outputs=[CHANGED, ADDRESSLESS])),
    Case("preorder whose change has no address", None, _preorder("?", outputs=[ADDRESSLESS, BURNT])),
    # NAMESPACE_REVEAL
    Case("reveal", None, _reveal()),
    Case("reveal without an id", LENGTH, _reveal(reveal_data(""))),
    Case("reveal with two outputs", COUNT, _reveal(outputs=[(RV, CHANGE)])),
    Case("reveal with four outputs", COUNT, _reveal(outputs=[(RV, CHANGE), CHANGED, CHANGED])),
    Case("reveal to nobody", ADDRESS, _reveal(outputs=[ADDRESSLESS, CHANGED])),
    Case("reveal whose change has no address", None, _reveal(outputs=[(RV, CHANGE), ADDRESSLESS])),
    Case("reveal of an id of 20 characters", ID, _reveal_terms("a" * 20)),
    Case("reveal of an id with a dot", ID, _reveal_terms("te.st")),
    Case("reveal of an id with a plus", ID, _reveal_terms("te+st")),
    Case("reveal of an id in upper case", ID, _reveal_terms("TEST")),
    Case("reveal of an id that is no text", ID, _reveal_terms("t\xe9st")),
    Case("reveal of an id with a newline", ID, _reveal_terms("test\n")),
    Case("reveal of version 0", Reason.INVALID_VERSION, _reveal_terms(version=0)),
    Case("reveal of version 2", None, _reveal_terms(version=2)),
    Case("reveal of version 3", Reason.INVALID_VERSION, _reveal_terms(version=3)),
    Case("reveal of version 257", Reason.INVALID_VERSION, _reveal_terms(version=257)),
    Case("reveal without nonalpha discount", Reason.ZERO_DISCOUNT, _reveal_terms(nonalpha_discount=0)),
    Case("reveal without no-vowel discount", Reason.ZERO_DISCOUNT, _reveal_terms(no_vowel_discount=0)),
    Case("reveal with discounts of one", None, _reveal_terms(nonalpha_discount=1, no_vowel_discount=1)),
    # NAMESPACE_READY
    Case("ready", None, _ready(b".test")),
    Case("ready without anything", Reason.BAD_MARKER, _ready(b"")),
    Case("ready without dot", Reason.BAD_MARKER, _ready(b"test")),
    Case("ready without id", ID, _ready(b".")),
    Case("ready with an id of 20 characters", ID, _ready(b"." + b"a" * 20)),
    Case("ready with two dots", ID, _ready(b"..test")),
    Case("ready with a plus", ID, _ready(b".te+st")),
    Case("ready with a newline", ID, _ready(b".test\n")),
    # NAME_IMPORT
    Case("import", None, _import()),
    Case("import with two outputs", COUNT, _import(outputs=IMPORT_OUTPUTS[:1])),
    Case("import with three outputs", None, _import(outputs=IMPORT_OUTPUTS[:2])),
    Case("import to nobody", ADDRESS, _import(outputs=(ADDRESSLESS, *IMPORT_OUTPUTS[1:]))),
    Case("import to a witness script", None, _import(outputs=((WITNESS, CHANGE), *IMPORT_OUTPUTS[1:]))),
    Case("import with a script-hash value", None, _import(outputs=(CHANGED, (SHARED, CHANGE)))),
    Case("import with a witness value", Reason.BAD_VALUE_HASH_OUTPUT, _import(outputs=(CHANGED, (WITNESS, CHANGE)))),
    Case("import without value", Reason.BAD_VALUE_HASH_OUTPUT, _import(outputs=(CHANGED, ADDRESSLESS))),
    Case("import of nothing", NAME, _import(b"")),
    Case("import of a namespace", NAME, _import(b"test")),
    Case("import of a name in upper case", NAME, _import(b"Foo.test")),
    Case("import of a name of 38 characters", NAME, _import(b"a" * 33 + b".test")),
    Case("import of a name of 37 characters", None, _import(b"a" * 32 + b".test")),
    Case("import of a name that is no text", NAME, _import(b"\xff.test")),
    # NAME_REGISTRATION and NAME_RENEWAL
    Case("registration", None, _register()),
    Case("registration with one output", COUNT, _register(outputs=[])),
    Case("registration for nobody", ADDRESS, _register(outputs=[ADDRESSLESS])),
    Case("registration with a third output without address", None, _register(outputs=[CHANGED, ADDRESSLESS])),
    Case("registration with a fourth output", None, _register(outputs=[CHANGED, CHANGED, CHANGED])),
    Case("registration with a bad fourth output", ADDRESS, _register(outputs=[CHANGED, CHANGED, ADDRESSLESS])),
    Case("registration of nothing", NAME, _register(b"")),
    Case("registration of two dots", NAME, _register(b"foo.bar.test")),
    Case("registration with a plus", NAME, _register(b"f+o.test")),
    Case("registration with trailing zeros", NAME, _register(b"foo.test\0")),
    Case("registration of 38 bytes", NAME, _register(b"foo.test".ljust(38, b"\0"))),
    Case("registration with value", None, _register(_padded(b"foo.test"))),
    Case("registration with value and no name", NAME, _register(_padded(b""))),
    Case("registration with a zero inside its name", NAME, _register(_padded(b"foo\0.test"))),
    Case("registration with a short value", NAME, _register(_padded(b"foo.test")[:-1])),
    Case("registration with a long value", NAME, _register(_padded(b"foo.test") + b"\0")),
    Case("registration with value in epoch 1", NAME, _register(_padded(b"foo.test")), epochs=(1,)),
    Case("registration with value in epoch 2", NAME, _register(_padded(b"foo.test")), epochs=(2,)),
    # NAME_UPDATE
    Case("update", None, _update()),
    Case("update of 35 bytes", LENGTH, _update(1)),
    Case("update of 37 bytes", LENGTH, _update(-1)),
    # NAME_TRANSFER
    Case("transfer", None, _transfer()),
    Case("transfer without data", None, _transfer(disposition=b"~")),
    Case("transfer of 32 bytes", LENGTH, _transfer(1)),
    Case("transfer of 34 bytes", LENGTH, _transfer(-1)),
    Case("transfer with another disposition", Reason.BAD_DISPOSITION, _transfer(disposition=b"=")),
    Case("transfer with one output", COUNT, _transfer(outputs=[])),
    Case("transfer to nobody", ADDRESS, _transfer(outputs=[ADDRESSLESS])),
    # NAME_REVOKE and ANNOUNCE
    Case("revoke", None, _revoke(b"foo.test")),
    Case("revoke of nothing", NAME, _revoke(b"")),
    Case("revoke with a trailing zero", NAME, _revoke(b"foo.test\0")),
    Case("announce", None, _announce(20)),
    Case("announce of 19 bytes", LENGTH, _announce(19)),
    Case("announce of 21 bytes", LENGTH, _announce(21)),
]


@pytest.mark.parametrize(("case", "epoch"), in_epochs(CASES))
def test_the_form_of_an_operation(case: Case, epoch: int) -> None:
    chain = case.chain(epoch)
    assert chain.judge(case.act(chain)) is case.reason


# Senders

SENDERLESS = {
    "witness key": WITNESS,
    "witness script": Owner(p2wsh(bytes(32))),
    "public key": Owner(push(PrivateKey.from_label("bare").public_key) + b"\xac"),
    "bare multisig": Owner(multisig(1, [PrivateKey.from_label("bare").public_key])),
    "anything": NOBODY,
    "nothing": Owner(b""),
}


@pytest.mark.parametrize("opcode", list("*&!;?:+>~#"))
def test_every_operation_needs_a_sender(opcode: str) -> None:
    chain = Chain()
    chain.mine()
    txids = [chain.op(by, wire(opcode, bytes(36)), (RV, CHANGE), (BURN, CHANGE)) for by in SENDERLESS.values()]
    assert chain.judge_all(*txids) == [Reason.NO_SENDER_ADDRESS] * len(SENDERLESS)


def test_only_the_first_input_sends() -> None:
    chain = Chain().opened().given("foo.test", ALICE)
    by_another = chain.op(BOB, wire("~", b"foo.test"), more=[ALICE])
    assert chain.judge(by_another) is Reason.NOT_OWNER
    assert chain.judge(chain.op(ALICE, wire("~", b"foo.test"), more=[BOB, WITNESS])) is None


# Public keys (section 4.2)

KEY = PrivateKey.from_label("key")
FULL = coincurve.PublicKey(KEY.public_key).format(compressed=False)
HYBRID = bytes([6 + FULL[-1] % 2]) + FULL[1:]
SIGNATURE = push(b"0" * 71)


def _unlocked(public_key: bytes, unlock: bytes) -> Owner:
    return Owner(key_owner(public_key).script, unlock)


@pytest.mark.parametrize(
    ("sender", "public_key"),
    [
        (key_owner(KEY.public_key), KEY.public_key),
        (key_owner(FULL), FULL),
        (key_owner(HYBRID), None),
        (_unlocked(KEY.public_key, SIGNATURE + push(FULL)), None),  # the right key in another form
        (_unlocked(KEY.public_key, b""), None),
        (_unlocked(KEY.public_key, push(KEY.public_key)), None),
        (_unlocked(KEY.public_key, SIGNATURE + SIGNATURE + push(KEY.public_key)), None),
        (_unlocked(KEY.public_key, b"\x00" + push(KEY.public_key)), KEY.public_key),
        (_unlocked(KEY.public_key, b"\x51" + push(KEY.public_key)), KEY.public_key),
        (_unlocked(KEY.public_key, SIGNATURE + b"\x4c\x21" + KEY.public_key), KEY.public_key),
        (_unlocked(b"\x02" + b"\xff" * 32, SIGNATURE + push(b"\x02" + b"\xff" * 32)), None),  # not on the curve
        (Owner(p2sh(hash160(KEY.public_key)), SIGNATURE + push(KEY.public_key)), None),
    ],
)
def test_the_public_key_of_a_sender(sender: Owner, public_key: bytes | None) -> None:
    chain = Chain()
    chain.mine()
    receipt_of = chain.preorder("foo.test", sender)
    (accepted,) = chain.mine().accepted
    assert accepted.operation.carrier.txid == receipt_of
    assert accepted.operation.carrier.sender_pubkey == (public_key and public_key.hex())


def test_any_input_may_show_the_public_key() -> None:
    chain = Chain()
    chain.mine()
    silent = _unlocked(KEY.public_key, b"")
    data = name_preorder.encode("foo.test", silent.hex, silent.address, chain.hash)
    chain.op(silent, data, CHANGED, BURNT, more=[SHARED, BOB, key_owner(KEY.public_key)])
    (accepted,) = chain.mine().accepted
    assert accepted.operation.carrier.sender_pubkey == KEY.public_key.hex()


# Data outputs (spec 01 section 5)


def test_the_data_output_may_stand_anywhere() -> None:
    chain = Chain()
    chain.mine()
    data = TxOut(0, op_return(_sealed("?", chain)))
    assert chain.judge(chain.spend(ALICE, TxOut(1, ALICE.script), data, TxOut(PLENTY, BURN.script))) is None


def test_a_recipient_must_not_be_the_data_output() -> None:
    chain = Chain().opened()
    chain.must(chain.preorder("foo.test", ALICE))
    data = TxOut(0, op_return(name_registration.encode("foo.test")))
    assert chain.judge(chain.spend(ALICE, TxOut(1, ALICE.script), data)) is ADDRESS


def test_the_last_data_output_decides() -> None:
    chain = Chain().revealed()
    first, last = name_import.encode("first.test"), name_import.encode("last.test")
    pay = [TxOut(CHANGE, ALICE.script), TxOut(CHANGE, BOB.script)]
    txid = chain.spend(RV, TxOut(0, op_return(first)), *pay, TxOut(0, op_return(last)))
    assert chain.judge(txid) is None
    assert chain.state.name("first.test") is None
    assert chain.state.name("last.test") is not None
    chain.spend(RV, TxOut(0, op_return(first)), *pay, TxOut(0, b"\x6a"))  # malformed, so there is none at all
    receipt = chain.mine()
    assert (receipt.accepted, receipt.rejected) == ((), ())


def test_a_value_hash_of_zeros_is_a_value_hash() -> None:
    chain = Chain().opened().given("foo.test", ALICE)
    chain.must(chain.renew("foo.test", ALICE, value=OTHER_VALUE))
    chain.must(chain.renew("foo.test", ALICE))
    row = chain.state.name("foo.test")
    assert row is not None
    assert row.value_hash == OTHER_VALUE
    chain.must(chain.renew("foo.test", ALICE, value="00" * 20))
    row = chain.state.name("foo.test")
    assert row is not None
    assert row.value_hash == "00" * 20
