"""NAME_UPDATE, `+` (spec 02 section 7.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from msgspec.structs import replace

from bns.errors import Reason, Rejected
from bns.operations.base import Accepted, Carrier, Scope, require_length, wire
from bns.operations.names import name_consensus_hash

if TYPE_CHECKING:
    from bns.operations.records import Name
    from bns.operations.view import View
    from bns.params import Epoch


def encode(name: str, value_hash: str, consensus_hash: str) -> bytes:
    """OP_RETURN data. value_hash is 40 hex, consensus_hash 32 hex."""
    return wire("+", bytes.fromhex(name_consensus_hash(name, consensus_hash) + value_hash))


@dataclass(frozen=True, slots=True)
class NameUpdate:
    """A new value hash for a name of the sender."""

    WIRE: ClassVar[str] = "+"
    claim: ClassVar[None] = None
    carrier: Carrier
    name_consensus_hash: str
    value_hash: str

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """The length is all there is to check."""
        require_length(payload, 36)
        return cls(carrier, payload[:16].hex(), payload[16:].hex())

    def check(self, scope: Scope) -> Accepted:
        """C1, C2, C4 and C7 (C2 implies the others)."""
        view = scope.view
        most = view.params.max_names_per_sender
        if view.has_names(self.carrier.sender, most + 1):
            raise Rejected(Reason.TOO_MANY_NAMES, f"{self.carrier.sender} has more than {most}")
        name, consensus_hash = self._resolve(view)
        view.require_ready(name.namespace_id)
        if view.is_in_grace(name, view.height):
            raise Rejected(Reason.NAME_IN_GRACE_PERIOD, f"{name.name} at block {view.height}")
        record = replace(
            name,
            op=self.WIRE,
            value_hash=self.value_hash,
            consensus_hash=consensus_hash,
            txid=self.carrier.txid,
            vtxindex=self.carrier.vtxindex,
        )
        return Accepted(self, record, {"name_consensus_hash": self.name_consensus_hash})

    def _resolve(self, view: View) -> tuple[Name, str]:
        """The only pair that hashes to what was sent; most senders take one of the latest hashes."""
        names = view.reader.names_of(self.carrier.sender)
        for consensus_hash in reversed(view.valid_consensus_hashes):
            for name in names:
                if name_consensus_hash(name, consensus_hash) == self.name_consensus_hash:
                    record = view.name(name)
                    if record is not None:
                        return record, consensus_hash
        raise Rejected(Reason.NO_SUCH_NAME, f"{self.carrier.address}: {self.name_consensus_hash}")
