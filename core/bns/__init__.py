"""The Blockstack Name System: consensus core, node and interfaces."""

from __future__ import annotations

__version__ = "0.1.0"
