"""A small store of profiles like a Gaia hub: real HTTP on a port of 127.0.0.1, under a host name that stays the same.

The port differs from run to run. Zone files name the host, so that they and their hashes do not; the node under test is
told where it is. Clients of others cannot be told: for them a store names its address and port.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bns.errors import InvalidInput
from bns.identity.tokens import sign_token
from bnslab.http import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from bnslab.wallets import Wallet

HOST = "gaia.localhost"
"""The host in the store's URLs."""


class Gaia:
    """Files by path, served until close. Its URLs name HOST; if it is not named, they say where it is."""

    def __init__(self, *, named: bool = True) -> None:
        self._files: dict[str, bytes] = {}
        self._server = LoopbackServer(Starlette(routes=[Route("/{path:path}", self._get)]))
        self._base = f"http://{HOST}" if named else self._server.url
        self._server.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: IP address and port."""
        return "127.0.0.1", self._server.port

    def store(self, path: str, content: bytes) -> str:
        """Keep a file under a path, in place of what was there; its URL."""
        if path.startswith("/") or not path.isascii():
            raise InvalidInput("path in the profile store", path, "ASCII without a slash at its begin")
        self._files[path] = content
        return f"{self._base}/{path}"

    def profile(self, owner: Wallet, claim: Mapping[str, Any], file: str = "profile.json") -> str:
        """Keep a profile that the first key of a wallet signs, in the file of a hub; its URL."""
        token = sign_token(claim, owner.keys[0])
        return self.store(f"hub/{owner.address}/{file}", json.dumps([{"token": token}]).encode())

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()

    async def _get(self, request: Request) -> Response:
        content = self._files.get(request.path_params["path"])
        return Response(status_code=404) if content is None else Response(content, media_type="application/json")
