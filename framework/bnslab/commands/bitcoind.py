"""./lab bitcoind: where a bitcoind is, installing one, its version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bnslab.commands._chain import bitcoind_option, cache_option, default_cache, report

if TYPE_CHECKING:
    from pathlib import Path


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Find or install a bitcoind.

    Without a sub-command, as with where.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(where, cache=None, bitcoind=None)


@command.command()
@cache_option
@bitcoind_option
def where(cache: Path | None, bitcoind: Path | None) -> None:
    """Print the bitcoind that would be used, and where it comes from."""
    from bnslab.bitcoind import find

    found = find(bitcoind, cache or default_cache())
    click.echo(f"{' '.join(found.argv)} ({found.source})")


@command.command()
@cache_option
def install(cache: Path | None) -> None:
    """Install a bitcoind into the cache and print where it is."""
    from bnslab.bitcoind import install as install_bitcoind

    click.echo(" ".join(install_bitcoind(cache or default_cache(), report).argv))


@command.command()
@cache_option
@bitcoind_option
def version(cache: Path | None, bitcoind: Path | None) -> None:
    """Print the flavour and version of the bitcoind that would be used."""
    from bnslab.bitcoind import find

    found = find(bitcoind, cache or default_cache())
    click.echo(f"{found.flavour} {found.version}")
