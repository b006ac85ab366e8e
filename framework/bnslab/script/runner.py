"""Carries out the steps of a case on a lab."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from bns.bitcoin.address import script_of_address
from bns.bitcoin.network import TESTNET
from bns.bitcoin.transaction import TxOut, parse_transaction
from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash
from bnslab.errors import LabError
from bnslab.script.cases import BranchStep
from bnslab.script.expectations import Expectations
from bnslab.script.reading import Height, Output, Price, Saved, SavedHash
from bnslab.sent import ACCEPTED, ANYTHING, REJECTED
from bnslab.transactions import pay

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bns.errors import Reason
    from bnslab.lab import Lab
    from bnslab.script.cases import Step
    from bnslab.sent import Expected, Sent
    from bnslab.subdomains import SubdomainDraft
    from bnslab.wallets import Wallet

LAB_METHODS = {
    "preorder_namespace": "namespace_preorder",
    "reveal_namespace": "namespace_reveal",
    "ready_namespace": "namespace_ready",
    "import_name": "name_import",
    "preorder": "name_preorder",
    "registration": "name_registration",
    "renew": "renew",
    "update": "update",
    "revoke": "revoke",
    "announce": "announce",
    "payload": "send_payload",
    "mine": "mine",
    "mine_to": "mine_to",
}
"""The statements that are a method of the lab, with the same arguments."""

_WALLETS = ("by", "to", "owner", "sender", "recipient", "imported_by", "owned_by", "signed_by_wallet")


class Runner(Expectations):
    """One method for each statement, named as its rule, here or on the lab; step is the one under way."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.step: Step | BranchStep | None = None
        self._saved: dict[str, Any] = {}

    def run(self, steps: Iterable[Step | BranchStep]) -> None:
        """Carry out steps, in order; what any of them raises goes through, and step tells which it was."""
        for step in steps:
            self.step = step
            if isinstance(step, BranchStep):
                with self.lab.branch():
                    self.run(step.body)
            else:
                self._carry_out(step)

    def _carry_out(self, step: Step) -> None:
        given = dict(step.arguments)
        refusal: Reason | None = given.pop("refused_because", None)
        verdict = _verdict(given)
        arguments = {name: self._argument(name, value, step) for name, value in given.items()}
        subjects = [self._subject(value) for value in step.subjects]
        method = LAB_METHODS.get(step.verb)
        carry_out = getattr(self.lab, method) if method else getattr(self, f"_{step.verb}")
        with nullcontext() if refusal is None else self.lab.refuses(refusal):
            sent = carry_out(*subjects, **arguments)
        if verdict is not None:
            sent.expected = verdict

    def _argument(self, name: str, value: Any, step: Step) -> Any:  # noqa: ANN401 - each clause has its own type
        if name in _WALLETS:
            return self.wallet_of(value)
        if isinstance(value, Price):
            return self._price(step) + value.more
        if name == "pay_to":
            return self._address(value)
        if name == "outputs":
            return tuple(None if each is None else self._output(each) for each in value)
        if name == "subdomains":
            return tuple(self._saved[each.word] for each in value)
        return self._subject(value)

    def _subject(self, value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, Height):
            return self.height(value)
        if isinstance(value, SavedHash):
            return zonefile_hash(self._saved[value.word])
        return self._saved[value.word] if isinstance(value, Saved) else value

    # What values mean on the chain

    def wallet_of(self, name: str) -> Wallet:
        """The wallet of a name, or of a key below another's."""
        parent, slash, child = name.partition("/")
        wallet = self.lab.wallet(parent)
        return wallet.child(int(child)) if slash else wallet

    def height(self, height: Height) -> int:
        """The number that a height is now."""
        if height.of is not None:
            info = self.lab.name(height.of)
            if info is None or info.expire_block < 0:
                raise LabError(f"{height.base} of {height.of}: expected a name with a lifetime that is registered")
            return (info.expire_block if height.base == "expiry" else info.renewal_deadline) + height.offset
        if isinstance(height.base, int):
            return height.base + height.offset
        base = self.lab.height if height.base == "height" else self._saved[height.base]
        return int(base) + height.offset

    def _price(self, step: Step) -> int:
        if step.verb == "preorder_namespace":
            return self.lab.next_epoch.namespace_prices.of(step.subjects[0])
        return self.lab.price(step.subjects[0])

    def _address(self, payee: str) -> str:
        try:
            script_of_address(payee, TESTNET)
        except InvalidInput:
            return self.wallet_of(payee).address
        return payee

    def _output(self, output: Output) -> TxOut:
        if isinstance(output.target, bytes):
            return TxOut(output.satoshis, output.target)
        return pay(self._address(output.target), output.satoshis)

    # Statements that are not simply a method of the lab

    def _wallet(self, names: Sequence[str], kind: str | None = None, signed_by: tuple[int, int] | None = None) -> None:
        required, total = signed_by or (None, None)
        for name in names:
            self.lab.wallet(name, kind, required=required, total=total)

    def _save_consensus_hash(self, as_word: str) -> None:
        self._saved[as_word] = self.lab.consensus_hash

    def _save_height(self, as_word: str) -> None:
        self._saved[as_word] = self.lab.height

    def _save_zonefile(
        self, name: str, as_word: str, subdomains: Sequence[SubdomainDraft] = (), **targets: str
    ) -> None:
        self._saved[as_word] = self.lab.zonefile(name, *subdomains, **targets)  # type: ignore[arg-type]

    def _save_data(self, data: bytes, as_word: str) -> None:
        self._saved[as_word] = data

    def _save_subdomain(
        self, name: str, as_word: str, owner: Wallet, sequence: int = 0, uri: str | None = None, unsigned: bool = False
    ) -> None:
        self._saved[as_word] = self.lab.subdomain(name, owner, sequence=sequence, uri=uri, signed=not unsigned)

    def _save_next(
        self,
        draft: SubdomainDraft,
        as_word: str,
        to: Wallet | None = None,
        uri: str | None = None,
        signed_by_wallet: Wallet | None = None,
    ) -> None:
        self._saved[as_word] = draft.transfer(to or draft.owner, uri=uri, by=signed_by_wallet)

    def _publish(self, zonefiles: Sequence[Saved], not_saved: bool = False) -> None:
        self.lab.publish(*(self._saved[each.word] for each in zonefiles), saved=not not_saved)

    def _namespace(self, id_: str, by: Wallet, to: Wallet | None = None, **prices: object) -> None:
        self.lab.namespace_preorder(id_, by, to=to)
        self.lab.mine()
        self.lab.namespace_reveal(id_, by, to=to, **prices)  # type: ignore[arg-type]
        self.lab.mine()
        self.lab.namespace_ready(id_, to or by)
        self.lab.mine()

    def _register(self, name: str, **options: Any) -> None:  # noqa: ANN401 - those of Lab.register
        self.lab.register(name, **options)

    def _transfer(self, name: str, by: Wallet, to: Wallet, dropping_data: bool = False, **options: str) -> Sent:
        return self.lab.transfer(name, by, to, keep_data=not dropping_data, **options)

    def _transaction(self, data: bytes) -> Sent:
        return self.lab.send_transaction(parse_transaction(data))

    def _fund(self, wallet: str, satoshis: int) -> None:
        self.lab.fund(self.wallet_of(wallet), satoshis)


def _verdict(arguments: dict[str, Any]) -> Expected | None:
    """Take the verdict out of the arguments; None if it is the usual one."""
    if arguments.pop("rejects", False):
        return REJECTED
    if arguments.pop("undecided", False):
        return ANYTHING
    wanted: Reason | None = arguments.pop("rejects_because", None)
    return (arguments.pop("gives") or ACCEPTED) if "gives" in arguments else wanted
