"""Signatures of several publishers under one snapshot, asked for and given over HTTP (spec 08 section 12).

Whoever asks shows a signature of their own, and both keep the other's. Nobody signs a payload that they have not made
themselves, byte for byte, or keeps a signature that is not by a key they trust.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Annotated

import msgspec
import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bns.errors import BnsError, InvalidInput
from bns.node.snapshots.archive import BadSnapshot

if TYPE_CHECKING:
    from bns.node.snapshots.publisher import Publisher

PATH = "/v1/snapshots"
MOST_BYTES = 1024
"""Bytes of the longest request, and of the longest answer."""

TIMEOUT = 60.0
"""Seconds of silence after which another publisher is given up."""

_INVALID = "Invalid snapshot request"


class Refusal(BnsError):
    """Why a request is not answered with a signature: HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class NotCosigned(BnsError):
    """Another publisher has not signed a snapshot."""


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    block_height: Annotated[int, msgspec.Meta(ge=0, lt=10**9)]
    file_hash: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{64}\Z")]
    sigb64: str


class _Reply(msgspec.Struct):
    sigb64: str


def answer(publisher: Publisher, body: bytes) -> bytes:
    """The JSON that answers a request: our signature. Raises Refusal.

    The asker's signature is kept with the snapshot before.
    """
    try:
        asked = msgspec.json.decode(body, type=_Request)
        signature = base64.b64decode(asked.sigb64, validate=True)
    except (msgspec.DecodeError, ValueError):  # not UTF-8, not base64
        raise Refusal(401, _INVALID) from None
    if asked.block_height not in publisher.labels():
        raise Refusal(404, "Failed to query local snapshot hash")
    digest = bytes.fromhex(asked.file_hash)
    signer = publisher.signer(digest, signature)
    if signer is None:
        raise Refusal(403, "Invalid signature")
    try:
        if publisher.digest(asked.block_height) != digest:
            raise Refusal(409, "The snapshot here is another one")
        publisher.keep(asked.block_height, signer, digest, signature)
    except (BadSnapshot, OSError):  # dropped meanwhile, or full
        raise Refusal(404, "Failed to query local snapshot hash") from None
    return orjson.dumps({"sigb64": base64.b64encode(publisher.key.sign_compact(digest)).decode()})


def ask(publisher: Publisher, url: str, label: int) -> None:
    """Have a snapshot signed by the publisher at a URL (http or https), and keep the signature.

    Raises NotCosigned, InvalidInput for another scheme or if there is no such snapshot.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidInput("URL of a publisher", url, "one that begins with http or https")
    if label not in publisher.labels():
        raise InvalidInput("snapshot", label, f"one that is in {publisher.directory}")
    digest = publisher.digest(label)
    own = base64.b64encode(publisher.key.sign_compact(digest)).decode()
    body = orjson.dumps({"block_height": label, "file_hash": digest.hex(), "sigb64": own})
    try:
        signature = base64.b64decode(msgspec.json.decode(_post(url, body), type=_Reply).sigb64, validate=True)
    except (msgspec.DecodeError, binascii.Error, UnicodeError):
        raise NotCosigned(f"{url}: expected a signature as JSON, got something else") from None
    signer = publisher.signer(digest, signature)
    if signer is None:
        raise NotCosigned(f"{url}: expected a signature by another one of the trusted public keys, got none of these")
    publisher.keep(label, signer, digest, signature)


def _post(url: str, body: bytes) -> bytes:
    headers = {"Content-Type": "application/json"}
    try:
        request = urllib.request.Request(url.rstrip("/") + PATH, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
            found: bytes = reply.read(MOST_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            said = ascii(error.read(MOST_BYTES).decode(errors="replace"))
        raise NotCosigned(f"{url}: HTTP {error.code}: {said}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotCosigned(f"{url}: {getattr(error, 'reason', error)}") from None
    return found


def service_app(publisher: Publisher) -> Starlette:
    """What the service answers: that it is alive, and signatures."""

    async def ping(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def cosign(request: Request) -> JSONResponse:
        try:
            body = await _body(request)
            return JSONResponse(orjson.loads(await run_in_threadpool(answer, publisher, body)))
        except Refusal as refusal:
            return JSONResponse({"error": str(refusal)}, refusal.status)

    async def nothing(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({"error": "No such method"}, 404)

    routes = [Route("/v1/ping", ping), Route(PATH, cosign, methods=["POST"])]
    return Starlette(routes=routes, exception_handlers={404: nothing, 405: nothing})


async def _body(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    fits = length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= MOST_BYTES
    if not fits or request.headers.get("content-type") != "application/json":
        raise Refusal(401, _INVALID)
    try:
        return await request.body()
    except ClientDisconnect:
        raise Refusal(401, _INVALID) from None
