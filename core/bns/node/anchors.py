"""Blocks of a bitcoind by height or by transaction, for trust roots (spec 08 section 14.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.node.errors import RpcError, SourceError

if TYPE_CHECKING:
    from bns.node.rpc import RpcClient

_NOT_FOUND = -5
_OUT_OF_RANGE = -8


class BitcoindChain:
    """See bns.identity.snv.roots.BitcoinChain. Raises SourceError if bitcoind does not answer.

    To find a transaction, bitcoind must run with -txindex=1; its error says so.
    """

    def __init__(self, client: RpcClient) -> None:
        self._client = client

    def block_of(self, txid: str, /) -> tuple[str, bytes] | None:
        """The block of the best chain that holds a transaction."""
        found = self._call("getrawtransaction", txid, 1)
        if found is None or "blockhash" not in found:
            return None
        header = self._call("getblockheader", found["blockhash"])
        return self._block(found["blockhash"]) if header["confirmations"] > 0 else None

    def block_at(self, height: int, /) -> tuple[str, bytes] | None:
        """The block of the best chain at a height."""
        hash_ = self._call("getblockhash", height)
        return None if hash_ is None else self._block(hash_)

    def _block(self, hash_: str) -> tuple[str, bytes] | None:
        raw = self._call("getblock", hash_, 0)
        return None if raw is None else (hash_, bytes.fromhex(raw))

    def _call(self, method: str, *params: object) -> Any:  # noqa: ANN401 - the shape depends on the method
        (result,) = self._client.attempt([(method, params)])
        if not isinstance(result, RpcError):
            return result
        if result.code in (_NOT_FOUND, _OUT_OF_RANGE) and "-txindex" not in result.message:
            return None
        raise SourceError(self._client.name, str(result))
