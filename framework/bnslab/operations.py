"""The operations of the name system as methods: each puts one signed transaction into the pending block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import ceil
from typing import TYPE_CHECKING, Unpack

from bns.errors import InvalidInput
from bns.operations.names import namespace_of
from bns.operations.prices import burn_address, fee_address, name_price
from bns.zonefiles.store import zonefile_hash
from bnslab import transactions as drafts
from bnslab.transactions import Draft, PriceFunction, pay, require_hash, require_satoshis

if TYPE_CHECKING:
    from bns.bitcoin.transaction import TxOut
    from bns.engine import Receipt
    from bns.operations.records import Namespace
    from bns.params import Epoch, Params
    from bnslab.nodes import Node
    from bnslab.sent import Sent
    from bnslab.transactions import Prices
    from bnslab.wallets import Wallet

NO_VALUE = "00" * 20
"""The value hash that an import announces unless told otherwise."""

UNPRICED_FEE = 100_000
"""Satoshis to pay for a name whose price nobody can know, because its namespace is not there."""


class Operations(ABC):
    """The part of a Lab that builds operations; fees, hashes and recipients are right unless they are given."""

    params: Params
    node: Node

    @property
    @abstractmethod
    def height(self) -> int:
        """Height of the last block."""

    @property
    @abstractmethod
    def next_epoch(self) -> Epoch:
        """The rules that the pending block will meet."""

    @property
    @abstractmethod
    def consensus_hash(self) -> str:
        """Consensus hash of the last block (32 hex)."""

    @abstractmethod
    def mine(self, count: int = 1) -> Receipt:
        """Make count blocks, the first with all pending operations; the receipt of the last."""

    @abstractmethod
    def send(self, draft: Draft, by: Wallet) -> Sent:
        """Put an operation into the pending block, its wallet funded as needed."""

    @abstractmethod
    def _wallet(self, wallet: Wallet | str) -> Wallet:
        """The wallet meant by a wallet or its name."""

    # Namespaces

    def namespace(
        self, namespace_id: str, by: Wallet | str, *, lifetime: int = 52595, **prices: Unpack[Prices]
    ) -> Namespace:
        """Preorder, reveal and launch a namespace, a block each; the keywords are those of PriceFunction."""
        self.namespace_preorder(namespace_id, by)
        self.mine()
        self.namespace_reveal(namespace_id, by, lifetime=lifetime, **prices)
        self.mine()
        self.namespace_ready(namespace_id, by)
        self.mine()
        namespace = self.node.state.namespace(namespace_id)
        assert namespace is not None, "the check of expectations has seen it accepted"
        return namespace

    def namespace_preorder(
        self,
        namespace_id: str,
        by: Wallet | str,
        *,
        to: Wallet | str | None = None,
        fee: int | None = None,
        pay_to: str | None = None,
        consensus_hash: str | None = None,
    ) -> Sent:
        """NAMESPACE_PREORDER. to will reveal it; the fee (satoshis) is the price unless given, and is burned."""
        wallet, reveal_wallet = self._wallet(by), self._wallet(to or by)
        drafts.require_namespace(namespace_id)
        amount = self.next_epoch.namespace_prices.of(namespace_id) if fee is None else require_satoshis("fee", fee)
        output = pay(pay_to or burn_address(self.params), amount)
        hash_ = self._consensus_hash(consensus_hash)
        return self.send(drafts.preorder_namespace(namespace_id, wallet, reveal_wallet.address, hash_, output), wallet)

    def namespace_reveal(
        self,
        namespace_id: str,
        by: Wallet | str,
        *,
        to: Wallet | str | None = None,
        lifetime: int = 52595,
        **prices: Unpack[Prices],
    ) -> Sent:
        """NAMESPACE_REVEAL. to imports and launches; the keywords are those of PriceFunction."""
        drafts.require_namespace(namespace_id)
        recipient = pay(self._wallet(to or by).address)
        draft = drafts.reveal_namespace(namespace_id, recipient, PriceFunction(lifetime, **prices))
        return self.send(draft, self._wallet(by))

    def namespace_ready(self, namespace_id: str, by: Wallet | str) -> Sent:
        """NAMESPACE_READY."""
        drafts.require_namespace(namespace_id)
        return self.send(drafts.launch_namespace(namespace_id), self._wallet(by))

    def name_import(
        self,
        name: str,
        by: Wallet | str,
        to: Wallet | str,
        *,
        value_hash: str | None = None,
        zonefile: bytes | None = None,
    ) -> Sent:
        """NAME_IMPORT. value_hash is 40 hex, by default that of the zone file, else zeros."""
        drafts.require_name(name)
        recipient = pay(self._wallet(to).address)
        draft = drafts.import_name(name, recipient, _value_hash(value_hash, zonefile) or NO_VALUE)
        return self.send(draft, self._wallet(by))

    # Names

    def register(
        self,
        name: str,
        by: Wallet | str,
        *,
        to: Wallet | str | None = None,
        value_hash: str | None = None,
        zonefile: bytes | None = None,
    ) -> Sent:
        """Preorder a name, mine, register it, mine; the registration."""
        self.name_preorder(name, by, to=to)
        self.mine()
        registration = self.name_registration(name, by, to=to, value_hash=value_hash, zonefile=zonefile)
        self.mine()
        return registration

    def name_preorder(
        self,
        name: str,
        by: Wallet | str,
        *,
        to: Wallet | str | None = None,
        fee: int | None = None,
        pay_to: str | None = None,
        consensus_hash: str | None = None,
    ) -> Sent:
        """NAME_PREORDER for a future owner. The fee (satoshis) and where it goes are right unless given."""
        wallet, owner = self._wallet(by), self._wallet(to or by)
        drafts.require_name(name)
        hash_ = self._consensus_hash(consensus_hash)
        return self.send(drafts.preorder_name(name, wallet, owner.address, hash_, self._fee(name, fee, pay_to)), wallet)

    def name_registration(
        self,
        name: str,
        by: Wallet | str,
        *,
        to: Wallet | str | None = None,
        value_hash: str | None = None,
        zonefile: bytes | None = None,
    ) -> Sent:
        """NAME_REGISTRATION of a preordered name, from epoch 3 on also with a value hash (40 hex) or zone file."""
        drafts.require_name(name)
        owner = pay(self._wallet(to or by).address)
        return self.send(drafts.register_name(name, owner, _value_hash(value_hash, zonefile)), self._wallet(by))

    def renew(
        self,
        name: str,
        by: Wallet | str,
        *,
        to: Wallet | str | None = None,
        value_hash: str | None = None,
        zonefile: bytes | None = None,
        fee: int | None = None,
        pay_to: str | None = None,
    ) -> Sent:
        """NAME_RENEWAL, from epoch 3 on also with a new owner, and a new value hash (40 hex) or zone file."""
        drafts.require_name(name)
        owner = pay(self._wallet(to or by).address)
        draft = drafts.renew_name(name, owner, _value_hash(value_hash, zonefile), self._fee(name, fee, pay_to))
        return self.send(draft, self._wallet(by))

    def update(
        self,
        name: str,
        by: Wallet | str,
        value_hash: str | None = None,
        *,
        zonefile: bytes | None = None,
        consensus_hash: str | None = None,
    ) -> Sent:
        """NAME_UPDATE. value_hash (40 hex) is what the name stands for from here on, or the zone file is."""
        drafts.require_name(name)
        hash_ = _value_hash(value_hash, zonefile)
        if hash_ is None:
            raise InvalidInput("value hash", value_hash, "a value hash or a zone file")
        return self.send(drafts.update_name(name, hash_, self._consensus_hash(consensus_hash)), self._wallet(by))

    def transfer(
        self,
        name: str,
        by: Wallet | str,
        to: Wallet | str,
        *,
        keep_data: bool = True,
        consensus_hash: str | None = None,
    ) -> Sent:
        """NAME_TRANSFER, with the value hash or without."""
        drafts.require_name(name)
        hash_ = self._consensus_hash(consensus_hash)
        draft = drafts.transfer_name(name, pay(self._wallet(to).address), hash_, keep_data=keep_data)
        return self.send(draft, self._wallet(by))

    def revoke(self, name: str, by: Wallet | str) -> Sent:
        """NAME_REVOKE."""
        drafts.require_name(name)
        return self.send(drafts.revoke_name(name), self._wallet(by))

    def announce(self, message_hash: str, by: Wallet | str) -> Sent:
        """ANNOUNCE. message_hash is 40 hex."""
        return self.send(drafts.announce_message(require_hash("message hash", message_hash, 20)), self._wallet(by))

    def price(self, name: str) -> int:
        """Satoshis to pay for a name in the pending block; InvalidInput if its namespace is unknown."""
        drafts.require_name(name)
        namespace = self.node.state.namespace(namespace_of(name))
        if namespace is None:
            raise InvalidInput("namespace of the name", name, "one that was revealed")
        return ceil(name_price(name, namespace, self.next_epoch, self.params.name_cost_unit))

    def _fee(self, name: str, fee: int | None, pay_to: str | None) -> TxOut:
        namespace = self.node.state.namespace(namespace_of(name))
        if namespace is None:
            address, price = burn_address(self.params), UNPRICED_FEE
        else:
            address = fee_address(namespace, self.height + 1, self.next_epoch, self.params)
            price = self.price(name)
        return pay(pay_to or address, price if fee is None else require_satoshis("fee", fee))

    def _consensus_hash(self, given: str | None) -> str:
        return self.consensus_hash if given is None else require_hash("consensus hash", given, 16)


def _value_hash(value_hash: str | None, zonefile: bytes | None) -> str | None:
    """The value hash to announce: as given, or of a zone file; InvalidInput for both."""
    if zonefile is None:
        return None if value_hash is None else require_hash("value hash", value_hash, 20)
    if value_hash is not None:
        raise InvalidInput("value hash", value_hash, "no value hash beside a zone file")
    return zonefile_hash(zonefile)
