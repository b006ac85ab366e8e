"""The clients of the name system that others wrote, installed and driven by the harness.

`blockstack.js` runs in a Node.js of this machine, the reference's Python client in its Python 2.7.
"""

from __future__ import annotations

from bnslab.clients.errors import ClientError, ClientUnavailable
from bnslab.clients.javascript import BlockstackJs
from bnslab.clients.reference import ReferenceClient

__all__ = ["BlockstackJs", "ClientError", "ClientUnavailable", "ReferenceClient"]
