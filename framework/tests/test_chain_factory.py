from __future__ import annotations

from hashlib import sha256

import pytest

from bns.bitcoin.block import parse_header, read_transactions
from bns.bitcoin.hashes import merkle_root, sha256d
from bns.bitcoin.transaction import Transaction, TxIn, TxOut
from bns.errors import InvalidInput
from bnslab.chain.base import Tip
from bnslab.chain.factory import (
    COIN,
    GENESIS,
    MOCKTIME,
    BaseChain,
    BlockFactory,
    base_chain,
    block_time,
    subsidy,
)

PLAIN = Transaction(1, (TxIn(b"\x11" * 32, 0, b"\x51", 0xFFFFFFFE),), (TxOut(7, b"\x51"),), 0)
WITNESS = Transaction(1, (TxIn(b"\x22" * 32, 1, b"", 0xFFFFFFFE, (b"abc",)),), (TxOut(8, b"\x51"),), 0)


def test_the_base_chain_is_the_same_on_every_machine() -> None:
    assert base_chain().tip == Tip(110, "01c195eeb5e50ddf332798d95248160bf5e6f4a0c4cdf7dfeac172e21d318d3a")


def test_the_base_chain_is_made_once() -> None:
    assert base_chain(3) is base_chain(3)
    assert base_chain(3).blocks == BaseChain.build(5).blocks[:3]


def test_a_base_chain_has_a_block() -> None:
    with pytest.raises(InvalidInput, match="length of the base chain: expected 1 or more, got 0"):
        BaseChain.build(0)


@pytest.mark.parametrize(("height", "coins"), [(100, 0), (101, 1), (111, 11), (210, 110), (500, 110)])
def test_coinbases_ripen_after_a_hundred_blocks(height: int, coins: int) -> None:
    spendable = base_chain().spendable(height)
    coinbases = [read_transactions(block.raw)[0] for block in base_chain().blocks[:coins]]
    assert [coin.txid for coin in spendable] == [coinbase.txid_bytes for coinbase in coinbases]
    assert [coin.output for coin in spendable] == [coinbase.outputs[0] for coinbase in coinbases]


@pytest.mark.parametrize(
    ("height", "script"),
    [
        (1, "5100"),
        (16, "6000"),
        (17, "011100"),
        (127, "017f00"),
        (128, "02800000"),
        (256, "02000100"),
        (32767, "02ff7f00"),
        (32768, "0300800000"),
    ],
)
def test_a_coinbase_names_its_height(height: int, script: str) -> None:
    (coinbase,) = read_transactions(BlockFactory(b"\x51").build(Tip(height - 1, GENESIS.hash)).raw)
    assert coinbase.inputs == (TxIn(bytes(32), 0xFFFFFFFF, bytes.fromhex(script), 0xFFFFFFFF, (bytes(32),)),)
    assert (coinbase.version, coinbase.locktime) == (2, 0)
    assert coinbase.outputs[0] == TxOut(subsidy(height), b"\x51")


def test_the_subsidy_halves_every_150_blocks() -> None:
    heights = {1: 50 * COIN, 149: 50 * COIN, 150: 25 * COIN, 299: 25 * COIN, 300: 1_250_000_000, 150 * 64: 0}
    assert {height: subsidy(height) for height in heights} == heights


def test_a_block_commits_to_everything_in_it() -> None:
    block = BlockFactory(b"\x51").build(GENESIS, [PLAIN, WITNESS])
    header = parse_header(block.raw)
    coinbase, *rest = read_transactions(block.raw)
    assert rest == [PLAIN, WITNESS]
    assert header.merkle_root == merkle_root([coinbase.txid_bytes, PLAIN.txid_bytes, WITNESS.txid_bytes])
    witnesses = merkle_root([bytes(32), sha256d(PLAIN.raw), sha256d(WITNESS.raw)])
    assert coinbase.outputs[1] == TxOut(0, bytes.fromhex("6a24aa21a9ed") + sha256d(witnesses + bytes(32)))


def test_the_first_nonce_that_meets_the_target_is_taken() -> None:
    tip = GENESIS
    nonces = []
    for _ in range(40):
        block = BlockFactory(b"\x51").build(tip)
        header = parse_header(block.raw)
        assert (header.version, header.bits, header.time) == (0x20000000, 0x207FFFFF, block_time(block.tip.height))
        assert header.previous[::-1].hex() == tip.hash
        digests = [header._replace(nonce=nonce).hash for nonce in range(header.nonce + 1)]
        met = [int.from_bytes(digest, "little") <= 0x7FFFFF << 232 for digest in digests]
        assert met == [False] * header.nonce + [True]
        assert block.tip == Tip(tip.height + 1, digests[-1][::-1].hex())
        nonces.append(header.nonce)
        tip = block.tip
    assert max(nonces) > 0


def test_every_block_lies_before_the_clock_of_the_node() -> None:
    assert 1_296_688_602 < block_time(1) < block_time(2) < block_time(500_000) <= MOCKTIME


def test_more_than_252_transactions_fit() -> None:
    many = [Transaction(1, PLAIN.inputs, (TxOut(value, b""),), 0) for value in range(300)]
    block = BlockFactory(b"\x51").build(GENESIS, many)
    assert read_transactions(block.raw)[1:] == many


def test_no_two_scenarios_or_branches_share_a_block() -> None:
    factories = [BlockFactory.for_scenario(name, branch) for name in ("a", "b", "0/a") for branch in (0, 1)]
    assert len({factory.build(GENESIS).raw for factory in factories}) == 6
    again = BlockFactory.for_scenario("a", 1)
    assert again.build(GENESIS) == factories[1].build(GENESIS)


def test_the_same_input_gives_the_same_bytes() -> None:
    blocks = {BlockFactory(b"\x51").build(GENESIS, [WITNESS, PLAIN]).raw for _ in range(3)}
    assert {sha256(raw).hexdigest() for raw in blocks} == {
        "bb5fe53acf6f2601194c2bac95d466243eba8033279ce4fbc69344764af91a0f"
    }
