"""./lab fill: write or compare the fixtures of scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bnslab.commands._chain import bitcoind_option, cache_option, chain_arguments, chain_option, default_cache
from bnslab.commands._checkout import checkout, resolve
from bnslab.commands._runner import run_pytest, scratch_in, worker_arguments, workers_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH or PATH::TEST ...]")
@click.option("--update", is_flag=True, help="Write the fixtures.")
@workers_option
@chain_option
@cache_option
@bitcoind_option
def command(
    paths: tuple[str, ...],
    update: bool,
    workers: int | None,
    chain: str | None,
    cache: Path | None,
    bitcoind: Path | None,
) -> int:
    """Compare what scenarios give with their fixtures.

    Without a path, all of scenarios/. With --update, fixtures that differ or are missing are written. The exit status
    is that of pytest.
    """
    targets = resolve(paths) or [str(checkout() / "scenarios")]
    options = chain_arguments(chain, bitcoind, cache) + worker_arguments(workers)
    with scratch_in(cache or default_cache()) as kept:
        return run_pytest([*targets, *options, *kept, "--fill-update" if update else "--fill"])
