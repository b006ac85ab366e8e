"""The peer network, simulated: how fast zone files spread as it grows, and what hostile minorities achieve.

`spread`: a network grows from its seeds, zone files are announced for twenty minutes, calls are lost and peers come and
go for an hour, and in the end every live peer has every file. `siege`: for each seed a network of twenty with a hostile
minority, in which no honest peer may store a wrong file or hold more than it may.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from bnslab.campaigns.network import Spread, campaign

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
COLUMNS = {
    "peers": "peers", "files": "files", "median": "median s", "p95": "95 % s", "slowest": "slowest s",
    "complete": "complete s", "left": "left", "hours": "hours", "calls_per_hour": "calls/peer/h", "getinfo": "getinfo",
    "neighbours": "neighbours", "inventory": "inventory", "zonefiles": "zone files", "failed": "failed",
    "largest_table": "table", "cpu s": "cpu s", "trace_hash": "trace",
}  # fmt: skip
SIEGE = (
    "{seeds} seeds from {first}: {hostile} hostile peers of {peers}; no wrong file, nothing out of bounds; "
    "all files by {slowest:.0f} s at the latest; at most {table} peers, {candidates} candidates, {callers} callers and "
    "{inventories} bytes of inventories in a node ({cpu:.0f} cpu s)\n"
)


def spread(options: argparse.Namespace) -> list[Row]:
    """A row for each size of the network."""
    rows = []
    for peers in options.peers:
        begun, cpu = perf_counter(), process_time()
        figures = Spread(peers, options.files, options.seed, loss=options.loss, churn=options.churn).run()
        row = figures._asdict() | {"seconds": perf_counter() - begun, "cpu s": process_time() - cpu}
        rows.append(row | {"calls_per_hour": figures.calls_per_peer / figures.hours})
    table = Table(*COLUMNS.values(), title="spread (calls by kind: of a peer, all in all)")
    for row in rows:
        table.add_row(*(_text(row[key]) for key in COLUMNS))
    Console(width=220).print(table)
    return rows


def siege(options: argparse.Namespace) -> list[Row]:
    """One row for each seed."""
    cpu = process_time()
    figures = campaign(range(options.seed, options.seed + options.seeds))
    keys = ("table", "candidates", "callers", "inventories")
    total = {
        "seeds": len(figures),
        "first": options.seed,
        "hostile": sum(each.hostile for each in figures),
        "peers": sum(each.honest + each.hostile for each in figures),
        "slowest": max(each.complete for each in figures),
        "cpu": process_time() - cpu,
    }
    sys.stdout.write(SIEGE.format(**total, **{key: max(getattr(each, key) for each in figures) for key in keys}))
    return [each._asdict() for each in figures]


PARTS = {"spread": spread, "siege": siege}


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value < 1 else f"{value:.1f}"
    return str(value)[:8]


def main(argv: Sequence[str]) -> int:
    """Measure and print; --json FILE writes the figures. Raises WrongNetwork if a network does not do what it must."""
    parser = argparse.ArgumentParser(prog="atlas", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--peers", nargs="*", type=int, default=[10, 100, 1000])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--loss", type=float, default=0.05)
    parser.add_argument("--churn", type=float, default=0.1, help="share of peers that leave in an hour")
    parser.add_argument("--seeds", type=int, default=100, help="runs of the siege")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    rows = {part: PARTS[part](options) for part in options.only}
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
