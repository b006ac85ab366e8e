"""./lab bench: the benchmarks."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnslab.commands._checkout import checkout
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command()
@click.argument("name", required=False)
@click.option("--json", "output", type=click.Path(path_type=Path), help="Also write JSON: FILE, or DIR for all.")
@click.argument("arguments", nargs=-1, metavar="[-- ARGUMENT ...]")
def command(name: str | None, output: Path | None, arguments: tuple[str, ...]) -> int:
    """Run one benchmark, or all.

    A benchmark is a file of benchmarks/ and prints its figures as a table. All are run each in a fresh process. What
    follows -- goes to the benchmark as it is.
    """
    names = available(checkout() / "benchmarks")
    if name is not None:
        if name not in names:
            raise LabError(f"no benchmark {name!r}, there are: {', '.join(names) or 'none'}")
        return load(checkout() / "benchmarks" / f"{name}.py")([*_json(output), *arguments])
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    return max((_run_alone(each, output and output / f"{each}.json") for each in names), default=0)


def available(directory: Path) -> list[str]:
    """Return the names of the benchmarks in a directory."""
    return sorted(path.stem for path in directory.glob("*.py") if not path.stem.startswith("_"))


def load(path: Path) -> Callable[[list[str]], int]:
    """Return the main function of a benchmark file."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    main: Callable[[list[str]], int] = module.main
    return main


def _run_alone(name: str, output: Path | None) -> int:
    click.echo(f"{name}:")
    sys.stdout.flush()
    return subprocess.call([sys.executable, "-P", "-m", "bnslab", "bench", name, *_json(output)])


def _json(output: Path | None) -> list[str]:
    return [] if output is None else ["--json", str(output.absolute())]
