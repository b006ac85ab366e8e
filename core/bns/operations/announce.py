"""ANNOUNCE, `#` (spec 02 section 7.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from bns.errors import Reason, Rejected
from bns.operations.base import Accepted, Carrier, Scope, require_length, wire

if TYPE_CHECKING:
    from bns.params import Epoch


def encode(message_hash: str) -> bytes:
    """OP_RETURN data. message_hash is 40 hex."""
    return wire("#", bytes.fromhex(message_hash))


@dataclass(frozen=True, slots=True)
class Announce:
    """The hash of a message to all nodes; it leaves no trace in the state."""

    WIRE: ClassVar[str] = "#"
    claim: ClassVar[None] = None
    carrier: Carrier
    message_hash: str

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """The length is all there is to check."""
        require_length(payload, 20)
        return cls(carrier, payload.hex())

    def check(self, scope: Scope) -> Accepted:
        """The sender owns the name of an announcer, revoked or not."""
        view = scope.view
        names = (view.name(announcer) for announcer in view.params.announcers)
        if not any(name is not None and name.sender == self.carrier.sender for name in names):
            raise Rejected(Reason.NOT_AN_ANNOUNCER, self.carrier.address)
        return Accepted(self, None)
