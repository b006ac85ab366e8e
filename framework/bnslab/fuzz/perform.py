"""Makes a real chain of a program: every step a signed transaction, every block complete.

The model is the guide: it knows owners, prices and consensus hashes, so that a chain does not depend on what the core
makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from bns.bitcoin.address import script_of_address
from bns.bitcoin.block import read_transactions
from bns.bitcoin.hashes import sha256
from bns.bitcoin.script import op_return, p2pkh, p2sh, p2wpkh
from bns.bitcoin.transaction import Transaction, TxIn, TxOut
from bns.errors import InvalidInput
from bns.params import Feature
from bnslab import fixtures
from bnslab.chain.factory import BaseChain, BlockFactory, base_chain
from bnslab.fuzz import payloads
from bnslab.fuzz.actors import KEYS, WITNESS, Actors
from bnslab.fuzz.model import Model, Outcome
from bnslab.fuzz.model.text import space_of
from bnslab.outputs import Outputs
from bnslab.wallets import TRANSACTION_VERSION, Faucet, InsufficientFunds, Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bnslab.chain.base import Block
    from bnslab.fuzz.program import Program, Step
    from bnslab.wallets import Wallet

CARRIED = 5_500
MINER_FEE = 10_000
MOST_FOR_A_NAME = 300_000_000
"""Satoshis: who is asked for more pays only so much."""
UNPRICED = 100_000
TOP_UP = 100_000_000

_CHANGE = None


@dataclass(frozen=True)
class Performed:
    """A block made of steps: its bytes, the transaction of each step that became one, and what the model says."""

    block: Block
    sent: dict[str, Step]
    outcome: Outcome


class Performer:
    """Makes the blocks of one program, one at a time.

    InvalidInput unless the first block of its rules is the one above the base chain.
    """

    def __init__(self, program: Program, base: BaseChain | None = None) -> None:
        self.program = program
        self.base = base or base_chain()
        self.params = program.params
        if self.params.first_block != self.base.height + 1:
            raise InvalidInput("first block", self.params.first_block, str(self.base.height + 1))
        self.outputs = Outputs(self.base.coins)
        self.model = Model(self.params)
        self.blocks: list[Block] = []
        self._ledger = Ledger()
        self._actors = Actors(self._ledger)
        self._faucet = Faucet(self.base, self._ledger)
        self._factory = BlockFactory.for_scenario(program.name)

    @property
    def height(self) -> int:
        """Height of the next block."""
        return self.model.world.last + 1

    @property
    def actors(self) -> Actors:
        """Who acts."""
        return self._actors

    def sender_of(self, transaction: Transaction, step: Step) -> Wallet | None:
        """The actor whose coin a transaction of a step spends first."""
        first = transaction.inputs[0]
        spent = self.outputs.find(first.txid, first.index)
        known = list(self._actors)
        if step.child is not None:
            known += [self._actors.child(number, step.child) for number in range(len(self._actors))]
        return next((actor for actor in known if spent is not None and actor.script == spent.script), None)

    def perform(self, steps: Sequence[Step]) -> Performed:
        """Make the next block."""
        left = list(steps)
        while True:
            height = self.height
            sent = self._send(left)
            tip = self.blocks[-1].tip if self.blocks else self.base.tip
            block = self._factory.build(tip, [transaction for transaction, _ in sent])
            self.outputs.add_block(block.raw)
            outcome = self.model.apply(block.raw, self.outputs.find)
            fatal = [step for transaction, step in sent if transaction.txid in outcome.fatal]
            if self.program.fatal or not fatal:
                self.blocks.append(block)
                made = {transaction.txid: step for transaction, step in sent if step is not None}
                return Performed(block, made, outcome)
            left = [step for step in left if not any(step is each for each in fatal)]
            self._ledger.rollback(height - 1)
            self._replay()

    def chain(self) -> fixtures.Fixture:
        """The chain so far as a chain file without an expected part."""
        spent = {txin.txid for block in self.blocks for tx in read_transactions(block.raw) for txin in tx.inputs}
        coinbases = (read_transactions(block.raw)[0] for block in self.base.blocks)
        return fixtures.Fixture(
            format=fixtures.FORMAT,
            scenario=self.program.name,
            blocks=[fixtures.BlockEntry(block.tip.height, block.tip.hash, block.raw.hex()) for block in self.blocks],
            env=self.params.to_reference_env(),
            first_block=self.params.first_block,
            prevouts={tx.txid: tx.raw.hex() for tx in coinbases if tx.txid_bytes in spent},
        )

    def _replay(self) -> None:
        self.model = Model(self.params)
        for block in self.blocks:
            self.model.apply(block.raw, self.outputs.find)

    # Transactions

    def _send(self, steps: Sequence[Step]) -> list[tuple[Transaction, Step | None]]:
        sent: list[tuple[Transaction, Step | None]] = []
        for step in steps:
            if step.known and not self._has_a_chance(step):
                continue
            made: list[tuple[Transaction, Step | None]] = []
            try:
                self._make(step, made)
            except InsufficientFunds:
                continue  # the base chain holds only so much
            finally:
                sent += made
        return sent

    def _make(self, step: Step, made: list[tuple[Transaction, Step | None]]) -> None:
        actor = self._actor(step)
        outputs = arrange(step.layout, self._outputs(step, actor), actor.script)
        amount = sum(output.value for output in outputs if output is not None) + MINER_FEE
        payers = [actor] if step.second is None else [actor, self._actors[step.second]]
        for payer, needed in zip(payers, (amount, 1), strict=False):
            if payer.balance < needed:
                funding = self._faucet.pay([payer.output(max(TOP_UP, 2 * needed))], self.height)
                self._ledger.apply(funding, self.height)
                made.append((funding, None))
        coins = list(actor.select(amount))
        if len(payers) == 2:
            coins += [coin for coin in payers[1].select(1) if coin not in coins]
        spent = [coin.output for coin in coins]
        change = actor.output(sum(output.value for output in spent) - amount)
        inputs = tuple(coin.input for coin in coins)
        outs = tuple(change if output is _CHANGE else output for output in outputs)
        transaction = Transaction(TRANSACTION_VERSION, inputs, outs, 0)
        for payer in {payer.script: payer for payer in payers}.values():
            if any(output.script == payer.script for output in spent):
                transaction = payer.sign(transaction, spent)
        if step.unlock == "pushed" and not transaction.inputs[0].witness and step.by in KEYS:
            first = transaction.inputs[0]
            pushed: tuple[TxIn, ...] = (first._replace(script=b"\x51" + first.script), *transaction.inputs[1:])
            transaction = Transaction(TRANSACTION_VERSION, pushed, outs, 0)
        self._ledger.apply(transaction, self.height)
        made.append((transaction, step))

    def _outputs(self, step: Step, actor: Wallet) -> list[TxOut | None]:
        """The outputs of a well-behaved client, the data first (Spec 02 section 4.3)."""
        recipient = actor if step.to is None else self._actors[step.to]
        sealed_by = actor if step.seal is None else self._actors[step.seal]
        epoch = self.params.epoch(self.height)
        padded = epoch is None or epoch.has(Feature.OP_REGISTER_UPDATE)
        data = payloads.payload(step, sealed_by, recipient, self._consensus_hash(step), padded=padded)
        whole = payloads.framed(payloads.WIRE[step.op], data, step.payload)
        first = TxOut(0, op_return(whole))
        paid = recipient.output(CARRIED)
        match step.op:
            case "namespace_preorder" | "name_preorder":
                return [first, _CHANGE, self._fee(step, actor)]
            case "namespace_reveal" | "name_registration" | "name_transfer":
                return [first, paid, _CHANGE]
            case "name_renewal":
                return [first, paid, _CHANGE, self._fee(step, actor)]
            case "name_import":
                return [first, paid, TxOut(CARRIED, p2pkh(payloads.value_hash(step.value or 0))), _CHANGE]
        return [first, _CHANGE]

    # What steps leave open

    def _has_a_chance(self, step: Step) -> bool:
        world = self.model.world
        if self.params.epoch(self.height) is None:
            return True
        if step.op in ("name_preorder", "name_registration"):
            return world.ready(space_of(step.id))
        if step.op == "name_import":
            return world.revealed(space_of(step.id)) is not None
        row = world.names.get(step.id)
        return row is not None and any(world.visible(row, world.last - back) for back in (0, 2))

    def _actor(self, step: Step) -> Wallet:
        world = self.model.world
        number = step.by
        if number is None:
            script = ""
            if step.op in ("namespace_ready", "name_import"):
                id_ = step.id if step.op == "namespace_ready" else space_of(step.id)
                script = world.spaces[id_]["recipient"] if id_ in world.spaces else ""
            elif step.id in world.names:
                script = world.names[step.id]["sender"]
            number = self._actors.of_script(script) or 0
        return self._actors[number] if step.child is None else self._actors.child(number, step.child)

    def _consensus_hash(self, step: Step) -> str:
        known = self.model.world.hashes.get(self.height - step.back) if step.back else None
        return known or sha256(step.id.encode())[:16].hex()

    def _fee(self, step: Step, actor: Wallet) -> TxOut:
        world = self.model.world
        epoch = self.params.epoch(self.height)
        space = None
        if step.op == "namespace_preorder":
            fits = epoch is not None and len(step.id) <= 19
            price = epoch.namespace_prices.of(step.id) if epoch is not None and fits else UNPRICED
        else:
            space = world.spaces.get(space_of(step.id))
            price = UNPRICED if space is None or epoch is None else ceil(world.price(step.id, self.height))
            price = min(price, MOST_FOR_A_NAME)
        value = {"exact": price, "low": max(price - 1, 0), "high": price + 1, "none": 0}[step.fee]
        if step.pay == "sender":
            return actor.output(value)
        if step.pay in ("witness", "nobody"):
            return self._actors[WITNESS + (step.pay == "nobody")].output(value)
        address = world.burn_address
        if space is not None and epoch is not None and step.pay != "burn":
            address = space["address"] if step.pay == "creator" else world.fee_address(space, self.height)
        return TxOut(value, script_of_address(address, self.params.network))


def arrange(layout: str, outputs: list[TxOut | None], script: bytes) -> list[TxOut | None]:
    """The outputs in an unusual order or number; script is the sender's."""
    data, rest = outputs[0], outputs[1:]
    assert data is not None, "the data comes first"
    pushed = data.script[2:]
    match layout:
        case "more":
            return [*outputs, TxOut(CARRIED, script)]
        case "less":
            return outputs[:-1]
        case "last":
            return [*rest, data]
        case "second":
            return [rest[0], data, *rest[1:]]
        case "decoy":  # the last data output decides
            return [TxOut(0, op_return(b"id?decoy")), *rest, data]
        case "cancelled":  # even when it holds nothing
            return [*outputs, TxOut(0, b"\x6a")]
        case "pushdata1" | "pushdata2" | "pushdata4":
            size = int(layout[-1])
            head = bytes([0x6A, {1: 0x4C, 2: 0x4D, 4: 0x4E}[size]]) + len(pushed).to_bytes(size, "little")
            return [TxOut(0, head + pushed), *rest]
        case "truncated":
            return [TxOut(0, bytes([0x6A, len(pushed) + 5]) + pushed), *rest]
        case "two pushes":
            return [TxOut(0, data.script + b"\x51"), *rest]
        case "hash behind p2sh" | "hash behind witness" if len(rest) == 3 and (carrier := rest[1]) is not None:
            behind = p2sh if layout == "hash behind p2sh" else p2wpkh
            return [data, rest[0], TxOut(CARRIED, behind(carrier.script[3:23])), rest[2]]
    return outputs
