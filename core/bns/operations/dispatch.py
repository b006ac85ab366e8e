"""From an OP_RETURN payload to an operation (spec 01 section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.errors import Reason, Rejected
from bns.operations.announce import Announce
from bns.operations.base import MAGIC, Carrier, Operation
from bns.operations.name_import import NameImport
from bns.operations.name_preorder import NamePreorder
from bns.operations.name_registration import NameRegistration
from bns.operations.name_revoke import NameRevoke
from bns.operations.name_transfer import NameTransfer
from bns.operations.name_update import NameUpdate
from bns.operations.namespace_preorder import NamespacePreorder
from bns.operations.namespace_ready import NamespaceReady
from bns.operations.namespace_reveal import NamespaceReveal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.bitcoin.block import Candidate
    from bns.bitcoin.network import Network
    from bns.bitcoin.transaction import TxOut
    from bns.params import Epoch

OPERATIONS: dict[str, type[Operation]] = {
    kind.WIRE: kind
    for kind in (
        NamespacePreorder,
        NamespaceReveal,
        NamespaceReady,
        NameImport,
        NamePreorder,
        NameRegistration,
        NameUpdate,
        NameTransfer,
        NameRevoke,
        Announce,
    )
}
"""Operation types by wire opcode; a renewal shares `:` with a registration."""


def is_operation(payload: bytes) -> bool:
    """Whether an OP_RETURN payload has the magic and a known opcode byte."""
    return payload[:2] == MAGIC and chr(payload[2]) in OPERATIONS if len(payload) > 2 else False


def parse_operation(candidate: Candidate, spent: Sequence[TxOut], network: Network, epoch: Epoch | None) -> Operation:
    """The operation in a candidate transaction; Rejected if there is none or it is malformed.

    spent are the outputs that the transaction's inputs spend, in input order; epoch is None above the last one.
    """
    if not is_operation(candidate.payload):
        raise Rejected(Reason.UNKNOWN_OPCODE, candidate.payload[:3].hex())
    carrier = Carrier(candidate.transaction, candidate.index, spent, network)
    return OPERATIONS[chr(candidate.payload[2])].parse(candidate.payload[3:], carrier, epoch)
