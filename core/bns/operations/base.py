"""What every operation shares: the transaction around it, what a check may see, and what an accepted one yields."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, Self

from bns.bitcoin.address import address_of_script, base58check_encode, sender_address
from bns.bitcoin.hashes import hash160
from bns.bitcoin.keys import is_public_key
from bns.bitcoin.script import ScriptType, classify, tokens
from bns.errors import Reason, Rejected
from bns.operations.names import is_name
from bns.operations.records import Name, Preorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.bitcoin.network import Network
    from bns.bitcoin.transaction import Transaction, TxOut
    from bns.operations.records import Record
    from bns.operations.view import View
    from bns.params import Epoch

MAGIC = b"id"

OPCODE_NAMES = {
    "?": "NAME_PREORDER",
    ":": "NAME_REGISTRATION",
    "+": "NAME_UPDATE",
    ">": "NAME_TRANSFER",
    "~": "NAME_REVOKE",
    ";": "NAME_IMPORT",
    "*": "NAMESPACE_PREORDER",
    "&": "NAMESPACE_REVEAL",
    "!": "NAMESPACE_READY",
    "#": "ANNOUNCE",
}


def opcode_name(op: str) -> str:
    """Operation name of a record's op text (spec 02 section 3.2)."""
    return "NAME_RENEWAL" if op == "::" else OPCODE_NAMES[op[0]]


class Carrier:
    """The Bitcoin transaction around an operation, as far as rules look at it (spec 02 section 4).

    spent are the outputs that the inputs spend, in input order. Raises Rejected if the first one has no address.
    """

    def __init__(self, transaction: Transaction, vtxindex: int, spent: Sequence[TxOut], network: Network) -> None:
        self._transaction = transaction
        self._network = network
        self._sender_script = spent[0].script
        self.spent = spent
        self.vtxindex = vtxindex
        self.txid = transaction.txid
        address = sender_address(self._sender_script, network)
        if address is None:
            raise Rejected(Reason.NO_SENDER_ADDRESS, f"script {self._sender_script.hex()}")
        self.address = address
        self.sender = self._sender_script.hex()

    @property
    def output_count(self) -> int:
        """Number of outputs of the transaction."""
        return len(self._transaction.outputs)

    @cached_property
    def sender_pubkey(self) -> str | None:
        """Public key of a p2pkh sender, found in any input's scriptSig (spec 02 section 4.2)."""
        if classify(self._sender_script) is not ScriptType.PUBKEYHASH:
            return None
        expected = self._sender_script[3:23]
        for txin in self._transaction.inputs:
            pushed = tokens(txin.script)
            if len(pushed) != 2 or not isinstance(key := pushed[1], bytes):
                continue
            if hash160(key) == expected and is_public_key(key):
                return key.hex()
        return None

    def script(self, index: int) -> bytes:
        """Script of an output that output_address has found to exist."""
        return self._transaction.outputs[index].script

    def value(self, index: int) -> int:
        """Satoshis of an output that output_address has found to exist."""
        return self._transaction.outputs[index].value

    def require_outputs(self, *, at_least: int = 0, exactly: int | None = None) -> None:
        """Reject another number of outputs (spec 02 section 4.3)."""
        count = self.output_count
        if exactly is not None and count != exactly:
            raise Rejected(Reason.BAD_OUTPUT_COUNT, f"{count}, expected exactly {exactly}")
        if count < at_least:
            raise Rejected(Reason.BAD_OUTPUT_COUNT, f"{count}, expected at least {at_least}")

    def output_address(self, index: int) -> str:
        """Address of an output; Rejected if it has none."""
        address = address_of_script(self._transaction.outputs[index].script, self._network)
        if address is None:
            raise Rejected(Reason.OUTPUT_WITHOUT_ADDRESS, f"output {index}")
        return address

    def key_address(self, public_key: bytes) -> str:
        """p2pkh address of a public key, in the form given, on this network."""
        return base58check_encode(self._network.p2pkh_version, hash160(public_key))


class Claim(NamedTuple):
    """What later operations of the same block see of an earlier one: quota and collisions (spec 02 section 5)."""

    op: str
    sender: str
    kind: str
    id: str


class Earlier:
    """The operations of this block before the one being checked."""

    def __init__(self) -> None:
        self._claims: set[tuple[str, str]] = set()
        self._registrations: Counter[str] = Counter()

    def add(self, claim: Claim | None) -> None:
        """Remember one operation; renewals (`::`) neither collide later nor count for a quota."""
        if claim is None or claim.op == "::":
            return
        if claim.op == ":":
            self._registrations[claim.sender] += 1
        self._claims.add((claim.kind, claim.id))

    def registrations_by(self, sender: str) -> int:
        """Number of registrations by a script (hex)."""
        return self._registrations[sender]

    def holds(self, kind: str, id_: str) -> bool:
        """Whether an operation that a collision affects claimed this id."""
        return (kind, id_) in self._claims


