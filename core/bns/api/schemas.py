"""The shapes of records as types (spec 06 section 4 and appendix A), for both interfaces.

Heights are blocks, amounts satoshis.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Height = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
HeightOrNever = Annotated[int, Meta(ge=-1, description="-1: never")]
Hex = Annotated[str, Meta(pattern="^([0-9a-f]{2})*$")]
Hex32 = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Hex40 = Annotated[str, Meta(pattern="^[0-9a-f]{40}$")]
Hex64 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Base64 = Annotated[str, Meta(pattern="^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")]
Did = Annotated[str, Meta(pattern="^did:stack:v0:[0-9A-Za-z]+-[0-9]+$")]
Buckets = Annotated[str, Meta(pattern=r"^\[[0-9]+(, [0-9]+){15}\]$", description="A list as text")]
DecimalText = Annotated[str, Meta(pattern="^[0-9]+$")]


class Shape(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A JSON object with these members and no others."""


class Failed(Shape):
    """The answer to a call that cannot be answered."""

    error: str
    http_status: int


class Crashed(Shape):
    """The answer to an unknown method, a wrong number of arguments, or a call that failed inside."""

    error: str
    traceback: list[str]


# States of names and namespaces: history entries and operations, told apart by opcode


class _Operation(Shape, tag_field="opcode"):
    address: str
    block_number: Height
    op: str
    op_fee: float
    preorder_hash: Hex40
    sender: Hex
    sender_pubkey: Hex | None
    txid: Hex64
    vtxindex: Count


class _Preorder(_Operation):
    burn_address: str
    consensus_hash: Hex32


class NamePreorder(_Preorder, tag="NAME_PREORDER"):
    """A preorder of a name."""


class NamespacePreorder(_Preorder, tag="NAMESPACE_PREORDER"):
    """A preorder of a namespace."""


class _NamespaceState(_Operation):
    base: Annotated[int, Meta(ge=0, le=255)]
    buckets: list[int] | str  # msgspec 0.22 frees what is not its own where a pattern stands beside a list
    coeff: Annotated[int, Meta(ge=0, le=255)]
    lifetime: Count
    namespace_id: str
    no_vowel_discount: Annotated[int, Meta(ge=0, le=15)]
    nonalpha_discount: Annotated[int, Meta(ge=0, le=15)]
    ready_block: Height
    recipient: Hex
    recipient_address: str
    reveal_block: Height
    version: Annotated[int, Meta(ge=1)]


class NamespaceReveal(_NamespaceState, tag="NAMESPACE_REVEAL"):
    """A namespace that was revealed."""


class NamespaceReady(_NamespaceState, tag="NAMESPACE_READY"):
    """A namespace that was launched."""


class _NameState(_Operation, kw_only=True):
    consensus_hash: Hex32 | None
    first_registered: Height
    importer: Hex | None
    importer_address: str | None
    last_creation_op: Literal["?", ";"] | UnsetType = UNSET
    last_renewed: Height
    name: str
    namespace_block_number: Height
    preorder_block_number: Height
    revoked: bool
    value_hash: Hex40 | None


class NameRegistration(_NameState, tag="NAME_REGISTRATION"):
    """A registered name."""


class NameImport(_NameState, tag="NAME_IMPORT"):
    """An imported name."""


class _NameChange(_NameState, kw_only=True):
    name_hash128: Hex32
    namespace_id: str


class NameRenewal(_NameChange, tag="NAME_RENEWAL"):
    """A renewed name."""


class NameRevoke(_NameChange, tag="NAME_REVOKE"):
    """A revoked name."""


class NameUpdate(_NameChange, tag="NAME_UPDATE", kw_only=True):
    """A name with a new zone file."""

    name_consensus_hash: Hex32


class NameTransfer(_NameChange, tag="NAME_TRANSFER", kw_only=True):
    """A name with a new owner."""

    keep_data: bool


NameState = NamePreorder | NameRegistration | NameImport | NameRenewal | NameRevoke | NameUpdate | NameTransfer
NamespaceState = NamespacePreorder | NamespaceReveal | NamespaceReady
AnyState = NameState | NamespaceState

