"""Which chain backend a run uses, with a bitcoind installed on the way when none is there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

CHAINS = ("bitcoind", "kernel", "memory")


def default_cache() -> Path:
    """Return the directory that installed programs and base chains are kept in."""
    import platformdirs

    return platformdirs.user_cache_path("bnslab")


def cache_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --cache to a command."""
    option = click.option(
        "--cache",
        type=click.Path(file_okay=False, path_type=Path),
        help="Directory for installed programs and base chains (default: the user's cache directory).",
    )
    return option(function)


def bitcoind_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --bitcoind to a command."""
    option = click.option("--bitcoind", type=click.Path(path_type=Path), help="The bitcoind to use.")
    return option(function)


def chain_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --chain to a command."""
    option = click.option(
        "--chain",
        type=click.Choice(CHAINS),
        help="What judges the blocks (default: bitcoind, or kernel where no bitcoind can be had).",
    )
    return option(function)


def report(line: str) -> None:
    """Show one line of progress."""
    click.echo(line, err=True)


def chain_arguments(chain: str | None, bitcoind: Path | None, cache: Path | None) -> list[str]:
    """Return the pytest options that choose the backend, having made sure that it can work.

    Without a chain asked for, bitcoind is used: found, else installed, else replaced by the kernel backend with a
    line that says so. Raises BitcoindNotFound or InstallError when none can be had.
    """
    place = cache or default_cache()
    chosen = chain or "bitcoind"
    if chosen == "bitcoind":
        chosen = _have_bitcoind(bitcoind, place, required=chain is not None)
    arguments = ["--chain", chosen, "--lab-cache", str(place.absolute())]
    if bitcoind is not None:
        arguments += ["--bitcoind", str(bitcoind.absolute())]
    return arguments


def _have_bitcoind(explicit: Path | None, cache: Path, *, required: bool) -> str:
    from bnslab.bitcoind import BitcoindNotFound, InstallError, find, install

    try:
        find(explicit, cache)
        return "bitcoind"
    except BitcoindNotFound:
        if explicit is not None:
            raise
    report("no bitcoind found, installing one")
    try:
        install(cache, report)
        return "bitcoind"
    except InstallError:
        if required or find_spec("pbk") is None:
            raise
        report("no bitcoind could be installed: running on libbitcoinkernel instead, as with --chain kernel")
        return "kernel"
