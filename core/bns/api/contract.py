"""Whether an answer is one that the tables of routes and methods name, and which one."""

from __future__ import annotations

import posixpath
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.routing import compile_path

from bns.api.methods import METHODS
from bns.api.openapi import TROUBLE, document, path_of
from bns.api.rest_schemas import Error
from bns.api.routes import ENDPOINTS, OCTETS
from bns.api.schemas import Crashed, Failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bns.api.routes import Endpoint

ANSWER = "answer"
"""The outcome of a call that succeeds."""

CRASHED = "crashed"
"""The outcome of a call with a wrong number of arguments."""

_NO_ATLAS = ("Not an atlas node",)
_NO_NAME = ("Not found.", "Failed to load subdomain")
_NO_DID = ("Failed to resolve DID to a non-revoked name", "DID does not resolve to an existing name")

FAILURES: Mapping[str, tuple[str, ...]] = {
    "get_name_record": _NO_NAME,
    "get_name_blockchain_record": _NO_NAME,
    "get_name_history_page": ("Not found",),
    "get_name_DID": ("No DID for this name",),
    "get_DID_record": ("Invalid DID", "Failed to load subdomain", *_NO_DID),
    "get_name_cost": ("Unknown/invalid namespace",),
    "get_namespace_blockchain_record": ("No such namespace",),
    "get_zonefiles": ("No data",),
    "put_zonefiles": ("No data",),
    "get_zonefiles_by_block": _NO_ATLAS,
    "get_zonefile_inventory": _NO_ATLAS,
    "get_atlas_peers": _NO_ATLAS,
    "atlas_peer_exchange": (*_NO_ATLAS, "Invalid remote peer address"),
    "get_all_neighbor_info": ("No such method",),
}
"""How the errors begin that each RPC method has beside those of its arguments (spec 06 section 6)."""

_MISTAKEN = ("KeyError: ", "TypeError: rpc_")
_ROUTES = tuple((endpoint.method, compile_path(endpoint.path)[0], endpoint) for endpoint in ENDPOINTS)


@lru_cache(4096)
def endpoint_of(verb: str, path: str) -> Endpoint | None:
    """The route that a request (path without query) takes, None if there is none."""
    path = posixpath.normpath(path)
    return next((endpoint for method, route, endpoint in _ROUTES if method == verb and route.fullmatch(path)), None)


def fault_of_reply(verb: str, target: str, status: int, media_type: str, body: bytes) -> str | None:
    """What is undocumented about a REST reply, None if nothing is."""
    if status == 429:
        return None
    endpoint = endpoint_of(verb, target.partition("?")[0])
    if endpoint is None:
        return None if verb in ("HEAD", "OPTIONS") or status == 200 else _mismatch(body, (Error,), only=status == 404)
    documented = {400: (Error,), 404: (Error,), **endpoint.replies}
    shapes = documented.get(status)
    if shapes is None:
        return f"status {status}, where {', '.join(map(str, sorted(documented)))} are documented"
    if media_type == OCTETS:
        return None if OCTETS in shapes else f"bytes as {OCTETS}"
    if not body and (not shapes or status == 400):  # a doubled parameter is refused without a word
        return None
    return _mismatch(body, shapes)


def _nearly(verb: str, path: str) -> Endpoint | None:
    shape = posixpath.normpath(path).split("/")
    return next((each for each in ENDPOINTS if each.method == verb and _alike(each.path.split("/"), shape)), None)


def _alike(parts: Sequence[str], others: Sequence[str]) -> bool:
    if len(parts) != len(others):
        return False
    return all(part == other or part.startswith("{") for part, other in zip(parts, others, strict=True))


def fault_of_answer(method: str, answer: str | bytes) -> str | None:
    """What is undocumented about the JSON text that a call is answered with, None if nothing is."""
    found = METHODS.get(method)
    fault = _mismatch(answer, found.shapes) if found else f"no method is called {method!r}"
    if fault is None:
        return None
    if _mismatch(answer, (Failed,)) is None:
        error = msgspec.json.decode(answer)
        return None if outcome_of(method, error) else f"the error {error['error']!r}"
    try:
        crashed = _decoder(Crashed).decode(answer)
    except msgspec.DecodeError:
        return fault
    return None if crashed.error.startswith(_MISTAKEN) else f"{crashed.error!r}, a failure inside the node"


def documented_replies() -> set[tuple[str, str, int]]:
    """Method, path and status of every REST reply in the OpenAPI document, but for those of a node in trouble."""
    return {
        (verb.upper(), path, int(status))
        for path, verbs in document()["paths"].items()
        for verb, operation in verbs.items()
        for status in operation["responses"]
        if int(status) not in TROUBLE
    }


@cache
def documented_outcomes() -> frozenset[tuple[str, str]]:
    """Every RPC method with each of its outcomes: `answer`, `crashed`, or the text of an error."""
    outcomes = {(name, outcome) for name in METHODS for outcome in (CRASHED, *FAILURES.get(name, ()))}
    for name, method in METHODS.items():
        outcomes |= {(name, ANSWER) for _ in method.shapes}
        outcomes |= {(name, check.text) for checks in method.arguments for check in checks}
    return frozenset(outcomes)


def reply_of(verb: str, target: str, status: int) -> tuple[str, str, int] | None:
    """The documented REST reply that this is, None if it is none."""
    path = target.partition("?")[0]
    # what a pattern does not let through is answered with 404, which is documented as one of that path
    endpoint = endpoint_of(verb, path) or (_nearly(verb, path) if status == 404 else None)
    return None if endpoint is None else (verb, path_of(endpoint), status)


def outcome_of(method: str, answer: Mapping[str, Any]) -> tuple[str, str] | None:
    """The documented outcome that an answer of a method is, None if it is none."""
    if "error" not in answer:
        return method, ANSWER
    if "http_status" not in answer:
        return method, CRASHED
    error = str(answer["error"])
    texts = [text for name, text in documented_outcomes() if name == method and error.startswith(text)]
    return (method, max(texts, key=len)) if texts else None


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401 - a type or generic alias
    return msgspec.json.Decoder(shape)


def _mismatch(body: str | bytes, shapes: Sequence[Any], *, only: bool = True) -> str | None:
    """Why a body has none of some shapes: what is wrong with it as one of the first."""
    problems = []
    for shape in shapes if only else ():
        if shape == OCTETS:
            continue
        try:
            _decoder(shape).decode(body)
        except msgspec.DecodeError as error:
            problems.append(f"not {getattr(shape, '__name__', shape)}: {error}")
        else:
            return None
    return problems[0] if problems else "none is documented"
