"""Writes down what a lab sends and mines, as a script that does it again."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from bnslab.rules import scenario_params
from bnslab.script.reading import ALWAYS_THERE
from bnslab.script.speaking import spoken, statement
from bnslab.script.syntax import Clause, Script, Statement, Term

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bns.bitcoin.transaction import Transaction
    from bnslab.lab import Lab
    from bnslab.sent import Sent
    from bnslab.transactions import Draft
    from bnslab.wallets import Wallet


class Recorder:
    """Becomes lab.recorder; script() is what happened so far, pending operations left out.

    The script gives the same transactions, hence the same consensus hashes. Branches are left out.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._blocks: list[tuple[int, list[Statement]]] = []
        self._pending: list[tuple[Statement, Sent | None]] = []
        lab.recorder = self

    def sent(self, draft: Draft, by: Wallet, sent: Sent) -> None:
        """The lab has sent an operation."""
        self._pending.append((spoken(draft, by, self._lab), sent))

    def sent_raw(self, transaction: Transaction, sent: Sent) -> None:
        """The lab has sent a transaction that it did not make."""
        self._pending.append((statement("transaction", transaction.raw.hex()), sent))

    def funded(self, wallet: Wallet, satoshis: int) -> None:
        """The lab has paid a wallet because it was told to."""
        self._pending.append((statement("fund", wallet.name, satoshis=str(satoshis)), None))

    def mined(self) -> None:
        """The lab has mined a block, and settled what was in it."""
        self._blocks.append((self._lab.height, [with_verdict(said, sent) for said, sent in self._pending]))
        self._pending.clear()

    def script(self) -> Script:
        """What happened."""
        settings = [*overrides(self._lab.params.to_reference_env(), self._lab), *declared(self._lab)]
        body = list(self._told())
        if body and settings:
            body[0] = replace(body[0], gap=True)
        return Script((*settings, *body))

    def _told(self) -> Iterator[Statement]:
        empty = 0
        for height, said in self._blocks:
            if said and empty:
                yield _mine(empty)
                empty = 0
            yield from said
            empty += 1
            handed_over = list(self._handed_over(height))
            if handed_over:
                yield _mine(empty)
                empty = 0
            yield from handed_over
        if empty:
            yield _mine(empty)

    def _handed_over(self, height: int) -> Iterator[Statement]:
        """Zone files that the node was handed after a block."""
        for number, entry in enumerate(self._lab.published):
            if entry.after_height == height:
                yield statement("save_data", base64.b64decode(entry.base64).hex(), as_word=f"zone{number}")
                yield statement("publish", f"zone{number}", not_saved=not entry.saved)


def _mine(count: int) -> Statement:
    return statement("mine", "" if count == 1 else str(count))


def with_verdict(said: Statement, sent: Sent | None) -> Statement:
    """The statement with what became of the operation, unless it was accepted."""
    if sent is None or sent.reason is None:
        return said
    return replace(said, clauses=(*said.clauses, Clause("rejects_because", Term("REASON", sent.reason.name))))


def declared(lab: Lab) -> Iterator[Statement]:
    """The statements that make the wallets of a lab; keyed ones of a single kind share one."""
    plain = [wallet.name for wallet in lab.wallets if wallet.kind == "p2pkh" and wallet.name not in ALWAYS_THERE]
    if plain:
        yield statement("wallet", ", ".join(plain))
    for wallet in lab.wallets:
        if wallet.kind != "p2pkh":
            signers = f"{wallet.required} of {len(wallet.keys)}" if wallet.kind.multisig else None
            yield statement("wallet", wallet.name, kind=str(wallet.kind), signed_by=signers)


def overrides(env: Mapping[str, str], lab: Lab) -> Iterator[Statement]:
    """The statements for those settings of the reference that are not as in any script."""
    usual = scenario_params(lab.params.first_block, (), {}).to_reference_env()
    for key, value in sorted(env.items()):
        if usual.get(key) != value:
            yield Statement("override", (Term("SETTING", key), Term("ANY", value)))
