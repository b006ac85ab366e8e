"""Makes blocks, every byte decided here: the same input gives the same block hash on every machine.

The rules, beside those of Bitcoin:

* the coinbase has version 2, `push(height) OP_0`, sequence ffffffff, locktime 0, pays the subsidy without fees to one
  fixed script and carries a witness commitment with a zero reserved value in every block, whether or not it holds
  witnesses (a regtest node's own miner does the same);
* the header has version 20000000, bits 207fffff, a time that is a function of the height, and the first nonce from 0
  that meets the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from bns.bitcoin.block import BlockHeader
from bns.bitcoin.hashes import hash160, merkle_root, sha256d
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.script import op_return, p2pkh, push
from bns.bitcoin.transaction import Transaction, TxIn, TxOut, encode_varint, txid_from_hex
from bns.errors import InvalidInput
from bnslab.chain.base import Block, Coin, Tip

if TYPE_CHECKING:
    from collections.abc import Sequence

GENESIS = Tip(0, "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206")
"""The genesis block of regtest."""

BASE_TIME = 1_500_000_000
"""In July 2017: far enough back for judges that go by the machine's own clock."""
BLOCK_SPACING = 600
MOCKTIME = 1_800_000_000
"""The clock to give a node (seconds). Every block up to height 500,000 lies before it, and no known release of a node
has an expiry date before it."""

COIN = 100_000_000
COINBASE_MATURITY = 100
HALVING_INTERVAL = 150
BASE_CHAIN_LENGTH = 110

_VERSION = 0x20000000
_BITS = 0x207FFFFF
_TARGET = bytes.fromhex("7fffff" + "00" * 29)
_FINAL_SEQUENCE = 0xFFFFFFFF
_ZERO = bytes(32)
_COMMITMENT_MARK = bytes.fromhex("aa21a9ed")
_BASE_KEY_LABEL = "bnslab/base-chain"


def block_time(height: int) -> int:
    """Return the time of a block (seconds since 1970): 600 s a block."""
    return BASE_TIME + BLOCK_SPACING * height


def subsidy(height: int) -> int:
    """Return the satoshis a coinbase may claim: 50 coins, halved every 150 blocks."""
    return (50 * COIN) >> (height // HALVING_INTERVAL)


class BlockFactory:
    """Builds blocks whose coinbases pay one script; it remembers nothing between two of them."""

    def __init__(self, coinbase_script: bytes) -> None:
        self.coinbase_script = coinbase_script

    @classmethod
    def for_scenario(cls, scenario: str, branch: int = 0) -> BlockFactory:
        """Return the factory of one scenario, unlike that of any other.

        The key that its coinbases pay depends on the scenario's identity, so that no two scenarios share a block: a
        node refuses for ever what it was once told to forget. branch makes the competing chain of a reorganisation
        differ from the first in the same way.
        """
        return cls(p2pkh(hash160(_scenario_public_key(scenario, branch))))

    def build(self, previous: Tip, transactions: Sequence[Transaction] = ()) -> Block:
        """Return the block after a tip, with a coinbase and then the transactions in the order given.

        Nothing is checked: a test may want a block that a node refuses.
        """
        height = previous.height + 1
        coinbase = self.coinbase(height, _witness_commitment(transactions))
        block = [coinbase, *transactions]
        header, digest = _grind(
            BlockHeader(
                version=_VERSION,
                previous=txid_from_hex(previous.hash),
                merkle_root=merkle_root([transaction.txid_bytes for transaction in block]),
                time=block_time(height),
                bits=_BITS,
                nonce=0,
            )
        )
        raw = b"".join([header, encode_varint(len(block)), *(transaction.raw for transaction in block)])
        return Block(raw, Tip(height, digest[::-1].hex()))

    def coinbase(self, height: int, commitment: bytes) -> Transaction:
        """Return the coinbase of a height for a witness commitment of 32 bytes."""
        outputs = (
            TxOut(subsidy(height), self.coinbase_script),
            TxOut(0, op_return(_COMMITMENT_MARK + commitment)),
        )
        source = TxIn(_ZERO, 0xFFFFFFFF, _push_height(height) + b"\x00", _FINAL_SEQUENCE, (_ZERO,))
        return Transaction(2, (source,), outputs, 0)


@dataclass(frozen=True)
class BaseChain:
    """The blocks below every scenario: coinbases only, each paying the key of the faucet.

    Its length is part of the identity of all that is built on it. Use base_chain() to share one between scenarios.
    """

    blocks: tuple[Block, ...]
    coins: tuple[Coin, ...]
    """The output of each coinbase, by height."""

    @classmethod
    def build(cls, length: int = BASE_CHAIN_LENGTH) -> BaseChain:
        """Make a chain of so many blocks, at least 1."""
        if length < 1:
            raise InvalidInput("length of the base chain", length, "1 or more")
        factory = BlockFactory(p2pkh(hash160(faucet_key().public_key)))
        commitment = _witness_commitment(())
        tip, blocks, coins = GENESIS, [], []
        for height in range(1, length + 1):
            block = factory.build(tip)
            coinbase = factory.coinbase(height, commitment)
            tip = block.tip
            blocks.append(block)
            coins.append(Coin(coinbase.txid_bytes, 0, coinbase.outputs[0], height + COINBASE_MATURITY))
        return cls(tuple(blocks), tuple(coins))

    @property
    def height(self) -> int:
        """The height of the last block."""
        return self.blocks[-1].tip.height

    @property
    def tip(self) -> Tip:
        """The last block."""
        return self.blocks[-1].tip

    @cached_property
    def hex_blocks(self) -> tuple[str, ...]:
        """The blocks as a node's submitblock takes them."""
        return tuple(block.raw.hex() for block in self.blocks)

    def spendable(self, height: int) -> tuple[Coin, ...]:
        """Return the coins that a block of this height may spend, oldest first."""
        return tuple(coin for coin in self.coins if coin.spendable_from <= height)


@lru_cache
def base_chain(length: int = BASE_CHAIN_LENGTH) -> BaseChain:
    """Return the base chain of a length, made once in a process."""
    return BaseChain.build(length)


@lru_cache
def faucet_key() -> PrivateKey:
    """Return the key that every coinbase of the base chain pays."""
    return PrivateKey.from_label(_BASE_KEY_LABEL)


@lru_cache(maxsize=1024)
def _scenario_public_key(scenario: str, branch: int) -> bytes:
    return PrivateKey.from_label(f"bnslab/coinbase/{branch}/{scenario}").public_key


def _witness_commitment(transactions: Sequence[Transaction]) -> bytes:
    witness_ids = [_ZERO, *(transaction.wtxid_bytes for transaction in transactions)]
    return sha256d(merkle_root(witness_ids) + _ZERO)


def _grind(header: BlockHeader) -> tuple[bytes, bytes]:
    """Return the 80 bytes with the first nonce that meets the target, and their digest; two tries on average."""
    fixed = header.serialize()[:-4]
    state = sha256(fixed)
    for nonce in range(1 << 32):
        tail = nonce.to_bytes(4, "little")
        attempt = state.copy()
        attempt.update(tail)
        digest = sha256(attempt.digest()).digest()
        if digest[::-1] <= _TARGET:
            return fixed + tail, digest
    raise AssertionError("no nonce meets the easiest target")


def _push_height(height: int) -> bytes:
    if height <= 16:
        return bytes([0x50 + height])
    return push(height.to_bytes(height.bit_length() // 8 + 1, "little"))
