"""NAME_REVOKE, `~` (spec 02 section 7.10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from msgspec.structs import replace

from bns.errors import Reason, Rejected
from bns.operations.base import Accepted, Carrier, Scope, decode_name, wire

if TYPE_CHECKING:
    from bns.params import Epoch


def encode(name: str) -> bytes:
    """OP_RETURN data."""
    return wire("~", name.encode("latin-1"))


@dataclass(frozen=True, slots=True)
class NameRevoke:
    """The end of a name until it expires."""

    WIRE: ClassVar[str] = "~"
    claim: ClassVar[None] = None
    carrier: Carrier
    name: str

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """The payload is the name."""
        return cls(carrier, decode_name(payload))

    def check(self, scope: Scope) -> Accepted:
        """C2 to C8 (C1 is part of parsing); unlike an update, expiry is tested at this very block."""
        view, carrier = scope.view, self.carrier
        name = view.name(self.name)
        if name is None:
            raise Rejected(Reason.NAME_NOT_REGISTERED, self.name)
        view.require_ready(name.namespace_id)
        if name.revoked:
            raise Rejected(Reason.NAME_REVOKED, self.name)
        if not view.is_visible(name, view.height):
            raise Rejected(Reason.NAME_EXPIRED, f"{self.name} at block {view.height}")
        if view.is_in_grace(name, view.height):
            raise Rejected(Reason.NAME_IN_GRACE_PERIOD, f"{self.name} at block {view.height}")
        if name.sender != carrier.sender:
            raise Rejected(Reason.NOT_OWNER, f"{self.name} belongs to {name.address}, not to {carrier.address}")
        record = replace(
            name, op=self.WIRE, revoked=True, value_hash=None, txid=carrier.txid, vtxindex=carrier.vtxindex
        )
        return Accepted(self, record)
