"""REST endpoints beyond names: pages, zone files, profiles, test coins, limits, and the document about them all."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from bns.api import chain, rest_names
from bns.api.openapi import document, path_of
from bns.api.records import view
from bns.api.rest import OPENAPI_PATH, rest_app
from bns.api.routes import ENDPOINTS
from bns.api.sources import NoSubdomains, Output
from bns.bitcoin.address import base58check_decode, base58check_encode
from bns.bitcoin.hashes import hash160
from bns.identity.tokens import Profile
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import MemoryZonefiles
from bnslab.http import AsgiClient, HttpClient, LoopbackServer, Response
from tests.api_nodes import OWNER, SUBDOMAIN, SUBDOMAIN_DID, golden, make_node, replay

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME_OWNER = "myaPViveUWiiZQQTb51KXCDde4iLC3Rf3K"
JSON = {"Content-Type": "application/json"}
LAST = 695


def client_of(**parts: Any) -> AsgiClient:
    return AsgiClient(rest_app(make_node(**parts)))


@pytest.fixture
def client() -> AsgiClient:
    return client_of()


def push(client: AsgiClient, body: object, content_type: str = "application/json") -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.request("POST", "/v1/zonefile/", body=data, headers={"Content-Type": content_type})


# Pages


@pytest.mark.parametrize("path", ["/v1/names", "/v1/subdomains", "/v1/namespaces/test/names"])
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?page=", 400),
        ("?page=-1", 400),
        ("?page=x", 400),
        ("?page=1_0", 400),
        ("?page=%D9%A1", 400),
        ("?page=0", 200),
        ("?page=%2B0", 200),
        ("?page=21474837", 200),
        ("?page=" + "9" * 5000, 200),
    ],
)
def test_pages(client: AsgiClient, path: str, query: str, status: int) -> None:
    answer = client.get(path + query)
    assert answer.status == status
    if status == 200:
        assert bool(answer.json()) == (query in ("?page=0", "?page=%2B0"))


@pytest.mark.parametrize("page", ["-1", "x", "0000000000", "1000000000", "1_0"])
def test_history_pages_that_are_none(client: AsgiClient, page: str) -> None:
    answer = client.get(f"/v1/names/foo1.test/history?page={page}")
    assert (answer.status, answer.json()) == (400, {"error": "Invalid page"})


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["longnamespace-19xyz", "id", "helloworld", "w-w-w-w-w", "zone8888", "q"]),
        ("?offset=1&count=2", ["id", "helloworld"]),
        ("?offset=9", []),
        ("?count=0", []),
    ],
)
def test_slices_of_the_namespaces(query: str, ids: list[str]) -> None:
    client = AsgiClient(rest_app(make_node("fuzz/wild_3")))
    assert client.get(f"/v1/namespaces{query}").json() == ids


@pytest.mark.parametrize("query", ["offset=-1", "count=x", "count=1.0", "offset=" + "9" * 30])
def test_what_does_not_slice(client: AsgiClient, query: str) -> None:
    assert client.get(f"/v1/namespaces?{query}").status == 400


# Zone files


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ({"zonefile": "x"}, "text/plain"),
        (b"{", "application/json"),
        (b"", "application/json"),
        (b"\xff", "application/json"),
        (b"null", "application/json"),
        ([], "application/json"),
        ({}, "application/json"),
        ({"zonefile": ""}, "application/json"),
        ({"zonefile": 1}, "application/json"),
        ({"zonefile": "x" * 40_961}, "application/json"),
        ({"zonefile_b64": "A"}, "application/json"),
        ({"zonefile_b64": "A" * 54_616}, "application/json"),
        ({"zonefile": "x", "error": "y"}, "application/json"),
        (b"[" * 100_000, "application/json"),
    ],
)
def test_pushes_that_are_none(client: AsgiClient, body: object, content_type: str) -> None:
    answer = push(client, body, content_type)
    assert (answer.status, answer.json()) == (400, {"error": "Invalid request"})


def test_a_push_beyond_a_megabyte_is_not_read() -> None:
    app = rest_app(make_node())
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/zonefile", "raw_path": b"/v1/zonefile", "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"1048576")],
    }  # fmt: skip
    asyncio.run(run())
    assert sent[0]["status"] == 400


@pytest.mark.parametrize("field", ["zonefile", "zonefile_b64"])
def test_a_pushed_zone_file_can_be_fetched(field: str) -> None:
    state = replay("name_pre_regup_subdomain_lookups").state
    state.connection.execute("UPDATE atlas_zonefiles SET present = 0")
    client = AsgiClient(rest_app(view(state, Offchain(state, MemoryZonefiles()))))
    text = golden("name_pre_regup_subdomain_lookups")["zonefiles"][0]["base64"]
    data = base64.b64decode(text)
    target = f"/v1/zonefiles/{hash160(data).hex()}"
    assert client.get(target).status == 404
    body = {field: text if field == "zonefile_b64" else data.decode(), "more": 1}
    answer = push(client, body, "application/json; charset=utf-8")
    assert (answer.status, answer.json()) == (200, {"status": True, "servers": ["http://localhost:16264"]})
    stored = client.get(target)
    assert (stored.status, stored.headers["content-type"], stored.body) == (200, "application/octet-stream", data)


def test_a_push_says_yes_to_what_nobody_announced(client: AsgiClient) -> None:
    text = "gr\u00fc\u00dfe " * 5000
    assert push(client, {"zonefile": text}).json()["status"] is True
    assert client.get(f"/v1/zonefiles/{hash160(text.encode()).hex()}").status == 404


def test_no_pushes_without_atlas() -> None:
    answer = push(client_of(atlas=None), {"zonefile": "x"})
    assert (answer.status, answer.json()) == (400, {"error": "No data"})


def test_a_zone_file_that_does_not_parse() -> None:
    client = client_of(zonefile=lambda _: b"\xff\x00")
    hash_ = client.get("/v1/names/foo1.test").json()["zonefile_hash"]
    assert client.get("/v1/names/foo1.test/zonefile").json()["error"].startswith("Non-standard zone file.  Try")
    past = client.get(f"/v1/names/foo1.test/zonefile/{hash_}")
    assert (past.status, past.body) == (204, b"")
    for raw in ("1", "true", "TRUE"):
        assert client.get(f"/v1/names/foo1.test/zonefile?raw={raw}").body == b"\xff\x00"
        assert client.get(f"/v1/names/foo1.test/zonefile/{hash_}?raw={raw}").body == b"\xff\x00"


# Addresses


def test_addresses_of_the_other_network(client: AsgiClient) -> None:
    version, payload = base58check_decode(OWNER)
    assert version == 111
    for address in (OWNER, base58check_encode(0, payload)):
        assert client.get(f"/v1/addresses/bitcoin/{address}").json() == {"names": [SUBDOMAIN]}
    unknown = base58check_encode(48, payload)
    assert client.get(f"/v1/addresses/bitcoin/{unknown}").json() == {"names": []}


def test_names_come_before_subdomains() -> None:
    class Everything(NoSubdomains):
        def owned_by(self, address: str, /) -> list[str]:
            return ["a.a.test"]

    answer = client_of(subdomains=Everything()).get(f"/v1/addresses/bitcoin/{NAME_OWNER}")
    assert answer.json() == {"names": ["foo1.test", "foo2.test", "foo3.test", "a.a.test"]}


@pytest.mark.parametrize("height", ["0", "10000001", "9" * 5000])
def test_heights_that_are_none(client: AsgiClient, height: str) -> None:
    for of in ("bitcoin", "ethereum"):
        answer = client.get(f"/v1/blockchains/{of}/operations/{height}")
        assert (answer.status, answer.json()) == (400, {"error": "Invalid block"})


def test_the_main_chain_begins_late() -> None:
    client = client_of(test_mode=False)
    assert client.get("/v1/blockchains/bitcoin/operations/373600").status == 400
    assert client.get("/v1/blockchains/bitcoin/operations/373601").json() == []


# Profiles


@pytest.mark.parametrize(
    ("path", "what"), [("users/foo1.test", "foo1.test"), (f"dids/did:stack:v0:{NAME_OWNER}-0", None)]
)
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "Failed to get zone file for {what}"),
        (b"\xff", "Failed to parse zone file {hash} for {what}"),
        (b"$ORIGIN foo1.test\n$TTL 3600\n", "Failed to parse zone file {hash} for {what}"),
    ],
)
def test_no_way_to_a_profile(path: str, what: str | None, data: bytes | None, text: str) -> None:
    client = client_of(zonefile=lambda _: data)
    hash_ = client.get("/v1/names/foo1.test").json()["zonefile_hash"]
    answer = client.get(f"/v1/{path}")
    expected = text.format(what=what or path.removeprefix("dids/"), hash=hash_)
    assert (answer.status, answer.json()) == (404, {"error": expected})


def test_profiles_are_fetched_without_the_lock() -> None:
    asked: list[Any] = []

    def take_lock() -> None:
        asked.append(lock.acquire(blocking=False))
        lock.release()

    def fetch(targets: Sequence[str], address: str) -> Profile:
        other = threading.Thread(target=take_lock)
        other.start()
        other.join()
        asked.append((list(targets), address))
        return Profile({"name": "Bar"}, "03ab")

    lock = threading.Lock()
    client = AsgiClient(rest_app(make_node(profiles=fetch, reading=lock)))
    assert client.get(f"/v1/users/{SUBDOMAIN}").json() == {"name": "Bar"}
    assert asked[0] is True
    assert asked[1] == (["http://localhost:4000/hub/1BaqZJqwt2dcdxt6oa3mwSK4DiEyfXCgnZ/profile.json"], OWNER)
    key = {"id": SUBDOMAIN_DID, "type": "secp256k1", "publicKeyHex": "03ab"}
    assert client.get(f"/v1/dids/{SUBDOMAIN_DID}").json() == {
        "public_key": "03ab",
        "document": {"name": "Bar", "@context": "https://w3id.org/did/v1", "publicKey": [key]},
    }


def test_no_profile_at_the_end_of_the_way() -> None:
    for parts in ({}, {"profiles": lambda targets, address: None}):
        client = client_of(**parts)
        assert client.get("/v1/users/foo1.test").json() == {"error": "No profile found for this name"}
        did = f"/v1/dids/did:stack:v0:{NAME_OWNER}-0"
        assert client.get(did).json() == {"error": "No public key found for the given DID"}


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("nodot", 400, "Invalid name or subdomain"),
        ("nosuch.test", 404, "Failed to get name record: Not found."),
        ("a.foo1.test", 404, "Failed to get name record: Failed to load subdomain"),
    ],
)
def test_users_that_are_none(client: AsgiClient, name: str, status: int, error: str) -> None:
    answer = client.get(f"/v1/users/{name}")
    assert (answer.status, answer.json()) == (status, {"error": error})


def test_users_of_expired_names() -> None:
    client = AsgiClient(rest_app(make_node("name_pre_reg_expire_isdead")))
    assert client.get("/v1/users/foo.test").json() == {"error": "Failed to get name record: Name expired"}


# Test coins


def test_coins_of_an_address() -> None:
    asked = []

    def unspents(address: str) -> list[Output]:
        asked.append(address)
        return [Output("aa" * 32, 1, 5, "76a9", 6), Output("bb" * 32, 0, 7, "76a9", 0)]

    client = client_of(unspents=unspents)
    mainnet = base58check_encode(0, base58check_decode(OWNER)[1])
    path = f"/insight-api/addr/{mainnet}"
    assert client.get(f"{path}/balance").json() == 5
    assert client.get(f"{path}/unconfirmedBalance").json() == 12
    assert client.get(f"{path}/utxo").json()[0] == {
        "transaction_hash": "aa" * 32,
        "outpoint": {"hash": "aa" * 32, "index": 1},
        "value": 5,
        "out_script": "76a9",
        "confirmations": 6,
    }
    assert set(asked) == {OWNER}
    assert client.get("/insight-api/addr/nobody/balance").json() == {"error": "Invalid address"}


def test_coins_without_a_bitcoin_node() -> None:
    def unspents(address: str) -> list[Output]:
        raise ConnectionRefusedError

    answer = client_of(unspents=unspents).get(f"/insight-api/addr/{OWNER}/balance")
    assert (answer.status, answer.json()) == (502, {"error": f"Failed to get unspents for {OWNER}"})
    for client in (client_of(), client_of(unspents=unspents, test_mode=False)):
        answer = client.get(f"/insight-api/addr/{OWNER}/utxo")
        assert (answer.status, answer.headers["content-type"], answer.body) == (404, "text/plain", b"")


# Limits


def test_too_many_requests_at_once() -> None:
    entered, leave = threading.Event(), threading.Event()

    def fetch(targets: Sequence[str], address: str) -> None:
        entered.set()
        leave.wait(10)

    app = rest_app(make_node(profiles=fetch), at_once=1)
    with LoopbackServer(app) as server, HttpClient(server.url) as one, HttpClient(server.url) as other:
        slow = threading.Thread(target=lambda: one.get("/v1/users/foo1.test"))
        slow.start()
        assert entered.wait(10)
        answer = other.get("/v1/ping")
        assert (answer.status, answer.headers["content-type"], answer.body) == (429, "text/plain", b"Too many requests")
        leave.set()
        slow.join()
        assert other.get("/v1/ping").status == 200


# The document


def test_the_document_has_every_route(client: AsgiClient) -> None:
    served = client.get(OPENAPI_PATH)
    assert served.json() == json.loads(json.dumps(document()))
    assert len(ENDPOINTS) == 31
    methods = {(path, method) for path, methods in document()["paths"].items() for method in methods}
    assert methods == {(path_of(endpoint), endpoint.method.lower()) for endpoint in ENDPOINTS}


def test_the_document_refers_to_what_is_in_it() -> None:
    text = json.dumps(document())
    names = set(document()["components"]["schemas"])
    assert names == {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    for path, methods in document()["paths"].items():
        for operation in methods.values():
            named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert named == {part.partition("}")[0] for part in path.split("{")[1:]}


def test_the_limits_agree() -> None:
    assert chain.MAX_ZONEFILE * 4 // 3 < 54_616 < rest_names.MAX_PUSH
