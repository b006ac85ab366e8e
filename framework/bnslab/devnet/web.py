"""What the servers of a devnet share: bodies that may not be endless, and JSON for the pages of any origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import Route

LARGEST_REQUEST = 4_000_000
"""Bytes of a transaction in hex, and some more."""

_Asked = TypeVar("_Asked", bound=msgspec.Struct)


def json_app(routes: Sequence[Route], refusal: Callable[[str], dict[str, Any]]) -> Starlette:
    """An application that any page may use. An HTTPException is answered with the refusal of its text, as JSON."""

    async def refuse(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException), "registered for nothing else"
        return JSONResponse(refusal(error.detail), error.status_code, error.headers)

    cross_origin = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"])
    return Starlette(routes=routes, middleware=[cross_origin], exception_handlers={HTTPException: refuse})


async def body_of(request: Request, most: int = LARGEST_REQUEST) -> bytes:
    """The body; HTTPException 413 if it has more than so many bytes, or does not say how many it has."""
    if int(request.headers.get("content-length", most + 1)) > most:
        raise HTTPException(413, f"body of the request: expected at most {most} bytes, and their number in its head")
    return await request.body()


async def asked(request: Request, kind: type[_Asked]) -> _Asked:
    """The body as a value of a type; HTTPException 400 if it is JSON of something else, or no JSON."""
    try:
        return msgspec.json.decode(await body_of(request), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, f"body of the request: {error}") from None
