"""Random reorganisations of 1 to 288 blocks: after each the index equals a fresh one of the winning chain.

Chains are chain files, and a made one that is long enough for the deepest roll-backs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from bnslab import fixtures
from bnslab.campaigns import reorg
from bnslab.campaigns.chains import Chain, lifecycle_lab
from bnslab.consume import find_fixtures

if TYPE_CHECKING:
    from collections.abc import Sequence

FIXTURES = Path(__file__).parents[1] / "fixtures" / "reference" / "fuzz"
LINE = (
    "seed {seed}: {cases} cases on {chains} chains, {rolled_back} blocks rolled back, at most {deepest} at once: "
    "always equal to a fresh index ({seconds:.0f} s)\n"
)


def main(argv: Sequence[str]) -> int:
    """Run and print; --json FILE writes the figures."""
    parser = argparse.ArgumentParser(prog="reorg", description=__doc__)
    parser.add_argument("chains", nargs="*", type=Path, default=[FIXTURES], help="chain files or directories of them")
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    chains = [Chain.of_fixture(fixtures.load(path)) for path in find_fixtures(options.chains)]
    chains.append(Chain.of_lab(lifecycle_lab(blocks=320, operations=600)))
    started = perf_counter()
    figures = reorg.run(chains, options.cases, options.seed)
    row = {"seed": options.seed, "chains": len(chains), **figures._asdict(), "seconds": perf_counter() - started}
    sys.stdout.write(LINE.format(**row))
    if options.json is not None:
        options.json.write_text(json.dumps([row], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
