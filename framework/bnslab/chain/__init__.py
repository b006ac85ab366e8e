"""Blocks: made by one factory, judged by one of several backends.

`open_backend("bitcoind", ...)` is the evidence, "kernel" the same judgement without a daemon, "memory" no judgement at
all. The same blocks give the same tip on each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnslab.bitcoind import PortPool, RegtestNode, find
from bnslab.chain.base import Block, BlockRefused, ChainBackend, ChainError, Coin, Tip
from bnslab.chain.bitcoind import BitcoindBackend
from bnslab.chain.factory import GENESIS, MOCKTIME, BaseChain, BlockFactory, base_chain, block_time, subsidy
from bnslab.chain.kernel import KernelBackend, KernelUnavailable
from bnslab.chain.memory import MemoryBackend
from bnslab.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind

__all__ = [
    "BACKENDS",
    "GENESIS",
    "MOCKTIME",
    "BaseChain",
    "BitcoindBackend",
    "Block",
    "BlockFactory",
    "BlockRefused",
    "ChainBackend",
    "ChainError",
    "Coin",
    "KernelBackend",
    "KernelUnavailable",
    "MemoryBackend",
    "Tip",
    "UnknownBackend",
    "base_chain",
    "block_time",
    "open_backend",
    "start_node",
    "subsidy",
]

BACKENDS = ("bitcoind", "kernel", "memory")


class UnknownBackend(LabError):
    """No chain backend has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no chain backend is called {name!r}; there are {', '.join(BACKENDS)}")
        self.name = name


def open_backend(
    name: str,
    base: BaseChain,
    *,
    run_dir: Path,
    cache: Path,
    bitcoind: Path | None = None,
    ports: PortPool | None = None,
) -> ChainBackend:
    """Open a backend that stands on a base chain; close() it at the end.

    Files and nodes live under run_dir, which the caller removes. The program is the bitcoind given, or the first that
    is found (BitcoindNotFound); ports keeps the workers of one run apart. UnknownBackend for another name,
    KernelUnavailable without the kernel's library.
    """
    match name:
        case "bitcoind":
            program, pool = find(bitcoind, cache), ports or PortPool.claimed()
            return BitcoindBackend(base, lambda: start_node(program, run_dir, pool))
        case "kernel":
            return KernelBackend(base, run_dir)
        case "memory":
            return MemoryBackend(base)
        case _:
            raise UnknownBackend(name)


def start_node(program: Bitcoind, run_dir: Path, ports: PortPool) -> RegtestNode:
    """Start a node whose clock suits the blocks of the factory."""
    return RegtestNode.start(program, run_dir, ports, mocktime=MOCKTIME)
