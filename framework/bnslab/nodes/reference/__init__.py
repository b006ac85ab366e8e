"""The reference implementation, Blockstack Core 19.0.8.1 with virtualchain 0.20.0, as a system under test.

```python
cache = platformdirs.user_cache_path("bnslab")
reference = install(cache, print)
with RunDirectory.create(cache) as run:
    node = ReferenceNode(reference, run.path)
    node.run(fixture).consensus_hashes
```
"""

from __future__ import annotations

from bnslab.nodes.reference.errors import ReferenceCrashed, ReferenceUnavailable
from bnslab.nodes.reference.install import VERSION, Reference, find, install
from bnslab.nodes.reference.locate import Python2, find_python2
from bnslab.nodes.reference.node import Indexed, ReferenceNode, Start
from bnslab.nodes.reference.peer import ReferencePeer

__all__ = [
    "VERSION",
    "Indexed",
    "Python2",
    "Reference",
    "ReferenceCrashed",
    "ReferenceNode",
    "ReferencePeer",
    "ReferenceUnavailable",
    "Start",
    "find",
    "find_python2",
    "install",
]
