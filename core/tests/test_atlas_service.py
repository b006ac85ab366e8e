"""The peer network on real sockets: nodes that exchange zone files, and peers that do harm."""

from __future__ import annotations

import gzip
import socket
import sqlite3
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from bns.atlas.client import PeerClient, read_response
from bns.atlas.messages import Call
from bns.atlas.peers import PeerRow
from bns.atlas.service import StateChain
from bns.atlas.store import PeerFile
from bns.state.files import DatabaseError
from bns.state.store import State
from bns.zonefiles.store import zonefile_hash
from tests.atlas_nodes import WAIT_SECONDS, HostileServer, LiveNode
from tests.chain import rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = [b"$ORIGIN foo.test\n$TTL 3600\n; %d\n" % number for number in range(7)]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def call(address: str, method: str = "ping", *arguments: object, timeout: float = WAIT_SECONDS) -> Call:
    return Call(address, method, arguments, timeout, 10_000)


def test_zone_files_flow_both_ways_and_to_a_third_that_knows_only_one(tmp_path: Path, stack: ExitStack) -> None:
    one = LiveNode(tmp_path / "one", stack, FILES, seed=1)
    two = LiveNode(tmp_path / "two", stack, FILES, seeds=[one.address], seed=2)
    three = LiveNode(tmp_path / "three", stack, FILES, seeds=[two.address], seed=3)
    for data in FILES[:4]:
        assert one.offchain.put(data)
    for data in FILES[4:]:
        assert three.offchain.put(data)
    nodes = one, two, three
    for node in nodes:
        node.service.start()
    for node in nodes:
        assert node.files.wait_for(FILES)
    for node in nodes:
        assert {path.read_bytes() for path in node.files.directory.rglob("*.txt")} == set(FILES)
    with closing(PeerClient(time.monotonic)) as client:
        for node in nodes:
            node.service.stop()
            answer = client.call(call(node.address, "get_zonefile_inventory", 0, 100))
            assert answer is not None
            assert answer["inv"] == "/g=="
        answer = client.call(call(two.address, "get_atlas_peers"))
    assert answer is not None
    assert {one.address} <= set(answer["peers"]) <= {one.address, three.address}
    assert two.address in three.service.node.table
    assert [entry.zonefile_hash for entry in one.offchain.announcements(0, 10**6, 0, 2)] == [
        zonefile_hash(data) for data in FILES[:2]
    ]


def test_a_file_on_disk_is_found_without_a_peer(tmp_path: Path, stack: ExitStack) -> None:
    node = LiveNode(tmp_path / "node", stack, FILES[:1])
    node.files.put(FILES[0])
    assert node.offchain.inventory() == b"\x00"
    node.files.hashes.clear()
    node.service.start()
    assert node.files.wait_for(FILES[:1])
    node.service.stop()
    assert node.offchain.inventory() == b"\x80"


def test_a_push_is_taken_from_anyone(tmp_path: Path, stack: ExitStack) -> None:
    node = LiveNode(tmp_path / "node", stack, FILES[:1])
    assert not node.offchain.put(b"not announced")
    assert node.offchain.put(FILES[0])
    assert node.offchain.inventory() == b"\x80"


