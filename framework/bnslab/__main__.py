"""python -m bnslab: what ./lab becomes once its environment stands."""

from __future__ import annotations

import sys

from bnslab.cli import main

if __name__ == "__main__":
    sys.exit(main(prog="./lab"))
