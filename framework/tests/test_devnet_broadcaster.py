"""The transaction broadcaster of a devnet: names registered by one request, block by block and by themselves."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from bns.zonefiles.store import zonefile_hash
from bnslab.devnet import Devnet, broadcasting
from bnslab.devnet.broadcaster import Broadcaster, Refusal, StillHeld
from bnslab.devnet.broadcasting import broadcaster_app
from bnslab.http import HttpClient, LoopbackServer
from tests.devnets import launch, registration, sign
from tests.processes import SOON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool
    from bnslab.http import Response

FEE = 640_000
NOBODY = "ab" * 32
ZONEFILE = '$ORIGIN {name}\n$TTL 3600\n_https._tcp URI 10 1 "https://example.com/{name}.json"\n'


class Registrar:
    """A devnet with a namespace, its broadcaster, and what the broadcaster has told."""

    def __init__(self, devnet: Devnet, broadcaster: Broadcaster, http: HttpClient, told: list[Refusal]) -> None:
        self.devnet = devnet
        self.broadcaster = broadcaster
        self.http = http
        self.told = told
        self.rest = HttpClient(devnet.rest_url)

    def post(self, path: str, body: object) -> Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return self.http.request("POST", f"/v1/broadcast/{path}", body=raw, headers=headers)

    def takes(self, path: str, body: object) -> dict[str, Any]:
        answer = self.post(path, body)
        assert (answer.status, answer.json()["status"]) == (202, True), answer
        told: dict[str, Any] = answer.json()
        return told

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = self.http.get("/v1/status").json()
        return told

    def registration(self, name: str, zonefile: str | None = None) -> dict[str, str]:
        """What a client sends to register a name of bob's."""
        text = ZONEFILE.format(name=name)
        drafts = registration(self.devnet, name, "bob", FEE, zonefile_hash(text.encode()))
        preorder, register = (sign(self.devnet, draft, "bob").raw.hex() for draft in drafts)
        return {"preorderTransaction": preorder, "registerTransaction": register, "zoneFile": zonefile or text}

    def mempool(self) -> list[str]:
        txids: list[str] = self.devnet.bitcoind.rpc.call("getrawmempool")
        return txids

    def paid(self) -> str:
        """A transaction in the next block."""
        return self.devnet.fund(self.devnet.wallets["carol"].address, 10_000)

    def raw(self, txid: str) -> str:
        return str(self.devnet.bitcoind.rpc.call("getrawtransaction", txid))

    def unsigned(self) -> str:
        """A transaction whose lock time nobody has signed."""
        return self.raw(self.paid())[:-2] + "01"

    def height_of(self, txid: str) -> int:
        rpc = self.devnet.bitcoind.rpc
        block_hash = rpc.call("getrawtransaction", txid, 1)["blockhash"]
        return int(rpc.call("getblockheader", block_hash)["height"])

    def zonefile(self, name: str) -> object:
        return self.rest.get(f"/v1/names/{name}").json().get("zonefile")


@pytest.fixture(scope="module")
def start(
    bitcoind_binary: Bitcoind, tmp_path_factory: pytest.TempPathFactory, port_pool: PortPool
) -> Iterator[Callable[[], Registrar]]:
    with ExitStack() as stack:

        def make() -> Registrar:
            devnet = stack.enter_context(Devnet(bitcoind_binary, tmp_path_factory.mktemp("devnet"), port_pool))
            launch(devnet, "test", by="alice")
            told: list[Refusal] = []
            broadcaster = stack.enter_context(Broadcaster(devnet, tell=told.append))
            server = stack.enter_context(LoopbackServer(broadcaster_app(broadcaster)))
            registrar = Registrar(devnet, broadcaster, stack.enter_context(HttpClient(server.url)), told)
            stack.callback(registrar.rest.close)
            return registrar

        yield make


@pytest.fixture(scope="module")
def quiet(start: Callable[[], Registrar]) -> Registrar:
    """One whose blocks are made by the tests."""
    return start()


