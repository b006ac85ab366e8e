"""Whether the transactions of an index are in the blocks of the best chain, which their headers must cover."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from bns.bitcoin.block import WrongMerkleRoot, transaction_ids
from bns.bitcoin.transaction import ParseError, txid_to_hex
from bns.node.errors import NotInChain, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bns.node.sources import BlockSource

    Entry = tuple[int, int, str]
    """Height, index in the block, txid."""


def require_in_chain(source: BlockSource, entries: Iterable[Entry]) -> Iterator[int]:
    """Look for transactions, which come block by block; the height of each block in which all were found.

    Each block is read whole and its Merkle root computed, some ms for 2,000 transactions (spec 01 section 14). Raises
    NotInChain, SourceError for a block whose bytes are damaged or that the source cannot give.
    """
    for height, found in groupby(entries, key=itemgetter(0)):
        ids = _ids(source, height)
        for _, index, txid in found:
            if not (0 <= index < len(ids) and txid_to_hex(ids[index]) == txid):
                raise NotInChain(height, index, txid)
        yield height


def _ids(source: BlockSource, height: int) -> Sequence[bytes]:
    try:
        return transaction_ids(source.raw_block(height))
    except (ParseError, WrongMerkleRoot) as error:
        raise SourceError(source.name, f"damaged block {height}: {error}") from error
