"""What the core is compared with: the model, or the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from bnslab.chain.base import BlockRefused
from bnslab.consume import Difference, compare
from bnslab.divergence import side_by_side
from bnslab.fuzz.divergence import Divergence
from bnslab.fuzz.duel import Duel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.engine import Receipt
    from bnslab.chain.base import ChainBackend
    from bnslab.fixtures import Expected, Fixture
    from bnslab.fuzz.duel import Tally
    from bnslab.fuzz.program import Program


@dataclass(frozen=True)
class Trial:
    """One program run: the first difference, if any, what became of its steps, and its chain.

    The expected part of the chain is what the other side says of it, as far as it got.
    """

    divergence: Divergence | None
    tally: Tally
    chain: Fixture


class Target(Protocol):
    """Something that the core can be compared with."""

    name: str
    options: str
    """Those of the command that compares with it, with a space before each."""

    def run(self, program: Program) -> Trial:
        """Make the chain of a program, index it with the core, and compare."""


class AgainstModel:
    """The second implementation of the rules; a chain backend, if there is one, judges the blocks too."""

    name = "model"

    def __init__(self, chain: ChainBackend | None = None) -> None:
        self._chain = chain
        self.options = "" if chain is None else f" --chain {chain.name}"

    def run(self, program: Program) -> Trial:
        """Make the chain of a program, index it with the core, and compare after every block."""
        with Duel(program) as duel:
            found = duel.run()
            if found is None and self._chain is not None:
                found = refused(self._chain, duel)
            return Trial(found, duel.tally(), duel.chain())


def refused(chain: ChainBackend, duel: Duel) -> Divergence | None:
    """The first block of a duel that a chain backend does not take."""
    chain.begin(duel.performer.program.name)
    for block in duel.performer.blocks:
        try:
            chain.accept(block.raw)
        except BlockRefused as error:
            return Divergence(block.tip.height, "chain", chain.name, "an accepted block", error.reason)
    return None


class Reference(Protocol):
    """The reference implementation, as bnslab.nodes.reference runs it."""

    def run(self, fixture: Fixture) -> Expected:
        """What it makes of a chain; ReferenceCrashed if it aborts."""


class AgainstReference:
    """The reference; where core and reference agree and the model does not, that is told too."""

    name = "reference"
    options = " --against reference"

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def run(self, program: Program) -> Trial:
        """Make the chain of a program, have core and reference index it, and compare."""
        from bnslab.nodes.reference import ReferenceCrashed

        with Duel(program) as duel:
            apart = None
            for steps in program.blocks:
                found = duel.step(steps)
                apart = apart or found
                if len(duel.receipts) < len(duel.performed):
                    return Trial(found, duel.tally(), duel.chain())
            chain = duel.performer.chain()
            try:
                expected = self._reference.run(chain)
            except ReferenceCrashed as crash:
                if crash.height is None:  # it did not come to the chain
                    raise
                told = "\n".join(["", *crash.output])
                found = Divergence(crash.height, "crash of the reference", told, crash.status, "a receipt")
                return Trial(found, duel.tally(), chain)
            judged = replace(chain, expected=expected)
            found = compare_receipts(expected, duel.receipts) or _compare_tables(judged)
            if found is None and apart is not None:
                found = Divergence(apart.height, f"model: {apart.what}", apart.subject, apart.actual, apart.expected)
            return Trial(found, duel.tally(), judged)


def _compare_tables(fixture: Fixture) -> Divergence | None:
    try:
        compare(fixture, ("tables",))
    except Difference as unlike:
        return Divergence(fixture.tip, "rows", str(unlike), "those of the reference", "others")
    return None


def compare_receipts(expected: Expected, receipts: Sequence[Receipt]) -> Divergence | None:
    """What the core said of its blocks beside what somebody expects of them."""
    for receipt in receipts:
        height = str(receipt.height)
        wanted = expected.serialized_ops.get(height, [])
        if list(receipt.serialized) != wanted:
            told = side_by_side(wanted, receipt.serialized)
            told += "".join(f"\n  rejected {r.txid}: {r.reason.name} ({r.detail})" for r in receipt.rejected)
            return Divergence(receipt.height, "operations", told, str(len(wanted)), str(len(receipt.serialized)))
        for what, hashes in (("ops_hash", expected.ops_hashes), ("consensus_hash", expected.consensus_hashes)):
            actual = getattr(receipt, what)
            if hashes.get(height) != actual:
                return Divergence(receipt.height, what, "the block", str(hashes.get(height)), actual)
    return None
