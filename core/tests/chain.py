"""A small chain for tests of the rules: named owners, one builder per operation, blocks without proof of anything.

Inputs spend made-up outputs: the engine looks at what they spend and never at signatures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bns.bitcoin.address import address_of_script
from bns.bitcoin.block import BlockHeader
from bns.bitcoin.hashes import hash160, merkle_root, sha256, sha256d
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.network import TESTNET
from bns.bitcoin.script import op_return, p2pkh, p2sh, p2wpkh, push
from bns.bitcoin.transaction import Transaction, TxIn, TxOut, encode_varint
from bns.engine import Block, Engine, Receipt
from bns.operations import (
    announce,
    name_import,
    name_preorder,
    name_registration,
    name_revoke,
    name_transfer,
    name_update,
    namespace_preorder,
    namespace_ready,
    namespace_reveal,
)
from bns.operations.base import OPCODE_NAMES
from bns.operations.reasons import RULES
from bns.params import Params
from bns.state.store import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bns.errors import Reason

CHANGE = 5500
PLENTY = 10_000_000_000
"""Satoshis of every spent output; also a fee that pays for everything but a one-letter namespace."""

VALUE = "11" * 20
OTHER_VALUE = "22" * 20


@dataclass(frozen=True)
class Owner:
    """A script that sends and receives, and the scriptSig that a spender of it shows."""

    script: bytes
    unlock: bytes = b"\x01\x51"

    @property
    def hex(self) -> str:
        return self.script.hex()

    @property
    def address(self) -> str:
        return address_of_script(self.script, TESTNET) or ""


def key_owner(public_key: bytes) -> Owner:
    """Pay-to-public-key-hash of a key in the form given."""
    return Owner(p2pkh(hash160(public_key)), push(b"0" * 71) + push(public_key))


def owner(label: str) -> Owner:
    """Pay-to-public-key-hash of a compressed key."""
    return key_owner(PrivateKey.from_label(label).public_key)


NS = owner("namespace creator")
RV = owner("reveal address")
ALICE = owner("alice")
BOB = owner("bob")
CAROL = owner("carol")
SHARED = Owner(p2sh(hash160(b"shared")))
OTHER_SHARED = Owner(p2sh(hash160(b"other shared")))
WITNESS = Owner(p2wpkh(hash160(b"witness")))
BURN = Owner(p2pkh(bytes(20)))
NOBODY = Owner(b"\x51")
"""An output script without address."""


@dataclass(frozen=True)
class Terms:
    """What a namespace reveal says beside its id."""

    lifetime: int = 10
    coeff: int = 4
    base: int = 4
    buckets: tuple[int, ...] = (6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    nonalpha_discount: int = 10
    no_vowel_discount: int = 5
    version: int = 1


TERMS = Terms()


def rules(
    epoch: int = 3, *, grace: int = 5, multiplier: int = 1, receive_fees: int = 20, reveal_expire: int = 144
) -> Params:
    """Test-mode parameters from block 100 on, with short periods in every epoch that has them."""
    params = Params.regtest(first_block=100, epoch=epoch, namespace_reveal_expire=reveal_expire)
    one, two, three = params.epochs
    return replace(
        params,
        epochs=(
            one,
            replace(two, lifetime_multiplier=multiplier),
            replace(three, lifetime_multiplier=multiplier, grace_period=grace, receive_fees_period=receive_fees),
        ),
    )


def coinbase(height: int, *outputs: TxOut) -> Transaction:
    """A coinbase; without outputs given, one that pays nobody."""
    txin = TxIn(bytes(32), 0xFFFFFFFF, push(height.to_bytes(4, "little")), 0xFFFFFFFF)
    return Transaction(1, (txin,), outputs or (TxOut(0, p2pkh(hash160(b"miner"))),), 0)


def raw_block(previous: bytes, height: int, transactions: Sequence[Transaction]) -> bytes:
    """A block with a right Merkle root and no work."""
    root = merkle_root([transaction.txid_bytes for transaction in transactions])
    header = BlockHeader(0x20000000, previous, root, 1_500_000_000 + height, 0x207FFFFF, 0).serialize()
    return header + encode_varint(len(transactions)) + b"".join(transaction.raw for transaction in transactions)


class Chain:
    """Blocks under construction over a state in memory; `mine` indexes what was queued since."""

    def __init__(self, params: Params | None = None, state: State | None = None) -> None:
        self.params = params or rules()
        self.state = state or State.memory(self.params)
        self.engine = Engine(self.params, self.state)
        self.blocks: list[Block] = []
        self.funding: dict[bytes, Transaction] = {}
        self.verdicts: dict[str, Reason | None] = {}
        self.opcodes: dict[str, str] = {}
        self._tip = bytes(32)
        self._queue: list[Transaction] = []

    @property
    def height(self) -> int:
        """Height of the block under construction."""
        return self.state.last_block + 1

    @property
    def hash(self) -> str:
        """Consensus hash of the last block."""
        return self.state.consensus_hash(self.state.last_block) or ""

    def prevout(self, txid: bytes, index: int) -> TxOut | None:
        """What the engine asks of a block source."""
        funding = self.funding.get(txid)
        return funding.outputs[index] if funding and index < len(funding.outputs) else None

    def spend(self, by: Owner, *outputs: TxOut, more: Sequence[Owner] = ()) -> str:
        """Queue a transaction of one input by `by`, and further ones; its txid."""
        inputs = []
        for spender in (by, *more):
            seed = sha256(b"funding %d" % len(self.funding))
            funding = Transaction(1, (TxIn(seed, 0, b"", 0),), (TxOut(PLENTY, spender.script),), 0)
            self.funding[funding.txid_bytes] = funding
            inputs.append(TxIn(funding.txid_bytes, 0, spender.unlock, 0xFFFFFFFF))
        return self.queue(Transaction(1, tuple(inputs), outputs, 0))

    def queue(self, transaction: Transaction) -> str:
        """Queue any transaction; its txid."""
        self._queue.append(transaction)
        return transaction.txid

    def take_back(self) -> Transaction:
        """The transaction queued last, which is not mined then."""
        return self._queue.pop()

    def mine(self, count: int = 1) -> Receipt:
        """Index the queued transactions in one block, then empty blocks up to count; the first block's receipt."""
        receipts = [self._mine() for _ in range(count)]
        return receipts[0]

    def _mine(self) -> Receipt:
        height = self.height
        raw = raw_block(self._tip, height, [coinbase(height), *self._queue])
        receipt = self.index(Block(height, raw, self.prevout))
        self._queue.clear()
        return receipt

    def index(self, block: Block) -> Receipt:
        """Index a block made elsewhere."""
        receipt = self.engine.apply(block)
        self.blocks.append(block)
        self._tip = sha256d(block.raw[:80])
        self.verdicts.update((entry.operation.carrier.txid, None) for entry in receipt.accepted)
        self.verdicts.update((entry.txid, entry.reason) for entry in receipt.rejected)
        for refused in receipt.rejected:
            self._check_catalogue(refused.reason, refused.payload, receipt.height)
        self.opcodes.update((entry.operation.carrier.txid, entry.opcode) for entry in receipt.accepted)
        return receipt

    def mine_to(self, height: int) -> None:
        """Mine empty blocks until block `height` is under construction."""
        assert self.height <= height, f"block {height} is mined already"
        while self.height < height:
            self.mine()

    def _check_catalogue(self, reason: Reason, payload: bytes, height: int) -> None:
        """Every refusal of every test: the catalogue of reasons must know of it."""
        rule, wire, epoch = RULES[reason], payload[2:3].decode("latin-1"), self.params.epoch(height)
        names = {"NAME_REGISTRATION", "NAME_RENEWAL"} if wire == ":" else {OPCODE_NAMES.get(wire)}
        assert rule.operations == ("any payload",) or names & set(rule.operations), (reason, wire)
        assert epoch is None or epoch.number in rule.epochs, (reason, epoch.number)

    def judge(self, txid: str) -> Reason | None:
        """Mine, and say why an operation was refused, None if it was not."""
        self.mine()
        return self.verdicts[txid]

    def judge_all(self, *txids: str) -> list[Reason | None]:
        """Mine, and say the same of several operations of the block."""
        self.mine()
        return [self.verdicts[txid] for txid in txids]

    # Operations: each queues one transaction and gives its txid

    def op(self, by: Owner, data: bytes, *outputs: tuple[Owner, int], more: Sequence[Owner] = ()) -> str:
        """A data output and then the others, (owner, satoshis) each."""
        pay = (TxOut(value, to.script) for to, value in outputs)
        return self.spend(by, TxOut(0, op_return(data)), *pay, more=more)

    def preorder(
        self,
        name: str,
        by: Owner,
        to: Owner | None = None,
        *,
        fee: int = PLENTY,
        fee_to: Owner = BURN,
        consensus: str | None = None,
        sealed_for: Owner | None = None,
    ) -> str:
        """sealed_for: whose script the hash names, if it is not the sender's."""
        data = name_preorder.encode(name, (sealed_for or by).hex, (to or by).address, consensus or self.hash)
        return self.op(by, data, (by, CHANGE), (fee_to, fee))

    def register(self, name: str, by: Owner, to: Owner | None = None, value: str | None = None) -> str:
        return self.op(by, name_registration.encode(name, value), (to or by, CHANGE), (by, CHANGE))

    def renew(
        self,
        name: str,
        by: Owner,
        to: Owner | None = None,
        value: str | None = None,
        *,
        fee: int = PLENTY,
        fee_to: Owner = BURN,
    ) -> str:
        data = name_registration.encode(name, value)
        return self.op(by, data, (to or by, CHANGE), (by, CHANGE), (fee_to, fee))

    def update(self, name: str, by: Owner, value: str = VALUE, *, consensus: str | None = None) -> str:
        return self.op(by, name_update.encode(name, value, consensus or self.hash), (by, CHANGE))

    def transfer(self, name: str, by: Owner, to: Owner, *, keep: bool = True, consensus: str | None = None) -> str:
        data = name_transfer.encode(name, consensus or self.hash, keep_data=keep)
        return self.op(by, data, (to, CHANGE), (by, CHANGE))

    def revoke(self, name: str, by: Owner) -> str:
        return self.op(by, name_revoke.encode(name), (by, CHANGE))

    def import_name(self, name: str, by: Owner, to: Owner, value: str = VALUE) -> str:
        value_output = Owner(p2pkh(bytes.fromhex(value)))
        return self.op(by, name_import.encode(name), (to, CHANGE), (value_output, CHANGE), (by, CHANGE))

    def preorder_namespace(
        self,
        namespace_id: str,
        by: Owner = NS,
        reveal_to: Owner = RV,
        *,
        fee: int = PLENTY,
        consensus: str | None = None,
        sealed_for: Owner | None = None,
    ) -> str:
        sealed = (sealed_for or by).hex
        data = namespace_preorder.encode(namespace_id, sealed, reveal_to.address, consensus or self.hash)
        return self.op(by, data, (by, CHANGE), (BURN, fee))

    def reveal(self, namespace_id: str, by: Owner = NS, to: Owner = RV, terms: Terms = TERMS) -> str:
        return self.op(by, reveal_data(namespace_id, terms), (to, CHANGE), (by, CHANGE))

    def ready(self, namespace_id: str, by: Owner = RV) -> str:
        return self.op(by, namespace_ready.encode(namespace_id), (by, CHANGE))

    def announce(self, by: Owner, message_hash: str = VALUE) -> str:
        return self.op(by, announce.encode(message_hash), (by, CHANGE))

    # Several blocks

    def revealed(self, namespace_id: str = "test", terms: Terms = TERMS) -> Chain:
        """Preorder and reveal a namespace, a block each."""
        self.must(self.preorder_namespace(namespace_id, fee=5 * PLENTY))
        self.must(self.reveal(namespace_id, terms=terms))
        return self

    def opened(
        self, namespace_id: str = "test", terms: Terms = TERMS, imports: Mapping[str, Owner] | None = None
    ) -> Chain:
        """Preorder and reveal a namespace, import names, declare it ready, a block each."""
        self.revealed(namespace_id, terms)
        if imports:
            txids = [self.import_name(name, RV, to) for name, to in imports.items()]
            assert self.judge_all(*txids) == [None] * len(txids)
        self.must(self.ready(namespace_id))
        return self

    def given(self, name: str, to: Owner, *, fee_to: Owner = BURN) -> Chain:
        """Preorder and register a name, a block each."""
        self.must(self.preorder(name, to, fee_to=fee_to))
        self.must(self.register(name, to))
        return self

    def must(self, txid: str) -> Chain:
        """Mine, and insist that the operation was accepted."""
        reason = self.judge(txid)
        assert reason is None, reason
        return self


def reveal_data(namespace_id: str, terms: Terms = TERMS) -> bytes:
    """OP_RETURN data of a reveal."""
    return namespace_reveal.encode(
        namespace_id,
        lifetime=terms.lifetime,
        coeff=terms.coeff,
        base=terms.base,
        buckets=terms.buckets,
        nonalpha_discount=terms.nonalpha_discount,
        no_vowel_discount=terms.no_vowel_discount,
        version=terms.version,
    )
