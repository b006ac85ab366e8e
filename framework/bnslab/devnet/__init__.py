"""A development network on this machine: a private chain, a node that follows it, a faucet, a miner and a web panel.

`Devnet` is all of it but the web; `panel` and `legacy` are ASGI applications over one.
"""

from __future__ import annotations

from bnslab.devnet.mining import Miner
from bnslab.devnet.stack import Devnet, NotIndexed

__all__ = ["Devnet", "Miner", "NotIndexed"]
