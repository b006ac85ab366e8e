"""Bitcoin Core's own consensus code in this process, through py-bitcoinkernel: no daemon, no port, no mempool.

The library is optional and of alpha quality. It takes an invalid block without complaint, so the active tip tells
whether a block was connected; the reason is found in the log only.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnslab.chain.base import BlockLog, BlockRefused, ChainError
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from bnslab.chain.base import Block, Tip
    from bnslab.chain.factory import BaseChain

_REASON = re.compile(r"Block validation error: (?P<connect>.*)|AcceptBlock FAILED \((?P<accept>.*)\)$")
_FIRST_BLOCK_FILE = "blocks/blk00000.dat"
_SPARE = 4096
"""Bytes left in the first block file for the genesis block, which is not counted."""


class KernelUnavailable(LabError):
    """py-bitcoinkernel cannot be imported."""


class KernelBackend:
    """A chainstate of its own for every scenario, opened on a copy of a directory that holds the base chain."""

    name = "kernel"
    rpc_calls = 0

    def __init__(self, base: BaseChain, directory: Path) -> None:
        """Make the template; everything is written to a new directory under the one given, until close().

        KernelUnavailable without the library; ChainError when it refuses the base chain.
        """
        self._pbk = _library()
        self._base = base
        self._log = BlockLog(base.blocks)
        self._messages: deque[str] = deque(maxlen=64)
        self._pbk.logging_set_options(self._pbk.LoggingOptions(log_timestamps=False))
        self._log_connection: Any = self._pbk.LoggingConnection(_collector(self._messages))
        self._manager: Any = None
        self._directory = Path(tempfile.mkdtemp(prefix="kernel-", dir=directory))
        self._template = self._directory / "template"
        self._current = self._directory / "current"
        try:
            self._make_template()
        except BaseException:
            self.close()
            raise

    def begin(self, scenario: str) -> Tip:
        """Open a fresh chainstate at the tip of the base chain."""
        self._reopen()
        return self._log.clear()

    def accept(self, raw: bytes) -> Tip:
        """Connect the block; BlockRefused with the library's reason."""
        block = self._log.candidate(raw)
        if self._manager is None:
            self._reopen()
        self._process(block)
        return self._log.append(block)

    def tip(self) -> Tip:
        """Return the last connected block."""
        return self._log.tip

    def blocks_from(self, height: int) -> tuple[Block, ...]:
        """Return the connected blocks from a height to the tip."""
        return self._log.blocks_from(height)

    def rollback(self, height: int) -> Tip:
        """Open a fresh chainstate and connect the blocks up to the height again: the library cannot disconnect one."""
        tip = self._log.truncate(height)
        self._reopen()
        for block in self._log.above_base:
            self._process(block)
        return tip

    def reconnect(self, blocks: Sequence[Block]) -> Tip:
        """Take the blocks once more."""
        for block in blocks:
            self.accept(block.raw)
        return self._log.tip

    def discard(self) -> None:
        """Do nothing: the next scenario has a fresh chainstate in any case."""

    def close(self) -> None:
        """Close the chainstate and remove what was written."""
        self._manager = None
        self._log_connection = None
        shutil.rmtree(self._directory, ignore_errors=True)

    def _make_template(self) -> None:
        manager = self._open(self._template)
        for block in self._base.blocks:
            manager.process_block(self._pbk.Block(block.raw))
        height = manager.get_active_chain().height
        if height != self._base.height:
            raise ChainError(f"kernel: the base chain was not accepted above height {height}: {self._reason()}")
        del manager
        # The library reserves 16 MiB for block files; without that a copy takes a fifth of the time.
        used = sum(len(block.raw) + 8 for block in self._base.blocks)
        os.truncate(self._template / _FIRST_BLOCK_FILE, used + _SPARE)

    def _reopen(self) -> None:
        # The library locks its directory until the last reference is gone.
        self._manager = None
        shutil.rmtree(self._current, ignore_errors=True)
        shutil.copytree(self._template, self._current)
        self._manager = self._open(self._current)

    def _open(self, directory: Path) -> Any:  # noqa: ANN401 - the library has no types
        options = self._pbk.ChainstateManagerOptions(
            self._pbk.make_context(self._pbk.ChainType.REGTEST), str(directory), str(directory / "blocks")
        )
        options.set_worker_threads_num(0)
        return self._pbk.ChainstateManager(options)

    def _process(self, block: Block) -> None:
        self._messages.clear()
        try:
            parsed = self._pbk.Block(block.raw)
        except RuntimeError:
            raise BlockRefused(block.tip, "Block decode failed") from None
        try:
            self._manager.process_block(parsed)
        except self._pbk.ProcessBlockException as error:
            raise BlockRefused(block.tip, self._reason() or str(error)) from None
        if self._manager.get_active_chain().height != block.tip.height:
            raise BlockRefused(block.tip, self._reason() or "no reason was logged")

    def _reason(self) -> str:
        for message in self._messages:
            if found := _REASON.search(message.rstrip()):
                return found["connect"] or found["accept"]
        return ""


def _library() -> ModuleType:
    try:
        import pbk
    except ImportError as error:
        raise KernelUnavailable(
            f"the kernel backend needs py-bitcoinkernel: pip install 'bnslab[kernel]' ({error})"
        ) from None
    library: ModuleType = pbk
    return library


def _collector(messages: deque[str]) -> Any:  # noqa: ANN401 - the library inspects the signature
    def collect(message: str) -> None:
        messages.append(message)

    return collect
