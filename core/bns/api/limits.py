"""How many requests an application answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send


class Limited:
    """Turns requests away, unread, while so many others are not done with (spec 06 section 1.6, spec 07 section 1)."""

    def __init__(self, app: ASGIApp, at_once: int, turn_away: Callable[[Send], Awaitable[None]]) -> None:
        self._app = app
        self._at_once = at_once
        self._turn_away = turn_away
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or turn it away."""
        if scope["type"] != "http":
            raise ValueError(f"expected HTTP, got {scope['type']}")
        if self._active >= self._at_once:
            await self._turn_away(send)
            return
        self._active += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._active -= 1
