"""What the commands of the node share: the options that all have, and exit statuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bns.errors import BnsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.node.config import Config

PROGRAM = "blockstack-core"
ERROR = 2
REFUSED = 1
INTERRUPTED = 130

_DEFAULT_DIRECTORY = "~/.blockstack-server"


@dataclass
class Common:
    """What may be said before the command or after it."""

    working_dir: Path = field(default_factory=lambda: Path(_DEFAULT_DIRECTORY).expanduser())
    config_file: Path | None = None
    debug: bool = False
    rules: dict[str, str] = field(default_factory=dict)

    def load(self) -> Config:
        """The configuration in force."""
        from bns.node.config import load

        return load(self.working_dir, self.config_file, self.rules)

    def arguments(self) -> list[str]:
        """The same, said on the command line of another process."""
        said = [f"--working-dir={self.working_dir}"]
        if self.config_file is not None:
            said.append(f"--config={self.config_file}")
        if self.debug:
            said.append("--debug")
        return said + [f"--{name.removeprefix('BLOCKSTACK_').lower()}" for name in self.rules]


def _remember(ctx: click.Context, option: click.Parameter, value: Any) -> None:  # noqa: ANN401 - of any option
    common = ctx.ensure_object(Common)
    if value is None or value is False:
        return
    match option.name:
        case "debug":
            common.debug = True
        case "testnet" | "testnet3" as name:
            common.rules[f"BLOCKSTACK_{name.upper()}"] = "1"
        case "working_dir":
            common.working_dir = value.expanduser().absolute()
        case _:
            common.config_file = value.expanduser().absolute()


def path_option(*names: str, text: str, **more: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - as click has it
    """An option whose value is a Path."""
    return click.option(*names, type=click.Path(path_type=Path), help=text, **more)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all have."""
    hidden: dict[str, Any] = {"expose_value": False, "callback": _remember}
    directory = f"Directory of the node's files (default: {_DEFAULT_DIRECTORY})."
    options = (
        path_option("--working-dir", "--working_dir", text=directory, **hidden),
        path_option(
            "--config", "config_file", text="Configuration file (default: blockstack-server.ini there).", **hidden
        ),
        click.option("--debug", "--verbose", "debug", is_flag=True, help="Say more.", **hidden),
        click.option("--testnet", is_flag=True, help="Use the addresses of test networks.", **hidden),
        click.option("--testnet3", is_flag=True, help="Use the addresses of test networks.", **hidden),
    )
    for option in reversed(options):
        command = option(command)
    return command


def failure_line(program: str, run: Callable[[], Any]) -> int:
    """The exit status of a command; what it fails with becomes one line on stderr."""
    try:
        status = run()
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ERROR
    except click.ClickException as error:
        return _fail(program, error.format_message(), ERROR)
    except BnsError as error:
        return _fail(program, str(error), status_of(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(program, f"{error.strerror or error}{where}", ERROR)
    return status if isinstance(status, int) else 0


def status_of(error: BnsError) -> int:
    """The exit status for an error."""
    from bns.identity.snv.errors import BadAnswer, NotFound, NotProven, Unreachable
    from bns.node.backups import NoBackup
    from bns.node.config import ObsoleteConfig
    from bns.node.expected import UnreadableSnapshots
    from bns.node.pidfile import AlreadyRunning

    refused = AlreadyRunning | NoBackup | ObsoleteConfig | UnreadableSnapshots
    unproven = BadAnswer | NotFound | NotProven | Unreachable
    return REFUSED if isinstance(error, refused | unproven) else ERROR


def _fail(program: str, message: str, status: int) -> int:
    click.echo(f"{program}: {message}", err=True)
    return status