@dataclass(slots=True)
class Collisions:
    """The ids that were claimed in this block (spec 02 section 5)."""

    claimed: set[tuple[str, str]] = field(default_factory=set)
    flagged: set[tuple[str, str]] = field(default_factory=set)

    def claim(self, kind: str, id_: str, earlier: Earlier) -> None:
        """Claim an id for the operation whose check ends here; Rejected if it is claimed already."""
        if (kind, id_) not in self.claimed:
            self.claimed.add((kind, id_))
            return
        if earlier.holds(kind, id_):
            self.flagged.add((kind, id_))
        raise Rejected(Reason.COLLISION, f"{kind} {id_}")

    def seed(self) -> Collisions:
        """The table that the check phase begins with: what the scan flagged, nothing else."""
        return Collisions(claimed=set(self.flagged))


class Scope(NamedTuple):
    """What a check may see: the state at this block, and the operations before it."""

    view: View
    earlier: Earlier
    collisions: Collisions

    @property
    def epoch(self) -> Epoch:
        """The rules of this block; Rejected above the last epoch (section 11.2, F5)."""
        return self.view.epoch(self.view.height)

    def require_quota(self, owner: str) -> None:
        """Reject if a script (hex) owns as many names as one may, this block's registrations included."""
        most = self.view.params.max_names_per_sender
        if self.view.has_names(owner, most - self.earlier.registrations_by(owner)):
            raise Rejected(Reason.TOO_MANY_NAMES, f"{owner} has {most}")


@dataclass(frozen=True, slots=True)
class Keychain:
    """The importers of a namespace, created by its first import (spec 02 section 7.4)."""

    namespace_id: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """An operation that passed its check, and what it does to the state.

    record is the consensus record (None for ANNOUNCE), extras are the fields that only the record of this operation
    has; preorder is the one it consumes; creator_address is set if it creates a record; keychain is created as soon as
    the check has passed that point, even in the scan.
    """

    operation: Operation
    record: Record | None
    extras: dict[str, str | bool] = field(default_factory=dict)
    preorder: Preorder | None = None
    creator_address: str | None = None
    keychain: Keychain | None = None

    @property
    def wire(self) -> str:
        """The opcode byte on the wire, as text."""
        return self.operation.WIRE

    @property
    def opcode(self) -> str:
        """The operation's name, NAME_RENEWAL told from NAME_REGISTRATION."""
        return opcode_name(self.record.op if self.record is not None else self.wire)

    @property
    def claim(self) -> Claim | None:
        """What later operations of the block see of it; a name's is that of the owner it has now."""
        claim = self.operation.claim
        if claim is not None and isinstance(self.record, Name):
            return claim._replace(op=self.record.op, sender=self.record.sender)
        return claim


class Operation(Protocol):
    """One parsed operation."""

    WIRE: ClassVar[str]

    @property
    def carrier(self) -> Carrier:
        """The transaction around it."""

    @property
    def claim(self) -> Claim | None:
        """What later operations of the block see of it when it was not accepted; None if they never look."""

    @classmethod
    def parse(cls, payload: bytes, carrier: Carrier, epoch: Epoch | None) -> Self:
        """The operation in a payload (without magic and opcode byte); Rejected if it is malformed.

        epoch is that of the block, None above the last one.
        """

    def check(self, scope: Scope) -> Accepted:
        """Apply the rules in their order; Rejected with the reason of the first that fails."""


def wire(opcode: str, payload: bytes) -> bytes:
    """The data of an OP_RETURN output: magic, opcode byte, payload."""
    return MAGIC + opcode.encode("ascii") + payload


def decode_name(payload: bytes) -> str:
    """The name that a payload spells; Rejected if it is not one."""
    name = payload.decode("latin-1")
    if not is_name(name):
        raise Rejected(Reason.INVALID_NAME, repr(name))
    return name


def require_length(payload: bytes, length: int) -> None:
    """Reject a payload of another length (bytes)."""
    if len(payload) != length:
        raise Rejected(Reason.BAD_PAYLOAD_LENGTH, f"{len(payload)} bytes, expected {length}")


class Sealed(Protocol):
    """What the preorders of names and of namespaces have in common."""

    WIRE: ClassVar[str]

    @property
    def carrier(self) -> Carrier:
        """The transaction; its output 2 pays the fee."""

    @property
    def preorder_hash(self) -> str:
        """40 hex."""

    @property
    def consensus_hash(self) -> str:
        """32 hex."""

    @property
    def fee_address(self) -> str:
        """Address of output 2."""


def preorder_record(sealed: Sealed, height: int) -> Preorder:
    """The pending row of an accepted preorder (spec 02 section 7.1)."""
    carrier = sealed.carrier
    return Preorder(
        preorder_hash=sealed.preorder_hash,
        consensus_hash=sealed.consensus_hash,
        sender=carrier.sender,
        sender_pubkey=carrier.sender_pubkey,
        address=carrier.address,
        block_number=height,
        op=sealed.WIRE,
        op_fee=carrier.value(2),
        txid=carrier.txid,
        vtxindex=carrier.vtxindex,
        burn_address=sealed.fee_address,
    )
