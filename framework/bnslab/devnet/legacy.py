"""What clients of 2018 ask of a bitcoind, answered by a present one: `./lab up --legacy-rpc` (spec 07 section 9.2).

Calls that are still the same are passed on. Those that were dropped or mean something else now are made of others. The
wallet behind them only watches: whatever has to do with its keys does not come back.
"""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Any

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Mount, Route

from bns.errors import InvalidInput
from bns.node.rpc import encode_decimal
from bnslab.bitcoind.errors import RpcError
from bnslab.chain.factory import COIN
from bnslab.devnet.insight import insight_app
from bnslab.devnet.web import body_of
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from starlette.requests import Request

    from bnslab.devnet.stack import Devnet

USER = "blockstack"
PASSWORD = "blockstacksystem"
"""What they say, unless they can be told otherwise."""

MOST_BLOCKS = 1000
"""That `generate` makes at a time."""

_INVALID_ADDRESS_OR_KEY = -5
_INVALID_PARAMETER = -8
_PARSE_ERROR = -32700
_INVALID_REQUEST = -32600
_MISC_ERROR = -1
_NO_ESTIMATE = -1

Params = list[Any]


def legacy_app(devnet: Devnet, *, user: str, password: str) -> Starlette:
    """The interface as an ASGI application: POST with HTTP Basic credentials, any content type.

    Below /insight-api it is an Insight service, which has no credentials.
    """
    expected = b"Basic " + base64.b64encode(f"{user}:{password}".encode())
    interface = Legacy(devnet)

    async def endpoint(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="jsonrpc"'})
        status, body = await run_in_threadpool(interface.answer, await body_of(request))
        return Response(body, status, media_type="application/json")

    insight = Mount("/insight-api", insight_app(devnet))
    return Starlette(routes=[insight, Route("/{anything:path}", endpoint, methods=["POST"])])


class Legacy:
    """The calls, over a devnet."""

    def __init__(self, devnet: Devnet) -> None:
        self._devnet = devnet
        self._rpc = devnet.bitcoind.rpc
        self._calls: dict[str, Callable[[Params], Any]] = {
            "estimatefee": self._estimate_fee,
            "generate": self._generate,
            "getinfo": self._info,
            "importaddress": self._import_address,
            "importpubkey": self._import_public_key,
            "sendtoaddress": self._send_to_address,
            "signrawtransaction": self._sign,
            "validateaddress": self._validate_address,
        }

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """HTTP status and JSON text for the text of a call, or of a list of them."""
        answer: Any
        try:
            asked = orjson.loads(body)
        except orjson.JSONDecodeError:
            status, answer = 500, _failure(None, _PARSE_ERROR, "Parse error")
        else:
            several = isinstance(asked, list)
            status, answer = (200, [self._answer(each)[1] for each in asked]) if several else self._answer(asked)
        return status, orjson.dumps(answer, default=encode_decimal) + b"\n"

    def _answer(self, call: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON value
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return 400, _failure(None, _INVALID_REQUEST, "expected an object with a method")
        number, params = call.get("id"), call.get("params") or []
        if not isinstance(params, list):
            return 400, _failure(number, _INVALID_REQUEST, "Params must be an array")
        try:
            return 200, {"result": self.call(call["method"], params), "error": None, "id": number}
        except RpcError as error:
            return 500, _failure(number, error.code, error.message)
        except InvalidInput as error:
            return 500, _failure(number, _INVALID_ADDRESS_OR_KEY, str(error))
        except LabError as error:
            return 500, _failure(number, _MISC_ERROR, str(error))

    def call(self, method: str, params: Params) -> Any:  # noqa: ANN401 - the shape depends on the method
        """The result of one call. Raises what the devnet and its bitcoind raise."""
        own = self._calls.get(method)
        return own(params) if own else self._rpc.call(method, *params)

    def _import_address(self, params: Params) -> None:
        self._devnet.watch(str(_first(params, "address")))

    def _import_public_key(self, params: Params) -> None:
        self._devnet.watch_descriptors(f"combo({_first(params, 'public key')})")

    def _estimate_fee(self, params: Params) -> Decimal | int:
        estimate = self._rpc.call("estimatesmartfee", _first(params, "number of blocks"))
        fee: Decimal | int = estimate.get("feerate", _NO_ESTIMATE)
        return fee

    def _info(self, _: Params) -> dict[str, Any]:
        methods = ("getnetworkinfo", "getblockchaininfo", "getwalletinfo", "getbalance")
        network, chain, wallet, balance = self._rpc.batch([(method, ()) for method in methods])
        same = ("version", "protocolversion", "timeoffset", "connections", "relayfee")
        return {
            **{key: network[key] for key in same},
            "blocks": chain["blocks"],
            "difficulty": chain["difficulty"],
            "testnet": False,
            "proxy": "",
            "walletversion": wallet.get("walletversion", 0),
            "balance": balance,
            "paytxfee": 0,
            "errors": "",
        }

    def _generate(self, params: Params) -> list[str]:
        count = _first(params, "number of blocks")
        if not isinstance(count, int) or not 1 <= count <= MOST_BLOCKS:
            raise RpcError(_INVALID_PARAMETER, f"expected 1 to {MOST_BLOCKS} blocks", "generate")
        height = self._devnet.mine(count)
        calls = [("getblockhash", (each,)) for each in range(height - count + 1, height + 1)]
        return [str(hash_) for hash_ in self._rpc.batch(calls)]

    def _send_to_address(self, params: Params) -> str:
        address = str(_first(params, "address"))
        amount = params[1] if len(params) > 1 else None
        if not isinstance(amount, int | float) or isinstance(amount, bool) or amount <= 0:
            raise RpcError(_INVALID_PARAMETER, "Invalid amount", "sendtoaddress")
        return self._devnet.fund(address, round(amount * COIN))

    def _sign(self, params: Params) -> Any:  # noqa: ANN401 - what bitcoind says
        transaction, outputs, keys = [*params, None, None, None][:3]
        return self._rpc.call("signrawtransactionwithkey", transaction, keys or [], outputs or [])

    def _validate_address(self, params: Params) -> Any:  # noqa: ANN401 - what bitcoind says
        validity = self._rpc.call("validateaddress", *params)
        if validity["isvalid"]:
            known = self._rpc.call("getaddressinfo", *params)
            validity |= {key: known[key] for key in ("ismine", "iswatchonly", "pubkey") if key in known}
        return validity


def _first(params: Params, what: str) -> Any:  # noqa: ANN401 - any JSON value
    if not params:
        raise RpcError(_INVALID_PARAMETER, f"expected {what} as the first parameter", "")
    return params[0]


def _failure(number: object, code: int, message: str) -> dict[str, Any]:
    return {"result": None, "error": {"code": code, "message": message}, "id": number}
