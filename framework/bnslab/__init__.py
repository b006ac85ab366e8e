"""Regtest integration tests for the Blockstack Name System."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bns.errors import Reason
    from bnslab.rules import each_epoch, epochs

__all__ = ["Reason", "__version__", "each_epoch", "epochs"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # on demand, because the command line imports this package long before it needs pytest
    if name == "Reason":
        from bns.errors import Reason

        return Reason
    if name in ("each_epoch", "epochs"):
        from bnslab import rules

        return getattr(rules, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
