"""The floor scenario: a base of 110 blocks, five wallets, 30 blocks with one or two operations, all checks.

Whole scenarios through the harness: transactions made and signed, blocks made, judged by the backend, indexed, checked
after each block, re-indexed at the end, the chain rolled back for the next one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import platformdirs
from rich.console import Console
from rich.table import Table

from bnslab.bitcoind import PortPool, RunDirectory
from bnslab.chain import open_backend
from bnslab.chain.factory import base_chain
from bnslab.checks import make_checks
from bnslab.lab import Lab
from bnslab.nodes.inprocess import InProcessNode
from bnslab.rules import scenario_params

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bnslab.chain.base import ChainBackend

BLOCKS = 30


def scenario(lab: Lab) -> None:
    """30 blocks, 46 operations: a namespace, then preorders and registrations by four owners in turn."""
    creator, *owners = [lab.wallet(name) for name in ("creator", "alice", "bob", "carol", "dave")]
    lab.namespace("test", by=creator)
    turn = 0
    waiting: list[tuple[str, str]] = []
    while len(lab.receipts) < BLOCKS:
        owner = owners[turn % len(owners)].name
        if waiting:
            lab.name_registration(waiting[0][0], by=waiting.pop(0)[1])
        if turn % 8 != 7 and len(lab.receipts) < BLOCKS - 1:
            name = f"name{turn}.test"
            lab.name_preorder(name, by=owner)
            waiting.append((name, owner))
        turn += 1
        lab.mine()


def run(chain: ChainBackend, identity: str) -> tuple[float, int, int]:
    """One scenario: seconds, blocks, operations."""
    started = perf_counter()
    params = scenario_params(base_chain().height + 1, (), {})
    lab = Lab(identity, params, base_chain(), chain, InProcessNode, make_checks(None))
    scenario(lab)
    lab.finish()
    operations = len(lab.sent)
    lab.node.close()
    return perf_counter() - started, len(lab.receipts), operations


def measure(name: str, rounds: int, cache: Path) -> dict[str, float | int | str]:
    """Figures of one backend, in milliseconds, after one scenario to warm it."""
    with RunDirectory.create(cache) as run_dir:
        chain = open_backend(name, base_chain(), run_dir=run_dir.path, cache=cache, ports=PortPool.claimed())
        try:
            run(chain, "floor/warm-up")
            results = [run(chain, f"floor/{index}") for index in range(rounds)]
        finally:
            chain.close()
    times = sorted(seconds * 1000 for seconds, _, _ in results)
    return {
        "chain": name,
        "rounds": rounds,
        "blocks": results[0][1],
        "operations": results[0][2],
        "median": statistics.median(times),
        "min": times[0],
        "max": times[-1],
    }


def main(argv: Sequence[str]) -> int:
    """Measure and print; --json FILE writes the figures."""
    parser = argparse.ArgumentParser(prog="floor", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--chain", nargs="*", default=["bitcoind", "kernel", "memory"])
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("bnslab"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    rows = [measure(name, options.rounds, options.cache) for name in options.chain]
    table = Table("chain", "scenarios", "blocks", "operations", "median ms", "min ms", "max ms", title="floor scenario")
    for row in rows:
        figures = [f"{row[key]:.1f}" for key in ("median", "min", "max")]
        table.add_row(str(row["chain"]), *(str(row[key]) for key in ("rounds", "blocks", "operations")), *figures)
    Console().print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
