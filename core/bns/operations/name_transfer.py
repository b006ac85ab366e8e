"""NAME_TRANSFER, `>` (spec 02 section 7.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from msgspec.structs import replace

from bns.bitcoin.script import ScriptType, classify
from bns.errors import Reason, Rejected
from bns.operations.base import Accepted, Carrier, Scope, require_length, wire
from bns.operations.names import name_hash128
from bns.params import Feature

if TYPE_CHECKING:
    from bns.operations.records import Name
    from bns.operations.view import View
    from bns.params import Epoch

_KEEP, _REMOVE = b">", b"~"


def encode(name: str, consensus_hash: str, *, keep_data: bool) -> bytes:
    """OP_RETURN data. consensus_hash is 32 hex."""
    return wire(">", (_KEEP if keep_data else _REMOVE) + bytes.fromhex(name_hash128(name) + consensus_hash))


@dataclass(frozen=True, slots=True)
class NameTransfer:
    """A new owner for a name of the sender."""

    WIRE: ClassVar[str] = ">"
    claim: ClassVar[None] = None
    carrier: Carrier
    name_hash128: str
    consensus_hash: str
    keep_data: bool
    recipient: str
    recipient_address: str

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """Length, disposition and output 1."""
        require_length(payload, 33)
        disposition = payload[:1]
        if disposition not in (_KEEP, _REMOVE):
            raise Rejected(Reason.BAD_DISPOSITION, disposition.hex())
        carrier.require_outputs(at_least=2)
        address = carrier.output_address(1)
        recipient = carrier.script(1).hex()
        return cls(carrier, payload[1:17].hex(), payload[17:].hex(), disposition == _KEEP, recipient, address)

    def check(self, scope: Scope) -> Accepted:
        """C1 to C13 (C2, C4, C5, C9 are implied by C1, C14 by C7)."""
        view, carrier = scope.view, self.carrier
        name = view.name_by_hash128(self.name_hash128)
        if name is None:
            raise Rejected(Reason.NAME_NOT_REGISTERED, f"hash {self.name_hash128}")
        view.require_ready(name.namespace_id)
        if view.is_in_grace(name, view.height):
            raise Rejected(Reason.NAME_IN_GRACE_PERIOD, f"{name.name} at block {view.height}")
        view.require_valid_consensus_hash(self.consensus_hash)
        if carrier.sender == self.recipient:
            raise Rejected(Reason.RECIPIENT_IS_OWNER, self.recipient_address)
        if name.sender != carrier.sender:
            raise Rejected(Reason.NOT_OWNER, f"{name.name} belongs to {name.address}, not to {carrier.address}")
        self._check_recipient(scope)
        consensus_hash = self._recorded_consensus_hash(name, view)
        record = replace(
            name,
            op=">>" if self.keep_data else ">~",
            sender=self.recipient,
            address=self.recipient_address,
            sender_pubkey=None,
            value_hash=name.value_hash if self.keep_data else None,
            consensus_hash=consensus_hash,
            txid=carrier.txid,
            vtxindex=carrier.vtxindex,
        )
        return Accepted(self, record, {"keep_data": self.keep_data})

    def _check_recipient(self, scope: Scope) -> None:
        """C12 and C13; this block's registrations do not count. C11 is implied: the name is the sender's."""
        most = scope.view.params.max_names_per_sender
        if scope.view.has_names(self.recipient, most):
            raise Rejected(Reason.TOO_MANY_NAMES, f"{self.recipient} has {most}")
        by_script_hash = classify(bytes.fromhex(self.carrier.sender)) is ScriptType.SCRIPTHASH
        if by_script_hash and not scope.epoch.has(Feature.MULTISIG):
            raise Rejected(Reason.MULTISIG_NOT_SUPPORTED, f"{self.carrier.address} in epoch {scope.epoch.number}")

    def _recorded_consensus_hash(self, name: Name, view: View) -> str | None:
        """The hash of the last update since the name was created, else the transfer's own (section 7.9, [bug])."""
        for op, consensus_hash in view.reader.operations_of(name.name):
            if op in (":", ";"):
                break
            if op == "+":
                return consensus_hash
        return self.consensus_hash
