"""Where the checkout is, and what the paths that a user names mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bnslab
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable


def checkout() -> Path:
    """Return the root of the checkout that bnslab is installed from (./lab installs it editable).

    Raises LabError where bnslab is installed without its checkout.
    """
    root = Path(bnslab.__file__).resolve().parents[2]
    if not (root / "lab").is_file():
        raise LabError(f"no checkout of bnslab around {Path(bnslab.__file__).parent}: start it by ./lab of a checkout")
    return root


def resolve(names: Iterable[str]) -> list[str]:
    """Turn paths and pytest ids (path::test) into absolute ones: below the current directory, else the checkout.

    Raises LabError naming the first one that is in neither.
    """
    return [_resolve(name) for name in names]


def _resolve(name: str) -> str:
    path, separator, test = name.partition("::")
    here = Path(path).absolute()
    if path and here.exists():
        return f"{here}{separator}{test}"
    there = checkout() / path
    if path and there.exists():
        return f"{there}{separator}{test}"
    raise LabError(f"no such file or directory: {path or name!r} (looked in {Path.cwd()} and in {checkout()})")