def test_a_service_rests_when_the_disk_is_full_and_stops_at_once(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    full = threading.Event()

    def fail(*_: object) -> str:
        full.set()
        raise OSError(28, "No space left on device")

    one = LiveNode(tmp_path / "one", stack, FILES[:1])
    two = LiveNode(tmp_path / "two", stack, FILES[:1], seeds=[one.address])
    one.offchain.put(FILES[0])
    monkeypatch.setattr(two.files, "put", fail)
    two.service.start()
    assert full.wait(WAIT_SECONDS)
    two.service.stop()
    assert "the zone file crawler rests: [Errno 28] No space left on device" in caplog.text


def test_stop_does_not_wait_for_peers_that_hang(tmp_path: Path, stack: ExitStack) -> None:
    over = threading.Event()

    def hang(_: socket.socket) -> None:
        over.wait(WAIT_SECONDS)

    server = HostileServer(stack, hang)
    stack.callback(over.set)
    node = LiveNode(tmp_path / "node", stack, FILES, seeds=[server.address])
    node.service.start()
    assert server.accepted.acquire(timeout=WAIT_SECONDS)
    begun = time.monotonic()
    node.service.stop()
    assert time.monotonic() - begun < 4


def respond(body: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(head + body)


def xml(text: str) -> bytes:
    value = f"<params><param><value><string>{text}</string></value></param></params>"
    return f"<?xml version='1.0'?><methodResponse>{value}</methodResponse>".encode()


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]>' + xml("&b;")[21:]


@pytest.mark.parametrize(
    "handle",
    [
        respond(b""),
        respond(b"", b""),
        respond(b"", b"\r\n\r\n"),
        respond(xml("{}"), b"HTTP/1.1 500 No\r\n\r\n"),
        respond(xml("{}"), b"SMTP/1.1 200 OK\r\n\r\n"),
        respond(xml("[]")),
        respond(xml("{")),
        respond(xml("[" * 9000)),
        respond(b"<methodResponse></methodResponse>"),
        respond(b"<methodResponse><params><param><value><int>1</int></value></param></params></methodResponse>"),
        respond(BOMB),
        respond(gzip.compress(xml("{}")), b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"),
        respond(xml("x" * 100_000)),
        respond(b"x" * 10_000_000, b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n"),
        respond(b"\xff" * 100, b"\x80" * 20_000),
    ],
)
def test_what_is_no_answer(stack: ExitStack, handle: Callable[[socket.socket], None]) -> None:
    server = HostileServer(stack, handle)
    with closing(PeerClient(time.monotonic)) as client:
        assert client.call(call(server.address)) is None


def test_an_answer(stack: ExitStack) -> None:
    body = xml('{"status": true}')
    for head in (b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)):
        server = HostileServer(stack, respond(body, head))
        with closing(PeerClient(time.monotonic)) as client:
            assert client.call(call(server.address)) == {"status": True}
    assert read_response(b"HTTP/1.0 200 OK\r\n\r\n" + body) == {"status": True}


def test_a_peer_that_drips_gets_no_more_time_than_one_that_is_silent(stack: ExitStack) -> None:
    over = threading.Event()
    stack.callback(over.set)

    def drip(connection: socket.socket) -> None:
        while not over.wait(0.02):
            connection.sendall(b"x")

    def hang(_: socket.socket) -> None:
        over.wait(WAIT_SECONDS)

    for handle in (drip, hang):
        server = HostileServer(stack, handle)
        with closing(PeerClient(time.monotonic)) as client:
            begun = time.monotonic()
            assert client.call(call(server.address, timeout=0.3)) is None
            assert 0.25 < time.monotonic() - begun < 5
    over.set()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nobody.invalid:80", "\udcff:80", "a..b:1", f"{'x' * 255}:1"])
def test_nobody_is_there(address: str) -> None:
    with closing(PeerClient(time.monotonic)) as client:
        assert client.call(call(address, timeout=5)) is None


def test_a_host_with_several_addresses(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    server = HostileServer(stack, respond(xml("{}")))
    port = int(server.address.rpartition(":")[2])
    kind = socket.AF_INET, socket.SOCK_STREAM, 0, ""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(*kind, ("127.0.0.1", p)) for p in (1, port)])
    with closing(PeerClient(time.monotonic)) as client:
        assert client.call(call("two.example:80")) == {}
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with closing(PeerClient(time.monotonic)) as client:
        assert client.call(call("none.example:80")) is None


def test_no_calls_after_the_end(tmp_path: Path, stack: ExitStack) -> None:
    node = LiveNode(tmp_path / "node", stack, ())
    client = PeerClient(time.monotonic)
    answer = client.call(call(node.address))
    assert answer is not None
    assert answer["status"] == "alive"
    client.close()
    assert client.call(call(node.address)) is None


def test_peers_are_kept_in_the_table_of_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "new" / "atlas.db"
    with closing(PeerFile(path)) as file:
        file.put(PeerRow("1.2.3.4:6264", 5, 6))
        file.put(PeerRow("b.example:6264", 7, 8))
        file.put(PeerRow("1.2.3.4:6264", 9, 10))
        file.remove("nobody:1")
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT peer_slot, peer_hostport, discovery_time FROM peers ORDER BY peer_index")
        assert rows.fetchall() == [(7, "b.example:6264", 8), (9, "1.2.3.4:6264", 10)]
    with closing(PeerFile(path)) as file:
        assert file.load() == [PeerRow("b.example:6264", 7, 8), PeerRow("1.2.3.4:6264", 9, 10)]


def test_a_file_that_holds_no_peers_is_named(tmp_path: Path) -> None:
    (tmp_path / "atlas.db").write_bytes(b"no database" * 100)
    for path in (tmp_path / "atlas.db", tmp_path, tmp_path / "atlas.db" / "below"):
        with pytest.raises(DatabaseError, match=f"{path}: cannot be used for peers"):
            PeerFile(path)


def test_which_consensus_hashes_are_recent() -> None:
    with closing(State.memory(rules())) as state:
        chain = StateChain(state)
        assert chain.last_block() == state.last_block
        assert chain.is_recent(state.params.genesis_consensus_hash)
        assert not chain.is_recent("11" * 16)
