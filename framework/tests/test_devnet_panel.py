"""The panel: what it shows, what its forms do, what it does not let others do; in a browser too."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from bnslab import transactions as drafts
from bnslab.chain.factory import COIN
from bnslab.clients import ClientUnavailable
from bnslab.clients.browser import find_browser, page
from bnslab.devnet import Devnet
from bnslab.devnet.panel import panel_app
from bnslab.http import HttpClient, LoopbackServer
from bnslab.transactions import pay
from tests.devnets import launch, register, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool
    from bnslab.http import Response


class Shown:
    """A devnet and its panel."""

    def __init__(self, devnet: Devnet, url: str, http: HttpClient) -> None:
        self.devnet = devnet
        self.url = url
        self.http = http

    def text(self, path: str = "/") -> str:
        answer = self.http.get(path)
        assert answer.status == 200, answer
        return " ".join(answer.body.decode().split())

    def post(self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Response:
        return self.http.request("POST", path, body=urlencode(fields).encode(), headers=headers or {})


@pytest.fixture
def shown(bitcoind_binary: Bitcoind, tmp_path: Path, port_pool: PortPool) -> Iterator[Shown]:
    with (
        Devnet(bitcoind_binary, tmp_path, port_pool) as devnet,
        LoopbackServer(panel_app(devnet, {"REST": devnet.rest_url})) as server,
        HttpClient(server.url) as http,
    ):
        yield Shown(devnet, server.url, http)


def act(devnet: Devnet) -> str:
    """A namespace, a name, and a registration that nobody had preordered; the txid of the last."""
    launch(devnet, "test", by="alice")
    register(devnet, "foo.test", by="bob", fee=640_000)
    txid = send(devnet, drafts.register_name("bar.test", pay(devnet.wallets["carol"].address), None), "carol")
    devnet.mine()
    return txid


def test_operations_names_and_namespaces_are_shown_with_reasons(shown: Shown) -> None:
    txid = act(shown.devnet)
    home = shown.text()
    assert "NAMESPACE_READY <b>test</b>" in home
    assert "NAME_REGISTRATION <b>foo.test</b>" in home
    assert "NAME_REGISTRATION <b>bar.test</b> rejected: NOT_PREORDERED" in home
    assert f'href="{shown.devnet.rest_url}/v1/names/foo.test"' in home
    assert f'href="{shown.devnet.rest_url}/v1/namespaces/test"' in home
    assert "1 accepted, 0 rejected" in home
    last = shown.text(f"/blocks/{shown.devnet.height}")
    assert txid[:16] in last
    receipt = shown.devnet.receipts[shown.devnet.height - 1]
    assert receipt.consensus_hash in shown.text(f"/blocks/{receipt.height}")
    assert shown.http.get("/blocks/5").status == 404


def test_forms_mine_and_give(shown: Shown) -> None:
    answer = shown.post("/mine", {"count": "3"})
    assert (answer.status, answer.headers["location"], shown.devnet.height) == (303, "/", 114)
    dave = shown.devnet.wallets["dave"].address
    assert shown.post("/faucet", {"address": f" {dave} "}).status == 303
    assert shown.devnet.balance(dave) == 21 * COIN
    assert "1 pending transactions" in shown.text()


@pytest.mark.parametrize(
    ("path", "fields", "told"),
    [
        ("/mine", {"count": "0"}, "blocks to mine: expected a number from 1 to 100, got '0'"),
        ("/mine", {"count": "²"}, "blocks to mine: expected"),
        ("/faucet", {"address": "<b>"}, "address: expected"),
        ("/faucet", {}, "address: expected"),
    ],
)
def test_a_form_with_nonsense_changes_nothing(shown: Shown, path: str, fields: dict[str, str], told: str) -> None:
    answer = shown.post(path, fields)
    assert (answer.status, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert told in answer.body.decode()
    assert (shown.devnet.height, shown.devnet.pending()) == (111, 0)


def test_pages_of_others_cannot_use_the_forms(shown: Shown) -> None:
    for headers in ({"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Host": "elsewhere.example"}):
        assert shown.post("/mine", {"count": "1"}, headers).status in (400, 403)
    assert shown.post("/mine", {"count": "1" * 20_000}).status == 413
    assert shown.devnet.height == 111
    assert shown.post("/mine", {"count": "1"}, {"Origin": shown.url}).status == 303


@pytest.mark.browser
def test_a_person_mines_and_is_given_bitcoins_in_a_browser(shown: Shown, tmp_path: Path) -> None:
    try:
        browser = find_browser()
    except ClientUnavailable as absent:
        pytest.skip(str(absent))
    act(shown.devnet)
    with page(browser, tmp_path / "profile") as seen:
        complaints: list[str] = []
        seen.on("console", lambda message: complaints.append(message.text))
        seen.on("pageerror", lambda error: complaints.append(str(error)))
        seen.goto(shown.url)
        assert seen.title() == "Devnet at block 117"
        assert "NOT_PREORDERED" in seen.locator("#blocks .rejected").inner_text()
        seen.get_by_label("blocks", exact=True).fill("2")
        seen.get_by_role("button", name="Mine").click()
        assert seen.locator("#height").inner_text() == "119"
        before = seen.locator("#dave .balance").inner_text()
        seen.locator("#dave button").click()
        after = seen.locator("#dave .balance").inner_text()
        assert float(after) - float(before) == 1
        assert complaints == []
        seen.get_by_role("link", name="foo.test").click()
        assert shown.devnet.wallets["bob"].address in seen.locator("body").inner_text()
