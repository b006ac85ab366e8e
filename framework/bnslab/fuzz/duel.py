"""One program, made block by block, judged by the core and by the model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from bns.engine import Block, Engine
from bns.state.store import UNDO_DEPTH, State
from bnslab.fixtures import Expected
from bnslab.fuzz.compare import compare_block, compare_rows
from bnslab.fuzz.divergence import Divergence
from bnslab.fuzz.model import Model
from bnslab.fuzz.perform import Performer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from bns.engine import Receipt
    from bnslab.fixtures import Fixture
    from bnslab.fuzz.perform import Performed
    from bnslab.fuzz.program import Program, Step

Tally = Counter[tuple[str, str]]
"""How often each kind of operation met each fate: accepted, or the name of the reason."""


class Duel:
    """A context manager; performed and receipts hold what either side made of the blocks so far."""

    def __init__(self, program: Program) -> None:
        self.performer = Performer(program)
        self.state = State.memory(self.performer.params)
        self.performed: list[Performed] = []
        self.receipts: list[Receipt] = []
        self._engine = Engine(self.performer.params, self.state)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.state.close()

    def step(self, steps: Sequence[Step]) -> Divergence | None:
        """Make the next block; the first difference in it. After a crash of the core there is no next one."""
        performed = self.performer.perform(steps)
        self.performed.append(performed)
        height, raw = performed.outcome.height, performed.block.raw
        try:
            receipt = self._engine.apply(Block(height, raw, self.performer.outputs.find))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we are looking for
            return Divergence(height, "crash of the core", type(error).__name__, "a receipt", str(error))
        self.receipts.append(receipt)
        found = compare_block(performed, receipt)
        if found is None and performed.sent:
            found = compare_rows(height, self.performer.model.world, self.state)
        return found

    def run(self) -> Divergence | None:
        """Make all blocks of the program, then take some back and index them again; the first difference."""
        for steps in self.performer.program.blocks:
            found = self.step(steps)
            if found is not None:
                return found
        return self.rewind(1 + self.performer.program.size % min(len(self.performed), UNDO_DEPTH))

    def rewind(self, depth: int) -> Divergence | None:
        """Roll the core back by so many blocks and apply them again; what was or is then not as before."""
        kept, tip = len(self.performed) - depth, self.state.last_block
        model = Model(self.performer.params)
        for performed in self.performed[:kept]:
            model.apply(performed.block.raw, self.performer.outputs.find)
        self.state.rollback_to(tip - depth)
        found = compare_rows(tip, model.world, self.state)
        for performed in self.performed[kept:]:
            block = Block(performed.outcome.height, performed.block.raw, self.performer.outputs.find)
            found = found or compare_block(performed, self._engine.apply(block))
        found = found or compare_rows(tip, self.performer.model.world, self.state)
        # the height of the last block, because the whole chain is needed to see it
        return found and replace(found, height=tip, what=f"{found.what}, rolled back by {depth} blocks")

    def chain(self) -> Fixture:
        """The chain so far; its expected part is what the model says."""
        genesis: dict[str, str | None] = {
            str(height): hash_ for height, hash_ in list(self.performer.model.world.hashes.items())[:4]
        }
        outcomes = {str(each.outcome.height): each.outcome for each in self.performed}
        expected = Expected(
            tip=self.performed[-1].outcome.height,
            consensus_hashes=genesis | {height: outcome.consensus_hash for height, outcome in outcomes.items()},
            ops_hashes=dict.fromkeys(genesis) | {height: outcome.ops_hash for height, outcome in outcomes.items()},
            serialized_ops={height: outcome.serialized for height, outcome in outcomes.items() if outcome.serialized},
        )
        return msgspec.structs.replace(self.performer.chain(), expected=expected)

    def tally(self) -> Tally:
        """What the core made of the steps."""
        tally: Tally = Counter()
        for performed, receipt in zip(self.performed, self.receipts, strict=False):
            kinds = {txid: step.op for txid, step in performed.sent.items()}
            tally.update((kinds.get(entry.operation.carrier.txid, ""), "accepted") for entry in receipt.accepted)
            tally.update((kinds.get(entry.txid, ""), entry.reason.name) for entry in receipt.rejected)
        return tally
