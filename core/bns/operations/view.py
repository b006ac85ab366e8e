"""What is visible of the state while a block is checked (spec 02 section 3)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from bns.errors import Reason, Rejected
from bns.operations.names import preorder_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bns.operations.records import Name, Namespace, Preorder
    from bns.params import Epoch, Params


class Reader(Protocol):
    """Look-ups in the tables as they are now, changes of the current block included."""

    def name(self, name: str) -> Name | None:
        """The row of a full name."""

    def namespace(self, namespace_id: str) -> Namespace | None:
        """The row of a namespace."""

    def names_of(self, sender: str) -> Sequence[str]:
        """The names of unrevoked rows whose owner is this script (hex), expired ones included."""

    def names_by_hash128(self, hash128: str) -> Sequence[Name]:
        """Unrevoked rows with this name_hash128."""

    def names_by_preorder_hash(self, hash_: str) -> Sequence[Name]:
        """Rows whose registration consumed this preorder hash."""

    def namespace_has_preorder_hash(self, hash_: str) -> bool:
        """Whether any namespace row has this preorder hash."""

    def preorders(self, hash_: str) -> Sequence[Preorder]:
        """Rows with this hash, by (block_number, txid)."""

    def keychain(self, namespace_id: str) -> frozenset[str] | None:
        """The importers' addresses of a namespace, None before its first import."""

    def operations_of(self, name: str) -> Iterator[tuple[str, str | None]]:
        """(op, consensus_hash) of the history rows of a name, newest first."""

    def consensus_hashes(self, first: int, last: int) -> Sequence[str]:
        """Consensus hashes of the heights from first to last that are stored, ascending by height."""

    def consensus_hash_height(self, consensus_hash: str) -> int | None:
        """The greatest stored height that has this hash."""


