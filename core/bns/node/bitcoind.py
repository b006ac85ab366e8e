"""Blocks from a bitcoind, by JSON-RPC: raw blocks in batches, previous outputs only for what can be an operation."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import TYPE_CHECKING, Any

from bns.bitcoin.block import candidates
from bns.engine import Block
from bns.node.errors import BlockPruned, ChainChanged, RpcError, SourceError, WarmingUp
from bns.node.prevouts import Prevouts
from bns.node.rpc import RpcClient
from bns.node.sources import Tip
from bns.operations.base import MAGIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    _Batch = tuple[range, list[bytes]]
    """Heights, and the raw blocks there."""

MOST_BLOCKS = 100
"""Blocks asked for in one batch."""

BATCH_BYTES = 8 << 20
"""Bytes that a batch of blocks should have; the next one holds as many blocks as the last one suggests."""

_FIRST_BATCH = 10
_HASHES_AT_ONCE = 2000

_OUT_OF_RANGE = -8
_WARMING_UP = -28


class BitcoindSource:
    """The best chain of a bitcoind (Bitcoin Core 25 or later, or Knots).

    With -txindex=1 an output is found wherever it was made; without, through the undo data of the block that spends
    it, which is slow for big blocks.
    """

    def __init__(self, client: RpcClient) -> None:
        self.name = client.name
        self._client = client
        self._readers = (client, client.twin())
        self._prevouts = Prevouts(client)
        self._batch = _FIRST_BATCH

    @classmethod
    def connect(cls, host: str, port: int, user: str, password: str, *, timeout: float = 300.0) -> BitcoindSource:
        """A source at an RPC server; nothing is asked of it yet. timeout in seconds bounds each wait for the server."""
        return cls(RpcClient((host, port), user, password, timeout=timeout))

    def tip(self) -> Tip:
        """The last block of the best chain."""
        info = self._call("getblockchaininfo")
        return Tip(int(info["blocks"]), str(info["bestblockhash"]))

    def hash_at(self, height: int) -> str | None:
        """Hash of the best chain's block at a height, None above its tip."""
        (result,) = self._client.attempt([("getblockhash", (height,))])
        if isinstance(result, RpcError) and result.code == _OUT_OF_RANGE:
            return None
        return str(self._checked(result))

    def hashes(self, first: int, last: int) -> list[str]:
        """Hashes of the blocks from first to last, asked for in batches."""
        heights = range(first, last + 1)
        found: list[str] = []
        for start in range(0, len(heights), _HASHES_AT_ONCE):
            found += self._hashes(self._client, heights[start : start + _HASHES_AT_ONCE])
        return found

    def raw_block(self, height: int) -> bytes:
        """The block at a height. Raises BlockPruned if the node has deleted it."""
        _, (raw,) = self._read(self._client, range(height, height + 1))
        return raw

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The blocks from first to last, read in batches: the node works on the next two while this one is used."""
        clients = cycle(self._readers)
        following = first
        reading: deque[Future[_Batch]] = deque()
        with ThreadPoolExecutor(len(self._readers), "blocks from bitcoind") as readers:
            while reading or following <= last:
                while len(reading) <= len(self._readers) and following <= last:
                    heights = range(following, min(last, following + self._batch - 1) + 1)
                    reading.append(readers.submit(self._read, next(clients), heights))
                    following = heights[-1] + 1
                heights, raws = reading.popleft().result()
                size = sum(map(len, raws)) // len(raws)
                self._batch = max(1, min(MOST_BLOCKS, 2 * self._batch, BATCH_BYTES // size))
                found = [candidates(raw, MAGIC) for raw in raws]
                prevout = self._prevouts.prepare(raws, found)
                for height, raw, possible in zip(heights, raws, found, strict=True):
                    yield Block(height, raw, prevout, possible)

    def close(self) -> None:
        """Close the connections."""
        for client in self._readers:
            client.close()

    def _hashes(self, client: RpcClient, heights: range) -> list[str]:
        hashes = client.attempt([("getblockhash", (height,)) for height in heights])
        if any(isinstance(result, RpcError) and result.code == _OUT_OF_RANGE for result in hashes):
            raise ChainChanged(self.name, f"has no block {heights[-1]} any more")
        return [self._checked(hash_) for hash_ in hashes]

    def _read(self, client: RpcClient, heights: range) -> _Batch:
        blocks = client.attempt([("getblock", (hash_, 0)) for hash_ in self._hashes(client, heights)])
        for height, block in zip(heights, blocks, strict=True):
            if isinstance(block, RpcError) and "pruned" in block.message:
                raise BlockPruned(self.name, height)
        return heights, [bytes.fromhex(self._checked(block)) for block in blocks]

    def _call(self, method: str, *params: object) -> Any:  # noqa: ANN401 - the shape depends on the method
        (result,) = self._client.attempt([(method, params)])
        return self._checked(result)

    def _checked(self, result: Any) -> Any:  # noqa: ANN401 - the shape depends on the method
        if not isinstance(result, RpcError):
            return result
        if result.code == _WARMING_UP:
            raise WarmingUp(self.name, result.message)
        raise SourceError(self.name, str(result))
