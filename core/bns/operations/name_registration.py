"""NAME_REGISTRATION, `:` (spec 02 section 7.6), and the fork to NAME_RENEWAL, which has the same wire form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from bns.bitcoin.script import ScriptType, classify
from bns.errors import Reason, Rejected
from bns.operations import name_renewal
from bns.operations.base import Accepted, Carrier, Claim, Scope, decode_name, wire
from bns.operations.names import MAX_NAME_LENGTH, name_hash128, namespace_of
from bns.operations.prices import Payment, require_payment
from bns.operations.records import Name
from bns.params import Feature

if TYPE_CHECKING:
    from bns.operations.records import Namespace, Preorder
    from bns.params import Epoch

_PADDED_LENGTH = MAX_NAME_LENGTH + 20


def encode(name: str, value_hash: str | None = None) -> bytes:
    """OP_RETURN data of a registration or renewal; value_hash (40 hex) only from epoch 3 on."""
    payload = name.encode("latin-1")
    if value_hash is not None:
        payload = payload.ljust(MAX_NAME_LENGTH, b"\0") + bytes.fromhex(value_hash)
    return wire(":", payload)


@dataclass(frozen=True, slots=True)
class NameRegistration:
    """The opening of a name preorder, or a renewal."""

    WIRE: ClassVar[str] = ":"
    carrier: Carrier
    name: str
    value_hash: str | None
    recipient: str
    recipient_address: str
    renewal_fee: int | None
    renewal_fee_address: str | None

    @property
    def claim(self) -> Claim:
        """The name; a refused registration counts for the quota of its sender (scan phase)."""
        return Claim(self.WIRE, self.carrier.sender, "name", self.name)

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """P1 and P2; the form of the payload depends on the epoch (section 11.2, F5)."""
        if epoch is None:
            raise Rejected(Reason.FATAL_BEYOND_LAST_EPOCH, payload.hex())
        carrier.require_outputs(at_least=2)
        recipient_address = carrier.output_address(1)
        fee, fee_address = None, None
        if carrier.output_count >= 4:
            fee, fee_address = carrier.value(3), carrier.output_address(3)
        value_hash = None
        if len(payload) == _PADDED_LENGTH and epoch.has(Feature.OP_REGISTER_UPDATE):
            value_hash = payload[MAX_NAME_LENGTH:].hex()
            payload = payload[:MAX_NAME_LENGTH].rstrip(b"\0")
        name = decode_name(payload)
        return cls(carrier, name, value_hash, carrier.script(1).hex(), recipient_address, fee, fee_address)

    def check(self, scope: Scope) -> Accepted:
        """Stage 1, then the effects of a registration or of a renewal.

        C8 cannot fail: before epoch 3 a payload with a value hash does not parse as a name.
        """
        view, carrier = scope.view, self.carrier
        namespace = self._check_name(scope)
        self._check_recipient(scope)
        preorder = view.name_preorder(self.name, namespace, carrier.sender, self.recipient_address)
        if preorder is None:
            name, payment = name_renewal.check_owner(self, scope)
            self._check_payment(payment, namespace, scope)
            return name_renewal.accept(self, name, payment, view.height)
        self._check_payment(self._check_preorder(preorder, namespace), namespace, scope)
        record = self._record(preorder, namespace, view.name_any(self.name), view.height)
        return Accepted(self, record, preorder=preorder, creator_address=record.address)

    def _check_name(self, scope: Scope) -> Namespace:
        """C2 to C4 (C1 is part of parsing)."""
        view = scope.view
        row = view.name(self.name)
        if row is not None and row.revoked:
            raise Rejected(Reason.NAME_REVOKED, self.name)
        namespace = view.require_ready(namespace_of(self.name))
        scope.require_quota(self.recipient)
        return namespace

    def _check_payment(self, payment: Payment, namespace: Namespace, scope: Scope) -> None:
        """C6, C7 and C9."""
        view = scope.view
        require_payment(self.name, namespace, payment, view.epoch(payment.height), view.params)
        scope.collisions.claim("name", self.name, scope.earlier)

    def _check_recipient(self, scope: Scope) -> None:
        """C5. The reference aborts on a witness recipient (section 11.2, F1)."""
        kind = classify(bytes.fromhex(self.recipient))
        if kind in (ScriptType.P2WPKH, ScriptType.P2WSH):
            raise Rejected(Reason.FATAL_BECH32_RECIPIENT, self.recipient_address)
        if kind is ScriptType.SCRIPTHASH and not scope.epoch.has(Feature.MULTISIG):
            raise Rejected(Reason.MULTISIG_NOT_SUPPORTED, f"{self.recipient_address} in epoch {scope.epoch.number}")

    def _check_preorder(self, preorder: Preorder, namespace: Namespace) -> Payment:
        """R2 and R3 (R1 cannot fail: name_preorder finds nothing for a registered name)."""
        if preorder.block_number < namespace.ready_block:
            raise Rejected(
                Reason.PREORDERED_BEFORE_READY, f"in block {preorder.block_number}, ready in {namespace.ready_block}"
            )
        if preorder.sender != self.carrier.sender:
            raise Rejected(Reason.PREORDERED_BY_ANOTHER, preorder.sender)
        return Payment(preorder.op_fee, preorder.burn_address, preorder.block_number)

    def _record(self, preorder: Preorder, namespace: Namespace, expired: Name | None, height: int) -> Name:
        carrier = self.carrier
        return Name(
            name=self.name,
            preorder_hash=preorder.preorder_hash,
            name_hash128=name_hash128(self.name),
            namespace_id=namespace.namespace_id,
            namespace_block_number=namespace.block_number,
            value_hash=self.value_hash,
            sender=self.recipient,
            sender_pubkey=carrier.sender_pubkey,
            address=self.recipient_address,
            block_number=preorder.block_number if expired is None else expired.block_number,
            preorder_block_number=preorder.block_number,
            first_registered=height,
            last_renewed=height,
            revoked=False,
            op=self.WIRE,
            txid=carrier.txid,
            vtxindex=carrier.vtxindex,
            op_fee=preorder.op_fee,
            importer=None,
            importer_address=None,
            consensus_hash=None,
            last_creation_op="?",
        )
