"""What the operations look like on the chain (spec 02 sections 4.3, 6.2 and 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.script import op_return, p2pkh
from bns.bitcoin.transaction import TxOut
from bns.errors import InvalidInput
from bns.operations.prices import burn_address
from bnslab import Reason
from bnslab.recording import record
from bnslab.transactions import CARRIED, MINER_FEE, Draft, PriceFunction, pay, require_hash, require_satoshis
from bnslab.wallets import InsufficientFunds
from tests.labs import FIRST_BLOCK, Labs, transaction_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnslab.lab import Lab
    from bnslab.sent import Sent

HASH = "ab" * 20
KINDS = [("p2pkh", 1, 1), ("p2sh-multisig", 2, 3), ("p2sh-p2wpkh", 1, 1), ("p2sh-p2wsh", 1, 2)]


def layout(lab: Lab, sent: Sent) -> list[str]:
    """What each output is for, and its value unless that is the change's."""
    roles = {wallet.script: wallet.name for wallet in lab.wallets}
    roles |= {pay(burn_address(lab.params)).script: "burn", p2pkh(bytes.fromhex(HASH)): "value hash"}
    told = []
    for output in transaction_of(lab, sent).outputs:
        role = "data" if output.script[:1] == op_return(b"")[:1] else roles[output.script]
        told.append("change" if role == sent.by else f"{role} {output.value}")
    return told


def start(lab: Lab) -> None:
    """A namespace by alice, foo.test which is bob's, and a revealed namespace `open` by alice."""
    lab.namespace("test", by="alice")
    lab.namespace_preorder("open", by="alice")
    lab.register("foo.test", by="bob")
    lab.namespace_reveal("open", by="alice", to="alice")
    lab.name_preorder("bar.test", by="bob", to="carol")
    lab.namespace_preorder("new", by="bob", to="carol")
    lab.mine()


LAYOUTS: dict[str, tuple[Callable[[Lab], Sent], list[str]]] = {
    "?": (lambda lab: lab.name_preorder("dear.test", "bob", to="carol"), ["data 0", "change", "burn 160000"]),
    ":": (lambda lab: lab.name_registration("bar.test", "bob", to="carol"), ["data 0", "carol 5500", "change"]),
    "renewal": (
        lambda lab: lab.renew("foo.test", "bob", to="carol", fee=700_000),
        ["data 0", "carol 5500", "change", "burn 700000"],
    ),
    "+": (lambda lab: lab.update("foo.test", "bob", "11" * 20), ["data 0", "change"]),
    ">": (lambda lab: lab.transfer("foo.test", "bob", "carol"), ["data 0", "carol 5500", "change"]),
    "~": (lambda lab: lab.revoke("foo.test", "bob"), ["data 0", "change"]),
    ";": (
        lambda lab: lab.name_import("foo.open", "alice", "carol", value_hash=HASH),
        ["data 0", "carol 5500", "value hash 5500", "change"],
    ),
    "*": (lambda lab: lab.namespace_preorder("more", "bob", to="carol"), ["data 0", "change", "burn 40000000"]),
    "&": (lambda lab: lab.namespace_reveal("new", "bob", to="carol"), ["data 0", "carol 5500", "change"]),
    "!": (lambda lab: lab.namespace_ready("open", "alice"), ["data 0", "change"]),
}


