"""Long sequences of owner operations that several rows share (spec 10 section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnslab.corpus.facts import CH_1, own
from bnslab.corpus.rows import w3, w4, w5
from bnslab.corpus.steps import block, h11, h22, h33, h44, h55, h66, save, upd, xfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bnslab.corpus.rows import Pair, Play, Steps, Who

_FROM_W3 = (w3 >> w4, w4 >> w5, w5 >> w4, w4 >> w5, w5 >> w4)
_FROM_W4 = (w4 >> w5, w5 >> w4, w4 >> w5, w5 >> w4, w4 >> w5)

PP = tuple(map(xfer, _FROM_W3))
"""Five transfers, from w3 to w4."""

PQ = tuple(map(xfer, _FROM_W4))
"""Five transfers, from w4 to w5."""

CONDENSED: Steps = (
    *PP, block,
    upd(h11, w4), *PQ, upd(h22, w5), block,
    xfer(w5 >> w4), upd(h33, w4), block,
    upd(h44, w4), xfer(w4 >> w5), xfer(w5 >> w4), upd(h55, w4), block,
    upd(h66, w4), xfer(w4 >> w5), upd(h11, w5), block,
    xfer(w5 >> w4), block,
)  # fmt: skip
"""`COND`: many changes in each block; w4 then owns the name with value hash h11."""


def condensed_with(
    pp: tuple[str, ...], pq: tuple[str | None, ...], second: str | None, rest: tuple[str | None, ...]
) -> Steps:
    """`COND` with consensus hashes remembered before: of the transfers of PP and of PQ, of the second update, and of
    the eight operations from the third block on, the last transfer included.
    """
    chosen = iter(rest)
    return (
        *_transfers(_FROM_W3, pp), block,
        upd(h11, w4), *_transfers(_FROM_W4, pq), upd(h22, w5, ch=second), block, save("c3"),
        xfer(w5 >> w4, ch=next(chosen)), upd(h33, w4, ch=next(chosen)), block,
        upd(h44, w4, ch=next(chosen)), xfer(w4 >> w5, ch=next(chosen)), xfer(w5 >> w4, ch=next(chosen)),
        upd(h55, w4, ch=next(chosen)), block,
        upd(h66, w4, ch=next(chosen)), xfer(w4 >> w5, ch=next(chosen)), upd(h11, w5, ch=next(chosen)), block,
        xfer(w5 >> w4, ch=next(chosen)), block,
    )  # fmt: skip


def _transfers(pairs: Iterable[Pair], hashes: Iterable[str | None]) -> Iterator[Steps]:
    return (xfer(pair, ch=ch) for pair, ch in zip(pairs, hashes, strict=True))


def _moved(old: Who, new: Who) -> Steps:
    return xfer(old >> new), block, own(new, ch=CH_1)


def _updated(value_hash: str, owner: Who) -> Steps:
    return upd(value_hash, owner), block, own(owner, hash=value_hash, ch=CH_1), _remember


def _moved_after_update(old: Who, new: Who) -> Steps:
    return xfer(old >> new), block, own(new, ch="update")


def _remember(play: Play) -> None:
    """The consensus hash that an update just mined knew."""
    known = play.lab.node.state.consensus_hash(play.lab.height - 1)
    assert known is not None, "the block before the last one is there"
    play.hashes["update"] = known


SEPARATE: Steps = (
    _moved(w3, w4), _moved(w4, w5), _moved(w5, w4), _moved(w4, w5), _moved(w5, w4),
    _updated(h11, w4),
    *(_moved_after_update(*pair) for pair in ((w4, w5), (w5, w4), (w4, w5), (w5, w4), (w4, w5))),
    _updated(h22, w5), _moved_after_update(w5, w4), _updated(h33, w4), _updated(h44, w4),
    _moved_after_update(w4, w5), _moved_after_update(w5, w4), _updated(h55, w4), _updated(h66, w4),
    _moved_after_update(w4, w5), _updated(h11, w5), _moved_after_update(w5, w4),
)  # fmt: skip
"""`COND` with each operation in a block of its own, and what consensus hash the record shows after each."""
