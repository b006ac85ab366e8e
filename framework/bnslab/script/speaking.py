"""The plainest words for an operation that is about to be sent: the statement that makes the very same of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bns.bitcoin.address import address_of_script
from bns.bitcoin.network import TESTNET
from bns.errors import BnsError
from bnslab.errors import LabError
from bnslab.operations import Operations
from bnslab.script.cases import Step, bind
from bnslab.script.runner import Runner
from bnslab.script.syntax import Clause, Statement, Term
from bnslab.script.vocabulary import vocabulary
from bnslab.wallets import Wallet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bns.bitcoin.transaction import TxOut
    from bns.engine import Receipt
    from bns.params import Epoch
    from bnslab.lab import Lab
    from bnslab.sent import Sent
    from bnslab.transactions import Draft

_HEADER = 3
"""Bytes of magic and opcode before the data of an operation."""

_VERBS = {
    "NAMESPACE_PREORDER": "preorder_namespace",
    "NAMESPACE_REVEAL": "reveal_namespace",
    "NAMESPACE_READY": "ready_namespace",
    "NAME_IMPORT": "import_name",
    "NAME_PREORDER": "preorder",
    "NAME_REGISTRATION": "registration",
    "NAME_RENEWAL": "renew",
    "NAME_UPDATE": "update",
    "NAME_TRANSFER": "transfer",
    "NAME_REVOKE": "revoke",
    "ANNOUNCE": "announce",
}


class _Drafting(Operations):
    """A lab's operations without the sending: draft is the last one."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.params, self.node = lab.params, lab.node
        self.draft: Draft | None = None

    @property
    def height(self) -> int:
        return self._lab.height

    @property
    def next_epoch(self) -> Epoch:
        return self._lab.next_epoch

    @property
    def consensus_hash(self) -> str:
        return self._lab.consensus_hash

    def mine(self, count: int = 1) -> Receipt:
        raise AssertionError("a single operation never mines")

    def send(self, draft: Draft, by: Wallet) -> Sent:
        self.draft = draft
        return None  # type: ignore[return-value]

    def wallet(self, name: str) -> Wallet:
        return self._lab.wallet(name)

    def _wallet(self, wallet: Wallet | str) -> Wallet:
        return wallet if isinstance(wallet, Wallet) else self._lab.wallet(wallet)


def spoken(draft: Draft, by: Wallet, lab: Lab) -> Statement:
    """The statement for an operation that a wallet of the lab is about to send; `payload` where no other says it."""
    for statement in _plain(draft, by, lab):
        if _gives(statement, draft, lab):
            return _shortened(statement, draft, lab)
    return raw(draft, by, lab)


def raw(draft: Draft, by: Wallet, lab: Lab) -> Statement:
    """The operation as a `payload`."""
    outputs = ", ".join("change" if output is None else _paid(output, lab) for output in draft.outputs)
    clauses = [Clause("by", Term("WALLET", by.name))]
    if outputs != "change":
        clauses.append(Clause("outputs", Term("OUTPUTS", outputs)))
    return Statement("payload", (Term("DATA", draft.payload.hex()),), tuple(clauses))


def _paid(output: TxOut, lab: Lab) -> str:
    wallet = _wallet_with(output.script, lab)
    return f"{output.value} to {wallet or output.script.hex()}"


def _wallet_with(script: bytes, lab: Lab) -> str | None:
    return next((wallet.name for wallet in lab.wallets if wallet.script == script), None)


def statement(verb: str, subject: str, **clauses: str | bool | None) -> Statement:
    """A statement from texts; clauses with None or False are left out."""
    words = vocabulary()
    form = words.statements[verb]
    said = []
    for name in form.clauses:
        value = clauses.get(name)
        if value not in (None, False):
            said.append(Clause(name, None if value is True else Term(words.clauses[name].values[0], str(value))))
    subjects = (Term(form.values[0], subject),) if form.values and subject else ()
    return Statement(verb, subjects, tuple(said))


def _plain(draft: Draft, by: Wallet, lab: Lab) -> Iterator[Statement]:
    """Statements that may say it, each with every clause that could be needed."""
    verb = _VERBS.get(draft.opcode)
    if verb is None:
        return
    data = draft.payload[_HEADER:]
    paid = [output for output in draft.outputs if output is not None]
    recipient = _wallet_with(paid[0].script, lab) if paid else None
    given: dict[str, Any] = {"by": by.name, "to": recipient}
    match draft.opcode:
        case "NAMESPACE_PREORDER" | "NAME_PREORDER":
            fee = _fee(paid[-1:])
            for wallet in lab.wallets:
                yield statement(
                    verb, draft.subject, by=by.name, to=wallet.name, consensus_hash=data[20:36].hex(), **fee
                )
            return
        case "NAMESPACE_REVEAL":
            given |= _prices(data)
        case "NAME_IMPORT":
            given["value_hash"] = paid[1].script[3:23].hex() if len(paid) > 1 else None
        case "NAME_REGISTRATION":
            given["value_hash"] = data[37:57].hex() or None
        case "NAME_RENEWAL":
            given |= {"value_hash": data[37:57].hex() or None, **_fee(paid[1:2])}
        case "NAME_UPDATE":
            for back in range(25):
                hash_ = lab.node.state.consensus_hash(lab.height - back)
                yield statement(
                    verb, draft.subject, by=by.name, value_hash=data[16:36].hex(), consensus_hash=hash_ or "00" * 16
                )
            return
        case "NAME_TRANSFER":
            given |= {"dropping_data": data[:1] == b"~", "consensus_hash": data[17:33].hex()}
    yield statement(verb, draft.subject, **given)


def _fee(paid: Sequence[TxOut]) -> dict[str, str]:
    if not paid:
        return {}
    address = address_of_script(paid[0].script, TESTNET)
    return {"fee": str(paid[0].value), **({"pay_to": address} if address else {})}


def _prices(data: bytes) -> dict[str, str]:
    if len(data) < 17:
        return {}
    nibbles = data[6:14].hex()
    return {
        "lifetime": str(int.from_bytes(data[:4], "big")),
        "coeff": str(data[4]),
        "base": str(data[5]),
        "buckets": ", ".join(str(int(nibble, 16)) for nibble in nibbles),
        "nonalpha_discount": str(data[14] >> 4),
        "no_vowel_discount": str(data[14] & 15),
        "version": str(int.from_bytes(data[15:17], "big")),
    }


def _shortened(statement: Statement, draft: Draft, lab: Lab) -> Statement:
    """Without the clauses that make no difference."""
    for clause in statement.clauses:
        shorter = replace(statement, clauses=tuple(each for each in statement.clauses if each is not clause))
        if clause.name not in vocabulary().statements[statement.verb].required and _gives(shorter, draft, lab):
            statement = shorter
    return statement


def _gives(statement: Statement, draft: Draft, lab: Lab) -> bool:
    """Whether carrying out the statement would make the same payload and outputs."""
    form = vocabulary().statements[statement.verb]
    if not {clause.name for clause in statement.clauses}.issuperset(form.required):
        return False
    drafting = _Drafting(lab)
    try:
        step = bind(statement, [wallet.name for wallet in lab.wallets])
        assert isinstance(step, Step)
        Runner(drafting).run([step])  # type: ignore[arg-type]
    except (LabError, BnsError):
        return False
    made = drafting.draft
    return made is not None and (made.payload, made.outputs) == (draft.payload, draft.outputs)
