"""Operations on a devnet, signed by its own wallets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.operations.prices import burn_address
from bnslab import transactions as drafts
from bnslab.transactions import PriceFunction, pay

if TYPE_CHECKING:
    from bns.bitcoin.transaction import Transaction
    from bnslab.devnet import Devnet
    from bnslab.transactions import Draft


def sign(devnet: Devnet, draft: Draft, by: str) -> Transaction:
    """A signed operation, whose coins are spent from here on."""
    transaction = draft.sign(devnet.wallets[by])
    devnet.wallets.ledger.apply(transaction, devnet.height + 1)
    return transaction


def send(devnet: Devnet, draft: Draft, by: str) -> str:
    """Sign and broadcast an operation; its txid."""
    return devnet.send(sign(devnet, draft, by).raw.hex())


def launch(devnet: Devnet, namespace_id: str, by: str) -> None:
    """Preorder, reveal and launch a namespace, a block each."""
    wallet = devnet.wallets[by]
    price = devnet.params.epochs[2].namespace_prices.of(namespace_id)
    fee = pay(burn_address(devnet.params), price)
    hash_ = devnet.receipts[devnet.height].consensus_hash
    for draft in (
        drafts.preorder_namespace(namespace_id, wallet, wallet.address, hash_, fee),
        drafts.reveal_namespace(namespace_id, pay(wallet.address), PriceFunction(52595)),
        drafts.launch_namespace(namespace_id),
    ):
        send(devnet, draft, by)
        devnet.mine()


def registration(devnet: Devnet, name: str, by: str, fee: int, value_hash: str | None = None) -> tuple[Draft, Draft]:
    """The preorder and the register of a name."""
    wallet = devnet.wallets[by]
    hash_ = devnet.receipts[devnet.height].consensus_hash
    preorder = drafts.preorder_name(name, wallet, wallet.address, hash_, pay(burn_address(devnet.params), fee))
    return preorder, drafts.register_name(name, pay(wallet.address), value_hash)


def register(devnet: Devnet, name: str, by: str, fee: int) -> None:
    """Preorder and register a name, a block each."""
    for draft in registration(devnet, name, by, fee):
        send(devnet, draft, by)
        devnet.mine()
