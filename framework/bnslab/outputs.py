"""The outputs of every transaction that a scenario's chain holds, to be found by those that spend them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from bns.bitcoin.block import read_transactions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bns.bitcoin.transaction import Transaction, TxOut
    from bnslab.chain.base import Coin


class Outputs:
    """Outputs by outpoint: txid (32 bytes, wire order) and index."""

    def __init__(self, coins: Iterable[Coin] = ()) -> None:
        self._outputs: dict[tuple[bytes, int], TxOut] = {(coin.txid, coin.index): coin.output for coin in coins}

    @classmethod
    def of_blocks(cls, raw_blocks: Iterable[bytes], transactions: Iterable[Transaction] = ()) -> Self:
        """What whole blocks and some single transactions hold."""
        outputs = cls()
        for transaction in transactions:
            outputs.add(transaction)
        for raw in raw_blocks:
            outputs.add_block(raw)
        return outputs

    def add(self, transaction: Transaction) -> None:
        """Make the outputs of a transaction known."""
        txid = transaction.txid_bytes
        self._outputs.update({(txid, index): output for index, output in enumerate(transaction.outputs)})

    def add_block(self, raw: bytes) -> None:
        """Make the outputs of all transactions of a block known."""
        for transaction in read_transactions(raw):
            self.add(transaction)

    def find(self, txid: bytes, index: int) -> TxOut | None:
        """The output at an outpoint."""
        return self._outputs.get((txid, index))
