"""A program as a script: what it does in the plainest words that give the same transactions byte for byte."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bns.bitcoin.block import read_transactions
from bns.bitcoin.script import nulldata
from bns.errors import Reason
from bnslab.chain.memory import MemoryBackend
from bnslab.fuzz.perform import Performer
from bnslab.lab import Lab
from bnslab.nodes.inprocess import InProcessNode
from bnslab.script.cases import bind
from bnslab.script.formatting import format_script
from bnslab.script.recorder import declared, overrides
from bnslab.script.runner import Runner
from bnslab.script.speaking import raw, spoken, statement
from bnslab.script.syntax import Clause, Comment, Script, Statement, Term
from bnslab.transactions import CHANGE, Draft
from bnslab.wallets import Wallet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bns.bitcoin.transaction import Transaction
    from bnslab.fuzz.divergence import Divergence
    from bnslab.fuzz.perform import Performed
    from bnslab.fuzz.program import Program, Step


def script_of(program: Program, divergence: Divergence | None = None) -> str:
    """The text of a script that makes the chain of a program and expects of it what the model says.

    What no operation and no payload of a lab says is there as a whole transaction.
    """
    teller = _Teller(program)
    try:
        body = list(teller.tell())
        settings = [*overrides(program.params.to_reference_env(), teller.lab), *declared(teller.lab)]
    finally:
        teller.lab.close()
    head = [Comment(f"# {program.name}" + (f": {divergence.line}" if divergence else ""))]
    body[0] = replace(body[0], gap=True)
    return format_script(Script((*head, *settings, *body)))


class _Teller:
    """Performs the program, and beside it runs what it says of each block on a lab."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._performer = Performer(program)
        base = self._performer.base
        self.lab = Lab(program.name, program.params, base, MemoryBackend(base), InProcessNode)
        self._runner = Runner(self.lab)
        self._alive = True

    def tell(self) -> Iterator[Statement]:
        outcome = None
        for steps in self._program.blocks:
            performed = self._performer.perform(steps)
            outcome = performed.outcome
            for said, txid in self._block(performed):
                yield _judged(said, txid, performed)
            yield statement("mine", "")
            self._mine()
        if outcome is not None:
            yield statement("expect_consensus_hash", outcome.consensus_hash)

    def _mine(self) -> None:
        """Follow; where the core crashes, which may be the very finding, there is no block after it."""
        try:
            self.lab.mine()
        except Exception:  # noqa: BLE001 - whatever it is, the words for this block are said
            self._alive = False

    def _block(self, performed: Performed) -> Iterator[tuple[Statement, str]]:
        """The statements of a block, each with the id of its transaction."""
        group: list[Transaction] = []
        for transaction in read_transactions(performed.block.raw)[1:]:
            group.append(transaction)
            step = performed.sent.get(transaction.txid)
            if step is not None:
                yield from self._group(group, step)
                group = []
        yield from self._raw(group)

    def _group(self, group: Sequence[Transaction], step: Step) -> Iterator[tuple[Statement, str]]:
        """One operation, with the payments of the faucet that come before it."""
        for said in self._candidates(group[-1], step) if self._alive else ():
            with self.lab.branch():
                made = self._made(said)
            if made == [transaction.raw for transaction in group]:
                self._made(said)
                yield said, group[-1].txid
                return
        yield from self._raw(group)

    def _raw(self, group: Sequence[Transaction]) -> Iterator[tuple[Statement, str]]:
        for transaction in group:
            said = statement("transaction", transaction.raw.hex())
            if self._alive:
                self._made(said)
            yield said, transaction.txid

    def _made(self, said: Statement) -> list[bytes]:
        """Carry out a statement; the transactions that it put into the pending block."""
        before = len(self.lab.pending)
        self._runner.run([bind(said, [wallet.name for wallet in self.lab.wallets])])
        return [transaction.raw for transaction in self.lab.pending[before:]]

    def _candidates(self, transaction: Transaction, step: Step) -> Iterator[Statement]:
        actor = self._performer.sender_of(transaction, step)
        sender = None if actor is None else self._known(actor)
        payload = nulldata(transaction.outputs[:1])
        if sender is None or not payload:
            return
        for wallet in self._performer.actors:
            self._known(wallet)
        for index, output in enumerate(transaction.outputs[1:]):
            if output.script == sender.script:
                outputs = tuple(CHANGE if at == index else each for at, each in enumerate(transaction.outputs[1:]))
                draft = Draft(step.op.upper(), step.id, payload, outputs)
                yield spoken(draft, sender, self.lab)
                yield raw(draft, sender, self.lab)

    def _known(self, actor: Wallet) -> Wallet | None:
        """The wallet of the lab that is an actor; None for actors that are no usual wallets."""
        if type(actor) is not Wallet:
            return None
        parent, slash, child = actor.name.partition("/")
        if slash:
            return self.lab.wallet(parent).child(int(child))
        return self.lab.wallet(parent, str(actor.kind), required=actor.required, total=len(actor.keys))


def _judged(said: Statement, txid: str, performed: Performed) -> Statement:
    """The statement with the verdict of the model."""
    rule = performed.outcome.rejected.get(txid)
    if rule is not None and rule in Reason.__members__:
        return replace(said, clauses=(*said.clauses, Clause("rejects_because", Term("REASON", rule))))
    if rule is None and txid in performed.outcome.accepted:
        return said
    return replace(said, clauses=(*said.clauses, Clause("undecided" if rule is None else "rejects")))
