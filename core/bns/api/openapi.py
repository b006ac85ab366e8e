"""The OpenAPI document of the RESTful API, made from its routes and shapes."""

from __future__ import annotations

import functools
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from bns.api import chain
from bns.api.replies import PAGE
from bns.api.rest_names import MAX_PUSH
from bns.api.rest_schemas import Error, PushedZonefile
from bns.api.routes import ENDPOINTS, OCTETS, PATTERNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bns.api.routes import Endpoint

Json = dict[str, Any]

_SEGMENT = re.compile(r"\{(\w+):(\w+)\}")

_LABEL, _NAMESPACE = "[a-z0-9_-]", "[a-z0-9_-]{1,19}"
_NAME: Json = {
    "type": "string",
    "pattern": rf"^{_LABEL}+\.{_NAMESPACE}$",
    "maxLength": 37,
    "examples": ["foo.test"],
}
_SUBDOMAIN: Json = {
    "type": "string",
    "pattern": rf"^{_LABEL}+\.{_LABEL}{{1,17}}\.{_NAMESPACE}$",
    "examples": ["bar.foo.test"],
}
_PLACES: dict[str, Json] = {
    "name": {"anyOf": [_NAME, _SUBDOMAIN], "description": "A name, or a subdomain"},
    "namespace_id": {"type": "string", "pattern": f"^{_NAMESPACE}$", "examples": ["test"]},
    "chain": {"type": "string", "enum": ["bitcoin"], "description": "There is no other blockchain"},
    "address": {
        "type": "string",
        "pattern": "^[1-9A-HJ-NP-Za-km-z]{26,35}$",
        "format": "base58check",
        "description": "Of any version; the last four of the bytes that it writes are a checksum",
        "examples": ["mr6nrMvvh44sR5MiX929mMXP5hqgaTr6fx"],
    },
    "did": {
        "type": "string",
        "pattern": f"^{PATTERNS['did']}$",
        "format": "stack-did",
        "description": "An address with its checksum, and the place among what was created for it",
        "examples": ["did:stack:v0:mr6nrMvvh44sR5MiX929mMXP5hqgaTr6fx-0"],
    },
    "height": {
        "type": "string",
        "pattern": "^[1-9][0-9]{0,6}$",
        "description": "Of a block; outside of test mode at least 373601",
        "examples": ["500"],
    },
    "hash_": {"type": "string", "pattern": "^[0-9a-f]{40}$", "description": "HASH160 of a zone file"},
    "txid": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
}
"""What stands for itself in a path, by name."""

_PAGE: Json = {"type": "integer", "minimum": 0, "description": "From 0 on", "examples": [0]}
_TRUE: Json = {"type": "string", "examples": ["1", "true"]}
_AMOUNT: Json = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_QUERY: dict[str, Json] = {
    "page": _PAGE,
    "all": {**_TRUE, "description": "`1` or `true`: expired names too"},
    "raw": {**_TRUE, "description": "`1` or `true`: the bytes as they are"},
    "offset": {**_AMOUNT, "description": "How many to leave out"},
    "count": {**_AMOUNT, "description": "How many at most"},
}
_REQUIRED = {"/v1/names", "/v1/subdomains", "/v1/namespaces/{namespace_id}/names"}
"""Paths that must be asked for a page."""

TROUBLE = (429, 500)
"""Statuses that a node in trouble gives to any request."""

_WHY = {
    200: "The answer",
    204: "A zone file that is none of the standard form",
    301: "Ask the resolver that `Location` names",
    400: "The request is not well-formed; without a body if a parameter is given twice",
    404: "There is no such thing",
    429: "Too many requests at once: ask again later",
    500: "The node failed",
    502: "The Bitcoin node is out of reach",
}
_EVERYONE: Json = {"Access-Control-Allow-Origin": {"schema": {"type": "string", "const": "*"}, "required": True}}
_LOCATION: Json = {"Location": {"schema": {"type": "string"}, "required": True}}
_TEXT: Json = {"text/plain": {"schema": {"type": "string"}}}


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
        "info": {
            "title": "Blockstack Name System",
            "version": chain.VERSION,
            "description": f"Lists come in pages of {PAGE}. Every answer may be read by scripts of every origin.",
        },
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
    places = [found[1] for found in _SEGMENT.finditer(endpoint.path) if found[2] != "anything"]
    parameters = [{"name": name, "in": "path", "required": True, "schema": _place(name, path)} for name in places] + [
        {"name": name, "in": "query", "required": name == "page" and path in _REQUIRED, "schema": _QUERY[name]}
        for name in endpoint.query
    ]
    if path.endswith("/history"):  # the number is part of a request to the indexer
        parameters[-1]["schema"] = {**_PAGE, "maximum": 999_999_999}
    what = (endpoint.function.__doc__ or "").partition("\n")[0]
    operation: Json = {
        "operationId": _operation_id(endpoint.method, path),
        "summary": what,
        "parameters": parameters,
        "responses": _responses(endpoint, schema_of),
    }
    if endpoint.method == "POST":
        operation["requestBody"] = {
            "required": True,
            "description": f"Less than {MAX_PUSH} bytes, with a `Content-Length`",
            "content": {"application/json": {"schema": _pushed(schema_of)}},
        }
    return operation


def _operation_id(method: str, path: str) -> str:
    words = re.findall(r"\w+", path.replace("-", "_"))
    return "_".join((method.lower(), *words))


def _place(name: str, path: str) -> Json:
    return _NAME if name == "name" and "/prices/" in path else _PLACES[name]


def _pushed(schema_of: dict[str, Json]) -> Json:
    """A zone file to keep: the type, and that one of the two members must say something."""
    text = {"properties": {"zonefile": {"type": "string", "minLength": 1}}, "required": ["zonefile"]}
    base64 = {
        "type": "string",
        "minLength": 4,
        "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$",
    }
    encoded = {
        "properties": {"zonefile": {"enum": ["", None]}, "zonefile_b64": base64},
        "required": ["zonefile_b64"],
    }
    return {"allOf": [schema_of[repr(PushedZonefile)], {"anyOf": [text, encoded]}]}


def _responses(endpoint: Endpoint, schema_of: dict[str, Json]) -> Json:
    replies: dict[int, tuple[Any, ...]] = {**endpoint.replies}
    replies.setdefault(400, (Error,))
    if "{" in endpoint.path:  # and what its pattern does not let through is no endpoint
        replies[404] = tuple(dict.fromkeys((*replies.get(404, ()), Error)))
    replies.update(dict.fromkeys(TROUBLE, ()))
    return {str(status): _response(status, shapes, schema_of) for status, shapes in sorted(replies.items())}


def _response(status: int, shapes: Iterable[Any], schema_of: dict[str, Json]) -> Json:
    content: Json = {}
    values = [schema_of[repr(shape)] for shape in shapes if shape != OCTETS]
    if values:
        content["application/json"] = {"schema": values[0] if len(values) == 1 else {"anyOf": values}}
    if OCTETS in shapes:
        content[OCTETS] = {"schema": {}}
    if status >= HTTPStatus.BAD_REQUEST:
        content |= _TEXT
    headers = _EVERYONE | _LOCATION if status == HTTPStatus.MOVED_PERMANENTLY else _EVERYONE
    response: Json = {"description": _WHY[status], "headers": headers}
    return {**response, "content": content} if content else response
