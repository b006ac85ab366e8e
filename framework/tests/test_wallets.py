from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bns.bitcoin.keys import child_public_key
from bns.bitcoin.script import ScriptType, classify, tokens
from bns.bitcoin.transaction import Transaction, TxIn, TxOut
from bns.errors import InvalidInput
from bnslab.chain.base import Coin
from bnslab.chain.factory import COIN, base_chain
from bnslab.wallets import (
    FAUCET_FEE,
    DuplicateWallet,
    Faucet,
    InsufficientFunds,
    Ledger,
    NothingToSign,
    UnknownWallet,
    Wallet,
    WalletKind,
    Wallets,
)

if TYPE_CHECKING:
    from random import Random

KINDS = [
    (WalletKind.P2PKH, 1, 1),
    (WalletKind.P2SH_MULTISIG, 2, 3),
    (WalletKind.P2SH_P2WPKH, 1, 1),
    (WalletKind.P2SH_P2WSH, 2, 3),
]


def fill(wallet: Wallet, ledger: Ledger, *values: int) -> None:
    for index, value in enumerate(values):
        ledger.add(Coin(b"\x07" * 32, index, wallet.output(value)))


def spend(wallet: Wallet, *outputs: TxOut) -> Transaction:
    """Everything that the wallet has goes to the outputs; unsigned."""
    return Transaction(1, tuple(coin.input for coin in wallet.coins), outputs, 0)


@pytest.mark.parametrize(
    ("kind", "required", "total", "address"),
    [
        (*KINDS[0], "n4SpDSMYivqJ8LcXfvMXz6TEtSGoaoDPEE"),
        (*KINDS[1], "2N1ttFRcGJq5Pn2hvca4GAC8winqgF8FgH4"),
        (*KINDS[2], "2Mz6Lrqm9yZk71wWteKFR9SsecogPQ9kzhE"),
        (*KINDS[3], "2N6uYutkGPF2KQT55tCSPwD52dYYbm3dJTD"),
    ],
)
def test_addresses_never_change(kind: WalletKind, required: int, total: int, address: str) -> None:
    wallet = Wallets(Ledger()).create("alice", kind, required=required, total=total)
    assert wallet.address == address
    assert len(wallet.public_keys) == total
    assert classify(wallet.script) is (ScriptType.PUBKEYHASH if kind is WalletKind.P2PKH else ScriptType.SCRIPTHASH)


def test_wallets_share_no_key() -> None:
    wallets = Wallets(Ledger())
    for name in ("a", "b", "a/0"):
        wallets.create(name, WalletKind.P2SH_MULTISIG, required=1, total=15)
    assert len({key for wallet in wallets for key in wallet.public_keys}) == 45


def test_a_wallet_is_found_by_name() -> None:
    wallets = Wallets(Ledger())
    alice, bob = wallets.create("alice"), wallets.create("bob")
    assert (wallets["alice"], list(wallets), len(wallets)) == (alice, [alice, bob], 2)
    assert "bob" in wallets
    assert "carol" not in wallets
    with pytest.raises(UnknownWallet, match="no wallet is called 'carol'; known: alice, bob"):
        wallets["carol"]
    with pytest.raises(UnknownWallet, match="known: none"):
        Wallets(Ledger())["carol"]
    with pytest.raises(DuplicateWallet, match="already called 'bob'"):
        wallets.create("bob", WalletKind.P2SH_P2WPKH)


@pytest.mark.parametrize(
    ("kind", "required", "total", "message"),
    [
        ("p2tr", 1, 1, "kind of wallet 'x': expected one of p2pkh, p2sh-multisig, p2sh-p2wpkh, p2sh-p2wsh, got 'p2tr'"),
        ("p2sh-multisig", 3, 2, "signatures required by wallet 'x': expected 1 to 2, got 3"),
        ("p2sh-multisig", 0, 2, "signatures required by wallet 'x': expected 1 to 2, got 0"),
        ("p2sh-p2wsh", 1, 16, "number of keys of p2sh-p2wsh wallet 'x': expected 1 to 15, got 16"),
        ("p2sh-multisig", 1, 0, "number of keys of p2sh-multisig wallet 'x': expected 1 to 15, got 0"),
        ("p2pkh", 1, 2, "number of keys of p2pkh wallet 'x': expected 1 to 1, got 2"),
    ],
)
def test_a_wallet_that_cannot_be(kind: str, required: int, total: int, message: str) -> None:
    wallets = Wallets(Ledger())
    with pytest.raises(InvalidInput) as caught:
        wallets.create("x", kind, required=required, total=total)
    assert str(caught.value) == message
    assert "x" not in wallets


