"""The command line, `./lab COMMAND` or `bnslab COMMAND`.

Each module of bnslab.commands whose name does not start with an underscore is one command, found by that name and
imported when it is used. It holds a click command named `command`, whose return value is the exit status.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import TYPE_CHECKING

import click

import bnslab.commands
from bns.errors import BnsError
from bnslab import __version__
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE_ERROR = 2
INTERRUPTED = 130


class Commands(click.Group):
    """The commands, each imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        names = (module.name for module in pkgutil.iter_modules(bnslab.commands.__path__))
        return sorted(name for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is none of this name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"bnslab.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


def _print_reference(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from bnslab.commands._reference import render

        click.echo(render(root), nl=False)
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bnslab", message="%(prog)s %(version)s")
@click.option(
    "--reference",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_reference,
    help="Print the help of all commands as Markdown (docs/reference/cli.md).",
)
def root() -> None:
    """Integration tests for the Blockstack Name System on a private Bitcoin chain."""


def main(argv: Sequence[str] | None = None, prog: str = "bnslab") -> int:
    """Run one command and return its exit status: 2 after an error of the user's, 130 after Ctrl-C.

    argv defaults to the arguments of the process; prog is the name shown in help and errors. Errors made on purpose
    (LabError, BnsError, click's own, and what the operating system refuses) become one message on stderr.
    """
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        status = root.main(arguments, prog_name=prog, standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        return _fail(prog, error.format_message())
    except (LabError, BnsError) as error:
        return _fail(prog, str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(prog, f"{error.strerror or error}{where}")
    return status if isinstance(status, int) else 0


def _fail(prog: str, message: str) -> int:
    click.echo(f"{prog}: {message}", err=True)
    return USAGE_ERROR
