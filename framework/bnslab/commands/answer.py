"""./lab answer: a node of ours on the other side of `consume --exec`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bnslab.commands._chain import cache_option, default_cache, report

if TYPE_CHECKING:
    from pathlib import Path

    from bns.bitcoin.transaction import Transaction
    from bns.params import Params
    from bnslab.foreign.serving import Learn, Open
    from bnslab.nodes import Node
    from bnslab.outputs import Outputs


@click.command()
@click.option(
    "--node",
    type=click.Choice(["core", "reference"]),
    default="core",
    help="What indexes: the core (default), or the historical node, installed on the way.",
)
@cache_option
def command(node: str, cache: Path | None) -> None:
    """Be the other side of consume --exec.

    Indexes what comes in on standard input and answers on standard output, one JSON object a line
    (docs/fixture-format.md).
    """
    from bnslab.bitcoind import RunDirectory
    from bnslab.foreign.serving import serve

    def answer(line: bytes) -> None:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()

    if node == "core":
        serve(_core, sys.stdin.buffer, answer)
        return
    place = cache or default_cache()
    with RunDirectory.create(place) as run:
        serve(_reference(place, run.path), sys.stdin.buffer, answer)


def _core(params: Params, outputs: Outputs) -> tuple[Node, Learn]:
    from bnslab.nodes.inprocess import InProcessNode

    return InProcessNode(params, outputs), outputs.add


def _reference(cache: Path, run_dir: Path) -> Open:
    from bnslab.nodes.reference import install
    from bnslab.nodes.reference.live import LiveReference

    reference = install(cache, report)

    def open_node(params: Params, outputs: Outputs) -> tuple[Node, Learn]:
        node = LiveReference(params, outputs, reference=reference, base_blocks=(), run_dir=run_dir)

        def learn(transaction: Transaction) -> None:
            outputs.add(transaction)
            node.learn(transaction)

        return node, learn

    return open_node
