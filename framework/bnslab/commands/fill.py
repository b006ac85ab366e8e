"""./lab fill: write or compare the fixtures of scenarios."""

from __future__ import annotations

from pathlib import Path

import click

from bnslab.commands._chain import bitcoind_option, cache_option, chain_arguments, chain_option, default_cache
from bnslab.commands._checkout import checkout, resolve
from bnslab.commands._runner import NO_SCHEMATHESIS, collect, run_pytest, scratch_in, worker_arguments, workers_option
from bnslab.errors import LabError

_SHOWN = 20


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH or PATH::TEST ...]")
@click.option("--update", is_flag=True, help="Write the fixtures.")
@click.option("--index", is_flag=True, help="Only the index of the fixtures, without running a scenario.")
@workers_option
@chain_option
@cache_option
@bitcoind_option
def command(
    paths: tuple[str, ...],
    update: bool,
    index: bool,
    workers: int | None,
    chain: str | None,
    cache: Path | None,
    bitcoind: Path | None,
) -> int:
    """Compare what scenarios give with their fixtures.

    Without a path, all of scenarios/. With --update, fixtures that differ or are missing are written, and the index of
    all of the checkout. The exit status is that of pytest, or 1 if the index is not up to date.
    """
    with scratch_in(cache or default_cache()) as kept:
        if not index:
            targets = resolve(paths) or [str(checkout() / "scenarios")]
            options = chain_arguments(chain, bitcoind, cache) + worker_arguments(workers)
            status = run_pytest([*targets, *options, *NO_SCHEMATHESIS, *kept, "--fill-update" if update else "--fill"])
            if status != 0:
                return status
            if not _are_ours(targets):
                return 0
        return _index(kept, update=update)


def _are_ours(targets: list[str]) -> bool:
    """Whether these are scenarios of the checkout, whose fixtures the index lists, and not those of another project."""
    try:
        ours = checkout() / "scenarios"
    except LabError:
        return False
    return all(Path(target.partition("::")[0]).is_relative_to(ours) for target in targets)


def _index(kept: list[str], *, update: bool) -> int:
    """Write or compare the index of all fixtures."""
    from bnslab.fixture_index import NAME, Collected, differences, render

    collected = Collected()
    collect([str(checkout() / "scenarios"), *kept], collected)
    entries, path = collected.entries(), collected.directory / NAME
    if update:
        path.write_bytes(render(entries))
    wrong = [*differences(path, entries), *(f"{name}: no scenario has this fixture" for name in collected.orphans())]
    for line in wrong[:_SHOWN]:
        click.echo(line)
    if wrong:
        click.echo(f"{len(wrong)} findings in {path.name}; write it with: ./lab fill --index --update")
    return 1 if wrong else 0
