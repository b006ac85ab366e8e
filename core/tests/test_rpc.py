"""XML-RPC: the transport, what is tolerated and refused, the envelope, and the arguments of every method."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import xmlrpc.client
from typing import TYPE_CHECKING, Any

import pytest

from bns.api import chain
from bns.api.methods import METHODS, call
from bns.api.rpc import MAX_REQUEST, answer, rpc_app
from bns.api.sources import Passes
from bnslab.http import AsgiClient, LoopbackServer, Response
from tests.api_nodes import OWNER, SUBDOMAIN, SUBDOMAIN_DID, make_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bns.api.records import NodeView

XML = "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
PING = XML.format(method="ping", params="").encode()
LAST = 695


@pytest.fixture
def node() -> NodeView:
    return make_node()


@pytest.fixture
def client(node: NodeView) -> AsgiClient:
    return AsgiClient(rpc_app(node))


def post(client: AsgiClient, body: bytes, path: str = "/RPC2", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request("POST", path, body=body, headers=named)


def reply_of(xml: bytes | str) -> Any:
    ((text,), _) = xmlrpc.client.loads(xml if isinstance(xml, str) else xml.decode())
    assert isinstance(text, str)
    assert text.isascii()
    return json.loads(text)


def ask(node: NodeView, params: str, method: str = "get_name_record") -> Any:
    return reply_of(answer(node, XML.format(method=method, params=params).encode()))


# Transport


@pytest.mark.parametrize("path", ["/", "/RPC2"])
@pytest.mark.parametrize("content_type", ["text/xml", "text/plain;charset=UTF-8", "x"])
def test_a_call(client: AsgiClient, path: str, content_type: str) -> None:
    reply = post(client, PING, path, Content_Type=content_type)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/xml")
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply_of(reply.body) == {"status": "alive", "version": chain.VERSION}
    # one client cuts the text out without parsing XML
    assert json.loads(reply.body.decode().partition("<string>")[2].partition("</string>")[0])["status"] == "alive"


@pytest.mark.parametrize("path", ["/RPC2/", "/rpc2", "/x", "//"])
def test_other_paths(client: AsgiClient, path: str) -> None:
    reply = post(client, PING, path)
    assert (reply.status, reply.headers["content-type"], reply.body) == (404, "text/plain", b"No such page")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_other_methods(client: AsgiClient, method: str) -> None:
    reply = client.request(method, "/RPC2")
    assert (reply.status, reply.headers["content-type"]) == (501, "text/html")
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Encoding": "gzip"}, 501),
        ({"Content_Encoding": "Identity"}, 200),
        ({"Content_Length": "x"}, 500),
        ({"Content_Length": "-1"}, 500),
        ({"Content_Length": ""}, 500),
        ({"Content_Length": str(MAX_REQUEST + 1)}, 400),
        ({"Content_Encoding": "gzip", "Content_Length": "x"}, 501),
    ],
)
def test_requests_that_are_not_read(client: AsgiClient, headers: dict[str, str], status: int) -> None:
    reply = post(client, PING, **headers)
    assert (reply.status, reply.body == b"") == (status, status != 200)


def test_the_greatest_request(client: AsgiClient) -> None:
    padded = PING + b" " * (MAX_REQUEST - len(PING))
    assert post(client, padded).status == 200
    assert post(client, padded + b" ").status == 400


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=x", False),
        ("deflate", False),
        ("", False),
    ],
)
def test_long_answers_are_compressed_on_request(client: AsgiClient, accepted: str, compressed: bool) -> None:
    long = XML.format(method="get_name_blockchain_record", params="<param><string>foo1.test</string></param>").encode()
    reply = post(client, long, Accept_Encoding=accepted)
    assert (reply.headers.get("content-encoding") == "gzip") is compressed
    body = gzip.decompress(reply.body) if compressed else reply.body
    assert reply_of(body)["record"]["name"] == "foo1.test"
    assert "content-encoding" not in post(client, PING, Accept_Encoding="gzip").headers


def test_the_client_of_the_standard_library(node: NodeView) -> None:
    with (
        LoopbackServer(rpc_app(node)) as server,
        xmlrpc.client.ServerProxy(server.url) as proxy,
    ):
        answer = proxy.get_name_record("foo1.test")
        assert json.loads(str(answer))["record"]["resolver"] == "http://resolver.foo"


def test_too_many_calls_at_once(node: NodeView) -> None:
    with (
        LoopbackServer(rpc_app(node, at_once=1)) as server,
        socket.create_connection(("127.0.0.1", server.port)) as slow,
        xmlrpc.client.ServerProxy(server.url) as proxy,
    ):
        slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        slow.recv(1)  # its body is being asked for
        overloaded = {"status": False, "indexing": False, "lastblock": -1, "error": "overloaded", "http_status": 429}
        assert json.loads(str(proxy.ping())) == overloaded


def test_calls_do_not_overlap(node: NodeView) -> None:
    with node.reading:
        waiting = threading.Thread(target=call, args=(node, "ping", []))
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
    waiting.join(10)
    assert not waiting.is_alive()


# What clients send


@pytest.mark.parametrize(
    "param",
    [
        "<param><value><string>foo1.test</string></value></param>",
        "<param><value>foo1.test</value></param>",
        "<param><string>foo1.test</string></param>",
        "\n <param>\n <string>foo1.test</string>\n </param>\n",
    ],
)
@pytest.mark.parametrize("prolog", ["", "<?xml version='1.0'?>", '<?xml version="1.0" encoding="utf-8"?>\n'])
def test_strings(node: NodeView, param: str, prolog: str) -> None:
    xml = prolog + XML.format(method="get_name_record", params=param).partition("?>")[2]
    assert reply_of(answer(node, xml.encode()))["record"]["name"] == "foo1.test"


@pytest.mark.parametrize("tag", ["int", "i4"])
def test_integers(node: NodeView, tag: str) -> None:
    assert ask(node, f"<param><{tag}>695</{tag}></param>", "get_consensus_at")["consensus"]


@pytest.mark.parametrize(
    "param", ["<boolean>1</boolean>", "<double>1.0</double>", "<nil/>", "<string>1</string>", "<int>4294967296</int>"]
)
def test_what_is_no_integer(node: NodeView, param: str) -> None:
    reply = ask(node, f"<param><value>{param}</value></param>", "get_consensus_at")
    assert reply == {"error": "Invalid block height", "http_status": 400}


ENTITY = '<!DOCTYPE x [<!ENTITY a "foo1.test">]>'
EXTERNAL = '<!DOCTYPE x SYSTEM "http://localhost/x">'


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "x",
        "<methodCall>",
        "<methodResponse><params/></methodResponse>",
        "<?xml version='1.0'?>" + ENTITY + "<methodCall><methodName>ping</methodName></methodCall>",
        "<?xml version='1.0'?>" + EXTERNAL + "<methodCall><methodName>ping</methodName></methodCall>",
        XML.format(method="ping", params="<param><value><int>x</int></value></param>"),
        XML.format(method="ping", params="<param><value><int>" + "9" * 9999 + "</int></value></param>"),
        XML.format(method="ping", params="<param><value><strong>x</strong></value></param>"),
    ],
)
def test_what_is_no_call_is_a_fault(node: NodeView, xml: str) -> None:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        xmlrpc.client.loads(answer(node, xml.encode()))
    assert caught.value.faultCode == 1
    assert ":" in caught.value.faultString


def test_a_fault_is_an_ordinary_reply(client: AsgiClient) -> None:
    assert post(client, b"<").status == 200


# Answers


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("foo", [], "KeyError: 'rpc_foo'"),
        ("system.listMethods", [], "KeyError: 'rpc_system.listMethods'"),
        ("get_nameops_at", [1], "KeyError: 'rpc_get_nameops_at'"),
        ("get_name_record", [], "TypeError: rpc_get_name_record() takes exactly 2 arguments (1 given)"),
        ("ping", [1], "TypeError: rpc_ping() takes exactly 1 argument (2 given)"),
    ],
)
def test_calls_that_name_nothing(node: NodeView, method: str, arguments: list[Any], error: str) -> None:
    assert call(node, method, arguments) == {"error": error, "traceback": []}


def test_a_failure_inside_shows_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    def zonefile(_: str) -> bytes:
        raise LookupError("disk gone")

    reply = call(make_node(zonefile=zonefile), "get_name_record", ["foo1.test"])
    assert reply == {"error": "LookupError: the call failed inside the node", "traceback": []}
    assert "disk gone" in caplog.text


def test_the_envelope_of_a_node_that_is_behind() -> None:
    now = [1000.0]
    passes = Passes(lambda: now[0], seconds=5)
    node = make_node(progress=passes)
    assert call(node, "get_num_names", []) == {"count": 3, "status": True, "indexing": False, "lastblock": LAST}
    passes.begin()
    assert call(node, "get_num_names", [])["indexing"] is True
    passes.end(700)
    now[0] += 5
    assert call(node, "ping", [])["status"] == "alive"
    assert "stale" not in call(node, "getinfo", [])
    now[0] += 0.5
    reply = call(node, "get_namespace_cost", ["test"])
    assert (reply["stale"], reply["warning"]) == (True, "Daemon has not reindexed since 1000.0")
    assert call(node, "ping", [])["status"] == "stale"
    info = call(node, "getinfo", [])
    assert (info["last_block_seen"], info["last_block_processed"], info["stale"]) == (700, LAST, True)
    assert info["warning"] == "Daemon is behind the chain tip.  Do not rely on it for fresh information."
    passes.end(701)
    assert "stale" not in call(node, "get_num_names", [])


def test_the_network_that_a_node_tells_of() -> None:
    assert call(make_node(), "getinfo", [])["testnet"] == "1"
    assert "zonefile_count" not in call(make_node(atlas=None), "getinfo", [])


# Arguments

NAME = ["foo1.test", SUBDOMAIN]
NO_NAMES = [None, 1, True, "", ".", "a", "a.", ".a", "A.a", "a.b.c.d", "a+b.c", "a" * 33 + ".test", "a.b\n"]
NO_INTEGERS = [None, True, 0.0, "0", -1, 2**31]
NO_HEX40 = [None, "0" * 39, "0" * 41, "g" * 40, "0" * 39 + "\n"]


@pytest.mark.parametrize(
    ("method", "good", "place", "bad", "error"),
    [
        ("get_name_record", NAME[:1], 0, NO_NAMES, "Invalid name or subdomain"),
        ("get_name_blockchain_record", NAME[1:], 0, NO_NAMES, "Invalid name or subdomain"),
        ("get_name_DID", NAME[:1], 0, NO_NAMES, "Invalid name or subdomain"),
        ("get_name_history_page", ["foo1.test", 0], 0, NO_NAMES, "invalid name"),
        ("get_name_history_page", ["foo1.test", 0], 1, NO_INTEGERS, "invalid page"),
        ("is_name_zonefile_hash", ["foo1.test", "0" * 40], 0, NO_NAMES, "invalid name"),
        ("is_name_zonefile_hash", ["foo1.test", "F" * 40], 1, NO_HEX40, "invalid zone file hash"),
        ("get_name_at", ["foo1.test", LAST], 0, [*NO_NAMES, SUBDOMAIN], "invalid name"),
        ("get_name_at", ["foo1.test", LAST], 1, [*NO_INTEGERS, 0, 10_000_001], "Invalid block height"),
        ("get_historic_name_at", ["foo1.test", LAST], 1, [0], "Invalid block height"),
        ("get_DID_record", [SUBDOMAIN_DID], 0, [None, 1], "Invalid DID: not a string"),
        ("get_DID_record", [SUBDOMAIN_DID], 0, ["", f"did:stack:v0:{OWNER}", f"did:stack:v1:{OWNER}-0"], "Invalid DID"),
        (
            "get_names_owned_by_address",
            [OWNER],
            0,
            [None, OWNER[:-1], "tb1pgaczkys68386hl2cnemser0"],
            "Invalid address",
        ),
        ("get_historic_names_by_address", [OWNER, 0, 10], 1, NO_INTEGERS, "invalid offset"),
        ("get_historic_names_by_address", [OWNER, 0, 10], 2, [*NO_INTEGERS, 11], "invalid count"),
        ("get_name_cost", ["foo1.test"], 0, [*NO_NAMES, SUBDOMAIN], "Invalid name or namespace"),
        ("get_namespace_cost", ["a"], 0, [None, "", "A", "a.b", "a" * 20, "a\n"], "Invalid namespace"),
        ("get_names_in_namespace", ["test", 0, 100], 0, [None, "", "a.b"], "Invalid name or namespace"),
        ("get_all_names", [0, 100], 1, [*NO_INTEGERS, 101], "invalid count"),
        ("get_subdomain_ops_at_txid", ["0" * 64], 0, [None, "0" * 63], "Not a valid txid"),
        ("get_blockstack_ops_at", [LAST, 0, 10], 1, NO_INTEGERS, "Invalid offset"),
        ("get_blockstack_ops_at", [LAST, 0, 10], 2, [11], "Invalid count"),
        ("get_consensus_hashes", [[LAST] * 32], 0, [None, "x", {}], "Invalid block heights"),
        ("get_consensus_hashes", [[]], 0, [[LAST] * 33], "Too many block heights"),
        ("get_consensus_hashes", [[LAST]], 0, [[0], ["1"], [True]], "Invalid block height"),
        ("get_block_from_consensus", ["0" * 32], 0, ["0" * 31], "Not a valid consensus hash"),
        ("get_zonefiles", [["0" * 40] * 100], 0, [None], "Invalid zonefile hashes"),
        ("get_zonefiles", [[]], 0, [["0"] * 101], "Too many requests (no more than 100 allowed)"),
        ("get_zonefiles", [[]], 0, [[value] for value in NO_HEX40], "Invalid zone file hash"),
        ("put_zonefiles", [[""] * 5], 0, [None], "Invalid data"),
        ("put_zonefiles", [[]], 0, [[""] * 6], "Too many zonefiles"),
        ("get_zonefiles_by_block", [1, LAST, 0, 100], 0, [0], "Invalid from_block height"),
        ("get_zonefiles_by_block", [1, LAST, 0, 100], 1, [0], "Invalid to_block height"),
        ("get_zonefile_inventory", [0, 524_288], 1, [524_289], "invalid length"),
    ],
)
def test_arguments(node: NodeView, method: str, good: list[Any], place: int, bad: Sequence[Any], error: str) -> None:
    assert call(node, method, good)["status"] is True
    for value in bad:
        arguments = [*good[:place], value, *good[place + 1 :]]
        assert call(node, method, arguments) == {"error": error, "http_status": 400}, value


@pytest.mark.parametrize("text", ["A", "AA=", "A===", "AAAA=", "A A=", "AA==\n", "é", "A" * 54_620])
def test_what_is_no_zone_file(node: NodeView, text: str) -> None:
    reply = call(node, "put_zonefiles", [["", text]])
    assert reply["error"].startswith("Invalid zone file payload")
    assert reply["http_status"] == 400


def test_what_is_not_kept(node: NodeView) -> None:
    too_long = "A" * 54_616  # 40,962 bytes
    assert call(node, "put_zonefiles", [["", too_long, "AAAA"]])["saved"] == [0, 0, 0]


def test_the_main_chain_begins_late() -> None:
    node = make_node(test_mode=False)
    assert call(node, "get_consensus_at", [373_600])["error"] == "Invalid block height"
    assert call(node, "get_consensus_at", [373_601])["consensus"] is None


# Peers


class Neighbours:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def peers(self, asking: str) -> list[str]:
        self.asked.append(asking)
        return ["198.51.100.7:6264"]


@pytest.mark.parametrize(
    ("caller", "text", "asked"),
    [
        ("127.0.0.1", "peer.example:6270", "peer.example:6270"),
        ("::1", "peer.example", "peer.example:16264"),
        ("localhost", "http://user@peer.example:1/", "peer.example:1"),
        ("203.0.113.9", "peer.example:6270", "203.0.113.9:16264"),
        ("203.0.113.9", "a:b:c", "203.0.113.9:16264"),
    ],
)
def test_who_becomes_a_peer(caller: str, text: str, asked: str) -> None:
    atlas = Neighbours()
    reply = call(make_node(atlas=atlas), "atlas_peer_exchange", [text], caller)
    assert (reply["peers"], atlas.asked) == (["198.51.100.7:6264"], [asked])


@pytest.mark.parametrize("text", ["", "a:b", "a:b:c", "a:0", "a:65536", "a:1:2", "a:65535"])
def test_what_is_no_peer(text: str) -> None:
    reply = call(make_node(atlas=Neighbours()), "atlas_peer_exchange", [text])
    assert reply == {"error": "Invalid remote peer address", "http_status": 400}


@pytest.mark.parametrize(
    ("method", "arguments", "error", "status"),
    [
        ("get_zonefiles", [[]], "No data", 400),
        ("put_zonefiles", [[]], "No data", 400),
        ("get_zonefiles_by_block", [1, 2, 0, 1], "Not an atlas node", 400),
        ("get_zonefile_inventory", [0, 1], "Not an atlas node", 400),
        ("get_atlas_peers", [], "Not an atlas node", 404),
        ("atlas_peer_exchange", ["a:1"], "Not an atlas node", 404),
        ("get_all_neighbor_info", [], "No such method", 401),
    ],
)
def test_a_node_without_atlas(method: str, arguments: list[Any], error: str, status: int) -> None:
    assert call(make_node(atlas=None), method, arguments) == {"error": error, "http_status": status}


def test_there_are_forty_methods() -> None:
    assert len(METHODS) == 40
