"""./lab fuzz: random chains, the core against the model or the reference."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnslab.commands._chain import CHAINS, bitcoind_option, cache_option, default_cache, report

if TYPE_CHECKING:
    from bnslab.fuzz.targets import Target

TARGETS = ("model", "reference")
SHRINKING = {"model": 2000, "reference": 150}
"""Runs that may be spent on making one failing program small."""


@click.command()
@click.option("--runs", type=click.IntRange(1), default=20, show_default=True, help="How many seeds.")
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed.")
@click.option("--blocks", type=click.IntRange(1, 2000), default=160, show_default=True, help="Blocks of each chain.")
@click.option("--against", type=click.Choice(TARGETS), default="model", show_default=True, help="What to compare with.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results/fuzz"),
    show_default=True,
    help="Directory for failing cases.",
)
@click.option("--program", type=click.Path(dir_okay=False, path_type=Path), help="Run this one program, as written.")
@click.option("--keep", "keep_all", is_flag=True, help="Write the chain of every seed, not only of failing ones.")
@click.option(
    "--chain", type=click.Choice(CHAINS), default="memory", show_default=True, help="What judges the blocks too."
)
@cache_option
@bitcoind_option
def command(
    runs: int,
    seed: int,
    blocks: int,
    against: str,
    output: Path,
    program: Path | None,
    keep_all: bool,
    chain: str,
    cache: Path | None,
    bitcoind: Path | None,
) -> int:
    """Compare the core with a second implementation on random chains.

    A seed always makes the same chain. A failing one is made small, shown, and written to the output directory as a
    program and as a chain file. The last lines count what became of the operations. The exit status is 1 if anything
    differed.
    """
    from bnslab import fixtures
    from bnslab.fuzz import campaign
    from bnslab.fuzz.program import read

    if against == "reference" and chain != "memory":
        raise click.UsageError("--chain goes with --against model; the reference reads chain files")
    place = cache or default_cache()
    summary = campaign.Summary()
    with ExitStack() as stack:
        target = _target(against, chain, place, bitcoind, stack)
        cases = [read(program)] if program else campaign.programs(seed, runs, blocks=blocks, target=target)
        for case in cases:
            trial = target.run(case)
            summary.add(trial)
            if keep_all:
                fixtures.save(output / f"{case.name.replace('/', '-')}{fixtures.SUFFIX}", trial.chain)
            if trial.divergence is not None:
                click.echo(f"FAIL {case.name}: {trial.divergence.line}")
                if program is None:
                    click.echo(str(campaign.keep(case, trial, target, output, budget=SHRINKING[against])))
    click.echo(str(summary))
    return 1 if summary.failures else 0


def _target(against: str, chain: str, cache: Path, bitcoind: Path | None, stack: ExitStack) -> Target:
    from bnslab.bitcoind import RunDirectory, sweep
    from bnslab.chain import open_backend
    from bnslab.chain.factory import base_chain
    from bnslab.fuzz.targets import AgainstModel, AgainstReference

    if against == "model" and chain == "memory":
        return AgainstModel()
    sweep(cache)
    run_dir = stack.enter_context(RunDirectory.create(cache)).path
    if against == "reference":
        from bnslab.nodes.reference import ReferenceNode, install

        return AgainstReference(ReferenceNode(install(cache, report), run_dir))
    backend = open_backend(chain, base_chain(), run_dir=run_dir, cache=cache, bitcoind=bitcoind)
    stack.callback(backend.close)
    return AgainstModel(backend)
