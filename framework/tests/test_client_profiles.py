"""Names registered through the broadcaster by blockstack.js, and their profiles, really served, found by all clients.

A store serves the profiles over HTTP, zone files name it, tokens are signed by blockstack.js and by the harness.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bns.bitcoin.address import base58check_decode, base58check_encode
from bns.zonefiles.store import zonefile_hash
from bnslab.clients import BlockstackJs, ClientError, ReferenceClient
from bnslab.gaia import Gaia
from tests.processes import SOON
from tests.stories import Story, open_story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool
    from bnslab.clients.javascript import Installed
    from bnslab.nodes.reference import Reference

NAME = "foo.test"
PROFILE = {"@type": "Person", "@context": "http://schema.org", "name": "Bob", "description": "na\u00efve"}
LATER = PROFILE | {"description": "moved"}

pytestmark = pytest.mark.foreign


@pytest.fixture
def story(bitcoind_binary: Bitcoind, tmp_path: Path, port_pool: PortPool, installed: Installed) -> Iterator[Story]:
    with open_story(bitcoind_binary, tmp_path, port_pool, installed) as opened:
        opened.launch()
        opened.ready()
        yield opened


@pytest.fixture
def gaia() -> Iterator[Gaia]:
    store = Gaia(named=False)
    yield store
    store.close()


@contextmanager
def on_mainnet(story: Story, installed: Installed) -> Iterator[BlockstackJs]:
    """A client that takes the devnet for mainnet, which its look-up of profiles knows alone."""
    with BlockstackJs(installed, **story.settings, network="BlockstackNetwork") as js:
        yield js


def mainnet(address: str) -> str:
    return base58check_encode(0, base58check_decode(address)[1])


def put_profile(story: Story, gaia: Gaia, profile: dict[str, Any]) -> str:
    """Bob's profile, signed and wrapped by blockstack.js, in the store; its URL."""
    token = story.js.call("signProfileToken", profile, story.key("bob"))
    file = [story.js.call("wrapProfileToken", token)]
    return gaia.store(f"hub/{story.address('bob')}/profile.json", json.dumps(file).encode())


def register(story: Story, name: str, zonefile: str) -> dict[str, Any]:
    """Alice pays for a name of bob's, all in one request; what the client is told."""
    bob, payer = story.address("bob"), story.key("alice")
    preorder = story.js.call("transactions.makePreorder", name, bob, payer)
    story.network("modifyUTXOSetFrom", preorder)
    register = story.js.call("transactions.makeRegister", name, bob, payer, zonefile)
    story.network("modifyUTXOSetFrom", register)
    told: dict[str, Any] = story.network("broadcastNameRegistration", preorder, register, zonefile)
    story.devnet.start_miner()
    story.broadcaster.wait(SOON)
    story.network("resetUTXOs", story.address("alice"))
    return told


def test_a_name_is_registered_in_one_request_and_every_client_finds_its_profile(
    story: Story, gaia: Gaia, installed: Installed, reference: Reference, run_directory: Path
) -> None:
    url = put_profile(story, gaia, PROFILE)
    zonefile = story.js.call("makeProfileZoneFile", NAME, url)
    height = story.devnet.height
    told = register(story, NAME, zonefile)
    assert told["status"] is True
    assert story.network("getTransactionInfo", told["preorderTxHash"]) == {"block_height": height + 1}
    assert story.network("getTransactionInfo", told["registerTxHash"]) == {"block_height": height + 2}
    info = story.name(NAME)
    assert (info["address"], info["zonefile"]) == (story.address("bob"), zonefile)

    with on_mainnet(story, installed) as js:
        assert js.call("lookupProfile", NAME) == PROFILE
        assert story.js.call("resolveZoneFileToProfile", zonefile, mainnet(info["address"])) == PROFILE
        assert story.rest.get(f"/v1/users/{NAME}").json() == PROFILE

        python = ReferenceClient(reference, run_directory, story.devnet.rpc_url, story.devnet.params.to_reference_env())
        did = f"did:stack:v0:{story.address('bob')}-0"
        resolved, with_record, document, identifier = python.call(
            [
                ("resolve_profile", [NAME]),
                ("resolve_profile", [NAME, False, True]),
                ("resolve_DID", [did]),
                ("get_name_DID", [NAME]),
            ]
        )
        key = story.devnet.wallets["bob"].public_keys[0].hex()
        assert resolved == {"profile": PROFILE, "zonefile": zonefile, "public_key": key}
        assert with_record["name_record"]["value_hash"] == zonefile_hash(zonefile.encode())
        assert identifier == did
        assert (document["public_key"], document["document"]["name"]) == (key, "Bob")
        assert document["document"]["publicKey"] == [{"id": did, "type": "secp256k1", "publicKeyHex": key}]

        assert put_profile(story, gaia, LATER) == url
        assert js.call("lookupProfile", NAME) == LATER
        assert python.call([("resolve_profile", [NAME])])[0]["profile"] == LATER