@pytest.mark.parametrize(("kind", "required", "total"), KINDS)
def test_each_kind_signs_its_way(kind: WalletKind, required: int, total: int) -> None:
    ledger = Ledger()
    wallet = Wallets(ledger).create("alice", kind, required=required, total=total)
    fill(wallet, ledger, 1000)
    signed = wallet.sign(spend(wallet, TxOut(900, b"")), [wallet.output(1000)])
    (source,) = signed.inputs
    pushes = tokens(source.script)
    if kind is WalletKind.P2SH_MULTISIG:
        assert (len(pushes), pushes[0], pushes[-1]) == (required + 2, 0, wallet.inner_script)
        assert source.witness == ()
    elif kind is WalletKind.P2PKH:
        assert (len(pushes), pushes[-1], source.witness) == (2, wallet.public_keys[0], ())
    else:
        assert len(pushes) == 1
        inner = [b"", wallet.inner_script] if kind is WalletKind.P2SH_P2WSH else [wallet.public_keys[0]]
        assert len(source.witness) == required + len(inner)
        assert [source.witness[0], source.witness[-1]][-len(inner) :] == inner
    assert wallet.sign(spend(wallet, TxOut(900, b"")), [wallet.output(1000)]) == signed


def test_a_wallet_signs_its_own_inputs_only() -> None:
    ledger = Ledger()
    wallets = Wallets(ledger)
    alice, bob = wallets.create("alice"), wallets.create("bob", WalletKind.P2SH_P2WPKH)
    inputs = tuple(TxIn(bytes([place]) * 32, 0, b"", 0xFFFFFFFE) for place in range(3))
    unsigned = Transaction(1, inputs, (TxOut(1, b""),), 0)
    spent = [alice.output(5), bob.output(6), alice.output(7)]
    signed = alice.sign(unsigned, spent)
    assert signed.inputs[1] == inputs[1]
    assert all(signed.inputs[place] != inputs[place] for place in (0, 2))
    assert bob.sign(signed, spent) == alice.sign(bob.sign(unsigned, spent), spent)
    with pytest.raises(NothingToSign, match="spends a coin of wallet 'bob'"):
        bob.sign(unsigned, [alice.output(5)] * 3)
    with pytest.raises(InvalidInput, match="spent outputs: expected 3, one for each input, got 2"):
        alice.sign(unsigned, spent[:2])


def test_children_follow_the_keychain() -> None:
    wallets = Wallets(Ledger())
    alice = wallets.create("alice")
    child = alice.child(7)
    assert child.public_keys == (child_public_key(alice.public_keys[0], 7),)
    assert child is alice.child(7)
    assert (child.name, child.kind, child.coins) == ("alice/7", WalletKind.P2PKH, ())
    with pytest.raises(InvalidInput, match="kind of wallet 'm': expected p2pkh, which alone has children"):
        wallets.create("m", WalletKind.P2SH_P2WPKH).child(0)


