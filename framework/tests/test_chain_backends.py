from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from platformdirs import user_cache_path

from bns.bitcoin.script import op_return
from bns.bitcoin.transaction import Transaction, TxOut
from bns.errors import InvalidInput
from bnslab.bitcoind import RunDirectory
from bnslab.chain import (
    BACKENDS,
    BlockFactory,
    BlockRefused,
    KernelUnavailable,
    Tip,
    UnknownBackend,
    base_chain,
    open_backend,
)
from bnslab.wallets import Faucet, Ledger, Wallet, WalletKind, Wallets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.chain import Block, ChainBackend

SCENARIO = "every kind of wallet"
LAST = Tip(115, "6436b7ec173ed4771187b7ec66ebb2561636437830cfcf089ad04368d26ba67e")
"""Where that scenario ends, on every machine and backend."""


class Author:
    """What a scenario does by hand: wallets, a faucet, and blocks on top of each other."""

    def __init__(self, scenario: str, branch: int = 0) -> None:
        self.tip = base_chain().tip
        self.ledger = Ledger()
        self.wallets = Wallets(self.ledger)
        self.faucet = Faucet(base_chain(), self.ledger)
        self.factory = BlockFactory.for_scenario(scenario, branch)

    @property
    def height(self) -> int:
        return self.tip.height + 1

    def pay(self, *wallets: Wallet) -> Transaction:
        payment = self.faucet.pay([wallet.output(1_000_000) for wallet in wallets], self.height)
        self.ledger.apply(payment, self.height)
        return payment

    def operate(self, wallet: Wallet) -> Transaction:
        coins = wallet.select(5_500)
        spent = [coin.output for coin in coins]
        change = wallet.output(sum(output.value for output in spent) - 5_500)
        outputs = (TxOut(0, op_return(b"id?" + wallet.name.encode())), change)
        signed = wallet.sign(Transaction(1, tuple(coin.input for coin in coins), outputs, 0), spent)
        self.ledger.apply(signed, self.height)
        return signed

    def mine(self, *transactions: Transaction) -> Block:
        block = self.factory.build(self.tip, transactions)
        self.tip = block.tip
        return block


def every_kind_of_wallet() -> list[Block]:
    author = Author(SCENARIO)
    create = author.wallets.create
    wallets = [
        create("alice"),
        create("two of three", WalletKind.P2SH_MULTISIG, required=2, total=3),
        create("one of one", WalletKind.P2SH_MULTISIG),
        create("fifteen", WalletKind.P2SH_MULTISIG, required=15, total=15),
        create("segwit", WalletKind.P2SH_P2WPKH),
        create("segwit two of three", WalletKind.P2SH_P2WSH, required=2, total=3),
        create("segwit fifteen", WalletKind.P2SH_P2WSH, required=8, total=15),
        author.wallets["alice"].child(0),
    ]
    blocks = [author.mine(author.pay(*wallets), *(author.operate(wallet) for wallet in wallets[:4]))]
    blocks += [author.mine(*(author.operate(wallet) for wallet in wallets)) for _ in range(3)]
    return [*blocks, author.mine(author.pay(wallets[0]))]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with RunDirectory.create(tmp_path_factory.mktemp("cache")) as directory:
        yield directory.path


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest, run_dir: Path) -> Iterator[ChainBackend]:
    opened = open_backend(request.param, base_chain(), run_dir=run_dir, cache=user_cache_path("bnslab"))
    yield opened
    opened.close()


def test_the_same_scenario_ends_at_the_same_tip(backend: ChainBackend) -> None:
    for _ in range(2):
        assert backend.begin(SCENARIO) == base_chain().tip == backend.tip()
        for block in every_kind_of_wallet():
            assert backend.accept(block.raw) == block.tip
        assert backend.tip() == LAST


def test_accepted_blocks_are_kept(backend: ChainBackend) -> None:
    backend.begin("kept")
    author = Author("kept")
    blocks = [author.mine() for _ in range(3)]
    for block in blocks:
        backend.accept(block.raw)
    assert backend.blocks_from(111) == tuple(blocks)
    assert backend.blocks_from(1) == (*base_chain().blocks, *blocks)
    assert backend.blocks_from(114) == ()
    with pytest.raises(InvalidInput, match="height: expected 1 or more, got 0"):
        backend.blocks_from(0)
    backend.begin("kept no longer")
    assert backend.blocks_from(111) == ()


def wrong_signature(author: Author) -> list[Transaction]:
    payment = author.pay(author.wallets.create("alice"))
    (source,) = payment.inputs
    broken = bytearray(source.script)
    broken[40] ^= 1
    return [replace(payment, inputs=(source._replace(script=bytes(broken)),))]


def wrong_witness(author: Author) -> list[Transaction]:
    bob = author.wallets.create("bob", WalletKind.P2SH_P2WPKH)
    payment = author.pay(bob)
    operation = author.operate(bob)
    (source,) = operation.inputs
    signature = bytearray(source.witness[0])
    signature[20] ^= 1
    return [payment, replace(operation, inputs=(source._replace(witness=(bytes(signature), source.witness[1])),))]


