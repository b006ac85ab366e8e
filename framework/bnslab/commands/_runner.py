"""How commands start pytest."""

from __future__ import annotations

import contextlib
import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

MOST_WORKERS = 8
# It takes 0.4 s to load, in each process, and no scenario asks for it.
NO_SCHEMATHESIS = ["-p", "no:schemathesis"]
# pytest would rewrite the asserts of bnslab as a plugin; it says so when the command has imported bnslab before.
NO_REWRITE_WARNING = ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]


def workers_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add -n to a command."""
    option = click.option("-n", "workers", type=click.IntRange(0), metavar="N", help="Number of worker processes.")
    return option(function)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def worker_arguments(workers: int | None) -> list[str]:
    """Return the pytest options for N worker processes; 0, 1 or None means none beside the main process."""
    if workers is None or workers < 2:
        return []
    return ["-n", str(workers), "--dist", "loadgroup"]


@contextmanager
def scratch_in(cache: Path) -> Iterator[list[str]]:
    """The pytest options that keep its own cache and temporary files below ours; the temporary ones go at the end."""
    from bnslab.bitcoind import RunDirectory

    place = cache.absolute()
    with RunDirectory.create(place) as run:
        yield ["-o", f"cache_dir={place / 'pytest'}", f"--basetemp={run.path / 'tmp'}"]


def run_pytest(arguments: Iterable[str], plugins: Sequence[object] = ()) -> int:
    """Run pytest in this process, with further plugins, and return its exit status."""
    import pytest

    return int(pytest.main([*arguments, *NO_REWRITE_WARNING], plugins=list(plugins)))


def collect(arguments: Iterable[str], plugin: object) -> None:
    """Have a plugin see what pytest finds, and run nothing. LabError, with what pytest said, if it finds nothing."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = run_pytest([*arguments, "--collect-only", "-q"], [plugin])
    if status != 0:
        raise LabError(f"the scenarios cannot be collected:\n{said.getvalue()}")
