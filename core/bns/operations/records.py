"""The records of the name system, with the fields of spec 02 section 3.1.

Scripts, public keys, transaction ids and hashes are lower-case hex; heights are block heights; fees are satoshis.
They are msgspec structures because every operation makes several, with some twenty fields each.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict


class Preorder(Struct, frozen=True):
    """A pending preorder of a name (op `?`) or a namespace (op `*`)."""

    preorder_hash: str
    consensus_hash: str
    sender: str
    sender_pubkey: str | None
    address: str
    block_number: int
    op: str
    op_fee: int
    txid: str
    vtxindex: int
    burn_address: str


class Namespace(Struct, frozen=True):
    """A namespace that was revealed (op `&`) or is ready (op `!`)."""

    namespace_id: str
    preorder_hash: str
    version: int
    sender: str
    sender_pubkey: str | None
    address: str
    recipient: str
    recipient_address: str
    block_number: int
    reveal_block: int
    op: str
    op_fee: int
    txid: str
    vtxindex: int
    lifetime: int
    coeff: int
    base: int
    buckets: tuple[int, ...]
    nonalpha_discount: int
    no_vowel_discount: int
    ready_block: int


class Name(Struct, frozen=True):
    """A name and its last operation. op_fee is a float as long as the name lives by its import."""

    name: str
    preorder_hash: str
    name_hash128: str
    namespace_id: str
    namespace_block_number: int
    value_hash: str | None
    sender: str
    sender_pubkey: str | None
    address: str
    block_number: int
    preorder_block_number: int
    first_registered: int
    last_renewed: int
    revoked: bool
    op: str
    txid: str
    vtxindex: int
    op_fee: int | float
    importer: str | None
    importer_address: str | None
    consensus_hash: str | None
    last_creation_op: str


class HistoryRow(Struct, frozen=True):
    """One accepted operation in the life of a name or namespace (spec 02 section 8)."""

    txid: str
    history_id: str
    creator_address: str | None
    block_id: int
    vtxindex: int
    op: str
    opcode: str
    value_hash: str | None
    history_data: str


Record = Name | Namespace | Preorder
"""What an accepted operation leaves behind; ANNOUNCE leaves nothing."""

FIELD_NAMES: dict[type, tuple[str, ...]] = {
    kind: kind.__struct_fields__ for kind in (Preorder, Namespace, Name, HistoryRow)
}


def fields_of(record: Record | HistoryRow) -> dict[str, object]:
    """Field names and values of a record, in the order of the table's columns."""
    return asdict(record)