@given(st.lists(st.integers(1, 60), max_size=12), st.integers(0, 400), st.randoms(use_true_random=False))
def test_coin_selection(values: list[int], amount: int, random: Random) -> None:
    ledger = Ledger()
    wallet = Wallets(ledger).create("alice")
    coins = [Coin(bytes([place]) * 32, place, wallet.output(value)) for place, value in enumerate(values)]
    for coin in coins:
        ledger.add(coin)
    if not coins or sum(values) < amount:
        with pytest.raises(InsufficientFunds) as caught:
            wallet.select(amount)
        assert (caught.value.wallet, caught.value.needed, caught.value.available) == ("alice", amount, sum(values))
        return
    chosen = wallet.select(amount)
    total = sum(coin.output.value for coin in chosen)
    assert len(set(chosen)) == len(chosen) >= 1
    assert set(chosen) <= set(coins)
    assert total >= amount
    if max(values) >= amount:
        assert [coin.output.value for coin in chosen] == [min(value for value in values if value >= amount)]
    else:
        assert all(total - coin.output.value < amount for coin in chosen), "a coin is idle"
    shuffled = Ledger()
    other = Wallets(shuffled).create("alice")
    random.shuffle(coins)
    for coin in coins:
        shuffled.add(coin)
    assert other.select(amount) == chosen


def test_selection_names_what_is_missing() -> None:
    ledger = Ledger()
    alice = Wallets(ledger).create("alice")
    fill(alice, ledger, 10, 20)
    assert alice.balance == 30
    with pytest.raises(InsufficientFunds, match="wallet 'alice' needs 31 satoshis and has 30"):
        alice.select(31)
    with pytest.raises(InvalidInput, match="amount: expected 0 satoshis or more, got -1"):
        alice.select(-1)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), max_size=20), st.integers(0, 21))
def test_a_ledger_forgets_what_is_rolled_back(moves: list[tuple[int, int, int]], height: int) -> None:
    def replay(count: int) -> tuple[Ledger, list[Wallet]]:
        ledger = Ledger()
        wallets = [Wallets(ledger).create(name) for name in "abc"]
        fill(wallets[0], ledger, *range(100, 110))
        for place, (payer, payee, number) in enumerate(moves[:count]):
            coins = wallets[payer].coins[:number]
            outputs = [*(wallets[payee].output(coin.output.value) for coin in coins), TxOut(place, b"elsewhere")]
            stranger = TxIn(bytes([200 + place]) * 32, 0, b"", 0)
            inputs = (*(coin.input for coin in coins), stranger)
            ledger.apply(Transaction(1, inputs, tuple(outputs), 0), place + 1)
        return ledger, wallets

    ledger, wallets = replay(len(moves))
    ledger.rollback(height)
    _, expected = replay(height)
    assert [wallet.coins for wallet in wallets] == [wallet.coins for wallet in expected]


def test_the_faucet_pays_with_ripe_coinbases_only() -> None:
    ledger = Ledger()
    faucet = Faucet(base_chain(), ledger)
    alice = Wallets(ledger).create("alice")
    with pytest.raises(InsufficientFunds, match="wallet 'faucet' needs 55000010001 satoshis and has 55000000000"):
        faucet.pay([alice.output(550 * COIN)], 111)
    payment = faucet.pay([alice.output(550 * COIN)], 112)
    assert [source.txid for source in payment.inputs] == [coin.txid for coin in base_chain().coins[:12]]
    assert payment.outputs == (alice.output(550 * COIN), faucet.wallet.output(50 * COIN - FAUCET_FEE))
    assert (payment.version, payment.locktime, {source.sequence for source in payment.inputs}) == (1, 0, {0xFFFFFFFE})


def test_every_payment_descends_from_the_first() -> None:
    ledger = Ledger()
    faucet = Faucet(base_chain(), ledger)
    alice = Wallets(ledger).create("alice")
    previous = faucet.pay([alice.output(50 * COIN - FAUCET_FEE)], 111)
    assert len(previous.inputs) == 2, "a payment that leaves no change would end the chain"
    ledger.apply(previous, 111)
    for height, amount in ((111, 1), (112, 120 * COIN), (113, 50 * COIN - FAUCET_FEE)):
        payment = faucet.pay([alice.output(amount)], height)
        assert payment.inputs[0] == payment.inputs[0]._replace(txid=previous.txid_bytes, index=1)
        assert payment.outputs[-1].value > 0
        ledger.apply(payment, height)
        previous = payment
    ledger.rollback(110)
    assert (alice.balance, faucet.wallet.coins) == (0, Faucet(base_chain(), Ledger()).wallet.coins)
