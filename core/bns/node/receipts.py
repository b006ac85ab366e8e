"""What whoever started a node is told: an empty line when it answers, a line of JSON for each block it answers from.

A line that is a number tells of a height to which it has rolled back.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from bns.engine import Receipt


class ReceiptPipe:
    """Writes receipts to a descriptor, one line each. A reader that has gone is no reason to stop."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._lock = Lock()

    def write(self, receipt: Receipt) -> None:
        """Tell of a block. It waits while the pipe is full."""
        self._write(line_of(receipt))

    def write_zonefile(self, hash_: str) -> None:
        """Tell of a zone file that is kept, be it new or not."""
        self._write(orjson.dumps({"zonefile": hash_}) + b"\n")

    def rolled_back(self, height: int) -> None:
        """Tell that the blocks above a height are forgotten."""
        self._write(b"%d\n" % height)

    def begin(self) -> None:
        """Tell that requests are answered."""
        self._write(b"\n")

    def _write(self, line: bytes) -> None:
        if self._descriptor is None:
            return
        unsent = memoryview(line)
        try:
            with self._lock:
                while unsent:
                    unsent = unsent[os.write(self._descriptor, unsent) :]
        except OSError:
            self._descriptor = None


def line_of(receipt: Receipt) -> bytes:
    """The line: heights, hashes and texts as in bns.engine.Receipt, the txids of what was accepted, and why not."""
    document = {
        "height": receipt.height,
        "block_hash": receipt.block_hash,
        "consensus_hash": receipt.consensus_hash,
        "ops_hash": receipt.ops_hash,
        "serialized": receipt.serialized,
        "accepted": [accepted.operation.carrier.txid for accepted in receipt.accepted],
        "rejected": {each.txid: [each.reason.name, each.detail] for each in receipt.rejected},
    }
    return orjson.dumps(document) + b"\n"
