"""The OpenAPI document of the RESTful API, made from its routes and shapes."""

from __future__ import annotations

import functools
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from bns.api import chain
from bns.api.rest_schemas import Error, PushedZonefile
from bns.api.routes import ENDPOINTS, OCTETS, PATTERNS

if TYPE_CHECKING:
    from bns.api.routes import Endpoint

Json = dict[str, Any]

_SEGMENT = re.compile(r"\{(\w+):(\w+)\}")
_QUERY: dict[str, Json] = {
    "page": {"type": "integer", "minimum": 0, "description": "From 0 on"},
    "all": {"type": "string", "description": "`1` or `true`: expired names too"},
    "raw": {"type": "string", "description": "`1` or `true`: the bytes as they are"},
    "offset": {"type": "integer", "minimum": 0},
    "count": {"type": "integer", "minimum": 0},
}
_REQUIRED = {"/v1/names", "/v1/subdomains", "/v1/namespaces/{namespace_id}/names"}
"""Paths that must be asked for a page."""


@functools.cache
def document() -> Json:
    """The document, as JSON values."""
    shapes = [shape for shape in _shapes() if shape != OCTETS]
    schemas, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    schema_of = {repr(shape): schema for shape, schema in zip(shapes, schemas, strict=True)}
    paths: Json = {}
    for endpoint in ENDPOINTS:
        path = path_of(endpoint)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, path, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Blockstack Name System", "version": chain.VERSION},
        "paths": paths,
        "components": {"schemas": components},
    }


def path_of(endpoint: Endpoint) -> str:
    """The path of a route as OpenAPI writes it."""
    return _SEGMENT.sub(lambda found: "" if found[2] == "anything" else f"{{{found[1]}}}", endpoint.path)


def _shapes() -> list[Any]:
    every = [shape for endpoint in ENDPOINTS for shapes in endpoint.replies.values() for shape in shapes]
    return [*every, Error, PushedZonefile]


def _operation(endpoint: Endpoint, path: str, schema_of: dict[str, Json]) -> Json:
    segments = [found for found in _SEGMENT.finditer(endpoint.path) if found[2] != "anything"]
    parameters = [
        {"name": found[1], "in": "path", "required": True, "schema": _segment(found[2])} for found in segments
    ] + [
        {"name": name, "in": "query", "required": name == "page" and path in _REQUIRED, "schema": _QUERY[name]}
        for name in endpoint.query
    ]
    operation: Json = {"parameters": parameters, "responses": _responses(endpoint, schema_of)}
    if endpoint.method == "POST":
        body = {"application/json": {"schema": schema_of[repr(PushedZonefile)]}}
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _segment(kind: str) -> Json:
    return {"type": "string", "pattern": f"^{PATTERNS[kind]}$"}


def _responses(endpoint: Endpoint, schema_of: dict[str, Json]) -> Json:
    replies = {**endpoint.replies}
    replies.setdefault(400, (Error,))
    if "{" in endpoint.path:
        replies.setdefault(404, (Error,))
    return {str(status): _response(status, shapes, schema_of) for status, shapes in sorted(replies.items())}


def _response(status: int, shapes: tuple[Any, ...], schema_of: dict[str, Json]) -> Json:
    content: Json = {}
    values = [schema_of[repr(shape)] for shape in shapes if shape != OCTETS]
    if values:
        content["application/json"] = {"schema": values[0] if len(values) == 1 else {"anyOf": values}}
    if OCTETS in shapes:
        content[OCTETS] = {}
    response: Json = {"description": HTTPStatus(status).phrase}
    return {**response, "content": content} if content else response
