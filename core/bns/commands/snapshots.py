"""`blockstack-snapshots`: a service that publishes snapshots of a node's backups (spec 08 section 12)."""

from __future__ import annotations

import sys
from configparser import ConfigParser
from configparser import Error as ParsingError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bns.commands.common import Common, common_options, failure_line, path_option
from bns.errors import BnsError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bns.node.snapshots.publisher import Publisher

PROGRAM = "blockstack-snapshots"
SECTION = "blockstack-snapshots"

_DIRECTORY = "~/.blockstack-snapshots"
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the service works with."""

    directory: Path
    private_key: Path
    public_keys: Path
    snapshots: Path
    log_file: Path
    port: int
    max_age: int

    @property
    def pid_file(self) -> Path:
        """Where the service leaves its process id."""
        return self.directory / f"{PROGRAM}.pid"


def service_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what to publish."""
    options = (
        path_option(
            "--config_file", "--config-file", "service_config", text=f"Configuration (default: in {_DIRECTORY})."
        ),
        path_option("--private_key", "--private-key", text="File with the key to sign with."),
        path_option("--public_keys", "--public-keys", text="File of trusted public keys, separated by white space."),
        path_option("--snapshots", text="Directory of the snapshots."),
        path_option("--log_file", "--log-file", text="Log of the service."),
        click.option("--port", type=click.IntRange(1, 65535), help="Port of the service (default: 31128)."),
        click.option(
            "--max_age", "--max-age", type=click.IntRange(1), help="Blocks to keep snapshots (default: 2016)."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return common_options(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def root() -> None:
    """Signed snapshots of a node's backups, for others to start from."""


@root.command()
@service_options
@click.pass_obj
def snapshot(common: Common, /, **given: Any) -> None:  # noqa: ANN401 - the options above
    """Make the snapshots that are missing, drop the old ones, and end."""
    made = _publisher(common, _settings(given)).run_once()
    click.echo(f"Made {len(made)} snapshots" + (f": {', '.join(map(str, made))}" if made else ""))


@root.command()
@click.option("--foreground", is_flag=True, help="Do not become a daemon; log to stderr.")
@click.option("--ready-fd", type=int, hidden=True)
@service_options
@click.pass_obj
def start(common: Common, /, foreground: bool, ready_fd: int | None, **given: Any) -> int:  # noqa: ANN401 - as above
    """Make snapshots as backups appear.

    Without --foreground it returns when the service answers GET /v1/ping, or could not start.
    """
    from bns.node import launch

    settings = _settings(given)
    publisher = _publisher(common, settings)
    if foreground:
        _serve(publisher, settings, ready_fd)
        return 0
    settings.log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    said = {name.replace("service_config", "config_file"): value for name, value in given.items() if value is not None}
    arguments = [*(f"--{name}={value}" for name, value in said.items()), *common.arguments()]
    status, message = launch.detach(["bns.commands.snapshots", "start", "--foreground", *arguments], settings.log_file)
    if status:
        click.echo(f"{PROGRAM}: {message}", err=True)
    return status


@root.command()
@click.argument("url")
@click.option("--height", type=click.IntRange(0), help="Number of the snapshot (default: the newest).")
@service_options
@click.pass_obj
def cosign(common: Common, /, url: str, height: int | None, **given: Any) -> None:  # noqa: ANN401 - as above
    """Have the publisher at URL sign a snapshot that both have made, and keep the signature with it."""
    from bns.node.snapshots.cosigning import ask

    publisher = _publisher(common, _settings(given))
    label = height if height is not None else max(publisher.labels(), default=0)
    ask(publisher, url, label)
    click.echo(f"{url} has signed snapshot {label}")


@root.command()
@service_options
def stop(**given: Any) -> None:  # noqa: ANN401 - the options above
    """Stop the service."""
    from bns.node import pidfile

    pid = pidfile.stop(_settings(given).pid_file, _STOP_SECONDS)
    click.echo("No service runs" if pid is None else f"Stopped process {pid}")


def _settings(given: dict[str, Any]) -> Settings:
    path = given["service_config"] or Path(_DIRECTORY).expanduser() / f"{PROGRAM}.ini"
    directory = path.absolute().parent
    parser = ConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        found = dict(parser.items(SECTION)) if parser.has_section(SECTION) else {}
    except (ParsingError, UnicodeDecodeError) as error:
        raise InvalidInput("configuration file", str(path), "an INI file") from error

    def file(option: str, key: str, default: str) -> Path:
        return (given[option] or Path(found.get(key, default)).expanduser()).absolute()

    def number(option: str, default: int) -> int:
        text = found.get(option, str(default))
        if not (text.isascii() and text.isdigit()):
            raise InvalidInput(f"{path}: {option}", text, "a number")
        return given[option] or int(text)

    return Settings(
        directory,
        file("private_key", "private_key", f"{directory}/private_key"),
        file("public_keys", "public_keys", f"{directory}/public_keys"),
        file("snapshots", "snapshots_dir", f"{directory}/snapshots"),
        file("log_file", "log_file", f"{directory}/{PROGRAM}.log"),
        number("port", 31128),
        number("max_age", 2016),
    )


def _publisher(common: Common, settings: Settings) -> Publisher:
    from bns.bitcoin.keys import PrivateKey
    from bns.node.daemon import backups_of
    from bns.node.snapshots.archive import public_keys
    from bns.node.snapshots.publisher import Publisher

    trusted = public_keys(settings.public_keys.read_text("latin-1").split()) if settings.public_keys.exists() else ()
    key = PrivateKey.parse(settings.private_key.read_text("latin-1").strip())
    config = common.load()
    return Publisher(
        backups_of(config), config.node.zonefiles, config.params, settings.snapshots, key, settings.max_age, trusted
    )


def _serve(publisher: Publisher, settings: Settings, ready_fd: int | None) -> None:
    import logging
    from contextlib import closing

    from bns.node import launch
    from bns.node.pidfile import PidFile
    from bns.node.servers import Servers, Service, listen
    from bns.node.signals import stop_requests
    from bns.node.snapshots.cosigning import service_app

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with closing(PidFile(settings.pid_file)), stop_requests() as requests:
            servers = Servers([Service(service_app(publisher), listen("snapshot service", "127.0.0.1", settings.port))])
            servers.start()
            try:
                launch.answer(ready_fd, launch.READY)
                publisher.run(requests.wait)
            finally:
                servers.stop()
    except (BnsError, OSError) as error:
        launch.answer(ready_fd, str(error).encode())
        raise


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; argv defaults to the arguments of the process."""
    return failure_line(PROGRAM, lambda: root.main(argv, prog_name=PROGRAM, standalone_mode=False))


if __name__ == "__main__":
    sys.exit(main())