@pytest.mark.parametrize(("operate", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_outputs_of_an_operation(make_lab: Labs, operate: Callable[[Lab], Sent], expected: list[str]) -> None:
    lab = make_lab()
    start(lab)
    sent = operate(lab)
    lab.mine()
    assert sent.accepted
    assert layout(lab, sent) == expected


def test_the_outputs_of_an_announcement(make_lab: Labs) -> None:
    lab = make_lab()
    with lab.rejects(Reason.NOT_AN_ANNOUNCER):
        sent = lab.announce(HASH, by="bob")
    assert layout(lab, sent) == ["data 0", "change"]


@pytest.mark.parametrize(("kind", "required", "total"), KINDS)
def test_inputs_are_the_senders_and_the_rest_is_change(make_lab: Labs, kind: str, required: int, total: int) -> None:
    lab = make_lab()
    payer = lab.wallet("payer", kind, required=required, total=total)
    sent = lab.name_preorder("foo.test", by=payer, fee=123_456)
    before = payer.balance
    again = lab.name_preorder("bar.test", by=payer, fee=123_456)
    lab.mine()
    assert payer.balance == before - 123_456 - MINER_FEE
    outputs = record(lab).outputs()
    for each in (sent, again):
        transaction = transaction_of(lab, each)
        spent = [outputs.find(source.txid, source.index) for source in transaction.inputs]
        assert all(output is not None and output.script == payer.script for output in spent)
        assert sum(output.value for output in spent if output) == MINER_FEE + sum(o.value for o in transaction.outputs)
        assert all(source.script or source.witness for source in transaction.inputs)


# Who gets the fee


def paid(lab: Lab, sent: Sent) -> tuple[str, int]:
    """The last output, which is the fee's."""
    output = transaction_of(lab, sent).outputs[-1]
    roles = {pay(burn_address(lab.params)).script: "burn"} | {wallet.script: wallet.name for wallet in lab.wallets}
    return roles[output.script], output.value


@pytest.mark.parametrize(
    ("epoch", "version", "receiver"), [(1, 1, "burn"), (2, 1, "burn"), (3, 1, "burn"), (3, 2, "alice")]
)
def test_names_are_paid_to(make_lab: Labs, epoch: int, version: int, receiver: str) -> None:
    lab = make_lab(epoch)
    lab.namespace("test", by="alice", version=version)
    preorder = lab.name_preorder("foo.test", by="bob")
    lab.mine()
    lab.name_registration("foo.test", by="bob")
    lab.mine()
    renewal = lab.renew("foo.test", by="bob")
    lab.mine()
    fee = 640_000 if epoch == 3 else 6_400_000
    assert paid(lab, preorder) == paid(lab, renewal) == (receiver, fee)


def test_a_creator_is_paid_for_so_many_blocks(make_lab: Labs) -> None:
    lab = make_lab(3, receive_fees=4)
    lab.namespace("test", by="alice", version=2)
    revealed = lab.height - 1
    lab.mine_to(revealed + 3)
    last = lab.name_preorder("foo.test", by="bob")
    lab.mine()
    first = lab.name_preorder("bar.test", by="bob")
    lab.mine()
    assert last.height == revealed + 4
    assert (paid(lab, last)[0], paid(lab, first)[0]) == ("alice", "burn")
    lab.name_registration("foo.test", by="bob")
    lab.name_registration("bar.test", by="bob")
    lab.mine()


@pytest.mark.parametrize(
    ("epoch", "namespace_id", "price"),
    [
        (1, "a", 4_100_000_000),
        (2, "ab", 4_000_000_000),
        (1, "abcd", 400_000_000),
        (2, "abcdefgh", 40_000_000),
        (3, "a", 410_000_000),
        (3, "abc", 400_000_000),
        (3, "abcdefg", 40_000_000),
        (3, "a" * 19, 4_000_000),
    ],
)
def test_namespaces_are_paid_by_length_and_epoch(make_lab: Labs, epoch: int, namespace_id: str, price: int) -> None:
    lab = make_lab(epoch)
    preorder = lab.namespace_preorder(namespace_id, by="alice")
    lab.mine()
    assert paid(lab, preorder) == ("burn", price)
    lab.namespace_reveal(namespace_id, by="alice")
    lab.mine()


def test_fee_and_address_are_the_authors_if_given(make_lab: Labs) -> None:
    lab = make_lab()
    carol = lab.wallets["carol"].address
    free = lab.name_preorder("foo.test", by="bob", fee=0)
    gift = lab.namespace_preorder("test", by="bob", fee=77, pay_to=carol)
    lab.mine()
    assert (paid(lab, free), paid(lab, gift)) == (("burn", 0), ("carol", 77))


def test_a_name_without_a_price(make_lab: Labs) -> None:
    lab = make_lab()
    preorder = lab.name_preorder("foo.nowhere", by="bob")
    lab.mine()
    assert paid(lab, preorder) == ("burn", 100_000)


# Drafts and values


def test_a_draft_knows_what_it_costs(make_lab: Labs) -> None:
    lab = make_lab()
    bob = lab.wallets["bob"]
    draft = Draft("ODD", "x", b"id", (TxOut(5, b""), None, TxOut(7, b"")))
    assert draft.amount == 12 + MINER_FEE
    with pytest.raises(InsufficientFunds, match=rf"wallet 'bob' needs {12 + MINER_FEE} satoshis and has 0"):
        draft.sign(bob)
    lab.fund(bob, draft.amount)
    outputs = draft.sign(bob).outputs
    assert outputs == (TxOut(0, op_return(b"id")), TxOut(5, b""), bob.output(0), TxOut(7, b""))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lifetime", -1),
        ("lifetime", 2**32),
        ("lifetime", 1.5),
        ("coeff", 256),
        ("base", -1),
        ("nonalpha_discount", 16),
        ("no_vowel_discount", "1"),
        ("version", 65536),
        ("buckets", [1] * 15),
        ("buckets", [1] * 15 + [16]),
        ("buckets", [-1] * 16),
    ],
)
def test_a_price_function_that_no_payload_can_hold(make_lab: Labs, field: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"{field}: expected") as caught:
        PriceFunction(**{"lifetime": 1, field: value})  # type: ignore[arg-type]
    assert caught.value.value is value
    with pytest.raises(InvalidInput, match=f"{field}: expected"):
        make_lab().namespace_reveal("test", "alice", **{"lifetime": 1, field: value})  # type: ignore[arg-type]


def test_values_that_are_right_pass() -> None:
    assert [require_satoshis("fee", value) for value in (0, 21 * 10**14)] == [0, 21 * 10**14]
    assert require_hash("hash", "AB" * 16, 16) == "ab" * 16
    assert PriceFunction(0, 0, 0, [15] * 16, 0, 0, 65535).buckets == [15] * 16


def test_an_output_that_only_names_an_address(make_lab: Labs) -> None:
    alice = make_lab().wallets["alice"]
    assert pay(alice.address) == TxOut(CARRIED, alice.script)
    assert pay("1BitcoinEaterAddressDontSendf59kuE", 9).value == 9
    with pytest.raises(InvalidInput, match="bc1q"):
        pay("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")


def test_the_first_block_can_hold_operations(make_lab: Labs) -> None:
    lab = make_lab()
    assert lab.namespace_preorder("test", by="alice").height == FIRST_BLOCK
    assert lab.mine().accepted[0].opcode == "NAMESPACE_PREORDER"