def overspend(author: Author) -> list[Transaction]:
    (coin, *_) = base_chain().coins
    output = coin.output._replace(value=coin.output.value + 1)
    return [author.faucet.wallet.sign(Transaction(1, (coin.input,), (output,), 0), [coin.output])]


def unripe_coinbase(author: Author) -> list[Transaction]:
    coin = base_chain().coins[11]
    return [author.faucet.wallet.sign(Transaction(1, (coin.input,), (coin.output,), 0), [coin.output])]


def child_before_parent(author: Author) -> list[Transaction]:
    alice = author.wallets.create("alice")
    return [author.pay(alice), author.operate(alice)][::-1]


Flaw = Callable[[Author], list[Transaction]]

FLAWS: dict[Flaw, str] = {
    wrong_signature: "script-verify-flag-failed",
    wrong_witness: "script-verify-flag-failed",
    overspend: "bad-txns-in-belowout",
    unripe_coinbase: "bad-txns-premature-spend-of-coinbase",
    child_before_parent: "bad-txns-inputs-missingorspent",
}


@pytest.mark.parametrize(("flaw", "reason"), FLAWS.items(), ids=[flaw.__name__ for flaw in FLAWS])
def test_a_flawed_block_is_refused(backend: ChainBackend, flaw: Flaw, reason: str) -> None:
    scenario = flaw.__name__
    backend.begin(scenario)
    author = Author(scenario)
    block = author.mine(*flaw(author))
    if backend.name == "memory":
        assert backend.accept(block.raw) == block.tip
        return
    with pytest.raises(BlockRefused, match=reason) as caught:
        backend.accept(block.raw)
    assert caught.value.tip == block.tip
    assert backend.tip() == base_chain().tip
    good = BlockFactory.for_scenario(scenario).build(base_chain().tip)
    assert backend.accept(good.raw) == good.tip


def test_a_block_must_follow_the_tip(backend: ChainBackend) -> None:
    backend.begin("elsewhere")
    author = Author("elsewhere")
    first, second = author.mine(), author.mine()
    beside = BlockFactory.for_scenario("elsewhere", branch=1).build(base_chain().tip)
    with pytest.raises(BlockRefused, match=r"block 111 .* refused: prev-blk-not-found"):
        backend.accept(second.raw)
    backend.accept(first.raw)
    for raw in (first.raw, beside.raw, b"", b"\x00" * 80):
        with pytest.raises(BlockRefused, match=r"block 112 .* refused: prev-blk-not-found"):
            backend.accept(raw)
    assert backend.accept(second.raw) == second.tip


def test_a_cut_block_is_refused(backend: ChainBackend) -> None:
    backend.begin("cut")
    block = Author("cut").mine()
    if backend.name != "memory":
        with pytest.raises(BlockRefused, match="Block decode failed"):
            backend.accept(block.raw[:-1])
    assert backend.accept(block.raw) == block.tip


def test_another_branch_can_take_over(backend: ChainBackend) -> None:
    backend.begin("fork")
    author = Author("fork")
    alice = author.wallets.create("alice")
    blocks = [author.mine(author.pay(alice)), *(author.mine(author.operate(alice)) for _ in range(4))]
    for block in blocks:
        backend.accept(block.raw)
    assert backend.rollback(115) == blocks[4].tip
    assert backend.rollback(112) == blocks[1].tip == backend.tip()
    assert backend.blocks_from(112) == (blocks[1],)
    author.ledger.rollback(112)
    author.tip, author.factory = blocks[1].tip, BlockFactory.for_scenario("fork", branch=1)
    other = [author.mine(author.operate(alice), author.operate(alice)) for _ in range(5)]
    for block in other:
        backend.accept(block.raw)
    assert backend.tip() == other[-1].tip
    for height in (109, 118):
        with pytest.raises(InvalidInput, match=f"height to roll back to: expected 110 to 117, got {height}"):
            backend.rollback(height)
    assert backend.rollback(110) == base_chain().tip


def test_closing_twice_is_fine(run_dir: Path) -> None:
    for name in BACKENDS:
        backend = open_backend(name, base_chain(), run_dir=run_dir, cache=user_cache_path("bnslab"))
        backend.begin("short")
        backend.close()
        backend.close()


def test_closed_kernels_leave_nothing(tmp_path: Path) -> None:
    backend = open_backend("kernel", base_chain(), run_dir=tmp_path, cache=tmp_path)
    backend.begin("short")
    assert list(tmp_path.iterdir())
    backend.close()
    assert not list(tmp_path.iterdir())


def test_an_unknown_backend_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownBackend, match="no chain backend is called 'dockr'; there are bitcoind, kernel, memory"):
        open_backend("dockr", base_chain(), run_dir=tmp_path, cache=tmp_path)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pbk", None)
    with pytest.raises(KernelUnavailable, match=r"pip install 'bnslab\[kernel\]'"):
        open_backend("kernel", base_chain(), run_dir=tmp_path, cache=tmp_path)
