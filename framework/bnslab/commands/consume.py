"""./lab consume: replay fixtures into the core, or into a foreign implementation."""

from __future__ import annotations

import shlex
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bns.errors import InvalidInput
from bnslab.commands._chain import cache_option, default_cache
from bnslab.commands._checkout import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bnslab.consume import Verdict


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE-or-DIR ...")
@click.option("--only", metavar="PART[,PART]", help="Compare these parts only: consensus, tables, rpc, rest.")
@click.option("--over", metavar="WAY", help="Ask for answers by calls (default) or over sockets.")
@click.option(
    "--exec", "program", metavar="COMMAND", help="Replay into this command, over its standard input and output."
)
@click.option(
    "--within",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="The longest that the command may take for one answer.",
)
@cache_option
def command(
    paths: tuple[str, ...], only: str | None, over: str | None, program: str | None, within: float, cache: Path | None
) -> int:
    """Replay fixtures (golden format 1) into the core and compare.

    One line for each file, PASS or FAIL with what differs where; the last line counts them. The exit status is 1 if
    any failed. With --exec, the chains go to a foreign implementation, and its hashes, and as far as it gives them its
    operations and rejections, are compared (docs/fixture-format.md); there is no shell around the command.
    """
    from bnslab.consume import consume_all, find_fixtures

    judging = _core(only, over) if program is None else _foreign(program, only, over, within, cache or default_cache())
    with judging as judge:
        files = find_fixtures([Path(path) for path in resolve(paths)])
        passed, failed = consume_all(files, judge, click.echo)
    click.echo(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


@contextmanager
def _core(only: str | None, over: str | None) -> Iterator[Callable[[Path], Verdict]]:
    from bnslab.answers import WAYS
    from bnslab.consume import PARTS, consume

    parts, way = tuple(only.split(",")) if only else PARTS, over or WAYS[0]
    for part in parts:
        if part not in PARTS:
            raise InvalidInput("--only", part, f"one of {', '.join(PARTS)}")
    if way not in WAYS:
        raise InvalidInput("--over", way, f"one of {', '.join(WAYS)}")
    yield lambda path: consume(path, parts, way)


@contextmanager
def _foreign(
    program: str, only: str | None, over: str | None, within: float, cache: Path
) -> Iterator[Callable[[Path], Verdict]]:
    from bnslab.bitcoind import RunDirectory
    from bnslab.consume import verdict_on
    from bnslab.foreign.driving import Foreign

    if over is not None or only not in (None, "consensus"):
        option, value = ("--over", over) if over is not None else ("--only", only)
        raise InvalidInput(f"{option} beside --exec", value, "consensus: an implementation is asked for nothing else")
    try:
        words = shlex.split(program)
    except ValueError as error:
        raise InvalidInput("--exec", program, f"words as a shell reads them ({error})") from None
    if not words or shutil.which(words[0]) is None:
        raise InvalidInput("--exec", program, "a command whose program is there and can be executed")
    with RunDirectory.create(cache) as run:
        foreign = Foreign(words, run.path, seconds=within)
        yield lambda path: verdict_on(path, foreign.compare)
