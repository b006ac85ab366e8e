"""./lab consume: replay fixtures into the core."""

from __future__ import annotations

from pathlib import Path

import click

from bnslab.commands._checkout import resolve


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE-or-DIR ...")
@click.option("--only", metavar="PART[,PART]", help="Compare these parts only: consensus, tables, rpc, rest.")
@click.option("--over", metavar="WAY", default="calls", help="Ask for answers by calls (default) or over sockets.")
def command(paths: tuple[str, ...], only: str | None, over: str) -> int:
    """Replay fixtures (golden format 1) into the core and compare.

    One line for each file, PASS or FAIL with what differs where; the last line counts them. The exit status is 1 if
    any failed.
    """
    from bns.errors import InvalidInput
    from bnslab.answers import WAYS
    from bnslab.consume import PARTS, Verdict, consume_all, find_fixtures

    parts = tuple(only.split(",")) if only else PARTS
    for part in parts:
        if part not in PARTS:
            raise InvalidInput("--only", part, f"one of {', '.join(PARTS)}")
    if over not in WAYS:
        raise InvalidInput("--over", over, f"one of {', '.join(WAYS)}")
    files = find_fixtures([Path(path) for path in resolve(paths)])

    def report(verdict: Verdict) -> None:
        click.echo(str(verdict))

    passed, failed = consume_all(files, parts, report, over)
    click.echo(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
