"""Answers while blocks are being written: from whole blocks, without waiting, the same as the writer would give."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any
from xmlrpc.client import dumps

import pytest

from bns.api.methods import METHODS, call
from bns.api.records import view
from bns.api.rest import rest_app
from bns.api.rpc import answer, rpc_app
from bns.engine import Engine
from bns.node.follow import SharedState
from bns.state.reading import ReadState
from bns.zonefiles.store import zonefile_hash
from bnslab.http import AsgiClient
from tests.chain import ALICE
from tests.files import PARAMS, busy_blocks
from tests.running import Running
from tests.subdomain_chain import DOMAIN, NAME, carry, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message


FIRST = PARAMS.first_block


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SharedState]:
    opened = SharedState.create(tmp_path / "bns.db", PARAMS)
    assert isinstance(opened, SharedState)
    with closing(opened):
        yield opened


@pytest.fixture
def read(state: SharedState) -> Iterator[ReadState]:
    with closing(ReadState.beside(state)) as opened:
        yield opened


def index(state: SharedState, last: int) -> None:
    engine = Engine(PARAMS, state)
    for block in busy_blocks():
        if state.last_block < block.height <= last:
            engine.apply(block)


def seen(read: ReadState) -> tuple[int, str | None, bool]:
    with read:
        return read.last_block, read.consensus_hash(read.last_block), read.namespace("test") is not None


def test_what_is_committed_shows_and_nothing_else(state: SharedState, read: ReadState) -> None:
    assert seen(read) == (FIRST - 1, state.consensus_hash(FIRST - 1), False)
    index(state, FIRST + 10)
    assert seen(read) == (FIRST + 10, state.consensus_hash(FIRST + 10), True)
    with state.group():
        index(state, FIRST + 20)
        assert seen(read)[0] == FIRST + 10
    assert seen(read) == (FIRST + 20, state.consensus_hash(FIRST + 20), True)


def test_a_snapshot_stays_what_it_was(state: SharedState, read: ReadState) -> None:
    index(state, FIRST + 10)
    with read:
        before = read.last_block, read.consensus_hash(FIRST + 11)
        index(state, FIRST + 20)
        assert (read.last_block, read.consensus_hash(FIRST + 11)) == before == (FIRST + 10, None)
    assert seen(read)[0] == FIRST + 20


def test_blocks_that_are_rolled_back_are_forgotten(state: SharedState, read: ReadState) -> None:
    index(state, FIRST + 20)
    assert seen(read)[2]
    state.rollback_to(FIRST - 1)
    assert seen(read) == (FIRST - 1, state.consensus_hash(FIRST - 1), False)


def test_hashes_are_those_of_the_writer(state: SharedState, read: ReadState) -> None:
    index(state, FIRST + 20)
    with read:
        for height in range(FIRST - 6, FIRST + 23):
            assert read.consensus_hash(height) == state.consensus_hash(height)
        assert read.consensus_hashes(0, FIRST + 40) == state.consensus_hashes(0, FIRST + 40)


def test_readers_cannot_write(read: ReadState) -> None:
    with read, pytest.raises(sqlite3.OperationalError, match="readonly"):
        read.connection.execute("DELETE FROM snapshots")


def test_who_fails_inside_leaves_a_state_that_can_be_read(state: SharedState, read: ReadState) -> None:
    with pytest.raises(LookupError), read:
        raise LookupError
    index(state, FIRST)
    assert seen(read)[0] == FIRST


# Nodes


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with closing(Running(tmp_path)) as node:
        yield node


def questions(node: Running) -> list[tuple[str, list[Any]]]:
    """A question for each method that changes nothing."""
    height = node.publisher.height
    row = node.state.name(DOMAIN)
    assert row is not None
    arguments: dict[str, list[Any]] = {
        "get_name_history_page": [DOMAIN, 0],
        "is_name_zonefile_hash": [DOMAIN, row.value_hash],
        "get_name_at": [DOMAIN, height],
        "get_historic_name_at": [DOMAIN, height],
        "get_DID_record": [f"did:stack:v0:{row.address}-0"],
        "get_historic_names_by_address": [row.address, 0, 10],
        "get_namespace_cost": ["test"],
        "get_namespace_blockchain_record": ["test"],
        "get_num_names_in_namespace": ["test"],
        "get_names_in_namespace": ["test", 0, 100],
        "get_subdomain_ops_at_txid": [row.txid],
        "get_blockstack_ops_at": [height, 0, 10],
        "get_consensus_hashes": [[height, height - 1, height + 1]],
        "get_block_from_consensus": [node.state.consensus_hash(height)],
        "get_zonefiles": [[row.value_hash]],
        "get_zonefiles_by_block": [1, height, 0, 100],
        "get_zonefile_inventory": [0, 100],
        "atlas_peer_exchange": ["localhost:1"],
    }
    asked = []
    for name, method in METHODS.items():
        if method.writes:
            continue
        given = arguments.get(name)
        if given is None and len(method.arguments) == 1:
            given = [height] if "_at" in name else [row.address] if "address" in name else [DOMAIN]
        asked.append((name, given or [0, 100][: len(method.arguments)]))
    return asked


def test_answers_are_those_of_the_writer(running: Running) -> None:
    publisher = running.publisher
    publisher.publish(carry(record(0)))
    written = view(running.state, running.offchain)
    for _ in range(2):
        for name, arguments in questions(running):
            expected = call(written, name, arguments)
            assert "traceback" not in expected, (name, arguments, expected)
            assert call(running.view, name, arguments) == expected, name
        for path in (f"/v1/names/{DOMAIN}", f"/v1/names/{NAME}", "/v1/info", "/v1/subdomains?page=0"):
            expected_reply, reply = (AsgiClient(rest_app(node)).get(path) for node in (written, running.view))
            assert reply == expected_reply
        publisher.publish(carry(record(1)))


def test_zone_files_are_kept_by_the_writer(running: Running) -> None:
    data = carry(record(0))
    running.publisher.announce(data)
    put = {"zonefile_b64": base64.b64encode(data).decode()}
    client = AsgiClient(rest_app(running.view))
    assert client.get(f"/v1/zonefiles/{zonefile_hash(data)}").status == 404
    headers = {"Content-Type": "application/json"}
    assert client.request("POST", "/v1/zonefile", body=json.dumps(put).encode(), headers=headers).status == 200
    assert client.get(f"/v1/zonefiles/{zonefile_hash(data)}").body == data
    assert call(running.view, "get_zonefile_inventory", [0, 1])["inv"] == "gA=="
    running.publisher.mine()
    assert client.get(f"/v1/names/{NAME}").status == 200
    assert call(running.view, "put_zonefiles", [[put["zonefile_b64"], "AAAA"]])["saved"] == [1, 0]


def test_nodes_without_zone_files(tmp_path: Path) -> None:
    with closing(Running(tmp_path, atlas=False)) as node:
        assert call(node.view, "get_name_record", [DOMAIN])["record"]["name"] == DOMAIN
        assert call(node.view, "get_zonefile_inventory", [0, 1])["error"] == "Not an atlas node"


def test_nobody_who_reads_waits_for_a_block(running: Running) -> None:
    """Reads are answered, and a zone file waits, while another thread is in the middle of its transaction."""
    data = carry(record(0))
    running.publisher.announce(data)
    writing, done = threading.Event(), threading.Event()

    def write() -> None:
        with running.state.group():
            running.publisher.chain.update(DOMAIN, ALICE, "77" * 20)
            running.publisher.mine()
            writing.set()
            assert done.wait(30)

    def put() -> None:
        kept.append(call(running.view, "put_zonefiles", [[base64.b64encode(data).decode()]])["saved"])

    kept: list[Any] = []
    writer, putter = threading.Thread(target=write), threading.Thread(target=put)
    height = running.publisher.height
    writer.start()
    assert writing.wait(30)
    putter.start()
    try:
        for name, arguments in questions_before(running):
            assert call(running.view, name, arguments)["lastblock"] == height
        assert not kept
    finally:
        done.set()
        writer.join()
        putter.join()
    assert kept == [[1]]
    assert call(running.view, "get_num_names", [])["lastblock"] == height + 1


def questions_before(running: Running) -> list[tuple[str, list[Any]]]:
    return [
        ("get_name_record", [DOMAIN]),
        ("get_all_namespaces", []),
        ("get_consensus_at", [running.view.params.first_block]),
    ]


LONG = (
    "/v1/names?page=0",
    "/v1/names?page=0&all=true",
    "/v1/subdomains?page=0",
    "/v1/namespaces/test/names?page=0",
    "/v1/namespaces/test/name_count",
    "/v1/blockchains/bitcoin/name_count",
    "/v1/blockchains/bitcoin/subdomains_count",
)


def test_no_look_up_waits_for_counts_and_pages(running: Running) -> None:
    """While the long answers are not yet made, by either interface, others are."""
    methods = [name for name, method in METHODS.items() if method.long]
    assert len(methods) > 8
    asked = [question for question in questions(running) if question[0] in methods]
    aside = running.view.aside
    assert aside is not None
    rest, rpc = rest_app(running.view), rpc_app(running.view)

    async def ask() -> list[int]:
        long = [asyncio.create_task(exchange(rest, "GET", path)) for path in LONG]
        long += [asyncio.create_task(exchange(rpc, "POST", "/RPC2", dumps(tuple(of), name))) for name, of in asked]
        for _ in range(20):
            assert await exchange(rest, "GET", f"/v1/names/{DOMAIN}") == 200
            assert await exchange(rpc, "POST", "/RPC2", dumps((DOMAIN,), "get_name_record")) == 200
        assert not any(task.done() for task in long)
        aside.reading.__exit__(None, None, None)
        return await asyncio.gather(*long)

    aside.reading.__enter__()
    assert set(asyncio.run(ask())) == {200}


async def exchange(app: ASGIApp, method: str, target: str, body: str = "") -> int:
    """The status of an answer."""
    statuses: list[int] = []
    path, _, query = target.partition("?")
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(),
        "headers": [(b"content-length", str(len(body)).encode())],
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": body.encode()}

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    await app(scope, receive, send)
    return statuses[0]


def test_the_database_being_gone_is_an_answer_too(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.view.state.close()
    xml = answer(running.view, b"<methodCall><methodName>get_num_names</methodName></methodCall>")
    assert "the call failed inside the node" in xml
    assert "closed database" in caplog.text
