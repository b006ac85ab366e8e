"""Where a restored state meets the best chain (spec 08 section 11.2).

A snapshot holds no block hashes. Until its blocks have those of the best chain a reorganisation cannot be seen, and
they may have them only where both are the same. So the last blocks, as many as can be rolled back, are indexed once
more in a transaction that is never committed: where that comes to the same, the restored blocks are those of the best
chain, and where it does not, it has another branch from there on. Of older blocks some are searched for the
transactions that were accepted in them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from bns.bitcoin.block import block_hash, candidates
from bns.node.errors import BlockPruned, ChainChanged, NotInChain, OtherChain
from bns.node.membership import require_in_chain
from bns.operations.base import MAGIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.engine import Block, Engine
    from bns.node.sources import BlockSource, Tip
    from bns.state.store import State

OLDER_BLOCKS = 100
"""Blocks that are searched among those too old to be rolled back: the newest ones with accepted transactions."""

_HEADER_SIZE = 80
_LAST = "SELECT max(block_id) FROM snapshots WHERE block_hash IS NULL"
_OLDER = (
    "SELECT block_id, txindex, txid FROM chainstate WHERE block_id IN (SELECT DISTINCT block_id FROM chainstate "
    "WHERE block_id <= ? ORDER BY block_id DESC LIMIT ?) ORDER BY block_id DESC, vtxindex"
)


class Met(NamedTuple):
    """How far the restored blocks are those of the best chain.

    last is the height of the last one, common that of the last one in the best chain, hashes those up to common.
    """

    last: int
    common: int
    hashes: Sequence[str]


def meet(source: BlockSource, engine: Engine, state: State, tip: Tip) -> Met | None:
    """Compare the restored blocks with the best chain.

    None where there is nothing to compare: no restored block lacks its hash, or the source has not come so far yet. It
    changes nothing. Raises OtherChain if the two part below everything that can be rolled back, ChainChanged if the
    source's chain changed meanwhile, SourceError.
    """
    base = state.lowest_rollback
    first_snapshot = state.snapshot(state.params.first_block)
    if first_snapshot is None or first_snapshot.block_hash is not None or tip.height < base:
        return None
    (last,) = state.connection.execute(_LAST).fetchone()
    compared = min(last, tip.height)
    hashes = source.hashes(state.params.first_block, compared)
    base = min(base, compared)
    _search_older(source, state, base)
    blocks = _slim_blocks(source, base + 1, hashes[base + 1 - state.params.first_block :])
    common = _rehearse(engine, state, base, blocks)
    if common == compared < last:
        return None  # the source has still to come to the rest
    return Met(last, common, hashes[: common + 1 - state.params.first_block])


def store(state: State, met: Met) -> None:
    """Give the restored blocks their hashes."""
    rows = zip(met.hashes, range(state.params.first_block, met.common + 1), strict=True)
    with state.group():
        state.connection.executemany("UPDATE snapshots SET block_hash = ? WHERE block_id = ?", rows)


def _search_older(source: BlockSource, state: State, base: int) -> None:
    entries = state.connection.execute(_OLDER, (base, OLDER_BLOCKS)).fetchall()
    try:
        with suppress(BlockPruned):  # as far down as there are blocks
            for _ in require_in_chain(source, entries):
                pass
    except NotInChain as error:
        raise OtherChain(error) from None


def _slim_blocks(source: BlockSource, first: int, hashes: Sequence[str]) -> list[Block]:
    """The blocks of these hashes, of which only headers and candidates are kept."""
    slim = []
    for block, hash_ in zip(source.blocks(first, first + len(hashes) - 1), hashes, strict=True):
        if block_hash(block.raw) != hash_:
            raise ChainChanged(source.name, f"has another block {block.height} than a moment ago")
        found = candidates(block.raw, MAGIC) if block.candidates is None else block.candidates
        slim.append(block._replace(raw=block.raw[:_HEADER_SIZE], candidates=found))
    return slim


class _Rehearsed(Exception):
    """Ends a rehearsal, and takes back what it wrote."""


def _rehearse(engine: Engine, state: State, base: int, blocks: Sequence[Block]) -> int:
    """The last of these blocks, the ones after base, that does what the stored block of its height did."""
    if not blocks:
        return base
    stored = [_effects(state, block.height) for block in blocks]
    common = base
    with suppress(_Rehearsed), state.group():
        state.rollback_to(base)
        for block, effects in zip(blocks, stored, strict=True):
            engine.apply(block)
            if _effects(state, block.height) != effects:
                break
            common = block.height
        raise _Rehearsed
    return common


def _effects(state: State, height: int) -> tuple[str | None, list[Any]]:
    """The consensus hash, and the accepted transactions."""
    rows = state.connection.execute("SELECT * FROM chainstate WHERE block_id = ? ORDER BY vtxindex", (height,))
    return state.consensus_hash(height), rows.fetchall()
