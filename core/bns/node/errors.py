"""What can go wrong between the indexer and the source of its blocks."""

from __future__ import annotations

from bns.errors import BnsError


class SourceError(BnsError):
    """A block source does not give what is asked of it; source says which one, problem what is wrong."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"{source}: {problem}")
        self.source = source
        self.problem = problem


class SourceUnavailable(SourceError):
    """The source cannot be used now, but perhaps later: nobody listens, no answer in time, a node that starts."""


class SourceTimeout(SourceUnavailable):
    """The source was silent for longer than the time allowed."""


class WarmingUp(SourceUnavailable):
    """The node behind the source is starting; problem is its own word on what it does."""


class ChainChanged(SourceUnavailable):
    """The source's chain changed while it was read, and what was read does not fit together."""


class WrongCredentials(SourceError):
    """The source refuses the user name or the password."""


class BlockPruned(SourceError):
    """The node behind the source has deleted a block that is needed."""

    def __init__(self, source: str, height: int) -> None:
        super().__init__(source, f"block {height} was pruned: index from a node that keeps all blocks (prune=0)")
        self.height = height


class DeepReorganisation(BnsError):
    """The best chain leaves the indexed one below everything that can be rolled back.

    height is the lowest block that could be compared; stored and actual are its two hashes.
    """

    def __init__(self, height: int, stored: str, actual: str | None) -> None:
        super().__init__(
            f"block {height}: indexed {stored}, but the best chain has {actual or 'no such block'}: the chains part "
            f"below it, deeper than can be rolled back; restore a backup from before the fork, or index into a new "
            "database"
        )
        self.height = height
        self.stored = stored
        self.actual = actual


class NotInChain(BnsError):
    """A transaction of an index is not at its place in the best chain: index in the block at `height`."""

    def __init__(self, height: int, index: int, txid: str) -> None:
        super().__init__(
            f"block {height}: expected transaction {txid} at place {index}, the best chain has it not there"
        )
        self.height = height
        self.index = index
        self.txid = txid


class OtherChain(BnsError):
    """What was restored parts from the best chain below everything that can be rolled back; cause is what tells."""

    def __init__(self, cause: NotInChain) -> None:
        super().__init__(
            f"{cause}: the restored snapshot is of another chain, or of a branch that died, deeper than can be rolled "
            "back; restore a newer one, or index into a new database"
        )
        self.cause = cause


class RpcError(BnsError):
    """bitcoind answered a call with an error: its `code` and `message`, and the `method` called."""

    def __init__(self, code: int, message: str, method: str) -> None:
        self.code = code
        self.message = message
        self.method = method
        super().__init__(f"{method}: {message} (code {code})")
