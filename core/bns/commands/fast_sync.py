"""`blockstack-core fast_sync`, `fast_sync_snapshot` and `fast_sync_sign` (spec 08 sections 5.2 and 11)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bns.commands.common import PROGRAM, REFUSED, Common, common_options
from bns.errors import BnsError, InvalidInput

if TYPE_CHECKING:
    from bns.bitcoin.keys import PrivateKey

URL = "http://fast-sync-19.blockstack.org/snapshot.bsk"
PUBLIC_KEY = "022052f827a2a3cb130c9abdbbfb133adc237f3ffc305ca891f49701a9e4794d2a"

_STEPS = {
    "verify": "Verify signatures",
    "unpack": "Unpack",
    "replay": "Compute the state from its transactions",
    "replace": "Replace the state",
}


@click.command("fast_sync")
@click.argument("url", default=URL)
@click.argument("public_keys", default=PUBLIC_KEY)
@click.option(
    "--num_required", "--num-required", type=click.IntRange(1), help="Keys that must have signed (default: all)."
)
@click.option("--force", is_flag=True, help="Replace even a state that is newer than the snapshot.")
@common_options
@click.pass_obj
def fast_sync(common: Common, url: str, public_keys: str, num_required: int | None, force: bool) -> int:
    """Replace the state of a node that does not run by a snapshot from a URL, or a path.

    PUBLIC_KEYS, separated by commas, are those that are trusted to sign it. The state is computed anew from the
    transactions in the snapshot and must come to its consensus hashes; until it has, nothing here is touched.
    """
    from contextlib import closing

    from bns.node.daemon import database_path
    from bns.node.pidfile import FILE_NAME, PidFile
    from bns.node.snapshots import archive, fetch
    from bns.node.snapshots.restore import Target, restore

    config = common.load()
    try:
        keys = archive.public_keys(public_keys.split(","))
    except InvalidInput as error:
        return _refuse(f"Invalid public key: {error}")
    where = url if "://" in url else Path(url).absolute().as_uri()
    config.working_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = Target(database_path(config), config.node.zonefiles, config.params, force=force)
    click.echo(f"Synchronizing from snapshot from {url}.  This may take up to 15 minutes.")
    try:
        with closing(PidFile(config.working_dir / FILE_NAME)):
            required = num_required or len(keys)
            height = restore(lambda path: fetch.fetch(where, path), target, keys, required, _say)
    except BnsError as error:
        return _refuse(f"fast_sync failed: {error}")
    click.echo(f"Restored the state after block {height}")
    click.echo(f"Node synchronized!  Node state written to {config.working_dir}")
    click.echo("Start your node with `blockstack-core start`")
    click.echo("Pass `--debug` for extra output.")
    return 0


def _say(step: str) -> None:
    if step in _STEPS:
        click.echo(_STEPS[step])


@click.command("fast_sync_snapshot")
@click.argument("private_key")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("block_height", type=click.IntRange(0), required=False)
@common_options
@click.pass_obj
def fast_sync_snapshot(common: Common, private_key: str, path: Path, block_height: int | None) -> int:
    """Make a signed snapshot at PATH of a backup: the newest one, or that of BLOCK_HEIGHT. The node may run.

    PRIVATE_KEY is hex, with or without 01 behind it, or in wallet import format.
    """
    from bns.node.daemon import backups_of
    from bns.node.snapshots.export import export

    key = _key(private_key)
    if key is None:
        return _refuse("Invalid private key")
    config = common.load()
    try:
        label = export(backups_of(config), config.node.zonefiles, config.params, path, key, block_height)
    except BnsError as error:
        return _refuse(f"Failed to create snapshot: {error}")
    click.echo(f"Made {path} of backup {label}")
    return 0


@click.command("fast_sync_sign")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("private_key")
@common_options
def fast_sync_sign(path: Path, private_key: str) -> int:
    """Add a signature to the snapshot at PATH."""
    from bns.node.snapshots.archive import add_signature

    key = _key(private_key)
    if key is None:
        return _refuse("Invalid private key")
    try:
        add_signature(path, key)
    except BnsError as error:
        return _refuse(f"Failed to sign snapshot: {error}")
    click.echo(f"Signed {path}")
    return 0


def _key(text: str) -> PrivateKey | None:
    from bns.bitcoin.keys import PrivateKey

    try:
        return PrivateKey.parse(text)
    except InvalidInput:
        return None


def _refuse(message: str) -> int:
    click.echo(f"{PROGRAM}: {message}", err=True)
    return REFUSED
