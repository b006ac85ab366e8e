"""Kill -9 at random points of indexing into a file: nothing but whole blocks is left, and the next process goes on.

Chains are chain files; each is indexed by processes that are killed, over and over, until the number is reached.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bnslab import fixtures
from bnslab.campaigns import crash
from bnslab.campaigns.chains import Chain
from bnslab.consume import find_fixtures

if TYPE_CHECKING:
    from collections.abc import Sequence

FIXTURES = Path(__file__).parents[1] / "fixtures" / "reference" / "fuzz"
LINE = "{chain}: seed {seed}: {kills} kills in {runs} runs, {power_cuts} power cuts, all right ({seconds:.0f} s)\n"


def main(argv: Sequence[str]) -> int:
    """Run and print; --json FILE writes the figures."""
    parser = argparse.ArgumentParser(prog="crash", description=__doc__)
    parser.add_argument("chains", nargs="*", type=Path, default=[FIXTURES], help="chain files or directories of them")
    parser.add_argument("--kills", type=int, default=20, help="for each chain")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    for path in find_fixtures(options.chains):
        chain = Chain.of_fixture(fixtures.load(path))
        started = perf_counter()
        with tempfile.TemporaryDirectory() as directory:
            figures = crash.run(chain, Path(directory), options.kills, options.seed)
        row = {"chain": path.name, "seed": options.seed, **figures._asdict(), "seconds": perf_counter() - started}
        rows.append(row)
        sys.stdout.write(LINE.format(**row))
        sys.stdout.flush()
    kills, power_cuts = (sum(row[key] for row in rows) for key in ("kills", "power_cuts"))
    sys.stdout.write(f"{kills} kills, {power_cuts} power cuts, all right\n")
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
