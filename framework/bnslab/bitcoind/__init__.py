"""Where a bitcoind comes from, how it is started, and how it never outlives the harness.

```python
cache = platformdirs.user_cache_path("bnslab")
sweep(cache)
binary = find(None, cache)
with RunDirectory.create(cache) as run, RegtestNode.start(binary, run.path, PortPool.claimed(), mocktime=T0) as node:
    node.rpc.call("getblockcount")
```
"""

from __future__ import annotations

from bnslab.bitcoind.errors import (
    BitcoindNotFound,
    CacheUnusable,
    InstallError,
    NodeDied,
    PortTaken,
    RpcConnectionLost,
    RpcError,
)
from bnslab.bitcoind.flags import FlagSet, probe_flags
from bnslab.bitcoind.install import install
from bnslab.bitcoind.locate import Bitcoind, find
from bnslab.bitcoind.ports import PortPool
from bnslab.bitcoind.process import RegtestNode
from bnslab.bitcoind.rpc import RpcClient
from bnslab.bitcoind.rundir import RunDirectory, sweep

__all__ = [
    "Bitcoind",
    "BitcoindNotFound",
    "CacheUnusable",
    "FlagSet",
    "InstallError",
    "NodeDied",
    "PortPool",
    "PortTaken",
    "RegtestNode",
    "RpcClient",
    "RpcConnectionLost",
    "RpcError",
    "RunDirectory",
    "find",
    "install",
    "probe_flags",
    "sweep",
]
