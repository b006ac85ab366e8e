"""SNV over the wire: against a node that answers rightly, and against peers that answer in every bad way."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING
from xmlrpc.client import dumps

import orjson
import pytest

from bns.api.rpc import answer
from bns.bitcoin.block import parse_header, read_transactions
from bns.errors import InvalidInput
from bns.identity.snv import client, proof, roots
from bns.identity.snv.client import NoAnswer, Node, Refused, RpcSource
from bns.identity.snv.errors import BadAnswer, BadTrustRoot, NotProven, SnvError, Unreachable
from bns.identity.snv.sources import StateSource
from tests.api_nodes import golden, make_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANY = "extra_many_ops"


@contextmanager
def peer(reply: Callable[[bytes], bytes | None]) -> Iterator[Node]:
    """Whoever answers each request with such bytes; with None, it keeps the connection and says nothing."""
    kept = []

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            said = reply(_request(connection))
            if said is None:
                kept.append(connection)
                continue
            with connection, suppress(OSError):  # whoever asked may have gone
                connection.sendall(said)

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            yield Node("127.0.0.1", listening.getsockname()[1], tls=False)
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


def _request(connection: socket.socket) -> bytes:
    received = b""
    while b"</methodCall>" not in received:
        chunk = connection.recv(1 << 16)
        if not chunk:
            break
        received += chunk
    return received.partition(b"\r\n\r\n")[2]


def http(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.0 {status}\r\nContent-Type: text/xml\r\n\r\n{body}".encode()


def saying(value: object) -> bytes:
    return http(dumps((orjson.dumps(value).decode(),), methodresponse=True))


def test_every_block_of_a_node_is_proven_over_the_wire() -> None:
    node = make_node(MANY)
    first_block, tip = node.params.first_block, node.state.last_block
    said = golden(MANY)["expected"]["accepted_ops"]
    with peer(lambda request: http(answer(node, request))) as address:
        source = RpcSource(address)
        trusted = proof.trust_hash(source, node.state.consensus_hash(tip) or "")
        assert trusted.height == tip
        for block, found in proof.all_operations(source, first_block, trusted):
            assert sorted(one["txid"] for one in found) == sorted(o["txid"] for o in said.get(str(block.height), []))
        assert max(map(len, said.values())) > 10
        with pytest.raises(Refused, match="get_blockstack_ops_hash_at: Invalid block height"):
            source.ops_hash_at(-1)


def test_a_node_that_tells_a_lie() -> None:
    node = make_node(MANY)
    busy = max(int(height) for height in golden(MANY)["expected"]["accepted_ops"])

    def lie(request: bytes) -> bytes:
        return http(answer(node, request).replace("1111111111", "2222222222").replace("76a914", "76a915"))

    with peer(lie) as address:
        source = RpcSource(address)
        trusted = proof.Trusted(node.state.last_block, node.state.consensus_hash(node.state.last_block) or "")
        with pytest.raises(NotProven, match=f"^block {busy}: expected operations with the ops hash"):
            proof.operations(source, node.params.first_block, busy, trusted)


XML = "<methodResponse><params><param><value><string>%s</string></value></param></params></methodResponse>"
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><methodResponse>&d;</methodResponse>'


@pytest.mark.parametrize(
    ("said", "error", "complaint"),
    [
        (b"", BadAnswer, "expected HTTP status 200, got $"),
        (b"SSH-2.0-OpenSSH\r\n", BadAnswer, "expected HTTP status 200, got SSH-2.0"),
        (http("", "503 Busy"), BadAnswer, "expected HTTP status 200, got HTTP/1.0 503 Busy"),
        (http(""), BadAnswer, "expected XML-RPC with JSON inside"),
        (http("<html>"), BadAnswer, "expected XML-RPC with JSON inside"),
        (http(XML % "{"), BadAnswer, "expected XML-RPC with JSON inside"),
        (http(XML % "NaN"), BadAnswer, "expected XML-RPC with JSON inside"),
        (http(XML % ("[" * 100_000)), BadAnswer, "expected XML-RPC with JSON inside"),
        (http(BOMB), BadAnswer, "XML with declarations"),
        (http(XML % "[]"), BadAnswer, r"expected an object, got \[\]"),
        (http(XML % "{}").replace(b"string", b"int"), BadAnswer, "expected XML-RPC with JSON inside"),
        (saying({"error": "x" * 10_000}), Refused, "x{117}"),
        (http("x" * (client.MOST_BYTES + 1)), BadAnswer, "a reply of more than 1048576 bytes"),
        (saying({"count": 10**9}), BadAnswer, "1000000000 operations, more than a block can hold"),
        (saying({"count": -1}), BadAnswer, "number of operations: expected a number, got -1"),
        (saying({"count": "1"}), BadAnswer, "number of operations: expected a number, got 1"),
        (saying({"count": 3, "nameops": []}), BadAnswer, r"expected the next of 3 operations, got \[\]"),
        (saying({"count": 3, "nameops": [{}] * 11}), BadAnswer, "expected the next of 3 operations"),
        (saying({"count": 3, "nameops": 5}), BadAnswer, "expected the next of 3 operations, got 5"),
    ],
)
def test_bad_replies(said: bytes, error: type[SnvError], complaint: str) -> None:
    with peer(lambda _: said) as address, pytest.raises(error, match=complaint) as caught:
        RpcSource(address, timeout=20).operations_at(700)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hashes", [None, [], "x", {}, {"700": None}, {"700": 5}, {"700": "00"}])
def test_bad_hashes(hashes: object) -> None:
    said = saying({"consensus_hashes": hashes, "ops_hash": "00" * 32})
    with peer(lambda _: said) as address, pytest.raises(BadAnswer, match="consensus hash"):
        proof.operations(RpcSource(address), 700, 700, proof.Trusted(701, "00" * 16))


def test_silence_ends() -> None:
    with peer(lambda _: None) as address, pytest.raises(NoAnswer, match=r"no answer within 0\.05 s"):
        RpcSource(address, timeout=0.05).ops_hash_at(700)


def test_a_reply_that_never_ends_is_cut_off_by_the_clock() -> None:
    """However steadily bytes come: the time is that of the whole call."""
    seconds = iter(range(1000))
    with peer(lambda _: http("x" * 500_000)) as address, pytest.raises(NoAnswer, match="no answer within 2 s"):
        RpcSource(address, timeout=2, clock=lambda: float(next(seconds))).ops_hash_at(700)


def test_nobody_there() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(NoAnswer, match=f"^http://127.0.0.1:{port}: Connection refused$"):
        RpcSource(Node("127.0.0.1", port, tls=False)).ops_hash_at(700)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("localhost", Node("localhost", 6264, tls=False)),
        ("10.0.0.1:16264", Node("10.0.0.1", 16264, tls=False)),
        ("https://node.example:443/", Node("node.example", 443, tls=True)),
        ("http://[::1]:5", Node("::1", 5, tls=False)),
    ],
)
def test_where_a_node_is(text: str, node: Node) -> None:
    assert Node.parse(text) == node


@pytest.mark.parametrize("text", ["", "http://", "ftp://x", "x:0", "x:99999", "x:y", "http://x/path", "http://u@x"])
def test_what_is_no_place_of_a_node(text: str) -> None:
    with pytest.raises(InvalidInput, match="node: expected http://host:port"):
        Node.parse(text)


# Trust roots


class Blocks:
    """The chain of a chain file, which may be changed."""

    def __init__(self, name: str, change: Callable[[bytes], bytes] = lambda raw: raw) -> None:
        self._blocks = {
            block["height"]: (block["hash"], bytes.fromhex(block["raw"])) for block in golden(name)["blocks"]
        }
        self._change = change

    def block_at(self, height: int, /) -> tuple[str, bytes] | None:
        found = self._blocks.get(height)
        return None if found is None else (found[0], self._change(found[1]))

    def block_of(self, txid: str, /) -> tuple[str, bytes] | None:
        wanted = bytes.fromhex(txid)[::-1]
        for height, (_, raw) in self._blocks.items():
            if any(transaction.txid_bytes == wanted for transaction in read_transactions(raw)):
                return self.block_at(height)
        return None


SNV = "name_imp_xfer_up_multi_snv"


def operation_of(opcode: str) -> tuple[int, int, str]:
    """Height, index and txid of an operation in the chain."""
    for height, found in golden(SNV)["expected"]["accepted_ops"].items():
        for one in found:
            if one["opcode"] == opcode:
                return int(height), one["vtxindex"], one["txid"]
    raise AssertionError(opcode)


@pytest.mark.parametrize("opcode", ["NAMESPACE_PREORDER", "NAME_TRANSFER"])
def test_transactions_that_lead_to_a_consensus_hash(opcode: str) -> None:
    height, index, txid = operation_of(opcode)
    node = make_node(SNV)
    source = StateSource(node.state)
    for root in (txid, txid.upper(), f"{height}-{index}"):
        trusted = roots.resolve(root, source, Blocks(SNV))
        assert trusted.height < height
        assert node.state.consensus_hash(trusted.height) == trusted.consensus_hash
    direct = roots.resolve(trusted.consensus_hash, source, Blocks(SNV))
    assert direct == trusted


UNKNOWN_TX = "Unable to look up given transaction ID"
NO_TX = "Unable to convert given serial number into transaction"
NOT_BEARING = "Tx does not refer to a consensus-bearing transaction"
NONSENSE = "Did not receive a valid txid, consensus hash, or serial number"


@pytest.mark.parametrize(
    ("root", "error", "complaint"),
    [
        ("", BadTrustRoot, NONSENSE),
        ("5-", BadTrustRoot, NONSENSE),
        ("-5", BadTrustRoot, NONSENSE),
        ("0x5-1", BadTrustRoot, NONSENSE),
        ("zz" * 16, BadTrustRoot, NONSENSE),
        ("00" * 20, BadTrustRoot, NONSENSE),
        ("00" * 16, Unreachable, "the node knows no block that has it"),
        ("00" * 32, BadTrustRoot, UNKNOWN_TX),
        ("999999-0", BadTrustRoot, NO_TX),
        (f"{operation_of('NAME_TRANSFER')[0]}-0", BadTrustRoot, NOT_BEARING),
        (operation_of("NAME_IMPORT")[2], BadTrustRoot, NOT_BEARING),
        (operation_of("NAME_UPDATE")[2], BadTrustRoot, NOT_BEARING),
    ],
)
def test_what_leads_to_none(root: str, error: type[SnvError], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        roots.resolve(root, StateSource(make_node(SNV).state), Blocks(SNV))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda raw: raw[:-1], "block [0-9a-f]{64}: "),
        (lambda raw: raw[:79], "block [0-9a-f]{64}: "),
        (lambda raw: raw.replace(b"\x6a", b"\x6b", 1), "expected transactions with the Merkle root"),
        (lambda raw: b"\xff" + raw[1:], "its bytes are not those of that hash"),
        (lambda raw: b"", "block [0-9a-f]{64}: "),
    ],
)
def test_a_block_that_is_not_what_it_is_said_to_be(change: Callable[[bytes], bytes], complaint: str) -> None:
    _, _, txid = operation_of("NAME_TRANSFER")
    with pytest.raises(BadTrustRoot, match=f"^{UNKNOWN_TX} \\({txid}\\): .*{complaint}"):
        roots.resolve(txid, StateSource(make_node(SNV).state), Blocks(SNV, change))


def test_a_block_without_work() -> None:
    height, index, _ = operation_of("NAME_TRANSFER")
    found = Blocks(SNV).block_at(height)
    assert found is not None
    header = parse_header(found[1])._replace(bits=0x03000001)
    raw = header.serialize() + found[1][80:]

    class One(Blocks):
        def block_at(self, height: int, /) -> tuple[str, bytes] | None:
            return header.hash[::-1].hex(), raw

    with pytest.raises(BadTrustRoot, match="there is no work behind it"):
        roots.resolve(f"{height}-{index}", StateSource(make_node(SNV).state), One(SNV))
