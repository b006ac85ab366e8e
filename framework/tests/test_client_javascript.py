"""blockstack.js, as it was published, against a devnet: every operation it can make, and its look-ups."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import platformdirs
import pytest

from bns.zonefiles.store import zonefile_hash
from bnslab.clients import BlockstackJs, ClientError, ClientUnavailable, javascript
from tests.stories import LIFETIME, Story, open_story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool

ZONEFILE = '$ORIGIN {name}\n$TTL 3600\n_http._tcp URI 10 1 "http://127.0.0.1:1/profile.json"\n'
KEEP_ZONEFILE = True
DROP_ZONEFILE = False


@pytest.fixture
def story(
    bitcoind_binary: Bitcoind, tmp_path: Path, port_pool: PortPool, installed: javascript.Installed
) -> Iterator[Story]:
    with open_story(bitcoind_binary, tmp_path, port_pool, installed) as opened:
        yield opened


@pytest.mark.foreign
def test_a_namespace_from_its_price_to_its_launch(story: Story) -> None:
    assert story.safe("isNamespaceValid", "test")
    assert story.safe("isNamespaceAvailable", "test")
    assert story.network("getNamespacePrice", "test") == {"units": "BTC", "amount": "40000000"}
    story.launch()
    assert not story.safe("isNamespaceAvailable", "test")
    assert story.safe("namespaceIsRevealed", "test")
    assert story.safe("revealedNamespace", "test", story.address("dave"))
    text = ZONEFILE.format(name="imported.test")
    hash_ = zonefile_hash(text.encode())
    story.send("NAME_IMPORT", "makeNameImport", "imported.test", story.address("carol"), hash_, story.key("dave"))
    story.ready()
    assert story.safe("namespaceIsReady", "test")
    info = story.network("getNamespaceInfo", "test")
    assert (info["ready"], info["version"], info["lifetime"], info["coeff"], info["base"]) == (True, 1, 1000, 4, 4)
    assert info["recipient_address"] == story.address("dave")
    imported = story.name("imported.test")
    assert (imported["address"], imported["zonefile_hash"]) == (story.address("carol"), hash_)
    assert story.network("broadcastZoneFile", text) == [f"http://localhost:{story.devnet.rpc_port}"]
    assert story.network("getZonefile", hash_) == text


@pytest.mark.foreign
def test_a_name_from_its_price_to_its_revocation(story: Story) -> None:
    story.launch()
    story.ready()
    bob, carol, payer = story.address("bob"), story.address("carol"), story.key("alice")
    assert story.safe("isNameValid", "foo.test")
    assert story.safe("isNameAvailable", "foo.test")
    assert story.network("getNamePrice", "foo.test") == {"units": "BTC", "amount": "10240"}
    assert story.safe("addressCanReceiveName", bob)
    story.register("foo.test", "bob")
    assert not story.safe("isNameAvailable", "foo.test")
    assert story.safe("ownsName", "foo.test", bob)
    assert story.name("foo.test")["zonefile_hash"] is None

    text = ZONEFILE.format(name="foo.test")
    story.send("NAME_UPDATE", "makeUpdate", "foo.test", story.key("bob"), payer, text)
    story.network("broadcastZoneFile", text)
    assert story.name("foo.test")["zonefile"] == text
    assert story.network("getZonefile", zonefile_hash(text.encode())) == text

    story.send("NAME_TRANSFER", "makeTransfer", "foo.test", carol, story.key("bob"), payer, KEEP_ZONEFILE)
    moved = story.name("foo.test")
    assert (moved["address"], moved["zonefile"]) == (carol, text)
    assert story.network("getNamesOwned", carol) == ["foo.test"]
    assert story.network("getNamesOwned", bob) == []

    story.send("NAME_RENEWAL", "makeRenewal", "foo.test", carol, story.key("carol"), payer, text)
    # epoch 3 doubles the lifetime of a namespace
    assert story.name("foo.test")["expire_block"] == story.devnet.height + 2 * LIFETIME
    assert not story.safe("isInGracePeriod", "foo.test")

    story.send("NAME_REVOKE", "makeRevoke", "foo.test", story.key("carol"), payer)
    revoked = story.name("foo.test")
    assert (revoked["status"], revoked["zonefile"]) == ("revoked", None)


@pytest.mark.foreign
def test_a_transfer_without_its_zone_file_and_a_registration_with_one(story: Story) -> None:
    story.launch()
    story.ready()
    text = ZONEFILE.format(name="with.test")
    story.send("NAME_PREORDER", "makePreorder", "with.test", story.address("bob"), story.key("alice"))
    story.send("NAME_REGISTRATION", "makeRegister", "with.test", story.address("bob"), story.key("alice"), text)
    assert story.name("with.test")["zonefile_hash"] == zonefile_hash(text.encode())
    keys = story.key("bob"), story.key("alice")
    story.send("NAME_TRANSFER", "makeTransfer", "with.test", story.address("dave"), *keys, DROP_ZONEFILE)
    assert story.name("with.test")["zonefile_hash"] is None


@pytest.mark.foreign
def test_what_is_not_there_is_told_in_the_clients_own_words(story: Story) -> None:
    for function, argument, told in (
        ("getNameInfo", "nobody.test", "Name not found"),
        ("getNamespaceInfo", "nope", "Namespace not found"),
        ("getNamePrice", "foo.nope", "Failed to query name price for foo.nope"),
        ("getZonefile", "00" * 20, "Bad response status: 404"),
        ("getAccountTokens", story.address("bob"), "Account not found"),
    ):
        with pytest.raises(ClientError, match=told):
            story.network(function, argument)
    assert story.network("getAccountBalance", story.address("bob"), "STACKS") == "0"
    assert story.network("getNamesOwned", story.address("bob")) == []
    # it asks for price and namespace at once, and the first to fail is told
    with pytest.raises(ClientError, match=r"No such namespace 'nope'|Failed to query name price for foo\.nope"):
        story.js.call("transactions.makePreorder", "foo.nope", story.address("bob"), story.key("alice"))


@pytest.mark.foreign
def test_the_client_is_installed_once_and_from_the_lock_file(installed: javascript.Installed) -> None:
    lines: list[str] = []
    cache = platformdirs.user_cache_path("bnslab")
    assert javascript.install(cache, lines.append) == javascript.find(cache) == installed
    assert lines == []
    assert javascript.version().startswith("18.")


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_without_node_or_npm_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClientUnavailable, match=r"no node and npm on PATH; what to do: install Node\.js 18"):
        javascript.find_node(str(tmp_path))
    script(tmp_path / "node", "echo v16.20.1")
    with pytest.raises(ClientUnavailable, match="no npm on PATH"):
        javascript.find_node(str(tmp_path))
    script(tmp_path / "npm", "")
    with pytest.raises(ClientUnavailable, match=r"is Node\.js v16\.20\.1; what to do"):
        javascript.find_node(str(tmp_path))
    script(tmp_path / "node", "echo banana")
    with pytest.raises(ClientUnavailable, match="does not work"):
        javascript.find_node(str(tmp_path))
    script(tmp_path / "node", "echo v18.0.0")
    assert javascript.find_node(str(tmp_path)).version == "18.0.0"


def test_a_failed_installation_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    script(tmp_path / "npm", "echo 'npm error code ENOTFOUND' >&2; exit 1")
    node = javascript.NodeJs("node", os.fspath(tmp_path / "npm"), "18.0.0")
    cache = tmp_path / "cache"
    with pytest.raises(ClientUnavailable, match="npm failed: npm error code ENOTFOUND"):
        javascript.install(cache, lambda _: None, node)
    assert [entry.name for entry in (cache / "blockstack.js").iterdir()] == [".lock"]
    with pytest.raises(ClientUnavailable, match="is not installed"):
        javascript.find(cache, node)


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("echo 'Error: no such module' >&2; exit 1", "has ended: Error: no such module"),
        ("read line; exit 0", "has ended: it said nothing"),
    ],
)
def test_a_client_that_ends_says_why(tmp_path: Path, program: str, told: str) -> None:
    script(tmp_path / "node", program)
    installed = javascript.Installed(javascript.NodeJs(os.fspath(tmp_path / "node"), "npm", "18.0.0"), tmp_path)
    client = BlockstackJs(installed, api="", bitcoind="", user="", password="")
    with pytest.raises(ClientError, match=told), client:
        pass
