"""The RPC: XML-RPC over HTTP, whose one return value is JSON text (spec 06 section 1)."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any, NamedTuple
from xmlrpc.client import Fault, Unmarshaller, dumps

from defusedxml.xmlrpc import DefusedExpatParser
from starlette.concurrency import run_in_threadpool

from bns.api.aside import Aside
from bns.api.limits import Limited
from bns.api.methods import METHODS, call
from bns.api.remembered import Remembered
from bns.api.text import json_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from bns.api.records import NodeView

MAX_REQUEST = 512 * 1024
"""Bytes of a request."""

COMPRESS_FROM = 1400
"""Bytes above which an answer is compressed for clients that can read it."""

LONG = 32 * 1024
"""Bytes of a request or an answer above which it is not worked on between the answers to others."""

_PATHS = frozenset({"/", "/RPC2"})
_OVERLOADED = {"status": False, "indexing": False, "lastblock": -1, "error": "overloaded", "http_status": 429}


class _Reply(NamedTuple):
    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


def rpc_app(node: NodeView, *, at_once: int = 1000) -> ASGIApp:
    """The ASGI application that answers XML-RPC calls for a node, so many at once; what comes beyond is turned away."""
    overloaded = _xml(_response(_OVERLOADED))
    return Limited(_Rpc(node), at_once, lambda send: _send(send, overloaded))


class _Rpc:
    def __init__(self, node: NodeView) -> None:
        self._node = node
        self._aside = Aside(node)
        self._remembered = Remembered[_Reply](node)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        reply = _refusal(scope["method"], scope["path"], headers)
        if reply is None:
            body = await _read(receive, int(headers[b"content-length"]))
            if body is None:
                return  # the client has gone away
            caller = (scope.get("client") or ("127.0.0.1", 0))[0]
            reply = await self._reply(body, caller, compress=_wants_gzip(headers.get(b"accept-encoding", "")))
        await _send(send, reply)

    async def _reply(self, request: bytes, caller: str, *, compress: bool) -> _Reply:
        moment, question = self._remembered.moment(), (request, compress)
        reply = self._remembered.find(question)
        if reply is None:
            text, lasting = await self._answer(request, caller)
            reply = _xml(text)
            if compress and len(reply.body) > COMPRESS_FROM:
                aside = len(reply.body) > LONG
                reply = await run_in_threadpool(_compressed, reply) if aside else _compressed(reply)
            if lasting:
                self._remembered.keep(moment, question, reply, len(request) + len(reply.body))
        return reply

    async def _answer(self, request: bytes, caller: str) -> tuple[str, bool]:
        """What answer gives, and whether it is worth remembering; others are answered meanwhile if it may take long."""
        aside = len(request) > LONG
        try:
            method, arguments = await run_in_threadpool(_parse, request) if aside else _parse(request)
        except Exception as error:  # noqa: BLE001 - the parser's classes have no common base
            return _fault(error), False
        known = METHODS.get(method)
        if known is not None and known.long:
            result = await self._aside.answer(lambda node: call(node, method, arguments, caller))
        elif aside or (known is not None and known.writes):
            result = await run_in_threadpool(call, self._aside.node, method, arguments, caller)
        else:
            result = call(self._node, method, arguments, caller)
        # what crashed may go better the next time
        return _response(result), known is not None and known.lasting and "traceback" not in result


def answer(node: NodeView, request: bytes, caller: str = "127.0.0.1") -> str:
    """The XML that answers the XML of a call. Arguments may lack their `<value>` element."""
    try:
        method, arguments = _parse(request)
    except Exception as error:  # noqa: BLE001 - the parser's classes have no common base
        return _fault(error)
    return _response(call(node, method, arguments, caller))


def _response(result: Any) -> str:  # noqa: ANN401 - any JSON
    return dumps((json_text(result),), methodresponse=True)


def _fault(error: Exception) -> str:
    kind = type(error)
    return dumps(Fault(1, f"{kind.__module__}.{kind.__qualname__}:{error}"), methodresponse=True)


def _parse(request: bytes) -> tuple[str, tuple[Any, ...]]:
    unmarshaller = Unmarshaller()
    parser = DefusedExpatParser(unmarshaller, forbid_dtd=True)
    parser.feed(request)
    parser.close()
    arguments = unmarshaller.close()
    method = unmarshaller.getmethodname()
    if method is None:
        raise ValueError("expected a methodCall")
    if not all(argument.isascii() for argument in arguments if isinstance(argument, str)):
        raise ValueError("expected arguments in ASCII")
    return method, arguments


def _refusal(method: str, path: str, headers: dict[bytes, str]) -> _Reply | None:
    """The reply to a request whose body need not be read."""
    if method != "POST":
        body = f"<html><body><h1>501</h1><p>Unsupported method ({method!r}).</p></body></html>"
        return _Reply(501, body.encode(), ((b"content-type", b"text/html"),))
    if path not in _PATHS:
        return _Reply(404, b"No such page", ((b"content-type", b"text/plain"),))
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        return _Reply(501)
    length = headers.get(b"content-length", "")
    if not (length.isascii() and length.isdigit()):
        return _Reply(500)
    return _Reply(400) if int(length) > MAX_REQUEST else None


async def _read(receive: Receive, length: int) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False) or len(body) >= length:
            return bytes(body[:length])


def _xml(text: str) -> _Reply:
    return _Reply(200, text.encode(), ((b"content-type", b"text/xml"),))


def _compressed(reply: _Reply) -> _Reply:
    headers = (*reply.headers, (b"content-encoding", b"gzip"))
    return reply._replace(body=gzip.compress(reply.body, 6, mtime=0), headers=headers)


def _wants_gzip(accepted: str) -> bool:
    for entry in accepted.split(","):
        coding, _, quality = entry.replace(" ", "").partition(";q=")
        if coding.lower() == "gzip":
            return _is_positive(quality or "1")
    return False


def _is_positive(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False


async def _send(send: Send, reply: _Reply) -> None:
    headers: Iterable[tuple[bytes, bytes]] = (*reply.headers, (b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": reply.body})