NameHistory = dict[DecimalText, list[NameState]]
NamespaceHistory = dict[DecimalText, list[NamespaceState]]


# Records


class NameRecord(Shape, kw_only=True):
    """A name (spec 06 section 4.1)."""

    name: str
    namespace_id: str | UnsetType = UNSET
    namespace_block_number: Height
    name_hash128: Hex32 | UnsetType = UNSET
    address: str
    sender: Hex
    sender_pubkey: Hex | None
    value_hash: Hex40 | None
    op: Literal[":", "::", "+", ">>", ">~", "~", ";"]
    opcode: Literal["NAME_REGISTRATION", "NAME_RENEWAL", "NAME_UPDATE", "NAME_TRANSFER", "NAME_REVOKE", "NAME_IMPORT"]
    txid: Hex64
    vtxindex: Count
    block_number: Height
    preorder_block_number: Height
    preorder_hash: Hex40
    first_registered: Height
    last_renewed: Height
    revoked: bool
    op_fee: float
    importer: Hex | None
    importer_address: str | None
    consensus_hash: Hex32 | None
    name_consensus_hash: Hex32 | UnsetType = UNSET
    keep_data: bool | UnsetType = UNSET
    expire_block: HeightOrNever
    renewal_deadline: HeightOrNever
    expired: bool
    zonefile: Base64 | UnsetType = UNSET
    resolver: str | UnsetType | None = UNSET
    did: Did | UnsetType = UNSET
    history: NameHistory | UnsetType = UNSET
    grace_period: bool | UnsetType = UNSET


class SubdomainState(Shape, kw_only=True):
    """A subdomain at one time (spec 06 section 4.2)."""

    name: str
    domain: str
    address: str
    block_number: Height
    sequence: Count
    txid: Hex64
    value_hash: Hex40
    zonefile: Base64
    resolver: str | UnsetType = UNSET


SubdomainHistory = dict[DecimalText, list[SubdomainState]]


class SubdomainRecord(SubdomainState, kw_only=True):
    """A subdomain as it stands."""

    pending: bool
    did: Did | UnsetType = UNSET
    history: SubdomainHistory | UnsetType = UNSET


class NamespaceRecord(Shape, kw_only=True):
    """A namespace (spec 06 section 4.4)."""

    namespace_id: str
    version: Annotated[int, Meta(ge=1)]
    address: str
    sender: Hex
    sender_pubkey: Hex | None
    recipient: Hex
    recipient_address: str
    block_number: Height
    reveal_block: Height
    ready_block: Height
    lifetime: Count
    coeff: Annotated[int, Meta(ge=0, le=255)]
    base: Annotated[int, Meta(ge=0, le=255)]
    nonalpha_discount: Annotated[int, Meta(ge=0, le=15)]
    no_vowel_discount: Annotated[int, Meta(ge=0, le=15)]
    buckets: Buckets
    preorder_hash: Hex40
    op: Literal["&", "!"]
    opcode: Literal["NAMESPACE_REVEAL", "NAMESPACE_READY"] | UnsetType = UNSET
    op_fee: Count
    txid: Hex64
    vtxindex: Count
    ready: bool
    history: NamespaceHistory


class SubdomainOp(Shape):
    """A subdomain record as found in a zone file (spec 06 section 4.6)."""

    fully_qualified_subdomain: str
    domain: str
    sequence: Count
    owner: str
    zonefile_hash: Hex40
    signature: str
    block_height: Height
    parent_zonefile_hash: Hex40
    parent_zonefile_index: Count
    zonefile_offset: Count
    txid: Hex64
    missing: str
    accepted: Literal[0, 1]
    resolver: str | None


class Info(Shape, kw_only=True):
    """What a node says of itself (spec 06 section 6.1)."""

    last_block_seen: Height
    last_block_processed: Height
    consensus: Hex32
    server_version: str
    server_alive: Literal[True]
    indexing: bool
    testnet: str | None
    zonefile_count: Count | UnsetType = UNSET
    stale: Literal[True] | UnsetType = UNSET
    warning: str | UnsetType = UNSET


class Ping(Shape):
    """Whether a node answers."""

    status: Literal["alive", "stale"]
    version: str
