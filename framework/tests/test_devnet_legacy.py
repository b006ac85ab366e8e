"""What old clients ask of a bitcoind, asked of a present one through the devnet's interface."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from bns.bitcoin.address import base58check_encode
from bnslab.chain.factory import COIN
from bnslab.devnet import Devnet
from bnslab.devnet.legacy import legacy_app
from bnslab.http import HttpClient, LoopbackServer
from bnslab.wallets import Wallets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool
    from bnslab.http import Response

AUTHORIZATION = "Basic " + base64.b64encode(b"me:secret").decode()


class Old:
    """A client as blockstack.js is one: no id, text/plain, params left out where there are none."""

    def __init__(self, devnet: Devnet, http: HttpClient) -> None:
        self.devnet = devnet
        self.http = http

    def post(self, body: object, authorization: str = AUTHORIZATION) -> Response:
        headers = {"Content-Type": "text/plain;charset=UTF-8", "Authorization": authorization}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.request("POST", "/", body=raw, headers=headers)

    def call(self, method: str, *params: object) -> Any:
        answer = self.post({"jsonrpc": "1.0", "method": method} | ({"params": params} if params else {}))
        assert answer.status == 200, answer
        return answer.json()["result"]

    def refused(self, body: object) -> tuple[int, int]:
        answer = self.post(body)
        assert answer.json()["result"] is None
        return answer.status, answer.json()["error"]["code"]


@pytest.fixture(scope="module")
def old(bitcoind_binary: Bitcoind, tmp_path_factory: pytest.TempPathFactory, port_pool: PortPool) -> Iterator[Old]:
    run_dir: Path = tmp_path_factory.mktemp("devnet")
    with (
        Devnet(bitcoind_binary, run_dir, port_pool) as devnet,
        LoopbackServer(legacy_app(devnet, user="me", password="secret")) as server,
        HttpClient(server.url) as http,
    ):
        yield Old(devnet, http)


def stranger(old: Old, name: str) -> str:
    """An address that the devnet's wallet does not know yet."""
    return Wallets(old.devnet.wallets.ledger).create(name).address


def test_an_imported_address_has_its_outputs_those_from_before_and_unconfirmed_ones_too(old: Old) -> None:
    address = stranger(old, "erin")
    before = old.devnet.fund(address, COIN)
    old.devnet.mine()
    assert old.call("listunspent", 0, 9999999, [address]) == []
    assert old.call("importaddress", address) is None
    assert old.call("importaddress", address) is None
    later = old.devnet.fund(address, 12_345)
    found = {
        coin["txid"]: (coin["amount"], coin["confirmations"]) for coin in old.call("listunspent", 0, 99, [address])
    }
    assert found == {before: (1.0, 1), later: (0.00012345, 0)}
    old.devnet.mine()


def test_a_watched_transaction_has_its_block(old: Old) -> None:
    txid = old.devnet.fund(old.devnet.wallets["bob"].address, 1000)
    assert "blockhash" not in old.call("gettransaction", txid)
    height = old.devnet.mine()
    header = old.call("getblockheader", old.call("gettransaction", txid)["blockhash"])
    assert header["height"] == height == old.call("getblockcount")


def test_the_calls_that_were_dropped_are_answered(old: Old) -> None:
    info = old.call("getinfo")
    assert (info["blocks"], info["testnet"], info["errors"]) == (old.devnet.height, False, "")
    assert info["version"] == old.call("getnetworkinfo")["version"]
    assert old.call("estimatefee", 2) == -1
    before = old.devnet.height
    hashes = old.call("generate", 2)
    assert hashes == [old.call("getblockhash", before + 1), old.call("getblockhash", before + 2)]


def test_sendtoaddress_pays_from_the_faucet(old: Old) -> None:
    address = stranger(old, "frank")
    old.call("importaddress", address, "", 0)
    txid = old.call("sendtoaddress", address, 0.5)
    assert [coin["txid"] for coin in old.call("listunspent", 0, 99, [address])] == [txid]
    assert old.refused({"method": "sendtoaddress", "params": [address, "much"]}) == (500, -8)
    assert old.refused({"method": "sendtoaddress", "params": ["nowhere", 1]}) == (500, -5)


def test_validateaddress_tells_again_whether_the_wallet_knows_an_address(old: Old) -> None:
    known = old.call("validateaddress", old.devnet.wallets["alice"].address)
    assert (known["isvalid"], known["ismine"]) == (True, True)
    assert old.call("validateaddress", stranger(old, "grace"))["ismine"] is False
    assert old.call("validateaddress", "nothing")["isvalid"] is False


def test_a_public_key_can_be_watched(old: Old) -> None:
    wallet = Wallets(old.devnet.wallets.ledger).create("heidi")
    old.call("importpubkey", wallet.public_keys[0].hex())
    txid = old.devnet.fund(wallet.address, 1000)
    assert [coin["txid"] for coin in old.call("listunspent", 0, 99, [wallet.address])] == [txid]
    old.devnet.mine()


def test_signrawtransaction_takes_keys(old: Old) -> None:
    bob, carol = (old.devnet.wallets[name] for name in ("bob", "carol"))
    coin = max(old.call("listunspent", 1, 99, [bob.address]), key=lambda coin: coin["amount"])
    source = {"txid": coin["txid"], "vout": coin["vout"]}
    raw = old.call("createrawtransaction", [source], {carol.address: round(coin["amount"] - 0.0001, 8)})
    output = source | {"scriptPubKey": coin["scriptPubKey"], "amount": coin["amount"]}
    key = base58check_encode(0xEF, bob.keys[0].secret + b"\x01")
    signed = old.call("signrawtransaction", raw, [output], [key])
    assert signed["complete"]
    txid = old.call("sendrawtransaction", signed["hex"])
    old.devnet.mine()
    assert txid in {coin["txid"] for coin in old.call("listunspent", 1, 99, [carol.address])}


def test_several_calls_in_one_request_are_answered_in_their_order(old: Old) -> None:
    answers = old.post([{"method": "getblockcount", "id": 7}, {"method": "nosuch", "id": 8}]).json()
    assert [(answer["id"], answer["result"]) for answer in answers] == [(7, old.devnet.height), (8, None)]
    assert answers[1]["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"{", (500, -32700)),
        ([], None),
        ("getinfo", (400, -32600)),
        ({"params": []}, (400, -32600)),
        ({"method": "getblockhash", "params": {"height": 1}}, (400, -32600)),
        ({"method": "importaddress"}, (500, -8)),
        ({"method": "importaddress", "params": ["nonsense"]}, (500, -5)),
        ({"method": "sendrawtransaction", "params": ["00"]}, (500, -22)),
        ({"method": "generate", "params": ["many"]}, (500, -8)),
    ],
)
def test_nonsense_is_refused_as_bitcoind_does(old: Old, body: object, refusal: tuple[int, int] | None) -> None:
    if refusal is None:
        assert old.post(body).json() == []
    else:
        assert old.refused(body) == refusal


def test_without_the_password_there_is_no_answer(old: Old) -> None:
    wrong = "Basic " + base64.b64encode(b"me:guess").decode()
    answer = old.post({"method": "getblockcount"}, wrong)
    assert (answer.status, answer.body) == (401, b"")
    assert answer.headers["www-authenticate"] == 'Basic realm="jsonrpc"'


def test_a_request_may_not_be_endless(old: Old) -> None:
    assert old.post(b" " * 4_000_001).status == 413
    assert old.http.request("GET", "/").status == 405
