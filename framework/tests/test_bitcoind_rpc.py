"""The RPC client: results, errors, exact amounts, broken connections."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from bnslab.bitcoind import RpcClient, RpcConnectionLost, RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bnslab.bitcoind import RegtestNode

ADDRESS = "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"


def answer(body: bytes, status: bytes = b"200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, extra, len(body), body)


class Server:
    """Takes one connection for each of `answers`, reads one request, answers and hangs up."""

    def __init__(self, listener: socket.socket, answers: tuple[bytes, ...]) -> None:
        self.requests: list[bytes] = []
        self.hung_up = threading.Semaphore(0)
        self._listener = listener
        self._answers = answers

    def serve(self) -> None:
        for text in self._answers:
            connection, _ = self._listener.accept()
            with connection:
                self.requests.append(connection.recv(65536))
                connection.sendall(text)
            self.hung_up.release()


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[RpcClient, Server]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Server(listener, answers)
        thread = threading.Thread(target=serving.serve)
        thread.start()
        with closing(RpcClient(listener.getsockname()[1], "user", "word", timeout=5)) as client:
            yield client, serving
        thread.join()


def test_results_and_errors(node: RegtestNode) -> None:
    assert node.rpc.call("getblockcount") == 0
    with pytest.raises(RpcError) as refused:
        node.rpc.call("getblockhash", 7)
    assert (refused.value.code, refused.value.method) == (-8, "getblockhash")
    assert "out of range" in refused.value.message
    assert str(refused.value) == "getblockhash: Block height out of range (code -8)"
    with pytest.raises(RpcError, match="nosuchmethod: Method not found"):
        node.rpc.call("nosuchmethod")
    assert node.rpc.call("getblockcount") == 0


def test_batches_keep_their_order_and_name_what_failed(node: RegtestNode) -> None:
    hashes = node.rpc.call("generatetoaddress", 3, ADDRESS)
    assert node.rpc.batch([("getblockhash", [height]) for height in (3, 1, 2)]) == [hashes[2], hashes[0], hashes[1]]
    assert node.rpc.batch([]) == []
    with pytest.raises(RpcError, match=r"getblockhash: .* \(code -8\)"):
        node.rpc.batch([("getblockcount", []), ("getblockhash", [9]), ("stop", ["no", "such", "arguments"])])
    assert node.rpc.call("getblockcount") == 3


def test_amounts_are_exact_both_ways(node: RegtestNode) -> None:
    (block,) = node.rpc.call("generatetoaddress", 1, ADDRESS)
    value = node.rpc.call("getblock", block, 2)["tx"][0]["vout"][0]["value"]
    assert isinstance(value, Decimal)
    assert str(value) == "50.00000000"
    amount = Decimal("0.12345679")
    raw = node.rpc.call("createrawtransaction", [], [{ADDRESS: amount}])
    assert node.rpc.call("decoderawtransaction", raw)["vout"][0]["value"] == amount
    with pytest.raises(TypeError, match="not JSON serializable: object"):
        node.rpc.call("getblockhash", object())


def test_long_answers_arrive_whole(node: RegtestNode) -> None:
    hashes = node.rpc.call("generatetoaddress", 200, ADDRESS)
    blocks = node.rpc.batch([("getblock", [block, 2]) for block in hashes])
    assert [block["hash"] for block in blocks] == hashes


def test_threads_take_turns(node: RegtestNode) -> None:
    hashes = [node.rpc.call("getblockhash", 0), *node.rpc.call("generatetoaddress", 4, ADDRESS)]
    wrong: list[int] = []

    def ask(height: int) -> None:
        wrong.extend(height for _ in range(50) if node.rpc.call("getblockhash", height) != hashes[height])

    threads = [threading.Thread(target=ask, args=(height,)) for height in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_connection_closed_between_calls_is_opened_again() -> None:
    with server(answer(b'{"result":1,"error":null}'), answer(b'{"result":2,"error":null}')) as (client, serving):
        assert client.call("a") == 1
        assert serving.hung_up.acquire(timeout=10)
        assert client.call("b") == 2
        assert len(serving.requests) == 2


def test_the_server_may_announce_that_it_closes() -> None:
    closing = answer(b'{"result":1,"error":null}', extra=b"Connection: close\r\n")
    with server(closing, closing) as (client, _):
        assert [client.call("a"), client.call("a")] == [1, 1]


def test_a_broken_answer_is_a_lost_connection_and_nothing_is_sent_twice() -> None:
    with server(answer(b'{"result":1}')[:-4]) as (client, serving):
        with pytest.raises(RpcConnectionLost, match=f":{client.port}: gave no answer: connection closed"):
            client.call("submitblock", "00")
        assert len(serving.requests) == 1


def test_an_answer_that_is_not_json() -> None:
    with (
        server(answer(b"Work queue depth exceeded", b"503 Service Unavailable")) as (client, _),
        pytest.raises(RpcConnectionLost, match="answered HTTP 503: Work queue depth exceeded"),
    ):
        client.call("getblockcount")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(RpcConnectionLost, match=f":{port}: gave no answer: .*refused"):
        RpcClient(port, "user", "word").call("getblockcount")


def test_a_silent_server_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = RpcClient(listener.getsockname()[1], "user", "word", timeout=0.05)
        with pytest.raises(RpcConnectionLost, match="timed out"):
            client.call("getblockcount")


def test_whoever_knows_of_the_death_is_asked_first() -> None:
    class Died(Exception):
        pass

    def lost() -> None:
        raise Died

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Died):
        RpcClient(port, "user", "word", lost=lost).call("getblockcount")
