"""The options a test node runs with, as far as the bitcoind at hand knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnslab.bitcoind.locate import Bitcoind

_RECOMMENDED = (
    # Alone: no peers, no wallet, nothing kept, nothing logged.
    "-server=1",
    "-listen=0",
    "-connect=0",
    "-dnsseed=0",
    "-fixedseeds=0",
    "-disablewallet",
    "-persistmempool=0",
    "-nosettings",
    "-nodebuglogfile",
    # Regtest checks its own books after every block unless told not to: twice the time, growing with the height.
    "-checkblockindex=0",
    "-checkmempool=0",
    "-checkaddrman=0",
    "-checkblocks=1",
    "-checklevel=0",
    # Small: 25 ms and 32 MB go to the signature cache alone, 16 MB of disk to the first block file.
    "-dbcache=4",
    "-maxsigcachesize=1",
    "-par=1",
    "-fastprune",
    "-blocksxor=0",
    # Clients that may be idle for long. A thread waits for a block with each node, a second longer than it lives.
    "-rpcthreads=32",
    "-rpcservertimeout=7200",
    "-rpcworkqueue=200",
    # A chain whose clock stands still years ago is neither stale nor still loading.
    "-maxtipage=4000000000",
    # Blocks made by the node carry this version on every flavour.
    "-blockversion=536870912",
    # Relay what the name system writes, without fees.
    "-acceptnonstdtxn=1",
    "-datacarriersize=83",
    "-permitbaremultisig=1",
    "-dustrelayfee=0",
    "-minrelaytxfee=0",
    "-blockmintxfee=0",
)

_SETTINGS = ("rejecttokens=0", "rejectparasites=0", "permitbarepubkey=1", "permitbaredatacarrier=1", "softwareexpiry=0")
"""Known to Knots only. Unknown names are fatal on a command line and ignored in a configuration file."""


@dataclass(frozen=True, slots=True)
class FlagSet:
    """`arguments` go on the command line; `settings` are lines of bitcoin.conf; `unknown` were left out."""

    arguments: tuple[str, ...]
    settings: tuple[str, ...]
    unknown: tuple[str, ...]


def probe_flags(binary: Bitcoind) -> FlagSet:
    """The recommended options that `binary` names in its own help."""
    known = tuple(flag for flag in _RECOMMENDED if option_name(flag) in binary.options)
    return FlagSet(known, _SETTINGS, tuple(flag for flag in _RECOMMENDED if flag not in known))


def option_name(flag: str) -> str:
    """The name in help of a command line flag: `-nosettings` and `-settings=x` are both about "settings"."""
    name = flag.lstrip("-").partition("=")[0]
    return name.removeprefix("no")
