"""The reference's own Python client: every question it has for a node, put to ours, through its schema validators.

The chain is one that the reference was recorded on, so what it answered itself is known too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bns.api.records import view
from bns.api.rpc import rpc_app
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import MemoryZonefiles
from bnslab import fixtures
from bnslab.clients import ClientError, ReferenceClient
from bnslab.consume import replay
from bnslab.http import LoopbackServer
from bnslab.nodes.reference import Python2, Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXTURE = Path(__file__).parents[2] / "fixtures" / "reference" / "name_pre_regup_subdomain_lookups.json.gz"

TIP = 695
NAMES = ["foo1.test", "foo2.test", "foo3.test"]
SUBDOMAINS = ["bar.foo1.test", "bar.foo2.test", "bar.foo3.test"]
OWNER = "myaPViveUWiiZQQTb51KXCDde4iLC3Rf3K"
SUBDOMAIN_OWNER = "mr6nrMvvh44sR5MiX929mMXP5hqgaTr6fx"
DID = f"did:stack:v0:{OWNER}-0"
SUBDOMAIN_DID = "did:stack:v0:tHWSc6hY3wUtW1b6urMFXMsy9mxmz1VJkt-0"
UPDATE = "f55668b71e572686645ad8d0a7d41e4126f4b2b9d219fe6f9890419965cb25ac"
HASH = "f4de1f5e5afed580f9eb507d59af7fedd5d07189"

Recorded = dict[str, Any]
Expectation = Callable[[Any, Recorded], bool]


class Chain:
    """Our node on the chain, its servers, and what the reference answered."""

    def __init__(self) -> None:
        self.fixture = fixtures.load(FIXTURE)
        self.state = State.memory(self.fixture.params)
        self.offchain = Offchain(self.state, MemoryZonefiles())
        heights = [receipt.height for receipt in replay(self.fixture, self.state, self.offchain)]
        assert heights[-1] == TIP
        assert self.fixture.expected is not None
        self.recorded: Recorded = json.loads(bytes(self.fixture.expected.rpc))


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    chain = Chain()
    yield chain
    chain.state.close()


@pytest.fixture(scope="module")
def answers(chain: Chain, reference: Reference, run_directory: Path) -> dict[str, Any]:
    """What the client made of each answer; one process asks all questions."""
    questions = [(function, arguments) for function, arguments, _ in ASKED]
    with LoopbackServer(rpc_app(view(chain.state, chain.offchain))) as server:
        client = ReferenceClient(reference, run_directory, server.url, chain.fixture.env)
        told = client.call(questions)
    return {key(*question): answer for question, answer in zip(questions, told, strict=True)}


def key(function: str, arguments: list[Any]) -> str:
    return f"{function}({json.dumps(arguments)[1:-1]})"


def equals(value: object) -> Expectation:
    return lambda told, _: told == value


def error(text: str, status: int) -> Expectation:
    return equals({"error": text, "http_status": status})


def member(call: str, name: str, **more: object) -> Expectation:
    """A member of what the reference answered to a call; records come with what the client adds to them."""

    def fits(told: Any, recorded: Recorded) -> bool:
        wanted = recorded[call][name]
        return bool(told == (wanted | more if more else wanted))

    return fits


def record_of(call: str, *left_out: str, **more: object) -> Expectation:
    """The record that the reference answered a call with, without the members that the client takes out."""

    def fits(told: Any, recorded: Recorded) -> bool:
        wanted = {name: value for name, value in recorded[call]["record"].items() if name not in left_out}
        return bool(told == wanted | more)

    return fits


def has(**members: object) -> Expectation:
    return lambda told, _: members.items() <= told.items()


def with_history(told: Any, recorded: Recorded) -> bool:
    wanted = recorded['get_name_blockchain_record("foo1.test")']["record"]
    return bool(told == wanted | {"grace_period": False}) and sorted(told["history"]) == ["692", "693", "694"]


def operations_at_694(told: Any, recorded: Recorded) -> bool:
    return bool(told == recorded["get_blockstack_ops_at(694, 0, 10)"]["nameops"])


ASKED: list[tuple[str, list[Any], Expectation]] = [
    ("ping", [], equals({"status": "alive", "version": "19.0.8.1"})),
    ("getinfo", [], has(server_alive=True, last_block_processed=TIP, last_block_seen=TIP, server_version="19.0.8.1")),
    ("get_name_record", ["foo1.test"], record_of('get_name_record("foo1.test")', grace_period=False)),
    ("get_name_record", ["foo1.test", True], with_history),
    ("get_name_record", ["bar.foo1.test"], record_of('get_name_record("bar.foo1.test")')),
    ("get_name_record", ["bar.foo1.test", True], has(name="bar.foo1.test", sequence=1)),
    ("get_name_record", ["nope.test"], error("Not found.", 404)),
    ("get_name_record", ["nope.foo1.test"], error("Failed to load subdomain", 404)),
    ("get_name_record", ["Nope"], equals({"exception": "ValueError: Not a valid name or subdomain: Nope"})),
    ("get_namespace_record", ["test"], record_of('get_namespace_blockchain_record("test")', "opcode")),
    ("get_namespace_record", ["nope"], error("No such namespace", 404)),
    ("get_name_cost", ["foo.test"], has(units="BTC", amount=640000)),
    ("get_name_cost", ["foo.nope"], error("Unknown/invalid namespace", 404)),
    ("get_namespace_cost", ["test"], has(units="BTC", amount=40000000)),
    ("get_all_names_page", [0, 100], equals(NAMES)),
    ("get_all_names", [], equals(NAMES)),
    ("get_num_names", [], equals(3)),
    ("get_num_names", [True], equals(3)),
    ("get_all_subdomains", [], equals(SUBDOMAINS)),
    ("get_num_subdomains", [], equals(3)),
    ("get_all_namespaces", [], equals(["test"])),
    ("get_names_in_namespace_page", ["test", 0, 100], equals(NAMES)),
    ("get_names_in_namespace", ["test"], equals(NAMES)),
    ("get_num_names_in_namespace", ["test"], equals(3)),
    ("get_names_owned_by_address", [OWNER], equals(NAMES)),
    ("get_subdomains_owned_by_address", [SUBDOMAIN_OWNER], equals(["bar.foo1.test"])),
    ("get_subdomain_ops_at_txid", [UPDATE], lambda told, _: [op["block_height"] for op in told] == [694]),
    ("get_name_DID", ["foo1.test"], equals(DID)),
    ("get_name_DID", ["bar.foo1.test"], equals(SUBDOMAIN_DID)),
    ("get_DID_record", [DID], has(name="foo1.test", address=OWNER, value_hash=HASH)),
    ("get_DID_record", [SUBDOMAIN_DID], has(name="bar.foo1.test", domain="foo1.test")),
    ("get_consensus_at", [TIP], member(f"get_consensus_at({TIP})", "consensus")),
    ("get_consensus_hashes", [[690, TIP]], lambda told, _: set(told) == {"690", str(TIP)}),
    ("get_block_from_consensus", ["b5c6a8961f8a2d681da947e93c5c54c4"], equals(TIP)),
    ("get_blockstack_transactions_at", [694], operations_at_694),
    ("get_blockstack_ops_hash_at", [694], member("get_blockstack_ops_hash_at(694)", "ops_hash")),
    ("get_name_history_page", ["foo1.test", 0], lambda told, _: sorted(told["history"]) == ["692", "693", "694"]),
    # it goes on until a page is an error, and gives that
    ("get_name_history", ["foo1.test"], error("Not found", 404)),
    ("get_name_and_history", ["foo1.test"], error("Not found", 404)),
    ("get_name_at", ["foo1.test", 693], member('get_name_at("foo1.test", 693)', "records")),
    ("is_name_zonefile_hash", ["foo1.test", HASH], equals({"result": True})),
    ("get_zonefile_inventory", [0, 100], has(inv={"base64": "/A=="})),
    ("get_atlas_peers", [], has(peers=[])),
    ("atlas_peer_exchange", ["127.0.0.1:6264"], has(peers=[])),
    ("get_zonefiles", [[HASH]], lambda told, _: told["zonefiles"][HASH].startswith("$ORIGIN foo1.test\n")),
    ("put_zonefiles", [[base64.b64encode(b"never announced").decode()]], has(saved=[0])),
    ("get_zonefiles_by_block", [690, 700], lambda told, _: len(told["zonefile_info"]) == 6),
    ("resolve_profile", ["nope.test"], error("Failed to get name record: Not found.", 404)),
    ("resolve_DID", ["did:stack:v0:" + OWNER + "-9"], has(http_status=404)),
]


@pytest.mark.foreign
@pytest.mark.xdist_group("reference-client")
@pytest.mark.parametrize(("function", "arguments", "fits"), ASKED, ids=[key(*asked[:2])[:60] for asked in ASKED])
def test_the_client_takes_our_answer(
    function: str, arguments: list[Any], fits: Expectation, answers: dict[str, Any], chain: Chain
) -> None:
    told = answers[key(function, arguments)]
    assert fits(told, chain.recorded), told


@pytest.mark.foreign
def test_nobody_at_the_other_end_is_an_answer_of_the_client(reference: Reference, run_directory: Path) -> None:
    client = ReferenceClient(reference, run_directory, "http://127.0.0.1:1", {"BLOCKSTACK_TEST": "1"})
    assert client.call([("ping", [])]) == [{"error": "Connection to remote host failed.", "http_status": 502}]


def test_a_client_that_cannot_run_says_why(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'ImportError: no blockstack' >&2; exit 3\n")
    program.chmod(0o755)
    reference = Reference(Python2(program, "2.7.18", "abi"), tmp_path)
    with pytest.raises(ClientError, match="status 3: ImportError: no blockstack"):
        ReferenceClient(reference, tmp_path, "http://127.0.0.1:1", {}).call([])
    assert [entry.name for entry in tmp_path.iterdir()] == ["python"]
