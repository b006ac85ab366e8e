"""What differs between Bitcoin's networks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """The version bytes (0 to 255) and the bech32 prefix that a network's addresses carry. Spec 01 section 2."""

    name: str
    p2pkh_version: int
    p2sh_version: int
    bech32_prefix: str


MAINNET = Network("mainnet", 0, 5, "bc")
TESTNET = Network("testnet", 111, 196, "tb")
"""Test networks; regtest nodes are indexed with these bytes too."""
