"""NAMESPACE_REVEAL, `&` (spec 02 section 7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from bns.errors import Reason, Rejected
from bns.operations.base import Accepted, Carrier, Claim, Scope, wire
from bns.operations.names import is_namespace_id, preorder_hash
from bns.operations.records import Namespace
from bns.params import Feature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.operations.records import Preorder
    from bns.params import Epoch


def encode(
    namespace_id: str,
    *,
    lifetime: int,
    coeff: int,
    base: int,
    buckets: Sequence[int],
    nonalpha_discount: int,
    no_vowel_discount: int,
    version: int,
) -> bytes:
    """OP_RETURN data. lifetime in blocks (4294967295: infinite), 16 buckets and both discounts from 0 to 15."""
    nibbles = "".join(f"{bucket:x}" for bucket in buckets)
    fixed = lifetime.to_bytes(4, "big") + bytes((coeff, base)) + bytes.fromhex(nibbles)
    discounts = bytes((nonalpha_discount << 4 | no_vowel_discount,))
    return wire("&", fixed + discounts + version.to_bytes(2, "big") + namespace_id.encode("latin-1"))


@dataclass(frozen=True, slots=True)
class NamespaceReveal:
    """The opening of a preordered namespace, with its price function."""

    WIRE: ClassVar[str] = "&"
    carrier: Carrier
    namespace_id: str
    preorder_hash: str
    lifetime: int
    coeff: int
    base: int
    buckets: tuple[int, ...]
    nonalpha_discount: int
    no_vowel_discount: int
    version: int
    recipient_address: str

    @property
    def claim(self) -> Claim:
        """The namespace id."""
        return Claim(self.WIRE, self.carrier.sender, "namespace_id", self.namespace_id)

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """P1 to P5."""
        if len(payload) < 18:
            raise Rejected(Reason.BAD_PAYLOAD_LENGTH, f"{len(payload)} bytes, expected at least 18")
        carrier.require_outputs(exactly=3)
        recipient_address = carrier.output_address(1)
        namespace_id = payload[17:].decode("latin-1")
        if not is_namespace_id(namespace_id):
            raise Rejected(Reason.INVALID_NAMESPACE_ID, repr(namespace_id))
        version = int.from_bytes(payload[15:17], "big")
        if version not in (1, 2):
            raise Rejected(Reason.INVALID_VERSION, str(version))
        nonalpha, no_vowel = payload[14] >> 4, payload[14] & 15
        if not (nonalpha and no_vowel):
            raise Rejected(Reason.ZERO_DISCOUNT, f"nonalpha {nonalpha}, no-vowel {no_vowel}")
        return cls(
            carrier=carrier,
            namespace_id=namespace_id,
            preorder_hash=preorder_hash(namespace_id, carrier.sender, recipient_address),
            lifetime=int.from_bytes(payload[:4], "big"),
            coeff=payload[4],
            base=payload[5],
            buckets=tuple(int(nibble, 16) for nibble in payload[6:14].hex()),
            nonalpha_discount=nonalpha,
            no_vowel_discount=no_vowel,
            version=version,
            recipient_address=recipient_address,
        )

    def check(self, scope: Scope) -> Accepted:
        """C2 to C8 (C1 is part of parsing)."""
        view, epoch = scope.view, scope.epoch
        if view.revealed_namespace(self.namespace_id) is not None:
            raise Rejected(Reason.NAMESPACE_REVEALED, self.namespace_id)
        if view.ready_namespace(self.namespace_id) is not None:
            raise Rejected(Reason.NAMESPACE_READY, self.namespace_id)
        preorder = view.pending_namespace(self.preorder_hash)
        if preorder is None:
            raise Rejected(Reason.NOT_PREORDERED, f"{self.namespace_id} for {self.recipient_address}")
        if preorder.sender != self.carrier.sender:
            raise Rejected(Reason.PREORDERED_BY_ANOTHER, preorder.sender)
        if self.version != 1 and not epoch.has(Feature.NAMESPACE_BURN_TO_CREATOR):
            raise Rejected(Reason.VERSION_NOT_SUPPORTED, f"version {self.version} in epoch {epoch.number}")
        price = epoch.namespace_prices.of(self.namespace_id)
        if preorder.op_fee < price:
            raise Rejected(Reason.FEE_TOO_LOW, f"{self.namespace_id}: paid {preorder.op_fee}, price {price}")
        scope.collisions.claim("namespace_id", self.namespace_id, scope.earlier)
        expired = view.reader.namespace(self.namespace_id)
        if expired is not None and expired.op_fee != preorder.op_fee:  # section 11.2, F2
            raise Rejected(Reason.FATAL_REVEAL_FEE_CHANGED, f"{expired.op_fee}, then {preorder.op_fee}")
        record = self._record(preorder, preorder.block_number if expired is None else expired.block_number, view.height)
        return Accepted(self, record, preorder=preorder, creator_address=record.address)

    def _record(self, preorder: Preorder, block_number: int, height: int) -> Namespace:
        carrier = self.carrier
        return Namespace(
            namespace_id=self.namespace_id,
            preorder_hash=self.preorder_hash,
            version=self.version,
            sender=carrier.sender,
            sender_pubkey=carrier.sender_pubkey,
            address=carrier.address,
            recipient=carrier.script(1).hex(),
            recipient_address=self.recipient_address,
            block_number=block_number,
            reveal_block=height,
            op=self.WIRE,
            op_fee=preorder.op_fee,
            txid=carrier.txid,
            vtxindex=carrier.vtxindex,
            lifetime=self.lifetime,
            coeff=self.coeff,
            base=self.base,
            buckets=self.buckets,
            nonalpha_discount=self.nonalpha_discount,
            no_vowel_discount=self.no_vowel_discount,
            ready_block=0,
        )
