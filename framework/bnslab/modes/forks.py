"""Random forks: now and then another branch takes the place of the last blocks, and then gives way to them again.

The branch holds transactions of those blocks, some of them later, in another order, or not at all. On it the node must
be what a fresh index of the branch is; back on the scenario's own chain, all must be as before.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from bns.engine import Block, Engine
from bns.state.store import State
from bnslab.campaigns.digest import dump
from bnslab.chain.factory import BlockFactory
from bnslab.errors import CheckFailed
from bnslab.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.bitcoin.transaction import Transaction
    from bns.engine import Receipt
    from bnslab.lab import Lab

FIRST_BRANCH = 1_000_000
"""Numbers of branches from here on; those below are for reorganisations that scenarios write."""

_LATER, _NEVER = 0.25, 0.1


class Forks:
    """After every so many blocks a fork of random depth."""

    name = "forks"

    def __init__(self, every: int, depth: int, seed: str) -> None:
        self._every = every
        self._depth = depth
        self._seed = seed
        self._blocks = 0
        self.made = 0

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Fork if it is time."""
        self._blocks += 1
        if self._blocks % self._every == 0:
            choose = Random(f"{self._seed}/{self._blocks}")
            self._fork(lab, choose.randint(1, min(self._depth, len(lab.mined))), choose)

    def at_end(self, lab: Lab) -> None:
        """Nothing more to do."""

    def _fork(self, lab: Lab, depth: int, choose: Random) -> None:
        self.made += 1
        fork = lab.height - depth
        own, before = lab.chain.blocks_from(fork + 1), _tables(lab.node.state)
        tip = lab.chain.rollback(fork)
        lab.node.rollback(fork)
        factory = BlockFactory.for_scenario(lab.identity, FIRST_BRANCH + self.made)
        for transactions in branch(lab.mined[-depth:], choose):
            block = factory.build(tip, transactions)
            tip = lab.chain.accept(block.raw)
            lab.index(tip.height, block.raw)
        self._compare(lab, "on the fork", _fresh(lab), _tables(lab.node.state))
        lab.chain.rollback(fork)
        lab.node.rollback(fork)
        lab.chain.reconnect(own)
        for block, receipt in zip(own, lab.receipts[-depth:], strict=True):
            again = lab.index(block.tip.height, block.raw)
            wanted, found = _outcome(receipt), _outcome(again)
            if found != wanted:
                raise CheckFailed(self.name, again.height, "outcome after a fork", str(wanted), str(found))
        self._compare(lab, "after the fork", before, _tables(lab.node.state))

    def _compare(self, lab: Lab, when: str, wanted: Tables, found: Tables) -> None:
        for table, rows in wanted.items():
            if rows != found[table]:
                pairs = zip([*rows, None], [*found[table], None], strict=False)
                one, other = next((a, b) for a, b in pairs if a != b)
                raise CheckFailed(
                    self.name, lab.node.state.last_block, f"table {table} {when}", str(one), str(other),
                    f"the {self.made}. fork of this scenario, seed {self._seed}",
                )  # fmt: skip


Tables = dict[str, list[tuple[Any, ...]]]


def branch(blocks: Sequence[Sequence[Transaction]], choose: Random) -> list[list[Transaction]]:
    """As many blocks with the same transactions or fewer, in an order in which they can be spent."""
    made: list[list[Transaction]] = []
    late: list[Transaction] = []
    gone: set[bytes] = set()
    for block in blocks:
        due = [*late, *block]
        choose.shuffle(due)
        waiting = {transaction.txid_bytes for transaction in due}
        kept: list[Transaction] = []
        late = []
        while due:  # what spends others comes after them
            transaction = next(tx for tx in due if not any(source.txid in waiting for source in tx.inputs))
            due.remove(transaction)
            waiting.discard(transaction.txid_bytes)
            spent = {source.txid for source in transaction.inputs}
            fate = choose.random()
            if spent & gone or fate < _NEVER:
                gone.add(transaction.txid_bytes)
            elif spent & {tx.txid_bytes for tx in late} or fate < _NEVER + _LATER:
                late.append(transaction)
            else:
                kept.append(transaction)
        made.append(kept)
    return made


def _outcome(receipt: Receipt) -> tuple[object, ...]:
    verdicts = [(rejected.txid, rejected.reason) for rejected in receipt.rejected]
    return receipt.block_hash, receipt.consensus_hash, receipt.serialized, verdicts


def _tables(state: State) -> Tables:
    """Without subdomains, which depend on when zone files came."""
    return {name: rows for name, rows in dump(state, undo=False).items() if name in _COMPARED}


_COMPARED = {"name_records", "namespaces", "preorders", "history", "keychains", "chainstate", "snapshots"}


def _fresh(lab: Lab) -> Tables:
    outputs, state = Outputs(lab.base.coins), State.memory(lab.params)
    engine = Engine(lab.params, state)
    try:
        for block in lab.chain.blocks_from(lab.params.first_block):
            outputs.add_block(block.raw)
            engine.apply(Block(block.tip.height, block.raw, outputs.find))
        return _tables(state)
    finally:
        state.close()
