"""Random histories of subdomains: the core's index, record for record, is that of the historical node.

The fixture of a seed is made, indexed by the node, and what the node made of it is expected of the core. A seed that
differs ends the campaign.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import platformdirs

from bnslab.bitcoind import RunDirectory, sweep
from bnslab.campaigns.subdomains import history
from bnslab.consume import Difference, compare
from bnslab.nodes.reference import Indexed, ReferenceNode, install

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE = (
    "seeds {first} to {last}: {zonefiles} zone files, {records} records, {accepted} accepted: "
    "always equal to the historical node's ({seconds:.0f} s)\n"
)


def main(argv: Sequence[str]) -> int:
    """Run and print; --json FILE writes the figures."""
    parser = argparse.ArgumentParser(prog="subdomain_histories", description=__doc__)
    parser.add_argument("--histories", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    seeds = range(options.seed, options.seed + options.histories)
    row: dict[str, Any] = {"first": seeds[0], "last": seeds[-1], "zonefiles": 0, "records": 0, "accepted": 0}
    cache = platformdirs.user_cache_path("bnslab")
    started = perf_counter()
    sweep(cache)
    with RunDirectory.create(cache) as run_dir:
        node = ReferenceNode(install(cache, lambda _: None), run_dir.path)
        outcomes = node.run_many(map(history, seeds), workers=options.workers)
        for seed, outcome in zip(seeds, outcomes, strict=True):
            if not isinstance(outcome, Indexed):
                sys.stdout.write(f"seed {seed}: {outcome}\n")
                return 1
            fixture = history(seed)
            try:
                compare(msgspec.structs.replace(fixture, expected=outcome.expected), ("consensus", "tables"))
            except Difference as error:
                sys.stdout.write(f"seed {seed}: {error}\n")
                return 1
            rows = json.loads(bytes(outcome.expected.subdomains))
            row["zonefiles"] += len(fixture.zonefiles)
            row["records"] += len(rows)
            row["accepted"] += sum(each["accepted"] for each in rows)
    row["seconds"] = perf_counter() - started
    sys.stdout.write(LINE.format(**row))
    if options.json is not None:
        options.json.write_text(json.dumps([row], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
