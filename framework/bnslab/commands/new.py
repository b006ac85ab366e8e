"""./lab new: a starter scenario."""

from __future__ import annotations

import re
from pathlib import Path

import click

PYTHON = '''\
"""{title}."""

from bnslab import Reason


def test_{name}(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)

    with lab.rejects(Reason.NOT_OWNER):
        lab.transfer("foo.test", by=carol, to=alice)
    lab.transfer("foo.test", by=bob, to=carol)
    lab.mine()

    assert lab.name("foo.test").address == carol.address
'''
SCRIPT = """\
# {title}.
namespace test by alice
register foo.test by bob

transfer foo.test by carol to alice rejects because NOT_OWNER
mine
transfer foo.test by bob to carol
mine

expect name foo.test owner carol
"""


@click.command()
@click.argument("name")
@click.option("--script", is_flag=True, help="A script (*.bns) instead of Python.")
@click.option(
    "--in",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("scenarios/mine"),
    show_default=True,
    help="Where to put it.",
)
def command(name: str, script: bool, directory: Path) -> None:
    """Write a starter scenario called NAME, which passes as it is.

    Nothing that is there is overwritten.
    """
    if not re.fullmatch(r"[a-z]\w*", name):
        raise click.UsageError(f"NAME: expected a lower-case letter, then letters, digits and _, got {name!r}")
    path = directory / (f"{name}.bns" if script else f"test_{name}.py")
    if path.exists():
        raise click.UsageError(f"{path} is there already")
    directory.mkdir(parents=True, exist_ok=True)
    title = name.replace("_", " ").capitalize()
    path.write_text((SCRIPT if script else PYTHON).format(name=name, title=title), encoding="utf-8")
    click.echo(f"{path}\nrun it: ./lab run {path} -- -o lab_require_fixtures=false\nrecord: ./lab fill {path} --update")
