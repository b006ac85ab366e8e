"""Requests by the thousand: 2,000 for each operation of the OpenAPI document and each RPC method, and others that the
document does not allow. No answer may be a failure of the node, or another than the document says.

They are the property tests of core/tests, with more examples and new ones each time; a failure tells how to repeat it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TESTS = Path(__file__).parents[1] / "core" / "tests"
PARTS = {"rest": "test_requests.py", "rpc": "test_calls.py"}


def main(argv: Sequence[str]) -> int:
    """Run them; --json FILE writes how it went."""
    parser = argparse.ArgumentParser(prog="requests", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--profile", default="thorough", help="of hypothesis: thorough makes 2,000 examples")
    parser.add_argument("--seed", type=int, default=None, help="makes the same examples again")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    command = [
        sys.executable, "-P", "-m", "pytest", *(str(TESTS / PARTS[part]) for part in options.only),
        "-q", "-p", "no:cacheprovider", "--timeout", "0", "-o", "faulthandler_timeout=0", "-n", str(options.workers),
        "-p", "bnslab.campaigns.examples",
        "--hypothesis-profile", options.profile,
    ]  # fmt: skip
    if options.seed is not None:
        command.append(f"--hypothesis-seed={options.seed}")
    started = perf_counter()
    status = subprocess.call(command)
    if options.json is not None:
        figures = {"parts": options.only, "seconds": perf_counter() - started, "status": status}
        options.json.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
