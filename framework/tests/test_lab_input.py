"""Bad input to a lab: each a typed error that names the value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput
from bnslab.wallets import UnknownWallet
from tests.labs import FIRST_BLOCK, transactions_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnslab.lab import Lab
    from tests.labs import Labs

HASH = "ab" * 20

# Wallets


def test_a_wallet_is_made_once(make_lab: Labs) -> None:
    lab = make_lab()
    vault = lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    assert lab.wallet("vault") is lab.wallet("vault", "p2sh-multisig", required=2, total=3) is vault
    assert lab.wallet("alice", "p2pkh") is lab.wallet("alice", required=1)


@pytest.mark.parametrize(
    ("kind", "required", "total"),
    [("p2pkh", None, None), (None, 3, None), (None, None, 2), ("p2sh-p2wsh", 2, 3)],
)
def test_one_name_is_not_two_wallets(make_lab: Labs, kind: str | None, required: int | None, total: int | None) -> None:
    lab = make_lab()
    lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    with pytest.raises(InvalidInput, match=r"wallet 'vault': expected \('p2sh-multisig', 2, 3\) as before"):
        lab.wallet("vault", kind, required=required, total=total)


@pytest.mark.parametrize(
    ("kind", "required", "total", "told"),
    [("p2tr", 1, 1, "'p2tr'"), ("p2pkh", 2, 2, "got 2"), ("p2sh-multisig", 0, 2, "got 0"), ("p2pkh", 1, 0, "got 0")],
)
def test_wallets_that_do_not_exist(make_lab: Labs, kind: str, required: int, total: int, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        make_lab().wallet("new", kind, required=required, total=total)


OPERATIONS: dict[str, Callable[[Lab, str, str], object]] = {
    "namespace_preorder": lambda lab, by, to: lab.namespace_preorder("test", by, to=to),
    "namespace_reveal": lambda lab, by, to: lab.namespace_reveal("test", by, to=to),
    "namespace_ready": lambda lab, by, to: lab.namespace_ready("test", by if to == "alice" else to),
    "name_import": lambda lab, by, to: lab.name_import("foo.test", by, to),
    "name_preorder": lambda lab, by, to: lab.name_preorder("foo.test", by, to=to),
    "name_registration": lambda lab, by, to: lab.name_registration("foo.test", by, to=to),
    "renew": lambda lab, by, to: lab.renew("foo.test", by, to=to),
    "update": lambda lab, by, to: lab.update("foo.test", by if to == "alice" else to, HASH),
    "transfer": lambda lab, by, to: lab.transfer("foo.test", by, to),
    "revoke": lambda lab, by, to: lab.revoke("foo.test", by if to == "alice" else to),
    "announce": lambda lab, by, to: lab.announce(HASH, by if to == "alice" else to),
    "send_payload": lambda lab, by, to: lab.send_payload(b"id", by if to == "alice" else to),
    "fund": lambda lab, by, to: lab.fund(by if to == "alice" else to, 1),
}


@pytest.mark.parametrize("by_and_to", [("nobody", "alice"), ("alice", "nobody")])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_an_unknown_wallet(
    make_lab: Labs, operation: Callable[[Lab, str, str], object], by_and_to: tuple[str, str]
) -> None:
    lab = make_lab()
    with pytest.raises(UnknownWallet, match="no wallet is called 'nobody'; known: alice, bob, carol"):
        operation(lab, *by_and_to)
    lab.mine()
    assert transactions_of(lab, FIRST_BLOCK) == []


# Values against the rules

NAMED: dict[str, Callable[[Lab, str], object]] = {
    "name_import": lambda lab, name: lab.name_import(name, "alice", "bob"),
    "name_preorder": lambda lab, name: lab.name_preorder(name, "alice"),
    "name_registration": lambda lab, name: lab.name_registration(name, "alice"),
    "register": lambda lab, name: lab.register(name, "alice"),
    "renew": lambda lab, name: lab.renew(name, "alice"),
    "update": lambda lab, name: lab.update(name, "alice", HASH),
    "transfer": lambda lab, name: lab.transfer(name, "alice", "bob"),
    "revoke": lambda lab, name: lab.revoke(name, "alice"),
    "price": lambda lab, name: lab.price(name),
}
BAD_NAMES = ["Foo.test", "foo", ".test", "foo.", "a.foo.test", "foo.test\n", "a+b.test", "ä.test", "a" * 33 + ".test"]


@pytest.mark.parametrize("name", [*BAD_NAMES, "", 7, None])
@pytest.mark.parametrize("operation", NAMED.values(), ids=NAMED)
def test_a_name_against_the_rules(make_lab: Labs, operation: Callable[[Lab, str], object], name: str) -> None:
    lab = make_lab()
    with pytest.raises(InvalidInput, match=r"name: expected label\.namespace") as caught:
        operation(lab, name)
    assert caught.value.value == name
    assert lab.sent == {}


@pytest.mark.parametrize("namespace_id", ["", "Test", "te.st", "te+st", "t" * 20, "test\n", 1])
def test_a_namespace_id_against_the_rules(make_lab: Labs, namespace_id: str) -> None:
    lab = make_lab()
    for operation in (lab.namespace, lab.namespace_preorder, lab.namespace_reveal, lab.namespace_ready):
        with pytest.raises(InvalidInput, match="namespace id: expected 1 to 19") as caught:
            operation(namespace_id, "alice")
        assert caught.value.value == namespace_id
    assert lab.sent == {}


@pytest.mark.parametrize("fee", [-1, 1.5, "100", True, 21 * 10**14 + 1])
def test_a_fee_that_is_none(make_lab: Labs, fee: int) -> None:
    lab = make_lab()
    attempts: list[Callable[[], object]] = [
        lambda: lab.namespace_preorder("test", "alice", fee=fee),
        lambda: lab.name_preorder("foo.test", "alice", fee=fee),
        lambda: lab.renew("foo.test", "alice", fee=fee),
        lambda: lab.fund("alice", fee),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidInput, match="satoshis from 0 to 21e14") as caught:
            attempt()
        assert caught.value.value is fee


@pytest.mark.parametrize("text", ["", "ab" * 19, "ab" * 21, "xy" * 20, "ab " * 20, 7, b"ab" * 20])
def test_a_hash_that_is_none(make_lab: Labs, text: str) -> None:
    lab = make_lab()
    attempts: list[Callable[[], object]] = [
        lambda: lab.update("foo.test", "alice", text),
        lambda: lab.name_import("foo.test", "alice", "bob", value_hash=text),
        lambda: lab.name_registration("foo.test", "alice", value_hash=text),
        lambda: lab.announce(text, "alice"),
        lambda: lab.name_preorder("foo.test", "alice", consensus_hash=text),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidInput, match=r"hash: expected \d\d hex digits") as caught:
            attempt()
        assert caught.value.value is text


def test_a_fee_address_that_is_none(make_lab: Labs) -> None:
    with pytest.raises(InvalidInput, match="1nonsense"):
        make_lab().name_preorder("foo.test", "alice", pay_to="1nonsense")


def test_the_price_in_an_unknown_namespace(make_lab: Labs) -> None:
    with pytest.raises(InvalidInput, match=r"namespace of the name: .* got 'foo\.nowhere'"):
        make_lab().price("foo.nowhere")
