"""NAME_RENEWAL, the other meaning of `:` (spec 02 section 7.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from bns.errors import Reason, Rejected
from bns.operations.base import Accepted, Scope
from bns.operations.prices import Payment
from bns.params import Feature

if TYPE_CHECKING:
    from bns.operations.name_registration import NameRegistration
    from bns.operations.records import Name


def check_owner(op: NameRegistration, scope: Scope) -> tuple[Name, Payment]:
    """Stage 1 for a name that is not preordered by this sender, W1 to W3: the name, and what was paid for it."""
    name = _owned(op, scope)
    if op.renewal_fee is None or op.renewal_fee_address is None:
        raise Rejected(Reason.NO_RENEWAL_FEE, f"{name.name}: {op.carrier.output_count} outputs, expected 4")
    return name, Payment(op.renewal_fee, op.renewal_fee_address, scope.view.height)


def accept(op: NameRegistration, name: Name, payment: Payment, height: int) -> Accepted:
    """The effects. Stage 2 (W4 to W7) repeats stage 1 on the same state, so it has passed already."""
    record = replace(
        name,
        op="::",
        last_renewed=height,
        op_fee=float(payment.fee) if name.last_creation_op == ";" else payment.fee,
        sender=op.recipient,
        address=op.recipient_address,
        value_hash=name.value_hash if op.value_hash is None else op.value_hash,
        txid=op.carrier.txid,
        vtxindex=op.carrier.vtxindex,
    )
    return Accepted(op, record)


def _owned(op: NameRegistration, scope: Scope) -> Name:
    """The registered name; W1 and W2, both told as NAME_TAKEN to somebody who meant a first registration."""
    name = scope.view.name(op.name)
    if name is None or name.revoked:
        raise Rejected(Reason.NOT_PREORDERED, f"{op.name} for {op.recipient_address}")
    owned = name.sender == op.carrier.sender
    whose = f"{op.name} belongs to {name.address}, not to {op.carrier.address}"
    if not owned and op.renewal_fee is None:
        raise Rejected(Reason.NAME_TAKEN, whose)
    if op.recipient != name.sender and not scope.epoch.has(Feature.OP_RENEW_TRANSFER_UPDATE):
        raise Rejected(Reason.RECIPIENT_NOT_OWNER, f"{op.name}: {op.recipient_address} in epoch {scope.epoch.number}")
    if not owned:
        raise Rejected(Reason.NOT_OWNER, whose)
    return name
