"""NAME_PREORDER, `?` (spec 02 section 7.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from bns.errors import Reason, Rejected
from bns.operations.base import Accepted, Carrier, Scope, preorder_record, require_length, wire
from bns.operations.names import preorder_hash

if TYPE_CHECKING:
    from bns.params import Epoch


def encode(name: str, sender: str, recipient_address: str, consensus_hash: str) -> bytes:
    """OP_RETURN data. sender is a script in hex, consensus_hash 32 hex."""
    return wire("?", bytes.fromhex(preorder_hash(name, sender, recipient_address) + consensus_hash))


@dataclass(frozen=True, slots=True)
class NamePreorder:
    """A sealed and paid request for a name that nobody can read yet."""

    WIRE: ClassVar[str] = "?"
    claim: ClassVar[None] = None
    carrier: Carrier
    preorder_hash: str
    consensus_hash: str
    fee_address: str

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """P1 to P2."""
        require_length(payload, 36)
        carrier.require_outputs(exactly=3)
        return cls(carrier, payload[:20].hex(), payload[20:].hex(), carrier.output_address(2))

    def check(self, scope: Scope) -> Accepted:
        """C1 to C4."""
        view = scope.view
        if view.pending_name(self.preorder_hash) is not None:
            raise Rejected(Reason.PREORDER_PENDING, self.preorder_hash)
        view.require_valid_consensus_hash(self.consensus_hash)
        scope.require_quota(self.carrier.sender)
        scope.collisions.claim("preorder_hash", self.preorder_hash, scope.earlier)
        return Accepted(self, preorder_record(self, view.height))
