"""What can go wrong with a bitcoind: finding it, installing it, running it, talking to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bns.node import errors
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence


class BitcoindNotFound(LabError):
    """No usable bitcoind was found; the text lists where it was looked for and what to do."""


class InstallError(LabError):
    """No source could supply a bitcoind; the text has one line for each source that was tried."""


class SourceFailed(LabError):
    """One source of a bitcoind does not work here; the text is the reason in a few words."""


class CacheUnusable(LabError):
    """The cache directory cannot be written."""


class NodeDied(LabError):
    """A node ended, or never became ready.

    `status` says how it ended ("exit status 1", "signal SIGKILL"), `output` holds the last lines it wrote.
    """

    def __init__(self, status: str, output: Sequence[str]) -> None:
        self.status = status
        self.output = tuple(output)
        said = "; it said:\n  " + "\n  ".join(output) if output else "; it said nothing"
        super().__init__(f"bitcoind ended: {status}{said}")


class PortTaken(LabError):
    """Every port that was tried belongs to another program. `ports` lists them in the order tried."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = tuple(ports)
        super().__init__(f"no free RPC port for bitcoind: {', '.join(map(str, ports))} are taken by other programs")


class RpcError(LabError, errors.RpcError):
    """bitcoind answered a call with an error: its `code` and `message`, and the `method` called."""


class RpcConnectionLost(LabError):
    """No answer came although the node runs: connection closed, time-out, or a stranger on the port."""
