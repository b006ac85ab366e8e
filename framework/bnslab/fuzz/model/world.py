"""What is known after the blocks so far, and the questions that rules ask of it (Spec 02 sections 3, 5.1 and 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bns.bitcoin.address import base58check_encode
from bns.params import Epoch, Feature, Params
from bnslab.fuzz.model.text import Row, label_of, name_consensus_hash, preorder_hash, space_of
from bnslab.fuzz.model.wire import No

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class World:
    """All tables as dictionaries; last is the last block that is done, hashes its consensus hash and those before."""

    params: Params
    last: int
    hashes: dict[int, str]
    preorders: list[Row] = field(default_factory=list)
    spaces: dict[str, Row] = field(default_factory=dict)
    names: dict[str, Row] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    rings: dict[str, list[str]] = field(default_factory=dict)

    def epoch(self, height: int) -> Epoch:
        """The epoch of a height; No above the last one, whatever is asked for."""
        epoch = self.params.epoch(height)
        if epoch is None:
            raise No("F5", fatal=True)
        return epoch

    def life(self, space: Row, height: int) -> int:
        """Blocks that a name lives, without its grace period."""
        lifetime: int = space["lifetime"]
        return lifetime * self.epoch(height).lifetime_multiplier

    def visible(self, row: Row, height: int) -> bool:
        """Whether a name is registered and unexpired at a height."""
        space = self.spaces.get(row["namespace_id"])
        if space is None or row["first_registered"] > height:
            return False
        if space["op"] == "&":
            return bool(space["reveal_block"] <= height < space["reveal_block"] + self.params.namespace_reveal_expire)
        span = self.life(space, height) + self.epoch(height).grace_period
        return bool(space["ready_block"] + span > height or row["last_renewed"] + span >= height)

    def name(self, name: str) -> Row | None:
        """A name that is visible at the last block, revoked ones included."""
        self.epoch(self.last)
        row = self.names.get(name)
        return row if row is not None and self.visible(row, self.last) else None

    def registered(self, name: str) -> bool:
        """Whether a name is visible and not revoked."""
        row = self.name(name)
        return row is not None and not row["revoked"]

    def owns(self, name: str, script: str) -> bool:
        """Whether a name is registered to a script."""
        return self.registered(name) and self.names[name]["sender"] == script

    def names_of(self, script: str) -> list[Row]:
        """The registered names of a script."""
        self.epoch(self.last)
        return [row for name, row in self.names.items() if row["sender"] == script and self.registered(name)]

    def owned(self, script: str, earlier: Iterable[Row]) -> int:
        """How many names a script has, those of this block counted."""
        new = [op for op in earlier if op["op"] == ":" and op["sender"] == script]
        return len(self.names_of(script)) + len(new)

    def in_grace(self, row: Row, height: int) -> bool:
        """Whether a name can only be renewed."""
        space = self.spaces[row["namespace_id"]]
        if space["op"] != "!" or not self.visible(row, height):
            return False
        end = max(space["ready_block"], row["last_renewed"]) + self.life(space, height)
        return bool(end <= height < end + self.epoch(height).grace_period)

    def ready(self, id_: str) -> bool:
        """Whether a namespace is open to everybody."""
        return id_ in self.spaces and self.spaces[id_]["op"] == "!"

    def revealed(self, id_: str) -> Row | None:
        """A namespace that is revealed, not yet ready, and not expired."""
        space = self.spaces.get(id_)
        if space is None or space["op"] != "&":
            return None
        end = space["reveal_block"] + self.params.namespace_reveal_expire
        return space if space["reveal_block"] <= self.last < end else None

    def oldest_preorder(self, hash_: str, wire: str, expire: int) -> Row | None:
        """The preorder that counts among those with one hash."""
        rows = [
            row
            for row in self.preorders
            if row["preorder_hash"] == hash_ and row["op"] == wire and row["block_number"] < self.last + expire
        ]
        return min(rows, key=lambda row: (row["block_number"], row["txid"]), default=None)

    def pending_name(self, hash_: str) -> Row | None:
        """The preorder of a name with a hash, unless a visible name came of it."""
        if any(row["preorder_hash"] == hash_ and self.visible(row, self.last) for row in self.names.values()):
            return None
        return self.oldest_preorder(hash_, "?", self.params.name_preorder_expire)

    def pending_space(self, hash_: str) -> Row | None:
        """The preorder of a namespace with a hash, unless a namespace came of it."""
        end = self.last + self.params.namespace_reveal_expire
        for space in self.spaces.values():
            if space["preorder_hash"] == hash_ and (space["op"] == "!" or space["reveal_block"] < end):
                return None
        return self.oldest_preorder(hash_, "*", self.params.namespace_preorder_expire)

    def preorder_of(self, name: str, script: str, address: str) -> Row | None:
        """The preorder that a registration can use."""
        if self.name(name) is not None or not self.ready(space_of(name)):
            return None
        row = self.pending_name(preorder_hash(name, script, address))
        if row is None or row["block_number"] + self.life(self.spaces[space_of(name)], self.last) <= self.last:
            return None
        return row

    def recent(self, height: int) -> list[str]:
        """The consensus hashes that are valid at a height, oldest first."""
        heights = range(height - self.params.consensus_window, height + 1)
        return list(dict.fromkeys(self.hashes[h] for h in heights if h in self.hashes))

    def update_target(self, sender: str, hash_: str, height: int) -> tuple[str, str] | None:
        """The name and the consensus hash that an update means."""
        for row in self.names_of(sender):
            for consensus_hash in self.recent(height):
                if name_consensus_hash(row["name"], consensus_hash) == hash_:
                    return row["name"], consensus_hash
        return None

    def transfer_hash(self, name: str, own: str) -> str:
        """The consensus hash that a transfer shows: the one of the last update since the name came to be."""
        rows = [row for row in self.history if row["history_id"] == name]
        for row in sorted(rows, key=lambda row: (row["block_id"], row["vtxindex"]), reverse=True):
            if row["op"] in (":", ";"):
                break
            if row["op"] == "+":
                return str(row["consensus_hash"])
        return own

    def price(self, name: str, height: int) -> float:
        """Satoshis for a name."""
        space, label = self.spaces[space_of(name)], label_of(name)
        power = space["buckets"][len(label) - 1] if len(label) < 16 else space["buckets"][15]
        discount = 1.0
        if not set(label) & set("aeiouy"):
            discount = max(discount, space["no_vowel_discount"])
        if set(label) & set("0123456789-_"):
            discount = max(discount, space["nonalpha_discount"])
        price = float(space["coeff"] * space["base"] ** power) / float(discount) * 100
        return max(price, 100) * self.epoch(height).price_multiplier

    def fee_address(self, space: Row, height: int) -> str:
        """Where the fee of a name goes."""
        epoch = self.epoch(height)
        if (
            epoch.has(Feature.NAMESPACE_BURN_TO_CREATOR)
            and space["version"] == 2
            and space["reveal_block"] + epoch.receive_fees_period >= height
        ):
            return str(space["address"])
        return self.burn_address

    @property
    def burn_address(self) -> str:
        """The address that nobody can spend from."""
        return base58check_encode(self.params.network.p2pkh_version, bytes(20))
