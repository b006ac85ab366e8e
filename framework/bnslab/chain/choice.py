"""Which chain backend a run uses, with a bitcoind installed on the way when none is there."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from bnslab.bitcoind import BitcoindNotFound, InstallError, find, install
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def choose_chain(chain: str | None, bitcoind: Path | None, cache: Path, report: Callable[[str], None]) -> str:
    """The name of a backend that can work here.

    Without one asked for, bitcoind: found, else installed, else replaced by the kernel with a line that says so.
    LabError when none can be had.
    """
    if chain is not None and chain != "bitcoind":
        return chain
    try:
        find(bitcoind, cache)
        return "bitcoind"
    except BitcoindNotFound:
        if bitcoind is not None:
            raise
    report("no bitcoind found, installing one")
    try:
        install(cache, report)
        return "bitcoind"
    except InstallError as error:
        if chain is not None or find_spec("pbk") is None:
            advice = "put a bitcoind on PATH or name one with --bitcoind"
            raise LabError(f"no bitcoind found, and none could be installed: {error}: {advice}") from error
        report(f"no bitcoind could be installed ({error}): running on libbitcoinkernel instead (--chain kernel)")
        return "kernel"
