"""Which chain backend a run uses, with a bitcoind installed on the way when none is there."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from bnslab import bitcoind as nodes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def choose_chain(chain: str | None, bitcoind: Path | None, cache: Path, report: Callable[[str], None]) -> str:
    """The name of a backend that can work here.

    Without one asked for, bitcoind: found, else installed, else replaced by the kernel with a line that says so.
    BitcoindNotFound when the file named is none, InstallError when nothing can be had.
    """
    if chain is not None and chain != "bitcoind":
        return chain
    try:
        nodes.find(bitcoind, cache)
        return "bitcoind"
    except nodes.BitcoindNotFound:
        if bitcoind is not None:
            raise
    report("no bitcoind found, installing one")
    try:
        nodes.install(cache, report)
        return "bitcoind"
    except nodes.InstallError:
        if chain is not None or find_spec("pbk") is None:
            raise
        report("no bitcoind could be installed: running on libbitcoinkernel instead, as with --chain kernel")
        return "kernel"
