"""The web panel of a devnet: blocks with their operations, names, namespaces, wallets, faucet, and a mine button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from bns.errors import BnsError, InvalidInput
from bns.operations.base import opcode_name
from bnslab.chain.factory import COIN
from bnslab.devnet.web import body_of
from bnslab.errors import LabError
from bnslab.http import HttpClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from bns.engine import Receipt, RejectedOperation
    from bns.operations.base import Accepted, Operation
    from bns.operations.records import Record
    from bnslab.devnet.stack import Devnet

GIFT = 1
"""Bitcoins that one press of a faucet button sends."""

MOST_BLOCKS = 100
_SHOWN_BLOCKS = 20
_CHART_BLOCKS = 60
_LARGEST_FORM = 10_000

_CONTENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class Line:
    """An operation as it is shown; reason is empty if it was accepted."""

    opcode: str
    subject: str
    txid: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A block as it is shown."""

    height: int
    block_hash: str
    consensus_hash: str
    lines: tuple[Line, ...]


def panel_app(devnet: Devnet, links: Mapping[str, str]) -> Starlette:
    """The panel as an ASGI application; links are further addresses to show, by what they are for."""
    panel = Panel(devnet, links)
    routes = [
        Route("/", panel.home),
        Route("/blocks/{height:int}", panel.block),
        Route("/mine", panel.mine, methods=["POST"]),
        Route("/faucet", panel.faucet, methods=["POST"]),
    ]
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return Starlette(routes=routes, middleware=[guard])


class Panel:
    """The pages."""

    def __init__(self, devnet: Devnet, links: Mapping[str, str]) -> None:
        self._devnet = devnet
        self._links = links
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("bnslab.devnet"), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._templates.filters |= {"bitcoins": lambda value: f"{value / COIN:.8f}", "quoted": quote}

    def home(self, _: Request) -> Response:
        """GET /: everything on one page."""
        devnet = self._devnet
        receipts = [devnet.receipts[height] for height in sorted(devnet.receipts, reverse=True)]
        with HttpClient(devnet.rest_url) as rest:
            names = [(name, rest.get(f"/v1/names/{name}").json()) for name in rest.get("/v1/names?page=0").json()]
            namespaces = [
                (each, rest.get(f"/v1/namespaces/{each}").json()) for each in rest.get("/v1/namespaces").json()
            ]
        return self._page(
            "home.html",
            entries=[entry(receipt) for receipt in receipts[:_SHOWN_BLOCKS]],
            chart=[entry(receipt) for receipt in reversed(receipts[:_CHART_BLOCKS])],
            names=names,
            namespaces=namespaces,
            wallets=[(wallet, devnet.balance(wallet.address)) for wallet in devnet.wallets],
            pending=devnet.pending(),
            gift=GIFT,
        )

    def block(self, request: Request) -> Response:
        """GET /blocks/HEIGHT: one block, with the text of its hashed operations."""
        receipt = self._devnet.receipts.get(request.path_params["height"])
        if receipt is None:
            return PlainTextResponse(f"no block {request.path_params['height']} is remembered\n", 404)
        return self._page("block.html", entry=entry(receipt), serialized=receipt.serialized)

    async def mine(self, request: Request) -> Response:
        """POST /mine with a count of blocks."""

        def act(form: Mapping[str, str]) -> None:
            text = form.get("count", "1")
            if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_BLOCKS):
                raise InvalidInput("blocks to mine", text, f"a number from 1 to {MOST_BLOCKS}")
            self._devnet.mine(int(text))

        return await self._post(request, act)

    async def faucet(self, request: Request) -> Response:
        """POST /faucet with an address."""
        return await self._post(request, lambda form: self._devnet.fund(form.get("address", "").strip(), GIFT * COIN))

    async def _post(self, request: Request, act: Callable[[Mapping[str, str]], object]) -> Response:
        """Do what a form of ours asks for and show the first page again."""
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return PlainTextResponse(f"a form of {origin} is not ours\n", 403)
        body = await body_of(request, _LARGEST_FORM)
        form = {key: values[-1] for key, values in parse_qs(body.decode("latin-1")).items()}
        try:
            await run_in_threadpool(act, form)
        except (BnsError, LabError) as error:
            return PlainTextResponse(f"{error}\n", 400)
        return RedirectResponse("/", 303)

    def _page(self, template: str, **values: Any) -> Response:  # noqa: ANN401 - whatever the template shows
        shown = {"links": self._links, "height": self._devnet.height, "rest": self._devnet.rest_url, **values}
        text = self._templates.get_template(template).render(shown)
        return HTMLResponse(text, headers={"Content-Security-Policy": _CONTENT_POLICY, "Cache-Control": "no-store"})


def entry(receipt: Receipt) -> Entry:
    """A block as it is shown, its operations in the order of the block."""
    lines = [(each.operation.carrier.vtxindex, _accepted(each)) for each in receipt.accepted]
    lines += [(each.vtxindex, _rejected(each)) for each in receipt.rejected]
    ordered = tuple(line for _, line in sorted(lines, key=lambda item: item[0]))
    return Entry(receipt.height, receipt.block_hash, receipt.consensus_hash, ordered)


def _accepted(accepted: Accepted) -> Line:
    about = accepted.record or accepted.operation
    return Line(accepted.opcode, subject(about), accepted.operation.carrier.txid)


def _rejected(rejected: RejectedOperation) -> Line:
    reason = f"{rejected.reason.name}: {rejected.detail or rejected.reason.value}"
    if rejected.operation is None:
        return Line("unknown operation", rejected.payload.hex(), rejected.txid, reason)
    return Line(opcode_name(rejected.operation.WIRE), subject(rejected.operation), rejected.txid, reason)


def subject(about: Record | Operation) -> str:
    """What an operation or its record is about: a name, a namespace, or the hash that it shows instead."""
    fields = ("name", "namespace_id", "preorder_hash", "name_consensus_hash", "name_hash128", "message_hash")
    return next((str(value) for field in fields if (value := getattr(about, field, None))), "")
