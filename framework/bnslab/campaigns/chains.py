"""Chains for the campaigns: those of chain files, a long one full of operations, and branches off any of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bns.bitcoin.block import parse_header, read_transactions
from bns.bitcoin.hashes import merkle_root, sha256d
from bns.bitcoin.transaction import encode_varint
from bns.engine import Engine
from bns.node.indexer import catch_up
from bns.node.sources import MemorySource
from bns.state.store import State
from bnslab.campaigns.digest import digest
from bnslab.chain.factory import base_chain
from bnslab.chain.memory import MemoryBackend
from bnslab.lab import Lab
from bnslab.nodes.inprocess import InProcessNode
from bnslab.outputs import Outputs
from bnslab.rules import scenario_params

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from bns.bitcoin.transaction import Transaction
    from bns.params import Params
    from bnslab.fixtures import Fixture

STEPS = ("preorder", "register", "update", "transfer", "update by the new owner")


@dataclass(frozen=True)
class Chain:
    """Raw blocks of the heights from `first` on, what they spend, and the rules."""

    name: str
    params: Params
    first: int
    raws: tuple[bytes, ...]
    outputs: Outputs

    @classmethod
    def of_fixture(cls, fixture: Fixture) -> Chain:
        """The chain of a chain file."""
        raws = tuple(bytes.fromhex(block.raw) for block in fixture.blocks)
        return cls(fixture.scenario, fixture.params, fixture.blocks[0].height, raws, fixture.outputs())

    @classmethod
    def of_lab(cls, lab: Lab) -> Chain:
        """The chain that a scenario has made so far."""
        raws = tuple(block.raw for block in lab.chain.blocks_from(1))
        return cls(lab.identity, lab.params, 1, raws, Outputs.of_blocks(raws))

    @property
    def first_indexed(self) -> int:
        """Height of the first block that is indexed."""
        return max(self.first, self.params.first_block)

    @property
    def tip(self) -> int:
        """Height of the last block."""
        return self.first + len(self.raws) - 1

    def raw(self, height: int) -> bytes:
        """The block of a height."""
        return self.raws[height - self.first]

    def source(self) -> MemorySource:
        """A new source of these blocks."""
        return MemorySource(self.first, self.raws, self.outputs.find, name=self.name)

    def followed_by(self, height: int, branch: Sequence[bytes]) -> Chain:
        """The chain whose block at a height other blocks follow."""
        raws = (*self.raws[: height - self.first + 1], *branch)
        return Chain(f"{self.name}, other from {height + 1} on", self.params, self.first, raws, self.outputs)

    def index(self) -> State:
        """A fresh index in memory."""
        state = State.memory(self.params)
        catch_up(self.source(), Engine(self.params, state), state, confirmations=0)
        return state

    @cached_property
    def digests(self) -> dict[int, str]:
        """The hash of all tables after each block, undo log included, from the state before the first block on."""
        state = State.memory(self.params)
        engine = Engine(self.params, state)
        found = {state.last_block: digest(state)}
        for block in self.source().blocks(self.first_indexed, self.tip):
            engine.apply(block)
            found[block.height] = digest(state)
        state.close()
        return found


def random_branch(chain: Chain, fork: int, length: int, choose: Random) -> list[bytes]:
    """Blocks that follow the one at `fork` instead of the chain's own: some of its transactions gone, some come later.

    Proof of work is left out: only a node looks at it.
    """
    branch: list[bytes] = []
    previous = chain.raw(fork)
    late: list[Transaction] = []
    for height in range(fork + 1, fork + 1 + length):
        model = chain.raw(min(height, chain.tip))
        coinbase, *others = read_transactions(model)
        kept = [each for each in others if choose.random() < 0.8] if height <= chain.tip else []
        choose.shuffle(late)
        transactions = [coinbase, *late, *kept]
        late = [each for each in others if each not in kept and choose.random() < 0.7]
        root = merkle_root([each.txid_bytes for each in transactions])
        header = parse_header(model)._replace(
            previous=sha256d(previous[:80]), merkle_root=root, nonce=choose.getrandbits(32)
        )
        previous = b"".join(
            [header.serialize(), encode_varint(len(transactions)), *(each.raw for each in transactions)]
        )
        branch.append(previous)
    return branch


def lifecycle_lab(blocks: int, operations: int) -> Lab:
    """A scenario on which names are preordered, registered, updated, handed on and updated again, evenly spread.

    Both counts include the three blocks of the namespace. The blocks are judged by nobody yet.
    """
    params = scenario_params(base_chain().height + 1, (), {})
    lab = Lab("campaigns/lifecycle", params, base_chain(), MemoryBackend(base_chain()), InProcessNode)
    owners = [lab.wallet(f"owner {number}") for number in range(operations // len(STEPS) // 20 + 2)]
    lab.namespace("bench", by=lab.wallet("creator"))
    sent = len(lab.sent)
    waiting: list[tuple[int, int]] = []
    started = 0
    while len(lab.receipts) < blocks:
        due = sent + (operations - sent) * (len(lab.receipts) - 2) // (blocks - 3)
        later = []
        while len(lab.sent) < due:
            if not waiting:
                waiting.append((started, 0))
                started += 1
            number, step = waiting.pop(0)
            first, second = (owners[(number + turn) % len(owners)].name for turn in (0, 1))
            _send(lab, f"name{number}.bench", first, second, STEPS[step])
            if step + 1 < len(STEPS):
                later.append((number, step + 1))
        lab.mine()
        waiting += later
    return lab


def _send(lab: Lab, name: str, first: str, second: str, step: str) -> None:
    """One operation in the life of a name, by its first owner or by its second."""
    value_hash = f"{len(lab.sent):040x}"
    match step:
        case "preorder":
            lab.name_preorder(name, by=first)
        case "register":
            lab.name_registration(name, by=first)
        case "update":
            lab.update(name, by=first, value_hash=value_hash)
        case "transfer":
            lab.transfer(name, by=first, to=second)
        case _:
            lab.update(name, by=second, value_hash=value_hash)