@pytest.fixture(scope="module")
def busy(start: Callable[[], Registrar]) -> Registrar:
    """One whose blocks are made whenever a transaction arrives."""
    registrar = start()
    registrar.devnet.start_miner()
    return registrar


def test_a_registration_goes_out_block_by_block(quiet: Registrar) -> None:
    asked = quiet.registration("steps.test")
    told = quiet.takes("registration", asked)
    preorder, register = told["preorderTxHash"], told["registerTxHash"]
    hash_ = zonefile_hash(asked["zoneFile"].encode())
    assert quiet.mempool() == [preorder]
    assert quiet.status() == {
        "status": "OK",
        "held": [
            {"what": f"transaction {register}", "transactionToWatch": preorder, "confirmations": 1},
            {"what": f"zone file {hash_}", "transactionToWatch": register, "confirmations": 1},
        ],
        "refused": [],
    }
    quiet.devnet.mine()
    quiet.broadcaster.wait(SOON, 1)
    assert quiet.mempool() == [register]
    assert quiet.rest.get(f"/v1/zonefiles/{hash_}").status == 404
    quiet.devnet.mine()
    quiet.broadcaster.wait(SOON)
    assert quiet.zonefile("steps.test") == asked["zoneFile"]
    # what is in the chain already is no error: the client may not have had the answer
    assert quiet.takes("registration", asked)["preorderTxHash"] == preorder
    quiet.broadcaster.wait(SOON)
    assert (quiet.mempool(), quiet.status()["refused"]) == ([], [])


def test_more_confirmations_are_waited_for(quiet: Registrar) -> None:
    told = quiet.takes("registration", quiet.registration("slow.test") | {"confirmations": 3})
    quiet.devnet.mine()
    quiet.takes("zone-file", {"zoneFile": "$ORIGIN marker\n", "transactionToWatch": quiet.paid()})
    quiet.devnet.mine()
    quiet.broadcaster.wait(SOON, 2)  # the marker, which is looked at later, is gone
    assert quiet.mempool() == []
    quiet.devnet.mine()
    quiet.broadcaster.wait(SOON, 1)
    assert quiet.mempool() == [told["registerTxHash"]]
    quiet.devnet.mine()
    quiet.broadcaster.wait(SOON)
    assert quiet.height_of(told["registerTxHash"]) == quiet.height_of(told["preorderTxHash"]) + 3


def test_with_a_miner_one_request_is_all_and_no_block_is_made_in_vain(busy: Registrar) -> None:
    height = busy.devnet.height
    asked = busy.registration("quick.test")
    busy.takes("registration", asked)
    busy.broadcaster.wait(SOON)
    assert busy.zonefile("quick.test") == asked["zoneFile"]
    assert busy.devnet.height == height + 2


def test_with_a_miner_the_blocks_that_confirmations_need_are_made(busy: Registrar) -> None:
    height = busy.devnet.height
    told = busy.takes("registration", busy.registration("deep.test") | {"confirmations": 6})
    busy.broadcaster.wait(SOON)
    assert busy.height_of(told["preorderTxHash"]) == height + 1
    assert busy.height_of(told["registerTxHash"]) == height + 7 == busy.devnet.height


