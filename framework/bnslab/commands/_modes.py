"""The options of `run` that put every scenario through more than it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OPTIONS = (
    click.option(
        "--wallets",
        type=click.Choice(["as-written", "segwit"]),
        help="With segwit, wallets are p2sh-p2wpkh and p2sh-p2wsh instead of p2pkh and p2sh-multisig.",
    ),
    click.option(
        "--reorg-every", metavar="N:DEPTH", help="Fork up to DEPTH blocks off after every N blocks, and back."
    ),
    click.option("--restart-every", type=click.IntRange(1), metavar="N", help="Restart the node after every N blocks."),
    click.option("--epoch", type=click.IntRange(1, 3), help="The epoch of scenarios that are tied to none."),
    click.option("--shuffle", type=int, metavar="SEED", help="Run in a random order."),
    click.option("--seed", type=int, metavar="N", help="The seed of the forks (default: 0)."),
)


def modes_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which takes them as keywords."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def modes_arguments(modes: Mapping[str, str | int | None]) -> list[str]:
    """The options of pytest for those of the command."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in modes.items() if value is not None]
