"""What blockstack.js asks of an Insight service, answered from the bitcoind of a devnet (spec 07 section 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from bns.bitcoin.address import address_of_script, script_of_address
from bns.bitcoin.network import TESTNET
from bns.errors import InvalidInput
from bnslab.bitcoind.errors import RpcError
from bnslab.chain.factory import COIN
from bnslab.devnet.web import asked, json_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette
    from starlette.requests import Request

    from bnslab.devnet.stack import Devnet

Json = dict[str, Any]


class Sent(msgspec.Struct):
    """A transaction in hex: rawtx as Insight calls it, tx as blockstack.js does."""

    rawtx: str = ""
    tx: str = ""


def insight_app(devnet: Devnet) -> Starlette:
    """The interface as an ASGI application, for pages of any origin. Errors have a member `error`."""
    service = Insight(devnet)

    def gives(answer: Callable[..., Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> JSONResponse:
            return JSONResponse(await run_in_threadpool(answer, **request.path_params))

        return endpoint

    async def send(request: Request) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(service.send, await asked(request, Sent)))

    routes = [
        Route("/status", gives(service.status)),
        Route("/addr/{address}/utxo", gives(service.unspent)),
        Route("/tx/send", send, methods=["POST"]),
        Route("/tx/{txid}", gives(service.transaction)),
        Route("/block/{block_hash}", gives(service.block)),
    ]
    return json_app(routes, lambda text: {"error": text})


class Insight:
    """The answers; HTTPException where there is none."""

    def __init__(self, devnet: Devnet) -> None:
        self._devnet = devnet
        self._rpc = devnet.bitcoind.rpc

    def status(self) -> Json:
        """The height; blockstack.js reads it beside `info`, where Insight has it."""
        blocks = int(self._rpc.call("getblockcount"))
        return {"info": {"blocks": blocks, "network": "regtest"}, "blocks": blocks}

    def unspent(self, address: str) -> list[Json]:
        """The outputs of an address of any network, unconfirmed ones too."""
        try:
            own = address_of_script(script_of_address(address, TESTNET), TESTNET)
        except InvalidInput as error:
            raise HTTPException(400, str(error)) from None
        assert own is not None, "the script is one of an address"
        outputs = self._devnet.unspent(own)
        if not outputs:
            self._devnet.watch(own)
            outputs = self._devnet.unspent(own)
        return [_output(own, output) for output in outputs]

    def send(self, sent: Sent) -> Json:
        """Broadcast a transaction."""
        raw = sent.rawtx or sent.tx
        if not raw:
            raise HTTPException(400, "body of the request: expected a member rawtx or tx")
        try:
            return {"txid": self._devnet.send(raw)}
        except RpcError as error:
            raise HTTPException(400, f"bitcoind refuses it: {error.message}") from None

    def transaction(self, txid: str) -> Json:
        """A transaction; blockstack.js reads `blockHash`, where Insight has `blockhash`."""
        found = self._found("getrawtransaction", txid, 1)
        where = {"blockhash": found["blockhash"], "blockHash": found["blockhash"]} if "blockhash" in found else {}
        return {"txid": found["txid"], "rawtx": found["hex"], "confirmations": found.get("confirmations", 0), **where}

    def block(self, block_hash: str) -> Json:
        """A block."""
        header = self._found("getblockheader", block_hash)
        same = ("hash", "height", "confirmations", "time", "previousblockhash", "nextblockhash")
        return {name: header[name] for name in same if name in header}

    def _found(self, method: str, *params: object) -> Json:
        try:
            found: Json = self._rpc.call(method, *params)
        except RpcError as error:
            raise HTTPException(404, error.message) from None
        return found


def _output(address: str, output: Json) -> Json:
    same = {name: output[name] for name in ("txid", "vout", "scriptPubKey", "confirmations")}
    return {"address": address, **same, "amount": float(output["amount"]), "satoshis": int(output["amount"] * COIN)}
