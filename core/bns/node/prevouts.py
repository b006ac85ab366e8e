"""The outputs that candidates spend, found with as few questions to bitcoind as can be."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from bns.bitcoin.block import block_hash, stripped_transactions, transaction_count
from bns.bitcoin.transaction import TxOut, parse_transaction, txid_to_hex
from bns.node.errors import RpcError, SourceError
from bns.operations.dispatch import is_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bns.bitcoin.block import Candidate
    from bns.bitcoin.transaction import Transaction
    from bns.node.rpc import RpcClient

MOST_KEPT = 20_000
"""Transactions of earlier blocks that are kept, some 10 MB."""

SMALL_BLOCK = 20_000
"""Bytes up to which other transactions of a block are kept as well as operations.

A coinbase that stands alone beside them is not: whoever pays for an operation has rarely mined the coins.
"""

_DETAILS_BYTES = 1 << 18
_COIN = 100_000_000

_Outpoint = tuple[bytes, int]


class Prevouts:
    """Outputs by outpoint: first from the blocks just read, then from the transaction index, then from undo data."""

    def __init__(self, client: RpcClient) -> None:
        self._client = client
        self._kept: dict[bytes, bytes | Transaction] = {}  # by txid in wire order, oldest first
        self._ready: dict[_Outpoint, TxOut] = {}
        self._indexed: bool | None = None

    def prepare(
        self, raws: Sequence[bytes], found: Sequence[Sequence[Candidate]]
    ) -> Callable[[bytes, int], TxOut | None]:
        """A look-up of the outputs that the candidates of these blocks spend; found has those of each block.

        Raises SourceError if the node cannot say.
        """
        for raw, possible in zip(raws, found, strict=True):
            count, _ = transaction_count(raw)
            if len(raw) <= SMALL_BLOCK and count > len(possible) + 1:  # more than the coinbase and operations
                self._kept.update(stripped_transactions(raw))
            self._kept.update((each.transaction.txid_bytes, each.transaction) for each in possible)
        wanted = {outpoint: None for possible in found for outpoint in _spent(possible)}
        ready: dict[_Outpoint, TxOut] = {}
        self._ready = ready
        self._take(wanted)
        if missing := [outpoint for outpoint in wanted if outpoint not in self._ready]:
            self._fetch_transactions(missing)
            self._fetch_details(raws, found)
        for txid in list(islice(self._kept, max(0, len(self._kept) - MOST_KEPT))):
            del self._kept[txid]
        return lambda txid, index: ready.get((txid, index))

    def _take(self, wanted: Iterable[_Outpoint]) -> None:
        for txid, index in wanted:
            transaction = self._kept.get(txid)
            if isinstance(transaction, bytes):
                transaction = self._kept[txid] = parse_transaction(transaction)
            if transaction is not None and index < len(transaction.outputs):
                self._ready[txid, index] = transaction.outputs[index]

    def _fetch_transactions(self, missing: Sequence[_Outpoint]) -> None:
        if self._indexed is None:
            (info,) = self._client.attempt([("getindexinfo", ("txindex",))])
            self._indexed = isinstance(info, dict) and "txindex" in info
        if not self._indexed:
            return
        txids = list(dict.fromkeys(txid for txid, _ in missing))
        raws = self._client.attempt([("getrawtransaction", (txid_to_hex(txid),)) for txid in txids])
        for txid, raw in zip(txids, raws, strict=True):
            if not isinstance(raw, RpcError):
                self._kept[txid] = parse_transaction(bytes.fromhex(raw))
        self._take(missing)

    def _fetch_details(self, raws: Sequence[bytes], found: Sequence[Sequence[Candidate]]) -> None:
        """Ask for the blocks again, with what each input spends, if anything is missing still."""
        incomplete = [
            (raw, possible)
            for raw, possible in zip(raws, found, strict=True)
            if any(outpoint not in self._ready for outpoint in _spent(possible))
        ]
        for group in _groups(incomplete):
            blocks = self._client.batch([("getblock", (block_hash(raw), 3)) for raw, _ in group])
            for (_, possible), block in zip(group, blocks, strict=True):
                for each in possible:
                    self._add_details(each, block["tx"][each.index])

    def _add_details(self, candidate: Candidate, details: dict[str, Any]) -> None:
        if candidate.transaction.is_coinbase:
            return
        for txin, spending in zip(candidate.transaction.inputs, details["vin"], strict=True):
            output = spending.get("prevout")
            if output is None:
                place = f"{txid_to_hex(txin.txid)}:{txin.index}"
                raise SourceError(self._client.name, f"does not know the output {place}: run it with -txindex=1")
            script = bytes.fromhex(output["scriptPubKey"]["hex"])
            self._ready[txin.txid, txin.index] = TxOut(int(output["value"] * _COIN), script)


def _spent(possible: Iterable[Candidate]) -> Iterator[_Outpoint]:
    for candidate in possible:
        if is_operation(candidate.payload) and not candidate.transaction.is_coinbase:
            yield from ((txin.txid, txin.index) for txin in candidate.transaction.inputs)


def _groups(blocks: Iterable[tuple[bytes, Sequence[Candidate]]]) -> Iterator[list[tuple[bytes, Sequence[Candidate]]]]:
    """Blocks in groups whose details together make no monstrous answer."""
    group: list[tuple[bytes, Sequence[Candidate]]] = []
    size = 0
    for block in blocks:
        group.append(block)
        size += len(block[0])
        if size >= _DETAILS_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
