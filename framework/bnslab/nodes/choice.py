"""Which node the scenarios of a run have."""

from __future__ import annotations

from contextlib import closing, contextmanager
from itertools import count
from typing import TYPE_CHECKING

from bns.errors import InvalidInput
from bnslab.bitcoind import PortPool, RunDirectory
from bnslab.chain import BitcoindBackend
from bnslab.chain.factory import base_chain
from bnslab.nodes import NODES
from bnslab.nodes.inprocess import InProcessNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bns.params import Params
    from bnslab.chain.base import ChainBackend
    from bnslab.nodes import MakeNode, Node
    from bnslab.outputs import Outputs

REMARKS = {
    "process": "every scenario has its own process of blockstack-core",
    "reference": "Blockstack Core 19.0.8.1; it does not say why it rejects, so no reason is compared",
}
"""What a reader of the results should know."""


@contextmanager
def open_nodes(
    name: str, chain: ChainBackend, *, cache: Path, report: Callable[[str], None], restarted: bool = False
) -> Iterator[MakeNode]:
    """Makes nodes of a kind (NODES) for scenarios on a chain; what they need is installed on the way.

    Their files are in a run directory, which goes with them. Those to be restarted have a state on disk. InvalidInput
    for a kind that there is not, or that cannot follow this chain; ReferenceUnavailable.
    """
    if name == "inprocess" and not restarted:
        yield InProcessNode
        return
    with RunDirectory.create(cache) as run:
        match name:
            case "inprocess":
                yield _on_disk(run.path)
            case "process":
                with _process(chain, run.path, PortPool.claimed()) as make:
                    yield make
            case "reference":
                yield _reference(cache, run.path, report)
            case _:
                raise InvalidInput("node", name, f"one of {', '.join(NODES)}")


def _on_disk(run_dir: Path) -> MakeNode:
    numbers = count()

    def make(params: Params, outputs: Outputs) -> Node:
        return InProcessNode(params, outputs, run_dir / f"{next(numbers)}.db")

    return make


@contextmanager
def _process(chain: ChainBackend, run_dir: Path, ports: PortPool) -> Iterator[MakeNode]:
    from bnslab.nodes.forkserver import ForkServer
    from bnslab.nodes.process import ProcessNode

    if not isinstance(chain, BitcoindBackend):
        raise InvalidInput("--chain", chain.name, "bitcoind: a node in its own process follows a real one")

    with closing(ForkServer(run_dir)) as forks:

        def make(params: Params, outputs: Outputs) -> Node:
            return ProcessNode(params, outputs, bitcoind=chain.node, run_dir=run_dir, ports=ports, forks=forks)

        yield make


def _reference(cache: Path, run_dir: Path, report: Callable[[str], None]) -> MakeNode:
    from bnslab.nodes.reference import find, install
    from bnslab.nodes.reference.errors import ReferenceUnavailable
    from bnslab.nodes.reference.live import LiveReference

    try:
        reference = find(cache)
    except ReferenceUnavailable:
        reference = install(cache, report)
    base_blocks = [block.raw for block in base_chain().blocks]

    def make(params: Params, outputs: Outputs) -> Node:
        return LiveReference(params, outputs, reference=reference, base_blocks=base_blocks, run_dir=run_dir)

    return make
