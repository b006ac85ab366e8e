"""./lab test: every test of the project in one pytest run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bnslab.commands._chain import bitcoind_option, cache_option, chain_arguments, default_cache, report
from bnslab.commands._checkout import checkout
from bnslab.commands._runner import MOST_WORKERS, run_pytest, usable_cores, worker_arguments, workers_option

if TYPE_CHECKING:
    from pathlib import Path

SUITES = ("core/tests", "framework/tests", "scenarios")


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also the tests that need more than a bitcoind, see above.")
@workers_option
@cache_option
@bitcoind_option
def command(everything: bool, workers: int | None, cache: Path | None, bitcoind: Path | None) -> int:
    """Run unit tests, golden files and scenarios.

    An endpoint, a documented error or a method of the interfaces that no test reaches fails the run, too. Tests marked
    network, browser, container or foreign run with --all only, which installs what they need: packages of Python and
    Node.js anywhere, those of Debian as root. What was skipped is listed with its reason. Without -n there is a worker
    for each core, up to 8. The exit status is that of pytest.
    """
    root = checkout()
    options = ["--rootdir", str(root), "-c", str(root / "pyproject.toml"), "-rs", "--hypothesis-profile", "ci"]
    options += ["-p", "bnslab.commands._contract"]
    if everything:
        from bnslab.clients.packages import prepare

        prepare((cache or default_cache()).absolute(), report)
    else:
        options += ["-p", "bnslab.commands._optional"]
    options += worker_arguments(min(usable_cores(), MOST_WORKERS) if workers is None else workers)
    options += chain_arguments(None, bitcoind, cache)
    return run_pytest([*(str(root / suite) for suite in SUITES), *options])
