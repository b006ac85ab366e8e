"""Labs for the tests of the harness: quick ones, on a chain that nobody judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.bitcoin.block import read_transactions
from bnslab.chain import BlockFactory, MemoryBackend, base_chain
from bnslab.checks import make_checks
from bnslab.lab import Lab
from bnslab.nodes.inprocess import InProcessNode
from bnslab.rules import scenario_params

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bns.bitcoin.transaction import Transaction
    from bnslab.chain.base import Block, ChainBackend
    from bnslab.fixtures import Fixture
    from bnslab.nodes import MakeNode
    from bnslab.sent import Sent

FIRST_BLOCK = base_chain().height + 1


class Labs:
    """Makes labs, and closes them all."""

    def __init__(self) -> None:
        self._made: list[Lab] = []

    def __call__(
        self,
        *epochs: int,
        identity: str = "a scenario",
        chain: ChainBackend | None = None,
        node: MakeNode = InProcessNode,
        fixture: Fixture | None = None,
        skip: Collection[str] = (),
        **rules: Any,
    ) -> Lab:
        """A lab with wallets called alice, bob and carol; rules are the keywords of bnslab.epochs()."""
        params = scenario_params(FIRST_BLOCK, epochs, rules)
        backend = chain or MemoryBackend(base_chain())
        lab = Lab(identity, params, base_chain(), backend, node, make_checks(fixture, skip))
        self._made.append(lab)
        for name in ("alice", "bob", "carol"):
            lab.wallet(name)
        return lab

    def close(self) -> None:
        """Close them."""
        for lab in self._made:
            lab.close()


def transactions_of(lab: Lab, height: int) -> list[Transaction]:
    """The transactions of a block without its coinbase."""
    (block, *_) = lab.chain.blocks_from(height)
    return read_transactions(block.raw)[1:]


def transaction_of(lab: Lab, sent: Sent) -> Transaction:
    """The transaction of a mined operation."""
    (found,) = (each for each in transactions_of(lab, sent.height) if each.txid == sent.txid)
    return found


def other_branch(blocks: Sequence[Block], fork: Block, length: int) -> list[Block]:
    """Blocks after a fork with the transactions of the chain's own, each one block later, but those of the last."""
    factory = BlockFactory.for_scenario("another branch", branch=1)
    moved: list[Any] = [[], *(read_transactions(block.raw)[1:] for block in blocks)]
    made, tip = [], fork.tip
    for number in range(length):
        made.append(factory.build(tip, moved[number] if number < len(moved) - 1 else ()))
        tip = made[-1].tip
    return made
