"""Every route about names, a node that hears of no more blocks, one that is overrun (spec 10, 3.18 and 3.19)."""

import json
import socket
from contextlib import ExitStack

import pytest

from bns.api.records import view
from bns.api.rest import rest_app
from bns.api.rpc import rpc_app
from bns.api.sources import Passes
from bns.zonefiles.store import zonefile_hash
from bnslab import epochs, xmlrpc
from bnslab.http import AsgiClient, HttpClient, LoopbackServer

NOWHERE = "00" * 20


@epochs(3)
@pytest.mark.p2pkh("bob")
def test_rest_api_names(lab, alice, bob):
    lab.namespace("test", by=alice)
    hello = lab.subdomain("hello.foo.test", owner=bob)
    zonefile = lab.zonefile("foo.test", hello)
    lab.register("foo.test", by=bob, zonefile=zonefile)
    lab.publish(zonefile)
    lab.mine()
    own, embedded = zonefile_hash(zonefile), lab.get("/v1/names/hello.foo.test").json()["zonefile_hash"]
    bodies = {
        "/v1/names?page=0": ["foo.test"],
        "/v1/names?page=1": [],
        "/v1/subdomains?page=0": ["hello.foo.test"],
        "/v1/subdomains?page=1": [],
        f"/v1/addresses/bitcoin/{bob.address}": {"names": ["foo.test", "hello.foo.test"]},
        f"/v1/addresses/bitcoin/{alice.address}": {"names": []},
        "/v1/prices/namespaces/id": {"satoshis": 400000000, "units": "BTC", "amount": "400000000"},
        "/v1/prices/names/foo.test": {"name_price": {"satoshis": 640000, "units": "BTC", "amount": "640000"}},
        "/v1/blockchains/bitcoin/consensus": {"consensus_hash": lab.consensus_hash},
        "/v1/blockchains/bitcoin/name_count": {"names_count": 1},
        "/v1/blockchains/bitcoin/name_count?all=1": {"names_count": 1},
        "/v1/blockchains/bitcoin/subdomains_count": {"names_count": 1},
        "/v1/namespaces": ["test"],
        "/v1/namespaces/test/names?page=0": ["foo.test"],
        "/v1/namespaces/test/names?page=1": [],
    }
    for path, body in bodies.items():
        answer = lab.get(path)
        assert (answer.status, answer.json()) == (200, body), path
    names = {"foo.test": own, "hello.foo.test": embedded}
    statuses = dict.fromkeys(["/v1/names", "/v1/subdomains", "/v1/namespaces/test/names", "/v1/names/invalid"], 400)
    statuses |= dict.fromkeys(["/v1/prices/namespaces/ID", f"/v1/prices/namespaces/{'a' * 20}"], 400)
    statuses |= dict.fromkeys(["/v1/prices/names/hello.foo.test", f"/v1/prices/names/{'a' * 33}.test"], 400)
    statuses["/v1/names/not.found"] = 404
    for name, hash_ in names.items():
        other = next(found for found in names.values() if found != hash_)
        here = f"/v1/names/{name}"
        statuses |= dict.fromkeys([here, f"{here}/history", f"{here}/history?page=0", f"{here}/zonefile"], 200)
        statuses |= {f"{here}/history?page=1": 404, f"{here}/zonefile/{hash_}": 200}
        statuses |= dict.fromkeys([f"{here}/zonefile/{NOWHERE}", f"{here}/zonefile/{other}"], 404)
    for name in ("not.found", "notfound.foo.test"):
        there = f"/v1/names/{name}"
        statuses |= dict.fromkeys([f"{there}/history?page=0", f"{there}/zonefile", f"{there}/zonefile/{own}"], 404)
    assert {path: lab.get(path).status for path in statuses} == statuses


def test_blockstackd_stale(lab):
    """It says so in every answer, and goes on answering."""
    lab.mine()
    now = [0.0]
    progress = Passes(lambda: now[0], seconds=5)
    node = view(lab.node.state, lab.node.offchain, progress=progress)
    rest, rpc = AsgiClient(rest_app(node)), AsgiClient(rpc_app(node))

    def answers():
        getinfo, ping = (json.loads(xmlrpc.call(rpc, method, ())) for method in ("getinfo", "ping"))
        assert rest.get("/v1/names?page=0").json() == []
        return rest.get("/v1/info").json().get("stale", False), getinfo.get("stale", False), ping["status"]

    now[0] = 5
    assert answers() == (False, False, "alive")
    now[0] = 6
    assert answers() == (True, True, "stale")
    lab.mine()
    progress.end(lab.height)
    assert answers() == (False, False, "alive")


def test_blockstackd_max_rpc_threads(lab):
    """Twenty calls at once, the slow ones counted; one more is told to come again."""
    lab.mine()
    head = b"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n"
    app = rpc_app(view(lab.node.state, lab.node.offchain), at_once=20)
    with LoopbackServer(app) as server, HttpClient(server.url) as client, ExitStack() as opened:

        def idle():
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
            connection.sendall(head)
            assert connection.recv(1024).startswith(b"HTTP/1.1 100")  # now it counts
            return connection

        busy = [idle() for _ in range(19)]
        assert '"last_block_processed"' in xmlrpc.call(client, "getinfo", ())
        busy.append(idle())
        assert '"overloaded"' in xmlrpc.call(client, "getinfo", ())
        busy[0].sendall(b"garbage")
        assert busy[0].recv(1024).startswith(b"HTTP/1.1 200")
        assert '"last_block_processed"' in xmlrpc.call(client, "getinfo", ())
