"""Write docs/reference/corpus.md to standard output: `python -m bnslab.corpus`, in a checkout."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING

import pytest

from bnslab.commands._checkout import checkout
from bnslab.corpus.index import cases, catalogue, missing, render

if TYPE_CHECKING:
    from pathlib import Path


class _Collected:
    """What pytest finds."""

    def __init__(self) -> None:
        self.node_ids: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.node_ids = [item.nodeid for item in items]


def node_ids(root: Path) -> list[str]:
    """The ids of all scenarios of a checkout."""
    collected = _Collected()
    options = [
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(root),
        "-c",
        str(root / "pyproject.toml"),
    ]
    quiet = ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        status = pytest.main([str(root / "scenarios"), *options, *quiet], plugins=[collected])
    if status:
        raise SystemExit(f"the scenarios cannot be collected:\n{told.getvalue()}")
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
