"""The RPC: XML-RPC over HTTP, whose one return value is JSON text (spec 06 section 1)."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any, NamedTuple
from xmlrpc.client import Fault, Unmarshaller, dumps

from defusedxml.xmlrpc import DefusedExpatParser
from starlette.concurrency import run_in_threadpool

from bns.api.answering import Answering, Made
from bns.api.limits import Limited
from bns.api.methods import METHODS, call
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
        self._answering = Answering[_Reply](node)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        reply = _refusal(scope["method"], scope["path"], headers)
        if reply is None:
            body = await _read(receive, int(headers[b"content-length"]))
            if body is None:
                return  # the client has gone away
            caller = (scope.get("client") or ("127.0.0.1", 0))[0]
            compress = _wants_gzip(headers.get(b"accept-encoding", ""))
            reply = self._answering.known((body, compress))
            if reply is None:
                reply = await self._reply(body, caller, compress=compress)
        await _send(send, reply)

    async def _reply(self, request: bytes, caller: str, *, compress: bool) -> _Reply:
        """What answer gives; other requests are answered meanwhile if it may take long."""
        aside = len(request) > LONG
        try:
            method, arguments = await run_in_threadpool(_parse, request) if aside else _parse(request)
        except Exception as error:  # noqa: BLE001 - the parser's classes have no common base
            return _xml(_fault(error))
        known = METHODS.get(method)

        def make(node: NodeView) -> Made[_Reply]:
            result = call(node, method, arguments, caller)
            reply = _xml(_response(result))
            if compress and COMPRESS_FROM < len(reply.body) <= LONG:
                reply = _compressed(reply)
            # what crashed may go better the next time
            lasting = known is not None and known.lasting and "traceback" not in result
            return Made(reply, len(request) + len(reply.body) if lasting else None)

        if aside or (known is not None and known.writes):
            reply = (await run_in_threadpool(make, self._answering.aside)).answer
        else:
            reply = await self._answering.make((request, compress), make, long=known is not None and known.long)
        return await run_in_threadpool(_compressed, reply) if compress and len(reply.body) > LONG else reply


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
