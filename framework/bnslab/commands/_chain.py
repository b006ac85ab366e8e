"""Which chain backend a run uses, with a bitcoind installed on the way when none is there."""

from __future__ import annotations

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
    """Return the pytest options that choose the backend, having made sure that it can work (choose_chain)."""
    from bnslab.chain.choice import choose_chain

    place = cache or default_cache()
    chosen = choose_chain(chain, bitcoind, place, report)
    arguments = ["--chain", chosen, "--lab-cache", str(place.absolute())]
    if bitcoind is not None:
        arguments += ["--bitcoind", str(bitcoind.absolute())]
    return arguments
