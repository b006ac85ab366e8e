"""./lab doctor: what is here, what is missing, how to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bnslab.commands._chain import bitcoind_option, cache_option, default_cache

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@cache_option
@bitcoind_option
def command(cache: Path | None, bitcoind: Path | None) -> int:
    """Say what is here, what is missing, and how to get it.

    The exit status is 1 when something is missing that scenarios cannot run without.
    """
    from bnslab.bitcoind.doctor import State, examine, render

    findings = examine(cache or default_cache(), bitcoind)
    click.echo("\n".join(render(findings)))
    return int(any(finding.state is State.MISSING for finding in findings))
