"""NAMESPACE_READY, `!` (spec 02 section 7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from msgspec.structs import replace

from bns.errors import Reason, Rejected
from bns.operations.base import Accepted, Carrier, Scope, wire
from bns.operations.names import is_namespace_id, reads_as_number

if TYPE_CHECKING:
    from bns.params import Epoch


def encode(namespace_id: str) -> bytes:
    """OP_RETURN data."""
    return wire("!", b"." + namespace_id.encode("latin-1"))


@dataclass(frozen=True, slots=True)
class NamespaceReady:
    """The end of a namespace's import phase: from here on anybody can register names."""

    WIRE: ClassVar[str] = "!"
    claim: ClassVar[None] = None
    carrier: Carrier
    namespace_id: str

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """P1 and P2."""
        if payload[:1] != b".":
            raise Rejected(Reason.BAD_MARKER, repr(payload[:1].decode("latin-1")))
        namespace_id = payload[1:].decode("latin-1")
        if not is_namespace_id(namespace_id):
            raise Rejected(Reason.INVALID_NAMESPACE_ID, repr(namespace_id))
        return cls(carrier, namespace_id)

    def check(self, scope: Scope) -> Accepted:
        """C1 to C3."""
        view, carrier = scope.view, self.carrier
        if view.ready_namespace(self.namespace_id) is not None:
            raise Rejected(Reason.NAMESPACE_READY, self.namespace_id)
        revealed = view.revealed_namespace(self.namespace_id)
        if revealed is None:
            raise Rejected(Reason.NAMESPACE_NOT_REVEALED, self.namespace_id)
        if revealed.recipient != carrier.sender:
            raise Rejected(Reason.NOT_REVEALER, f"expected {revealed.recipient_address}, got {carrier.address}")
        if reads_as_number(self.namespace_id):  # section 11.2, F4
            raise Rejected(Reason.FATAL_NUMERIC_NAMESPACE, self.namespace_id)
        record = replace(
            revealed,
            op=self.WIRE,
            ready_block=view.height,
            sender=carrier.sender,
            txid=carrier.txid,
            vtxindex=carrier.vtxindex,
        )
        return Accepted(self, record)
