"""The RESTful API: JSON over HTTP (spec 07)."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import orjson
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response
from starlette.routing import Route

from bns.api import records
from bns.operations.names import is_name, is_namespace_id
from bns.state import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bns.api.records import NodeView

_EVERYONE = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = {
    **_EVERYONE,
    "Access-Control-Allow-Methods": "GET, PUT, POST, DELETE",
    "Access-Control-Allow-Headers": "content-type, authorization, range",
    "Access-Control-Expose-Headers": "content-length, content-range",
    "Access-Control-Max-Age": "21600",
}
_SUBDOMAIN_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_+")


def rest_app(node: NodeView) -> ASGIApp:
    """The ASGI application that answers for a node. Its handlers never suspend.

    Answered so far: names, namespaces, the consensus hash (spec 07 sections 5.3, 5.8, 5.11) and the common replies of
    sections 2 and 3. Any other path or method gets 404.
    """
    routes = [
        _get(node, "/v1/names/{name:segment256}", _name),
        _get(node, "/v1/namespaces/{namespace_id:segment40}", _namespace),
        _get(node, "/v1/blockchains/{chain:segment40}/consensus", _consensus),
    ]
    handlers: dict[Any, Any] = {404: _no_such_endpoint, 405: _no_such_endpoint, Exception: _server_error}
    return _Front(Starlette(routes=routes, exception_handlers=handlers))


class _Segment256(Convertor[str]):
    """One segment of a path, of the characters that the API admits (spec 07 section 2)."""

    regex = r"[a-zA-Z0-9\-_.~%]{1,256}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Segment40(_Segment256):
    regex = r"[a-zA-Z0-9\-_.~%]{1,40}"


register_url_convertor("segment256", _Segment256())
register_url_convertor("segment40", _Segment40())


class _Front:
    """What comes before routing: normal paths, preflights, doubled parameters (spec 07 section 2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _normal_path(scope)
        answer = self._app
        if scope["query_string"] and _has_doubled_parameter(scope["query_string"]):
            answer = _bare(400)
        elif scope["method"] == "OPTIONS" and path.startswith("/v1/"):
            answer = Response(headers=_PREFLIGHT)
        elif scope["method"] == "HEAD" or path.endswith("\n"):  # routes let a last newline through
            answer = _error(404, "No such endpoint")
        await answer({**scope, "path": path}, receive, send)


def _normal_path(scope: Scope) -> str:
    path: str = scope["path"]
    raw = scope.get("raw_path") or b""
    if b"#" in raw:
        path = unquote(raw.partition(b"#")[0])
    return posixpath.normpath(path)


def _has_doubled_parameter(query: bytes) -> bool:
    names = [name for name, _ in parse_qsl(query.decode("latin-1"))]
    return len(names) != len(set(names))


def _get(node: NodeView, path: str, answer: Callable[..., Response]) -> Route:
    async def endpoint(request: Request) -> Response:
        with node.lock:
            return answer(node, **request.path_params)

    return Route(path, endpoint, methods=["GET"])


# Replies


def _json(body: object, status: int = 200, headers: Mapping[str, str] = _EVERYONE) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")


def _error(status: int, text: str) -> Response:
    return _json({"error": text}, status)


def _bare(status: int) -> Response:
    return Response(status_code=status, headers={**_EVERYONE, "Content-Type": "text/plain"})


async def _no_such_endpoint(_: Request, __: Exception) -> Response:
    return _error(404, "No such endpoint")


async def _server_error(_: Request, __: Exception) -> Response:
    return _bare(500)


# Endpoints


def _name(node: NodeView, name: str) -> Response:
    """GET /v1/names/{name}, spec 07 section 5.3."""
    if not is_name(name):
        return _unknown_subdomain(node, name) if _is_subdomain(name) else _error(400, "Invalid name or subdomain")
    found = records.find_name(node, name)
    if found is None:
        return _json({"status": "available"}, 404)
    row, term = found
    height = node.state.last_block
    if term.is_expired(height):
        return _error(404, "Name expired")
    zonefile = records.zonefile(node, row)
    return _json(
        {
            "status": "revoked" if row.revoked else "registered",
            "address": row.address,
            "blockchain": "bitcoin",
            "zonefile": None if zonefile is None else zonefile.decode("utf-8", "replace"),
            "zonefile_hash": row.value_hash,
            "last_txid": row.txid,
            "expire_block": term.expire_block,
            "renewal_deadline": term.renewal_deadline,
            "grace_period": term.in_grace(height),
            "resolver": records.resolver(node, row),
            "did": queries.did(node.state, name),
        }
    )


def _is_subdomain(text: str) -> bool:
    label, _, domain = text.partition(".")
    return bool(label) and _SUBDOMAIN_LABEL.issuperset(label) and is_name(domain)


def _unknown_subdomain(node: NodeView, name: str) -> Response:
    found = records.find_name(node, name.partition(".")[2])
    if found is None or found.term.is_expired(node.state.last_block):
        return _json({"status": "available", "more": "failed to look up parent domain"}, 404)
    resolver = records.resolver(node, found.name)
    if resolver is None:
        return _json({"status": "available", "more": "failed to find parent domain's resolver"}, 404)
    return _json({"status": "redirect"}, 301, {**_EVERYONE, "Location": f"{resolver}/v1/names/{name}"})


def _namespace(node: NodeView, namespace_id: str) -> Response:
    """GET /v1/namespaces/{id}, spec 07 section 5.8."""
    if not is_namespace_id(namespace_id):
        return _error(400, "Invalid namespace")
    record = records.namespace_record(node, namespace_id)
    if record is None:
        return _error(404, "No such namespace")
    del record["opcode"]
    return _json(record)


def _consensus(node: NodeView, chain: str) -> Response:
    """GET /v1/blockchains/{chain}/consensus, spec 07 section 5.11."""
    if chain != "bitcoin":
        return _error(404, "Unsupported blockchain")
    return _json({"consensus_hash": queries.consensus_hash(node.state)})
