"""The RESTful API: JSON over HTTP (spec 07)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import compile_path

from bns.api.answering import Answering, Made
from bns.api.arguments import Failure
from bns.api.limits import Limited
from bns.api.openapi import document
from bns.api.replies import EVERYONE, bare_reply, error_reply, json_reply
from bns.api.rest_names import MAX_PUSH
from bns.api.routes import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from bns.api.records import NodeView
    from bns.api.routes import Endpoint

OPENAPI_PATH = "/v1/openapi.json"
"""Where the API describes itself; no client of the reference asks there."""

_PATHS_REMEMBERED = 1024
_METHODS = frozenset({"GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH"})
_PREFLIGHT = {
    **EVERYONE,
    "Access-Control-Allow-Methods": "GET, PUT, POST, DELETE",
    "Access-Control-Allow-Headers": "content-type, authorization, range",
    "Access-Control-Expose-Headers": "content-length, content-range",
    "Access-Control-Max-Age": "21600",
}


def rest_app(node: NodeView, *, at_once: int = 1000) -> ASGIApp:
    """The ASGI application that answers for a node, so many requests at once; what comes beyond is turned away.

    Handlers suspend only to read a body, to fetch a profile, to ask the Bitcoin node, and for what is long.
    """
    answering = Answering[_Made](node)
    routes = [_Route(each.method, compile_path(each.path)[0], _handler(answering, each)) for each in ENDPOINTS]
    routes.append(_Route("GET", re.compile(re.escape(OPENAPI_PATH)), _openapi))
    return Limited(_Front(_Routed(routes)), at_once, _turn_away)


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
        elif scope["method"] not in _METHODS:
            answer = Response("<html><body><h1>501</h1></body></html>", 501, EVERYONE, "text/html")
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


_Parameters = Mapping[str, str]
_Handler = Callable[[Request, _Parameters], Awaitable[Response]]
_Made = Response | Callable[[], Response]
"""What an endpoint gives: a reply, or a function that waits for one."""


class _Route(NamedTuple):
    method: str
    path: re.Pattern[str]
    handler: _Handler


class _Routed:
    """Hands a request to the first route that takes it. What was found for a path is remembered for a while."""

    def __init__(self, routes: Sequence[_Route]) -> None:
        self._routes = routes
        self._find = lru_cache(_PATHS_REMEMBERED)(self._look)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope["method"], scope["path"])
        if found is None:
            response = error_reply(404, "No such endpoint")
        else:
            handler, parameters = found
            try:
                response = await handler(Request(scope, receive), parameters)
            except Exception:
                await bare_reply(500)(scope, receive, send)
                raise  # to the log of the server
        await response(scope, receive, send)

    def _look(self, method: str, path: str) -> tuple[_Handler, _Parameters] | None:
        for route in self._routes:
            if route.method == method and (found := route.path.match(path)):
                return route.handler, found.groupdict()
        return None


def _handler(answering: Answering[_Made], endpoint: Endpoint) -> _Handler:
    async def get(request: Request, parameters: _Parameters) -> Response:
        question = request.scope["path"], request.scope["query_string"]
        made = answering.known(question)
        if made is None:
            query = request.scope["bns.query"]
            made = await make(question, lambda node: endpoint.function(node, query, **parameters))
        return await finished(made)

    async def post(request: Request, _: _Parameters) -> Response:
        body = await _body(request)
        if body is None:
            return error_reply(400, "Invalid request")
        content_type = request.headers.get("content-type", "")
        return await finished(await make((), lambda node: endpoint.function(node, content_type, body)))

    async def make(question: tuple[Any, ...], function: Callable[[NodeView], _Made]) -> _Made:
        def read(node: NodeView) -> Made[_Made]:
            try:
                with node.reading:
                    made = function(node)
            except Failure as failure:
                made = error_reply(failure.status, failure.text)
            if endpoint.live or not isinstance(made, Response):
                return Made(made)
            return Made(made, len(made.body) + sum(map(len, question)))

        return await answering.make(question, read, long=endpoint.long)

    async def finished(made: _Made) -> Response:
        if isinstance(made, Response):
            return made
        try:
            return await run_in_threadpool(made)
        except Failure as failure:
            return error_reply(failure.status, failure.text)

    return post if endpoint.method == "POST" else get


async def _body(request: Request) -> bytes | None:
    """The body of a request; None if its length is not told, or too great."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) < MAX_PUSH):
        return None
    try:
        return await request.body()
    except ClientDisconnect:
        return None


async def _openapi(_: Request, __: _Parameters) -> Response:
    return json_reply(document())


async def _turn_away(send: Send) -> None:
    body = b"Too many requests"
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in EVERYONE.items()]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
