"""A private regtest node judges the blocks; between scenarios it is rolled back, ten times quicker than a start.

What makes a rolled-back node as good as a new one:

* every scenario has its own coinbase key, because a node refuses for ever what it was once told to forget;
* a node returns the transactions of the ten topmost blocks that it drops to its mempool, unless they descend from a
  deeper dropped one; so the first block that holds a transaction is buried under ten more before everything goes;
* afterwards the tip must be that of the base chain and the mempool empty, or the node is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnslab.bitcoind.errors import RpcError
from bnslab.chain.base import BlockLog, BlockRefused, ChainError
from bnslab.chain.factory import MOCKTIME, BlockFactory
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bnslab.bitcoind import RegtestNode
    from bnslab.chain.base import Block, Tip
    from bnslab.chain.factory import BaseChain

SCENARIOS_PER_NODE = 250
"""Roll-backs slow a node down little by little: after so many it is cheaper to start another."""

_RETURNED_TO_MEMPOOL = 10


class BitcoindBackend:
    """One node at a time, started when first needed, replaced after a failure and after many scenarios."""

    name = "bitcoind"

    def __init__(
        self, base: BaseChain, start: Callable[[], RegtestNode], *, scenarios_per_node: int = SCENARIOS_PER_NODE
    ) -> None:
        """Start must give a new node at the genesis block whose clock stands at MOCKTIME."""
        self._base = base
        self._log = BlockLog(base.blocks)
        self._start = start
        self._scenarios_per_node = scenarios_per_node
        self._padding = BlockFactory.for_scenario("padding", branch=-1)
        self._node: RegtestNode | None = None
        self._seen: set[str] = set()
        self._left: dict[str, int] = {}  # where chains of this scenario begin that were left: hash, height
        self._worn = False
        self._asked_before = 0

    @property
    def node(self) -> RegtestNode:
        """The node of this scenario, for tests of RPC or mempool; the next scenario may have another."""
        self._node = self._node or self._new_node()
        return self._node

    @property
    def rpc_calls(self) -> int:
        """How often it has asked its nodes, a batch being one question."""
        return self._asked_before + (0 if self._node is None else self._node.rpc.asked)

    def begin(self, scenario: str) -> Tip:
        """Roll the node back to the base chain, or replace it when it is worn, unclean or has seen this scenario."""
        worn = self._worn or scenario in self._seen or len(self._seen) >= self._scenarios_per_node
        if self._node is not None and (worn or not self._wind_back(self._node)):
            self._drop_node()
        self._node = self._node or self._new_node()
        self._seen.add(scenario)
        self._left.clear()
        return self._log.clear()

    def accept(self, raw: bytes) -> Tip:
        """Submit the block; BlockRefused with the node's reason, NodeDied when there is no node to ask."""
        block = self._log.candidate(raw)
        try:
            reason = self.node.rpc.call("submitblock", raw.hex())
        except RpcError as error:
            reason = error.message
        if reason is not None:
            raise BlockRefused(block.tip, str(reason))
        return self._log.append(block)

    def tip(self) -> Tip:
        """Return the last connected block."""
        return self._log.tip

    def blocks_from(self, height: int) -> tuple[Block, ...]:
        """Return the connected blocks from a height to the tip."""
        return self._log.blocks_from(height)

    def rollback(self, height: int) -> Tip:
        """Invalidate the block above the height; the node refuses that very block from now on."""
        self._log.check_rollback(height)
        if height < self._log.tip.height:
            left = self._log.hash_at(height + 1)
            self.node.rpc.call("invalidateblock", left)
            self._left[left] = height + 1
        return self._log.truncate(height)

    def reconnect(self, blocks: Sequence[Block]) -> Tip:
        """Have the node reconsider the first of the blocks, and so all that follow it, but not what else was left."""
        own = {block.tip.hash for block in blocks}
        self._left = {hash_: height for hash_, height in self._left.items() if hash_ not in own}
        left = [hash_ for hash_, height in self._left.items() if height > blocks[0].tip.height]
        calls: list[tuple[str, Sequence[object]]] = [("reconsiderblock", (blocks[0].tip.hash,))]
        calls += [("invalidateblock", (hash_,)) for hash_ in left]
        best = self.node.rpc.batch([*calls, ("getbestblockhash", ())])[-1]
        if best != blocks[-1].tip.hash:
            raise ChainError(f"bitcoind: {blocks[-1].tip.hash} was to be the tip again, it is {best}")
        for block in blocks:
            self._log.append(block)
        return self._log.tip

    def discard(self) -> None:
        """Let the next scenario have a new node."""
        self._worn = True

    def close(self) -> None:
        """Kill the node."""
        self._drop_node()

    def _new_node(self) -> RegtestNode:
        node = self._start()
        try:
            calls: list[tuple[str, Sequence[object]]] = [("submitblock", (block,)) for block in self._base.hex_blocks]
            *reasons, best = node.rpc.batch([*calls, ("getbestblockhash", ())])
            if best != self._base.tip.hash:
                refused = next((reason for reason in reasons if reason is not None), "no reason")
                raise ChainError(f"bitcoind: the base chain was not accepted: {refused}")
        except BaseException:
            node.kill()
            raise
        return node

    def _drop_node(self) -> None:
        node, self._node = self._node, None
        self._seen.clear()
        self._worn = False
        if node is not None:
            self._asked_before += node.rpc.asked
            node.kill()

    def _wind_back(self, node: RegtestNode) -> bool:
        """Roll back to the base chain; tell whether the node is now as good as new."""
        calls: list[tuple[str, Sequence[object]]] = [("setmocktime", (MOCKTIME,))]
        if blocks := self._log.above_base:
            calls += [("submitblock", (block.raw.hex(),)) for block in self._pad()]
            calls.append(("invalidateblock", (blocks[0].tip.hash,)))
        try:
            *_, best, mempool = node.rpc.batch([*calls, ("getbestblockhash", ()), ("getrawmempool", ())])
        except LabError:
            return False
        return best == self._base.tip.hash and not mempool

    def _pad(self) -> list[Block]:
        """Return empty blocks that bury the first block with a transaction deep enough."""
        tip = self._log.tip
        used = next((block.tip.height for block in self._log.above_base if _holds_transactions(block)), None)
        wanted = tip.height if used is None else used + _RETURNED_TO_MEMPOOL
        blocks: list[Block] = []
        while tip.height < wanted:
            blocks.append(self._padding.build(tip))
            tip = blocks[-1].tip
        return blocks


def _holds_transactions(block: Block) -> bool:
    """Tell whether there is more than the coinbase."""
    return block.raw[80] != 1
