"""./lab run: scenarios on a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bnslab.commands._chain import bitcoind_option, cache_option, chain_arguments, chain_option, default_cache
from bnslab.commands._checkout import checkout, resolve
from bnslab.commands._modes import modes_arguments, modes_options
from bnslab.commands._runner import NO_SCHEMATHESIS, run_pytest, scratch_in, worker_arguments, workers_option
from bnslab.nodes import NODES

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH or PATH::TEST ...]")
@workers_option
@click.option("-k", "expression", metavar="EXPR", help="Only scenarios whose name matches, as in pytest.")
@chain_option
@click.option(
    "--node", type=click.Choice(NODES), default="inprocess", help="What indexes the blocks (default: inprocess)."
)
@click.option("--shard", metavar="I/N", help="Only the I-th of N parts, balanced by recorded durations.")
@click.option("--failed-first", is_flag=True, help="First what failed in the last run.")
@click.option("--trace", is_flag=True, help="Record a trace of each scenario.")
@modes_options
@cache_option
@bitcoind_option
def command(
    paths: tuple[str, ...],
    workers: int | None,
    expression: str | None,
    chain: str | None,
    node: str,
    shard: str | None,
    failed_first: bool,
    trace: bool,
    cache: Path | None,
    bitcoind: Path | None,
    **modes: str | int | None,
) -> int:
    """Run scenarios.

    Without a path, all of scenarios/. A path is looked for in the current directory, then in the checkout. The node
    called process is one of its own beside a real bitcoind, the reference the historical one in a Python 2.7. What
    follows -- goes to pytest as it is.

    The exit status is that of pytest: 0 all passed, 1 some failed, 2 interrupted or nothing understood, 3 an internal
    error, 4 a wrong option, shard or quarantine, 5 nothing chosen. An error of this command itself is 2, Ctrl-C 130.
    """
    named, passed = split_passed(paths)
    targets = resolve(named) or [str(checkout() / "scenarios")]
    options = [*chain_arguments(chain, bitcoind, cache), *worker_arguments(workers), *modes_arguments(modes)]
    options.append("--lab-slowest")
    if expression is not None:
        options += ["-k", expression]
    if node != "inprocess":
        options += ["--node", node]
    if shard is not None:
        options += ["--shard", shard]
    if failed_first:
        options.append("--failed-first")
    if trace:
        options.append("--lab-trace")
    with scratch_in(cache or default_cache()) as kept:
        return run_pytest([*targets, *options, *NO_SCHEMATHESIS, *kept, *passed])


def split_passed(arguments: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Split off what goes to pytest unchanged: all from the first argument that starts with a dash."""
    for position, argument in enumerate(arguments):
        if argument.startswith("-"):
            return list(arguments[:position]), list(arguments[position:])
    return list(arguments), []
