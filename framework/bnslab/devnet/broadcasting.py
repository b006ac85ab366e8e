"""The interface of the transaction broadcaster that old clients register names through (spec 07 section 9.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from bns.bitcoin.transaction import ParseError, parse_transaction
from bns.errors import InvalidInput
from bns.zonefiles.store import MAX_ZONEFILE_SIZE
from bnslab.bitcoind.errors import RpcError
from bnslab.devnet.web import asked, json_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette
    from starlette.requests import Request

    from bnslab.devnet.broadcaster import Broadcaster

Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-fA-F]{2})+$")]
Txid = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")]
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Registration(msgspec.Struct, frozen=True, rename="camel"):
    """The preorder, to be sent now, the register after so many confirmations of it, its zone file after the register.

    One confirmation is enough here, where no block is undone unless somebody wants it.
    """

    preorder_transaction: Hex
    register_transaction: Hex
    zone_file: Text
    confirmations: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1


class Zonefile(msgspec.Struct, frozen=True, rename="camel"):
    """A zone file, to be published when the transaction of a txid is confirmed."""

    zone_file: Text
    transaction_to_watch: Txid


class Following(msgspec.Struct, frozen=True, rename="camel"):
    """A transaction, to be sent after so many confirmations of another; with none, now."""

    transaction: Hex
    transaction_to_watch: Txid
    confirmations: Annotated[int, msgspec.Meta(ge=0, le=10)]


MOST_HELD = 1000
"""Transactions and zone files that wait; whoever brings more is turned away."""

_Asked = TypeVar("_Asked", bound=msgspec.Struct)


def broadcaster_app(broadcaster: Broadcaster) -> Starlette:
    """The interface as an ASGI application, for pages of any origin. What it refuses has `status` false, `message`."""
    service = Broadcasting(broadcaster)

    def takes(kind: type[_Asked], act: Callable[[_Asked], dict[str, Any]]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> JSONResponse:
            if len(broadcaster.held) >= MOST_HELD:
                raise HTTPException(429, f"{len(broadcaster.held)} transactions and zone files wait already")
            done = await run_in_threadpool(act, await asked(request, kind))
            return JSONResponse({"status": True, **done}, 202)

        return endpoint

    routes = [
        Route("/v1/status", service.status),
        Route("/v1/broadcast/registration", takes(Registration, service.register), methods=["POST"]),
        Route("/v1/broadcast/zone-file", takes(Zonefile, service.publish), methods=["POST"]),
        Route("/v1/broadcast/transaction", takes(Following, service.follow), methods=["POST"]),
    ]
    return json_app(routes, lambda text: {"status": False, "message": text})


class Broadcasting:
    """What the routes do."""

    def __init__(self, broadcaster: Broadcaster) -> None:
        self._broadcaster = broadcaster

    async def status(self, _: Request) -> JSONResponse:
        """That it is there, what it holds, and what it could not send."""
        held = [
            {"what": each.what, "transactionToWatch": each.watched, "confirmations": each.confirmations}
            for each in self._broadcaster.held
        ]
        refused = [{"what": each.what, "message": each.reason} for each in self._broadcaster.refusals]
        return JSONResponse({"status": "OK", "held": held, "refused": refused})

    def register(self, given: Registration) -> dict[str, Any]:
        """Send the preorder; hold the register and the zone file."""
        preorder = _txid("preorderTransaction", given.preorder_transaction)
        register = _txid("registerTransaction", given.register_transaction)
        text = _zonefile(given.zone_file)
        self._send("preorderTransaction", given.preorder_transaction)
        holder, confirmations = self._broadcaster, given.confirmations
        holder.hold_transaction(given.register_transaction, register, after=preorder, confirmations=confirmations)
        holder.hold_zonefile(text, after=register)
        message = "preorder sent; register and zone file follow when it is confirmed"
        return {"message": message, "preorderTxHash": preorder, "registerTxHash": register}

    def publish(self, given: Zonefile) -> dict[str, Any]:
        """Hold the zone file."""
        self._broadcaster.hold_zonefile(_zonefile(given.zone_file), after=given.transaction_to_watch.lower())
        return {"message": "the zone file follows when its transaction is confirmed"}

    def follow(self, given: Following) -> dict[str, Any]:
        """Hold the transaction, or send it if it waits for nothing."""
        raw, watched = given.transaction, given.transaction_to_watch.lower()
        txid = _txid("transaction", raw)
        if given.confirmations:
            self._broadcaster.hold_transaction(raw, txid, after=watched, confirmations=given.confirmations)
        else:
            self._send("transaction", raw)
        return {"message": "the transaction is sent, or will be when it is due", "TxHash": txid}

    def _send(self, what: str, raw: str) -> None:
        try:
            self._broadcaster.send(raw)
        except RpcError as error:
            raise HTTPException(409, f"{what}: bitcoind refuses it: {error.message}") from None


def _txid(what: str, raw: str) -> str:
    try:
        return parse_transaction(bytes.fromhex(raw)).txid
    except (ParseError, InvalidInput) as error:
        raise HTTPException(400, f"{what}: {error}") from None


def _zonefile(text: str) -> str:
    size = len(text.encode())
    if size > MAX_ZONEFILE_SIZE:
        raise HTTPException(400, f"zoneFile: expected at most {MAX_ZONEFILE_SIZE} bytes, got {size}")
    return text