def test_a_profile_that_the_harness_signs_is_one_for_the_clients_and_that_of_a_stranger_is_not(
    story: Story, gaia: Gaia, installed: Installed, reference: Reference, run_directory: Path
) -> None:
    wallets = story.devnet.wallets
    good, bad = gaia.profile(wallets["bob"], PROFILE, "0/profile.json"), gaia.profile(wallets["carol"], PROFILE)
    for name, url in (("good.test", good), ("bad.test", bad)):
        story.send("NAME_PREORDER", "makePreorder", name, story.address("bob"), story.key("alice"))
        text = story.js.call("makeProfileZoneFile", name, url)
        story.send("NAME_REGISTRATION", "makeRegister", name, story.address("bob"), story.key("alice"), text)
        story.network("broadcastZoneFile", text)
    python = ReferenceClient(reference, run_directory, story.devnet.rpc_url, story.devnet.params.to_reference_env())
    found, missed = python.call([("resolve_profile", ["good.test"]), ("resolve_profile", ["bad.test"])])
    assert found["profile"] == PROFILE
    assert missed == {"error": "No profile found for this name", "http_status": 404}
    mismatch = "Token issuer public key does not match the verifying value"
    with on_mainnet(story, installed) as js:
        assert js.call("lookupProfile", "good.test") == PROFILE
        with pytest.raises(ClientError, match=mismatch):
            js.call("lookupProfile", "bad.test")
    # on regtest it compares the owner with the mainnet address of the key: no profile can be found
    with pytest.raises(ClientError, match=mismatch):
        story.js.call("lookupProfile", "good.test")


def test_zone_files_and_transactions_that_follow_others(story: Story) -> None:
    bob, payer = story.address("bob"), story.key("alice")
    preorder = story.js.call("transactions.makePreorder", "late.test", bob, payer)
    first = story.network("broadcastTransaction", preorder)
    story.network("modifyUTXOSetFrom", preorder)
    text = story.js.call("makeProfileZoneFile", "late.test", "http://127.0.0.1:1/profile.json")
    register = story.js.call("transactions.makeRegister", "late.test", bob, payer, text)
    told = story.network("broadcastTransaction", register, first, 3)
    assert told["status"] is True
    assert story.network("broadcastZoneFile", text, told["TxHash"])["status"] is True
    story.devnet.start_miner()
    story.broadcaster.wait(SOON)
    heights = [story.network("getTransactionInfo", txid)["block_height"] for txid in (first, told["TxHash"])]
    assert heights[1] - heights[0] == 3
    assert story.name("late.test")["zonefile"] == text


def test_what_the_broadcaster_refuses_is_an_error_of_the_client(story: Story) -> None:
    with pytest.raises(ClientError, match=r"^Error$"):  # its errors of this kind have no text
        story.network("broadcastNameRegistration", "00", "00", "x")
    assert story.broadcaster.held == ()


def test_a_name_registered_with_coins_and_blocks_from_insight(story: Story, installed: Installed) -> None:
    settings = story.settings | {"insight": f"{story.settings['bitcoind']}/insight-api"}
    bob, payer = story.address("bob"), story.key("alice")
    with BlockstackJs(installed, **settings) as js:
        assert js.call("config.network.getBlockHeight") == story.devnet.height
        for function in ("makePreorder", "makeRegister"):
            signed = js.call(f"transactions.{function}", "seen.test", bob, payer)
            txid = js.call("config.network.broadcastTransaction", signed)["txid"]
            height = story.devnet.mine()
            assert js.call("config.network.getTransactionInfo", txid) == {"block_height": height}
        with pytest.raises(ClientError, match="Error finding transaction: No such mempool or blockchain transaction"):
            js.call("config.network.getTransactionInfo", "ab" * 32)
    assert story.name("seen.test")["address"] == bob
