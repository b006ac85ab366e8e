"""NAME_IMPORT, `;` (spec 02 section 7.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from bns.bitcoin.keys import child_public_key, compress
from bns.bitcoin.script import ScriptType, classify
from bns.errors import Reason, Rejected
from bns.operations.base import Accepted, Carrier, Claim, Keychain, Scope, decode_name, wire
from bns.operations.names import MAX_NAME_LENGTH, is_name, name_hash128, namespace_of, preorder_hash
from bns.operations.prices import name_price
from bns.operations.records import Name

if TYPE_CHECKING:
    from bns.operations.records import Namespace
    from bns.params import Epoch


def encode(name: str) -> bytes:
    """OP_RETURN data."""
    return wire(";", name.encode("latin-1"))


@dataclass(frozen=True, slots=True)
class NameImport:
    """A name that the revealer of a namespace gives away before the namespace is ready."""

    WIRE: ClassVar[str] = ";"
    carrier: Carrier
    name: str
    recipient_address: str
    value_hash: str

    @property
    def claim(self) -> Claim:
        """The name; an import never collides, but counts against registrations."""
        return Claim(self.WIRE, self.carrier.sender, "name", self.name)

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """P1 and P2."""
        carrier.require_outputs(at_least=3)
        recipient_address = carrier.output_address(1)
        script = carrier.script(2)
        kind = classify(script)
        if kind is ScriptType.PUBKEYHASH:
            value_hash = script[3:23]
        elif kind is ScriptType.SCRIPTHASH:
            value_hash = script[2:22]
        else:
            raise Rejected(Reason.BAD_VALUE_HASH_OUTPUT, script.hex())
        _refuse_newline(payload.decode("latin-1"))
        return cls(carrier, decode_name(payload), recipient_address, value_hash.hex())

    def check(self, scope: Scope) -> Accepted:
        """C1 and C3 to C5 (C2 is part of parsing)."""
        view, carrier = scope.view, self.carrier
        if carrier.sender_pubkey is None:
            raise Rejected(Reason.NO_PUBLIC_KEY, carrier.address)
        namespace = view.revealed_namespace(namespace_of(self.name))
        if namespace is None:
            raise Rejected(Reason.NAMESPACE_NOT_REVEALED, namespace_of(self.name))
        known = view.reader.keychain(namespace.namespace_id)
        keychain = None
        if known is None:
            if carrier.address != namespace.recipient_address:
                raise Rejected(Reason.NOT_AN_IMPORT_KEY, f"{carrier.address}, expected {namespace.recipient_address}")
            keychain = make_keychain(namespace, carrier, view.params.import_keyring_size)
        elif carrier.address not in known:
            raise Rejected(Reason.NOT_AN_IMPORT_KEY, carrier.address)
        existing = view.name_any(self.name)
        last_reveal_block = namespace.reveal_block + view.params.namespace_reveal_expire
        if existing is not None and view.height == last_reveal_block:  # section 11.2, F7
            raise Rejected(Reason.FATAL_IMPORT_AT_REVEAL_EXPIRY, self.name)
        record = self._record(namespace, view.name(self.name), scope)
        creator_address = self.recipient_address if existing is None else None
        return Accepted(self, record, creator_address=creator_address, keychain=keychain)

    def _record(self, namespace: Namespace, previous: Name | None, scope: Scope) -> Name:
        carrier, height = self.carrier, scope.view.height
        return Name(
            name=self.name,
            preorder_hash=(
                preorder_hash(self.name, carrier.sender, self.recipient_address)
                if previous is None
                else previous.preorder_hash
            ),
            name_hash128=name_hash128(self.name),
            namespace_id=namespace.namespace_id,
            namespace_block_number=namespace.block_number,
            value_hash=self.value_hash,
            sender=carrier.script(1).hex(),
            sender_pubkey=carrier.sender_pubkey,
            address=self.recipient_address,
            block_number=height if previous is None else previous.block_number,
            preorder_block_number=height if previous is None else previous.preorder_block_number,
            first_registered=height if previous is None else previous.first_registered,
            last_renewed=height if previous is None else previous.last_renewed,
            revoked=False,
            op=self.WIRE,
            txid=carrier.txid,
            vtxindex=carrier.vtxindex,
            op_fee=name_price(self.name, namespace, scope.epoch, scope.view.params.name_cost_unit),
            importer=carrier.sender,
            importer_address=carrier.address,
            consensus_hash=None,
            last_creation_op=self.WIRE,
        )


def _refuse_newline(text: str) -> None:
    """A newline at the end of label or namespace id passes the reference's test and stops it (section 11.2, F3)."""
    label, dot, namespace_id = text.partition(".")
    stripped = label.removesuffix("\n") + dot + namespace_id.removesuffix("\n")
    if stripped != text and len(text) <= MAX_NAME_LENGTH and is_name(stripped):
        raise Rejected(Reason.FATAL_TRAILING_NEWLINE, repr(text))


def make_keychain(namespace: Namespace, carrier: Carrier, size: int) -> Keychain:
    """The importers of a namespace: the first importer's children, then the importer itself.

    The carrier's sender has a public key. size is the number of children.
    """
    key = bytes.fromhex(carrier.sender_pubkey or "")
    master = compress(key)
    children = tuple(carrier.key_address(child_public_key(master, index)) for index in range(size))
    return Keychain(namespace.namespace_id, (*children, carrier.key_address(key)))