class View:
    """The predicates of the rules at block `height`; `last` is the last stored block.

    Everything is evaluated on the tables as modified so far in this block, mostly as of `last`.
    """

    def __init__(self, params: Params, reader: Reader, height: int) -> None:
        self.params = params
        self.reader = reader
        self.height = height
        self.last = height - 1

    def epoch(self, height: int) -> Epoch:
        """Epoch of a height at or below this block's; Rejected above the last one, whoever asks."""
        epoch = self.params.epoch(height)
        if epoch is None:
            raise Rejected(Reason.FATAL_BEYOND_LAST_EPOCH, f"block {height}")
        return epoch

    # Names

    def is_visible(self, name: Name, height: int) -> bool:
        """Unexpired and registered at a height (spec 02 section 3.3; mind `>` in one branch and `>=` in the other)."""
        namespace = self.reader.namespace(name.namespace_id)
        if namespace is None or name.first_registered > height:
            return False
        if namespace.op == "!":
            epoch = self.epoch(height)
            term = namespace.lifetime * epoch.lifetime_multiplier + epoch.grace_period
            return namespace.ready_block + term > height or name.last_renewed + term >= height
        return namespace.reveal_block <= height < namespace.reveal_block + self.params.namespace_reveal_expire

    def name(self, name: str) -> Name | None:
        """The row if it is visible at `last`, revoked ones included (`get_name`)."""
        self.epoch(self.last)
        row = self.reader.name(name)
        return row if row is not None and self.is_visible(row, self.last) else None

    def name_any(self, name: str) -> Name | None:
        """The row, expired or not (`get_name_any`)."""
        return self.reader.name(name)

    def has_names(self, sender: str, count: int) -> bool:
        """Whether a script (hex) owns at least so many names that are visible and not revoked."""
        self.epoch(self.last)
        names = self.reader.names_of(sender)
        return len(names) >= count and sum(self.name(name) is not None for name in names) >= count

    def name_by_hash128(self, hash128: str) -> Name | None:
        """The visible, unrevoked name with this hash."""
        self.epoch(self.last)
        return next((n for n in self.reader.names_by_hash128(hash128) if self.is_visible(n, self.last)), None)

    def is_in_grace(self, name: Name, height: int) -> bool:
        """Whether only a renewal can save the name at this height (spec 02 section 3.3, `in_grace`)."""
        namespace = self.reader.namespace(name.namespace_id)
        if namespace is None or namespace.op != "!" or not self.is_visible(name, height):
            return False
        epoch = self.epoch(height)
        expiry = max(namespace.ready_block, name.last_renewed) + namespace.lifetime * epoch.lifetime_multiplier
        return expiry <= height < expiry + epoch.grace_period

    # Namespaces

    def ready_namespace(self, namespace_id: str) -> Namespace | None:
        """The namespace if it is ready, in this very block even (`is_ns_ready`)."""
        namespace = self.reader.namespace(namespace_id)
        return namespace if namespace is not None and namespace.op == "!" else None

    def require_ready(self, namespace_id: str) -> Namespace:
        """The namespace; Rejected if it is not ready."""
        namespace = self.ready_namespace(namespace_id)
        if namespace is None:
            raise Rejected(Reason.NAMESPACE_NOT_READY, namespace_id)
        return namespace

    def revealed_namespace(self, namespace_id: str) -> Namespace | None:
        """The namespace if it was revealed in an earlier block and this has not expired (`get_ns_reveal`)."""
        namespace = self.reader.namespace(namespace_id)
        if namespace is None or namespace.op != "&":
            return None
        expiry = namespace.reveal_block + self.params.namespace_reveal_expire
        return namespace if namespace.reveal_block <= self.last < expiry else None

    # Preorders (spec 02 section 3.4)

    def pending_name(self, hash_: str) -> Preorder | None:
        """The oldest name preorder with this hash, unless a visible name has consumed the hash."""
        oldest = self._oldest_preorder(hash_, "?", self.params.name_preorder_expire)
        if oldest is None:
            return None
        taken = any(self.is_visible(name, self.last) for name in self.reader.names_by_preorder_hash(hash_))
        return None if taken else oldest

    def pending_namespace(self, hash_: str) -> Preorder | None:
        """The oldest namespace preorder with this hash, unless a namespace has consumed the hash."""
        oldest = self._oldest_preorder(hash_, "*", self.params.namespace_preorder_expire)
        return None if oldest is None or self.reader.namespace_has_preorder_hash(hash_) else oldest

    def name_preorder(self, name: str, namespace: Namespace, sender: str, address: str) -> Preorder | None:
        """The preorder that lets a sender (script hex) register a name of a ready namespace for an address."""
        if self.name(name) is not None:
            return None
        preorder = self.pending_name(preorder_hash(name, sender, address))
        if preorder is None:
            return None
        lifetime = namespace.lifetime * self.epoch(self.last).lifetime_multiplier
        return None if preorder.block_number + lifetime <= self.last else preorder

    def _oldest_preorder(self, hash_: str, op: str, expire: int) -> Preorder | None:
        limit = self.last + expire
        return next((p for p in self.reader.preorders(hash_) if p.op == op and p.block_number < limit), None)

    # Consensus hashes (spec 01 section 12)

    @cached_property
    def valid_consensus_hashes(self) -> tuple[str, ...]:
        """The hashes of the window before this block, ascending by height, without duplicates."""
        hashes = self.reader.consensus_hashes(self.height - self.params.consensus_window, self.last)
        return tuple(dict.fromkeys(hashes))

    def require_valid_consensus_hash(self, consensus_hash: str) -> None:
        """Reject a consensus hash outside the window."""
        if consensus_hash not in self.valid_consensus_hashes:
            height = self.reader.consensus_hash_height(consensus_hash)
            age = "unknown" if height is None else f"of block {height}"
            raise Rejected(Reason.STALE_CONSENSUS_HASH, f"{consensus_hash} is {age}, at block {self.height}")
