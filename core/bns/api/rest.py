"""The RESTful API: JSON over HTTP (spec 07)."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from bns.api.arguments import Failure
from bns.api.limits import Limited
from bns.api.openapi import document
from bns.api.replies import EVERYONE, bare_reply, error_reply, json_reply
from bns.api.rest_names import MAX_PUSH
from bns.api.routes import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bns.api.records import NodeView
    from bns.api.routes import Endpoint

OPENAPI_PATH = "/v1/openapi.json"
"""Where the API describes itself; no client of the reference asks there."""

_PREFLIGHT = {
    **EVERYONE,
    "Access-Control-Allow-Methods": "GET, PUT, POST, DELETE",
    "Access-Control-Allow-Headers": "content-type, authorization, range",
    "Access-Control-Expose-Headers": "content-length, content-range",
    "Access-Control-Max-Age": "21600",
}


def rest_app(node: NodeView, *, at_once: int = 1000) -> ASGIApp:
    """The ASGI application that answers for a node, so many requests at once; what comes beyond is turned away.

    Handlers suspend only to read a body, to fetch a profile or to ask the Bitcoin node.
    """
    routes = [_route(node, endpoint) for endpoint in ENDPOINTS]
    routes.append(Route(OPENAPI_PATH, _openapi, methods=["GET"]))
    handlers: dict[Any, Any] = {404: _no_such_endpoint, 405: _no_such_endpoint, Exception: _server_error}
    front = _Front(Starlette(routes=routes, exception_handlers=handlers))
    return Limited(front, at_once, _turn_away)


class _Front:
    """What comes before routing: normal paths, preflights, doubled parameters (spec 07 section 2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _normal_path(scope)
        query = parse_qsl(scope["query_string"].decode("latin-1")) if scope["query_string"] else []
        answer = self._app
        if len({name for name, _ in query}) != len(query):
            answer = bare_reply(400)
        elif scope["method"] == "OPTIONS" and path.startswith("/v1/"):
            answer = Response(headers=_PREFLIGHT)
        elif scope["method"] == "HEAD" or path.endswith("\n"):  # routes let a last newline through
            answer = error_reply(404, "No such endpoint")
        await answer({**scope, "path": path, "bns.query": dict(query)}, receive, send)


def _normal_path(scope: Scope) -> str:
    path: str = scope["path"]
    raw = scope.get("raw_path") or b""
    if b"#" in raw:
        path = unquote(raw.partition(b"#")[0])
    return posixpath.normpath(path)


def _route(node: NodeView, endpoint: Endpoint) -> Route:
    async def get(request: Request) -> Response:
        return await _reply(node, lambda: endpoint.function(node, request.scope["bns.query"], **request.path_params))

    async def post(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return error_reply(400, "Invalid request")
        return await _reply(node, lambda: endpoint.function(node, request.headers.get("content-type", ""), body))

    return Route(endpoint.path, post if endpoint.method == "POST" else get, methods=[endpoint.method])


async def _reply(node: NodeView, answer: Callable[[], Any]) -> Response:
    try:
        with node.lock:
            reply = answer()
        return reply if isinstance(reply, Response) else await run_in_threadpool(reply)
    except Failure as failure:
        return error_reply(failure.status, failure.text)


async def _body(request: Request) -> bytes | None:
    """The body of a request; None if its length is not told, or too great."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) < MAX_PUSH):
        return None
    try:
        return await request.body()
    except ClientDisconnect:
        return None


async def _openapi(_: Request) -> Response:
    return json_reply(document())


async def _no_such_endpoint(_: Request, __: Exception) -> Response:
    return error_reply(404, "No such endpoint")


async def _server_error(_: Request, __: Exception) -> Response:
    return bare_reply(500)


async def _turn_away(send: Send) -> None:
    body = b"Too many requests"
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in EVERYONE.items()]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