def test_a_block_is_asked_for_once_at_each_height(quiet: Registrar, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(quiet.devnet, "want_block", lambda: asked.append(quiet.devnet.height))
    following = {"transaction": quiet.unsigned(), "transactionToWatch": quiet.paid()}
    quiet.takes("transaction", following | {"confirmations": 3})
    height = quiet.devnet.mine()
    for further in (1, 2):
        for _ in range(2):
            quiet.takes("transaction", following | {"confirmations": further})
            quiet.broadcaster.wait(SOON, 1)
        quiet.devnet.mine()
    quiet.broadcaster.wait(SOON)
    assert asked == [height, height + 1]


def test_a_transaction_that_nobody_has_sent_makes_no_blocks(start: Callable[[], Registrar]) -> None:
    busy = start()
    busy.devnet.start_miner()
    height = busy.devnet.height
    busy.takes("zone-file", {"zoneFile": "$ORIGIN nobody\n", "transactionToWatch": NOBODY.upper()})
    for further in (1, 2):
        txid = busy.paid()
        busy.takes("zone-file", {"zoneFile": "$ORIGIN other\n", "transactionToWatch": txid})
        busy.broadcaster.wait(SOON, 1)
        assert busy.devnet.height == height + further
    assert busy.status()["held"][-1]["transactionToWatch"] == NOBODY
    with pytest.raises(StillHeld, match=rf"expected 0 to be held within 0\.05 s, there are: .* for {NOBODY}"):
        busy.broadcaster.wait(0.05)


def test_a_zone_file_that_was_not_announced_is_told(quiet: Registrar) -> None:
    txid = quiet.paid()
    quiet.takes("zone-file", {"zoneFile": "$ORIGIN unannounced\n", "transactionToWatch": txid})
    quiet.devnet.mine()
    quiet.broadcaster.wait(SOON)
    refused = quiet.status()["refused"][-1]
    assert refused["what"] == f"zone file {zonefile_hash(b'$ORIGIN unannounced' + bytes([10]))}"
    assert "no operation that it accepted has announced it" in refused["message"]
    assert quiet.told[-1] == Refusal(refused["what"], refused["message"])


def test_a_transaction_that_bitcoind_refuses_later_is_told(quiet: Registrar) -> None:
    following = {"transaction": quiet.unsigned(), "transactionToWatch": quiet.paid(), "confirmations": 1}
    told = quiet.takes("transaction", following)
    quiet.devnet.mine()
    quiet.broadcaster.wait(SOON)
    assert quiet.told[-1].what == f"transaction {told['TxHash']}"
    assert quiet.told[-1].reason.startswith("sendrawtransaction: ")


def test_a_transaction_that_waits_for_nothing_is_sent_or_refused_at_once(quiet: Registrar) -> None:
    asked = quiet.registration("now.test")
    now = {"transactionToWatch": NOBODY, "confirmations": 0}
    for which in ("preorderTransaction", "registerTransaction"):
        assert quiet.takes("transaction", now | {"transaction": asked[which]})["TxHash"] in quiet.mempool()
    answer = quiet.post("transaction", now | {"transaction": quiet.unsigned()})
    assert answer.status == 409
    assert answer.json()["message"].startswith("transaction: bitcoind refuses it: ")
    quiet.devnet.mine()


def test_a_preorder_that_bitcoind_refuses_is_an_error_and_nothing_is_held(quiet: Registrar) -> None:
    asked = dict.fromkeys(("preorderTransaction", "registerTransaction"), quiet.unsigned()) | {"zoneFile": "x"}
    before = quiet.status()
    answer = quiet.post("registration", asked)
    assert (answer.status, answer.json()["status"]) == (409, False)
    assert answer.json()["message"].startswith("preorderTransaction: bitcoind refuses it: ")
    assert quiet.status() == before
    quiet.devnet.mine()


def test_what_waited_for_a_block_that_was_undone_goes_on_waiting(start: Callable[[], Registrar]) -> None:
    registrar = start()
    rpc = registrar.devnet.bitcoind.rpc
    height = registrar.devnet.mine()
    coinbase = rpc.call("getblock", rpc.call("getblockhash", height))["tx"][0]
    raw = registrar.registration("undone.test")["preorderTransaction"]
    registrar.takes("transaction", {"transaction": raw, "transactionToWatch": coinbase, "confirmations": 2})
    rpc.call("invalidateblock", rpc.call("getblockhash", height))
    marker = {"transaction": registrar.unsigned(), "transactionToWatch": registrar.paid(), "confirmations": 2}
    registrar.takes("transaction", marker)
    registrar.devnet.mine(2)
    registrar.broadcaster.wait(SOON, 1)  # the marker, which is looked at later, is gone
    assert [each.watched for each in registrar.broadcaster.held] == [coinbase]
    assert registrar.mempool() == []


GOOD = {"preorderTransaction": "00", "registerTransaction": "00", "zoneFile": "$ORIGIN foo.test\n"}


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("registration", b"{", "body of the request: Input data was truncated"),
        ("registration", b'{"zoneFile": "\xff"}', "body of the request: "),
        ("registration", b"[" * 100_000, "body of the request: "),
        ("registration", [], "Expected `object`, got `array`"),
        ("registration", {}, "missing required field `preorderTransaction`"),
        ("registration", {key: GOOD[key] for key in GOOD if key != "zoneFile"}, "missing required field `zoneFile`"),
        ("registration", GOOD | {"zoneFile": ""}, "`$.zoneFile`"),
        ("registration", GOOD | {"preorderTransaction": 7}, "Expected `str`, got `int` - at `$.preorderTransaction`"),
        ("registration", GOOD | {"registerTransaction": "0"}, "`$.registerTransaction`"),
        ("registration", GOOD | {"confirmations": 11}, "Expected `int` <= 10 - at `$.confirmations`"),
        ("registration", GOOD, "preorderTransaction: offset 4: expected"),
        ("zone-file", {"zoneFile": "x", "transactionToWatch": "ab"}, "`$.transactionToWatch`"),
        ("zone-file", {"zoneFile": "é" * 20_481, "transactionToWatch": NOBODY}, "at most 40960 bytes, got 40962"),
        ("transaction", {"transaction": "00", "transactionToWatch": NOBODY}, "missing required field `confirmations`"),
        (
            "transaction",
            {"transaction": "00", "transactionToWatch": NOBODY, "confirmations": -1},
            "Expected `int` >= 0 - at `$.confirmations`",
        ),
    ],
)
def test_a_bad_body_is_told_and_changes_nothing(quiet: Registrar, path: str, body: object, told: str) -> None:
    before = quiet.status()
    answer = quiet.post(path, body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["status"] is False
    assert told in answer.json()["message"]
    assert (quiet.status(), quiet.mempool()) == (before, [])


def test_what_is_not_there_and_what_is_too_long_is_json_too(quiet: Registrar) -> None:
    for answer, status in (
        (quiet.http.get("/v1/broadcast/nothing"), 404),
        (quiet.http.get("/v1/broadcast/registration"), 405),
        (quiet.post("registration", b" " * 4_000_001), 413),
    ):
        assert (answer.status, answer.json()["status"]) == (status, False)


def test_no_more_is_held_than_fits(quiet: Registrar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcasting, "MOST_HELD", 1)
    asked = {"zoneFile": "$ORIGIN waiting\n", "transactionToWatch": quiet.paid()}
    quiet.takes("zone-file", asked)
    answer = quiet.post("zone-file", asked)
    assert (answer.status, answer.json()["message"]) == (429, "1 transactions and zone files wait already")
    quiet.devnet.mine()
    quiet.broadcaster.wait(SOON)
    assert len(quiet.status()["held"]) == 0


def test_a_page_of_any_origin_may_ask(quiet: Registrar) -> None:
    headers = {
        "Origin": "http://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = quiet.http.request("OPTIONS", "/v1/broadcast/registration", headers=headers)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_when_bitcoind_is_gone_the_broadcaster_says_so_and_ends(
    bitcoind_binary: Bitcoind, tmp_path: Path, port_pool: PortPool
) -> None:
    failures: list[BaseException] = []
    with Devnet(bitcoind_binary, tmp_path, port_pool) as devnet:
        broadcaster = Broadcaster(devnet, failed=failures.append)
        with broadcaster:
            devnet.bitcoind.kill()
            broadcaster.hold_zonefile("$ORIGIN late\n", after=NOBODY)
            broadcaster._thread.join(SOON)
    assert "bitcoind ended" in str(failures[0])
