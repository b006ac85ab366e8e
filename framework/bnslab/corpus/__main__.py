"""Write docs/reference/corpus.md to standard output: `python -m bnslab.corpus`, in a checkout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bnslab.commands._checkout import checkout
from bnslab.commands._runner import collect
from bnslab.corpus.index import cases, catalogue, missing, render
from bnslab.fixture_index import Collected

if TYPE_CHECKING:
    from pathlib import Path


def node_ids(root: Path) -> list[str]:
    """The ids of all scenarios of a checkout; LabError if pytest cannot collect them."""
    collected = Collected()
    kept = ["-p", "no:cacheprovider", "--rootdir", str(root), "-c", str(root / "pyproject.toml")]
    collect([str(root / "scenarios"), *kept], collected)
    return collected.node_ids


def main() -> int:
    """Print the document; exit status 1, and what is missing on standard error, if a scenario has no case."""
    root = checkout()
    entries = catalogue((root / "docs" / "spec" / "10-scenarios.md").read_text(encoding="utf-8"))
    found = cases(entries, node_ids(root))
    sys.stdout.write(render(entries, found))
    without = missing(entries, found)
    for id_ in without:
        sys.stderr.write(f"{id_}: no case\n")
    return 1 if without else 0


if __name__ == "__main__":
    raise SystemExit(main())
