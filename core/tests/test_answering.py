"""Answers that are given again: the same as if they were made anew, until something changes."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import gzip
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast
from xmlrpc.client import dumps, loads

import pytest

from bns.api import answering
from bns.api.answering import Answering, Made
from bns.api.methods import METHODS
from bns.api.rest import rest_app
from bns.api.routes import ENDPOINTS
from bns.api.rpc import rpc_app
from bns.api.sources import Passes
from bns.zonefiles.store import zonefile_hash
from bnslab.http import AsgiClient
from tests.running import Running
from tests.subdomain_chain import DOMAIN, NAME, carry, record

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from bns.api.records import NodeView


class Counting:
    """A node with subdomains, and clients of both interfaces; how often its state was entered to make an answer."""

    def __init__(self, directory: Path) -> None:
        self.node = Running(directory)
        self.now = 0.0
        self.progress = Passes(lambda: self.now)
        self.made = 0
        view = dataclasses.replace(self.node.view, progress=self.progress, reading=_Entered(self), aside=None)
        self.rest, self.rpc = AsgiClient(rest_app(view)), AsgiClient(rpc_app(view))

    def get(self, path: str) -> Any:
        reply = self.rest.get(path)
        return json.loads(reply.body) if reply.body[:1] in (b"{", b"[") else reply.body

    def call(self, method: str, *arguments: Any, **headers: str) -> Any:
        body = dumps(arguments, method).encode()
        reply = self.rpc.request("POST", "/RPC2", body=body, headers={"Content-Length": str(len(body)), **headers})
        compressed = reply.headers.get("content-encoding") == "gzip"
        (text,), _ = loads(gzip.decompress(reply.body) if compressed else reply.body)
        assert isinstance(text, str)
        return json.loads(text)

    def close(self) -> None:
        self.node.close()


class _Entered:
    def __init__(self, counting: Counting) -> None:
        self._counting = counting

    def __enter__(self) -> None:
        self._counting.made += 1
        self._counting.node.view.reading.__enter__()

    def __exit__(self, *error: object) -> None:
        self._counting.node.view.reading.__exit__(None, None, None)


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with closing(Counting(tmp_path)) as counting:
        yield counting


def test_the_same_question_is_answered_once(counting: Counting) -> None:
    first = counting.get(f"/v1/names/{DOMAIN}"), counting.call("get_name_record", DOMAIN)
    assert counting.made == 2
    assert (counting.get(f"/v1/names/{DOMAIN}"), counting.call("get_name_record", DOMAIN)) == first
    assert counting.made == 2
    assert counting.get(f"/v1/names/{NAME}") != first[0]
    assert counting.get(f"/v1/names/{DOMAIN}?a=b") == first[0]
    assert counting.call("get_name_blockchain_record", DOMAIN) != first[1]
    assert counting.made == 5


def test_until_the_next_block(counting: Counting) -> None:
    height = counting.call("get_name_record", DOMAIN)["lastblock"]
    counting.node.publisher.mine()
    assert counting.call("get_name_record", DOMAIN)["lastblock"] == height + 1
    counting.node.state.rollback_to(height)
    assert counting.call("get_name_record", DOMAIN)["lastblock"] == height


def test_until_a_zone_file_comes(counting: Counting) -> None:
    publisher, data = counting.node.publisher, carry(record(0))
    publisher.announce(data)
    assert counting.get(f"/v1/names/{DOMAIN}")["zonefile"] is None
    assert "zonefile" not in counting.call("get_name_record", DOMAIN)["record"]
    assert counting.call("put_zonefiles", [base64.b64encode(data).decode()])["saved"] == [1]
    assert counting.get(f"/v1/names/{DOMAIN}")["zonefile"] == data.decode()
    assert counting.call("get_name_record", DOMAIN)["record"]["zonefile"] == base64.b64encode(data).decode()


def test_until_a_zone_file_that_was_lost_comes_again(counting: Counting) -> None:
    """The database knows of it all the time, so that nothing changes there."""
    publisher, data = counting.node.publisher, carry(record(0))
    publisher.publish(data)
    counting.node.zonefiles.path(zonefile_hash(data)).unlink()
    assert counting.get(f"/v1/names/{DOMAIN}")["zonefile"] is None
    counting.call("put_zonefiles", [base64.b64encode(data).decode()])
    assert counting.get(f"/v1/names/{DOMAIN}")["zonefile"] == data.decode()


def test_until_the_node_begins_to_index_or_falls_behind(counting: Counting) -> None:
    assert not counting.call("get_name_record", DOMAIN)["indexing"]
    counting.progress.begin()
    assert counting.call("get_name_record", DOMAIN)["indexing"]
    counting.now += 10_000
    assert counting.call("get_name_record", DOMAIN)["stale"]


def test_what_is_live_is_made_each_time(counting: Counting) -> None:
    live = [name for name, method in METHODS.items() if not method.lasting]
    assert live == [
        "ping", "getinfo", "put_zonefiles", "get_atlas_peers", "atlas_peer_exchange", "get_all_neighbor_info"
    ]  # fmt: skip
    assert [endpoint.path for endpoint in ENDPOINTS if endpoint.live] == ["/v1/info", "/v1/zonefile"]
    for height in (120, 130):
        counting.progress.end(height)
        assert counting.call("getinfo")["last_block_seen"] == counting.get("/v1/info")["last_block_seen"] == height


def test_what_failed_inside_is_tried_again(counting: Counting, caplog: pytest.LogCaptureFixture) -> None:
    connection = counting.node.view.state.connection
    connection.execute("CREATE TEMP TABLE name_records (x)")
    assert "failed inside" in counting.call("get_name_record", DOMAIN)["error"]
    connection.execute("DROP TABLE temp.name_records")
    assert counting.call("get_name_record", DOMAIN)["record"]["name"] == DOMAIN
    assert "get_name_record" in caplog.text


def test_those_who_take_it_compressed_get_it_so(counting: Counting) -> None:
    plain = counting.call("get_name_blockchain_record", DOMAIN)
    for _ in range(2):
        assert counting.call("get_name_blockchain_record", DOMAIN, **{"Accept-Encoding": "gzip"}) == plain
        assert counting.call("get_name_blockchain_record", DOMAIN) == plain
    assert counting.made == 2


# The memory itself


class Node:
    """Stands for a node at a moment, which makes long answers aside."""

    moment: Any = 1

    def __init__(self) -> None:
        self.aside = self
        self.answering = Answering[str](cast("NodeView", self))
        self.made = 0

    def ask(self, question: Hashable, answer: str = "answer", size: int | None = 1, *, long: bool = False) -> str:
        return asyncio.run(self.asking(question, lambda: answer, size, long=long))

    async def asking(
        self, question: Hashable, answer: Callable[[], str], size: int | None = 1, *, long: bool = False
    ) -> str:
        def make(_: object) -> Made[str]:
            self.made += 1
            return Made(answer(), size)

        known = self.answering.known(question)
        return known if known is not None else await self.answering.make(question, make, long=long)


def test_an_answer_that_was_overtaken_is_not_kept() -> None:
    node = Node()

    def overtaken() -> str:
        node.moment = 2
        assert node.answering.known("another question") is None
        return "of moment 1"

    assert asyncio.run(node.asking("question", overtaken, long=True)) == "of moment 1"
    assert node.ask("question", "of moment 2") == "of moment 2"


def test_those_who_ask_the_same_at_once_wait_for_one_answer() -> None:
    node = Node()

    async def ask() -> list[str]:
        return await asyncio.gather(*(node.asking("question", lambda: "answer", long=True) for _ in range(9)))

    assert asyncio.run(ask()) == ["answer"] * 9
    assert node.made == 1


def test_a_node_without_moments_remembers_nothing() -> None:
    node = Node()
    node.moment = None
    assert [node.ask("question", answer) for answer in ("one", "two")] == ["one", "two"]


def test_the_memory_is_bounded() -> None:
    node, size = Node(), answering.MOST_OF_ONE
    assert [node.ask("huge", answer, size + 1) for answer in ("one", "two")] == ["one", "two"]
    most = answering.MOST_BYTES // size
    for number in range(2 * most):
        node.ask(number, size=size)
    assert sum(node.answering.known(number) is not None for number in range(2 * most)) <= most
    assert node.answering.known(2 * most - 1) == "answer"
