"""Operations on a devnet, signed by its own wallets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.operations.prices import burn_address
from bnslab import transactions as drafts
from bnslab.transactions import PriceFunction, pay

if TYPE_CHECKING:
    from bnslab.devnet import Devnet
    from bnslab.transactions import Draft


def send(devnet: Devnet, draft: Draft, by: str) -> str:
    """Sign and broadcast an operation; its txid."""
    transaction = draft.sign(devnet.wallets[by])
    txid = devnet.bitcoind.rpc.call("sendrawtransaction", transaction.raw.hex())
    devnet.wallets.ledger.apply(transaction, devnet.height + 1)
    return str(txid)


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


def register(devnet: Devnet, name: str, by: str, fee: int) -> None:
    """Preorder and register a name, a block each."""
    wallet = devnet.wallets[by]
    hash_ = devnet.receipts[devnet.height].consensus_hash
    preorder = drafts.preorder_name(name, wallet, wallet.address, hash_, pay(burn_address(devnet.params), fee))
    for draft in (preorder, drafts.register_name(name, pay(wallet.address), None)):
        send(devnet, draft, by)
        devnet.mine()
