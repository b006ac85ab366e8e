"""What a scenario holds of an operation it sent, and of a name it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bns.errors import InvalidInput, Reason
from bnslab.errors import NotMined, NotSaid
from bnslab.nodes.told import Unsaid

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bns.operations.records import Name, Namespace, Record
    from bns.params import Params


class Verdict(Enum):
    """What a scenario can expect of an operation, apart from a reason to be rejected."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ANYTHING = "anything"


ACCEPTED = Verdict.ACCEPTED
REJECTED = Verdict.REJECTED
ANYTHING = Verdict.ANYTHING
Expected = Verdict | Reason


class Sent:
    """An operation that was sent: first pending, then settled by the receipt of its block."""

    def __init__(self, opcode: str, subject: str, by: str, txid: str, height: int, expected: Expected) -> None:
        self.opcode = opcode
        self.subject = subject
        self.by = by
        self.txid = txid
        self.height = height
        self.expected = expected
        self.detail = ""
        self._reason: Reason | Unsaid | None = None
        self._record: Record | None = None
        self._settled = False

    def settle(self, receipt: Receipt) -> None:
        """Take over what the node made of it."""
        self._settled = True
        for accepted in receipt.accepted:
            if accepted.operation.carrier.txid == self.txid:
                self._record = accepted.record
                return
        for rejected in receipt.rejected:
            if rejected.txid == self.txid:
                self._reason, self.detail = rejected.reason, rejected.detail
                return
        self._reason, self.detail = Reason.UNKNOWN_OPCODE, "the node found no operation in the transaction"

    def again(self, height: int, expected: Expected) -> None:
        """Pending once more, after a reorganisation took its block back."""
        self.height, self.expected = height, expected
        self.detail, self._reason, self._record, self._settled = "", None, None, False

    @property
    def accepted(self) -> bool:
        """Whether the node accepted it; NotMined while it is pending."""
        return self._outcome is None

    @property
    def reason(self) -> Reason | None:
        """Why the node rejected it, None if it did not; NotMined while it is pending.

        Where the node does not say why, it is the reason that the scenario expects; NotSaid if it expects none.
        """
        outcome = self._outcome
        if not isinstance(outcome, Unsaid):
            return outcome
        if isinstance(self.expected, Reason):
            return self.expected
        raise NotSaid(f"{self}: {outcome.value}")

    @property
    def as_expected(self) -> bool:
        """Whether the node's verdict is the expected one, as far as it says; NotMined while it is pending."""
        match self.expected:
            case Verdict.ANYTHING:
                return True
            case Verdict.ACCEPTED:
                return self.accepted
            case Verdict.REJECTED:
                return not self.accepted
            case reason:
                return self._outcome in (reason, Unsaid.UNSAID)

    @property
    def _outcome(self) -> Reason | Unsaid | None:
        if not self._settled:
            raise NotMined(f"{self}: mine a block first")
        return self._reason

    @property
    def record(self) -> Record | None:
        """The record it left, None if it was rejected; NotMined while it is pending."""
        return self._record if self.accepted else None

    @property
    def verdict(self) -> str:
        """`pending`, `accepted`, or `rejected: REASON: text`."""
        if not self._settled:
            return "pending"
        return "accepted" if self._reason is None else f"rejected: {self._reason.name}: {self._reason.value}"

    def __str__(self) -> str:
        return f"{self.opcode} {self.subject} by {self.by}"

    def __repr__(self) -> str:
        return f"<{self}, block {self.height}, {self.verdict}>"


@dataclass(frozen=True, slots=True)
class NameInfo:
    """A name's record and what follows from it at a height (spec 03 section 6.2). Heights are -1 for never."""

    record: Name
    namespace: Namespace
    expire_block: int
    renewal_deadline: int

    @classmethod
    def of(cls, record: Name, namespace: Namespace, params: Params, height: int) -> NameInfo:
        """The state of a name seen from a height."""
        epoch = params.epoch(height)
        if epoch is None:
            raise InvalidInput("height", height, "a block within the last epoch")
        if namespace.op != "!" or namespace.lifetime == 2**32 - 1:
            return cls(record, namespace, -1, -1)
        start = max(namespace.ready_block, record.last_renewed)
        expire = start + namespace.lifetime * epoch.lifetime_multiplier
        return cls(record, namespace, expire, expire + epoch.grace_period)

    @property
    def address(self) -> str:
        """Address of the owner."""
        return self.record.address

    @property
    def value_hash(self) -> str | None:
        """Value hash (40 hex)."""
        return self.record.value_hash

    @property
    def revoked(self) -> bool:
        """Whether it was revoked."""
        return self.record.revoked
