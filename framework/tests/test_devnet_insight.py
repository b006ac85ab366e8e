"""Coins and transactions of a devnet, as an Insight service has them and as the node's own test-mode routes do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bns.bitcoin.address import base58check_decode, base58check_encode
from bns.node.errors import RpcError
from bns.node.rpc import RpcClient
from bns.node.unspents import WalletUnspents
from bnslab.chain.factory import COIN
from bnslab.devnet import Devnet
from bnslab.devnet.legacy import legacy_app
from bnslab.http import HttpClient, LoopbackServer
from bnslab.wallets import Wallets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bnslab.bitcoind import Bitcoind, PortPool, RegtestNode
    from bnslab.http import Response


class Service:
    """A devnet whose interface for old clients is asked for what lies below /insight-api."""

    def __init__(self, devnet: Devnet, http: HttpClient) -> None:
        self.devnet = devnet
        self.http = http

    def get(self, path: str) -> Any:
        answer = self.http.get(f"/insight-api{path}")
        assert answer.status == 200, answer
        return answer.json()

    def send(self, body: object) -> Response:
        headers = {"Content-Type": "application/json"}
        return self.http.request("POST", "/insight-api/tx/send", body=json.dumps(body).encode(), headers=headers)

    def stranger(self, name: str) -> str:
        """An address that no wallet of bitcoind knows yet."""
        return Wallets(self.devnet.wallets.ledger).create(name).address


@pytest.fixture(scope="module")
def service(
    bitcoind_binary: Bitcoind, tmp_path_factory: pytest.TempPathFactory, port_pool: PortPool
) -> Iterator[Service]:
    with (
        Devnet(bitcoind_binary, tmp_path_factory.mktemp("devnet"), port_pool) as devnet,
        LoopbackServer(legacy_app(devnet, user="me", password="secret")) as server,
        HttpClient(server.url) as http,
    ):
        yield Service(devnet, http)


def test_the_outputs_of_an_address_those_from_before_and_unconfirmed_ones_too(service: Service) -> None:
    address = service.stranger("ivan")
    mainnet = base58check_encode(0, base58check_decode(address)[1])
    assert service.get(f"/addr/{address}/utxo") == []
    before = service.devnet.fund(address, COIN + 1)
    service.devnet.mine()
    later = service.devnet.fund(address, 12_345)
    found = service.get(f"/addr/{mainnet}/utxo")
    assert {each["txid"]: (each["satoshis"], each["confirmations"]) for each in found} == {
        before: (COIN + 1, 1),
        later: (12_345, 0),
    }
    assert {(each["address"], each["scriptPubKey"][:6]) for each in found} == {(address, "76a914")}
    assert sorted(each["amount"] for each in found) == [0.00012345, 1.00000001]
    service.devnet.mine()


def test_a_transaction_leads_to_its_block(service: Service) -> None:
    txid = service.devnet.fund(service.stranger("judy"), 1000)
    assert "blockHash" not in service.get(f"/tx/{txid}")
    height = service.devnet.mine()
    found = service.get(f"/tx/{txid}")
    assert (found["txid"], found["confirmations"], found["blockhash"]) == (txid, 1, found["blockHash"])
    assert service.get(f"/block/{found['blockHash']}")["height"] == height
    status = service.get("/status")
    assert status["blocks"] == status["info"]["blocks"] == height


@pytest.mark.parametrize("member", ["rawtx", "tx"])
def test_a_transaction_is_sent_under_either_name(service: Service, member: str) -> None:
    txid = service.devnet.fund(service.stranger(f"kim/{member}"), 1000)
    raw = service.devnet.bitcoind.rpc.call("getrawtransaction", txid)
    assert service.send({member: raw}).json() == {"txid": txid}
    service.devnet.mine()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "expected a member rawtx or tx"),
        ([], "Expected `object`, got `array`"),
        ({"tx": 7}, "Expected `str`, got `int` - at `$.tx`"),
        ({"tx": "00"}, "bitcoind refuses it: TX decode failed"),
    ],
)
def test_a_bad_transaction_is_an_error(service: Service, body: object, told: str) -> None:
    answer = service.send(body)
    assert answer.status == 400
    assert told in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/addr/nobody/utxo", 400, "address: expected"),
        (f"/tx/{'ab' * 32}", 404, "No such mempool or blockchain transaction"),
        ("/tx/nonsense", 404, "parameter 1 must be of length 64"),
        (f"/block/{'ab' * 32}", 404, "Block not found"),
        ("/peer", 404, "Not Found"),
    ],
)
def test_what_is_not_there_is_told(service: Service, path: str, status: int, told: str) -> None:
    answer = service.http.get(f"/insight-api{path}")
    assert answer.status == status
    assert told in answer.json()["error"]


# The node's own routes, which have the reference's form


def test_the_node_of_a_devnet_has_the_coins_of_every_address(service: Service) -> None:
    address = service.stranger("luke")
    with HttpClient(service.devnet.rest_url) as rest:
        assert rest.get(f"/insight-api/addr/{address}/utxo").json() == []
        txid = service.devnet.fund(address, 5000)
        service.devnet.mine()
        service.devnet.fund(address, 700)
        entries = rest.get(f"/insight-api/addr/{address}/utxo").json()
        confirmed = next(entry for entry in entries if entry["transaction_hash"] == txid)
        assert confirmed["outpoint"]["hash"] == txid
        assert (confirmed["value"], confirmed["confirmations"], confirmed["out_script"][:6]) == (5000, 1, "76a914")
        assert rest.get(f"/insight-api/addr/{address}/balance").json() == 5000
        assert rest.get(f"/insight-api/addr/{address}/unconfirmedBalance").json() == 5700
    service.devnet.mine()


def test_without_a_wallet_nobody_has_coins_and_without_a_bitcoind_that_is_an_error(node: RegtestNode) -> None:
    user, password = node.credentials
    client = RpcClient(("127.0.0.1", node.rpc_port), user, password)
    unspents = WalletUnspents(client)
    address = "mnLx2xcfdukP1y1djkgJrkrw87L6vRpvVg"
    assert unspents(address) == []
    node.kill()
    with pytest.raises(OSError, match="bitcoind at 127"):
        unspents(address)


class OldWallet(RpcClient):
    """A bitcoind whose wallet has no descriptors."""

    def __init__(self) -> None:
        self.watched: list[object] = []

    def call(self, method: str, *params: object) -> Any:
        if method == "importaddress":
            self.watched += params
            return None
        if method == "listunspent":
            entry = {"txid": "ab" * 32, "vout": 1, "amount": 3, "scriptPubKey": "76a9", "confirmations": 2}
            return [entry] * len(self.watched)
        if method == "getdescriptorinfo":
            return {"descriptor": f"{params[0]}#checksum"}
        raise RpcError(-4, "importdescriptors is not available for non-descriptor wallets", method)


def test_a_wallet_of_the_old_kind_is_told_in_its_own_words() -> None:
    wallet = OldWallet()
    unspents = WalletUnspents(wallet)
    assert [tuple(output) for output in unspents("somebody")] == [("ab" * 32, 1, 3 * COIN, "76a9", 2)]
    assert len(unspents("somebody")) == 1
    assert wallet.watched == ["somebody"]
