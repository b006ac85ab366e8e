"""The command line of the node, `blockstack-core` (spec 08 section 5)."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from bns.commands.common import PROGRAM, REFUSED, Common, common_options, failure_line, path_option
from bns.commands.fast_sync import fast_sync, fast_sync_sign, fast_sync_snapshot
from bns.commands.snv import snv
from bns.errors import BnsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bns.node.config import Config

_STOP_SECONDS = 30.0


_expected_option = path_option(
    "--expected-snapshots", "--expected_snapshots", text="Consensus hashes to insist on: JSON, or a database."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@common_options
def root() -> None:
    """A node of the Blockstack name system."""


for command in (snv, fast_sync, fast_sync_snapshot, fast_sync_sign):
    root.add_command(command)


@root.command()
@common_options
def version() -> None:
    """Print the version of the reference that the node answers like."""
    from bns.api.chain import VERSION

    click.echo(f"Blockstack version: {VERSION}")


@root.command()
@click.option("--foreground", is_flag=True, help="Do not become a daemon; log to stderr.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the XML-RPC server.")
@click.option("--api-port", "--api_port", type=click.IntRange(1, 65535), help="Port of the REST server.")
@_expected_option
@click.option("--no-api", is_flag=True, help="Do not run the REST server.")
@click.option("--ready-fd", type=int, hidden=True)
@click.option("--receipts-fd", type=int, hidden=True)
@click.option("--tell-zonefiles", is_flag=True, hidden=True)
@path_option("--hosts-file", text="The only hosts of the web, for tests.", hidden=True)
@common_options
@click.pass_obj
def start(common: Common, /, foreground: bool, **given: Any) -> int:  # noqa: ANN401 - the options above
    """Run the node: follow bitcoind, answer XML-RPC and REST.

    Without --foreground it returns when the node answers requests, or could not start.
    """
    from bns.node import launch
    from bns.node.config import save

    common.working_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = common.load()
    if not config.path.exists():
        save(config)
        click.echo(f"Saving configuration to {config.path}", err=True)
    orders = launch.Orders(config, debug=common.debug, **given)
    if foreground:
        launch.in_foreground(orders)
        return 0
    status, message = launch.in_background(orders, common.rules)
    if status:
        click.echo(f"{PROGRAM}: {message}", err=True)
    return status


@root.command()
@common_options
@click.pass_obj
def stop(common: Common) -> None:
    """Stop the node that runs in the working directory."""
    from bns.node import pidfile

    pid = pidfile.stop(common.working_dir / pidfile.FILE_NAME, _STOP_SECONDS)
    click.echo(f"No node runs in {common.working_dir}" if pid is None else f"Stopped process {pid}")


@root.command()
@common_options
@click.pass_obj
def configure(common: Common) -> int:
    """Ask for every option, and save the answers."""
    from bns.node.config import save

    config = common.load()
    try:
        for part in ("bitcoind", "node", "api"):
            config = replace(config, **{part: _ask(getattr(config, part), config)})
    except click.Abort:
        return 0
    save(config)
    click.echo("Blockstack successfully reconfigured.")
    return 0


def _ask(settings: Any, config: Config) -> Any:  # noqa: ANN401 - a section of the configuration
    from bns.node.config import checked, text_of

    for each in fields(settings):
        if each.name == "server_version":
            continue
        click.echo(f"{'-' * 72}\n{each.metadata['text']}\n{'-' * 72}")
        present = text_of(getattr(settings, each.name))
        while True:
            text = click.prompt(f'{each.name} (default: "{present}")', default=present, show_default=False)
            try:
                settings = checked(settings, each.name, text, config)
            except BnsError as error:
                click.echo(error, err=True)
            else:
                break
    return settings


@root.command()
@click.argument("block_number", type=click.IntRange(0), required=False)
@common_options
@click.pass_obj
def restore(common: Common, block_number: int | None) -> None:
    """Put a backup in the place of the database: the newest one, or that of BLOCK_NUMBER.

    The number is that in the name of the backup, one below the last block it holds.
    """
    from bns.node.daemon import backups_of
    from bns.node.pidfile import FILE_NAME, PidFile

    config = common.load()
    if not config.working_dir.is_dir():
        raise click.ClickException(f"{config.working_dir}: there is no such directory")
    with closing(PidFile(config.working_dir / FILE_NAME)):
        height = backups_of(config).restore(block_number, config.params)
    click.echo(f"Restored the state after block {height}")


@root.command()
@click.argument("block_height", type=click.IntRange(0))
@click.argument("consensus_hash")
@click.argument("chainstate_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_expected_option
@click.option(
    "--blocks", is_flag=True, help="Look for the transactions in bitcoind's blocks as well, and check Merkle roots."
)
@common_options
@click.pass_obj
def verifydb(common: Common, /, block_height: int, consensus_hash: str, chainstate_dir: Path, **given: Any) -> int:  # noqa: ANN401 - the options above
    """Replay the transactions in CHAINSTATE_DIR, and compare with a CONSENSUS_HASH that you trust."""
    from bns.node.bitcoind import BitcoindSource
    from bns.node.errors import NotInChain
    from bns.node.expected import Diverged, read_expected, require_hash
    from bns.node.rpc import RpcClient
    from bns.node.verify import verify, verify_blocks
    from bns.state.store import State

    trusted = require_hash(consensus_hash)
    expected: Mapping[int, str] = read_expected(given["expected_snapshots"]) if given["expected_snapshots"] else {}
    config = common.load()
    state = State.memory(config.params)
    report = _every_second(block_height, monotonic)
    try:
        verify(chainstate_dir, state, block_height, trusted, expected=expected, report=report)
        if given["blocks"]:
            with closing(BitcoindSource(RpcClient.of(config.bitcoind))) as source:
                verify_blocks(chainstate_dir, source, config.params, block_height, report=report)
    except (Diverged, NotInChain) as error:
        click.echo("Database is NOT CONSISTENT")
        click.echo(f"{PROGRAM}: {error}", err=True)
        return REFUSED
    finally:
        state.close()
    click.echo(f"Database is consistent with {trusted}")
    return 0


def _every_second(last: int, clock: Callable[[], float]) -> Callable[[int], None]:
    said = clock()

    def report(height: int) -> None:
        nonlocal said
        if clock() - said >= 1:
            said = clock()
            click.echo(f"block {height} of {last}", err=True)

    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 2 after an error, 1 where the node refuses, 130 after Ctrl-C.

    argv defaults to the arguments of the process. Errors made on purpose, and what the operating system refuses, become
    one line on stderr.
    """
    return failure_line(PROGRAM, lambda: root.main(argv, prog_name=PROGRAM, standalone_mode=False))


if __name__ == "__main__":
    sys.exit(main())
