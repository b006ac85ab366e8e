"""Looking back, and trying something that is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput, Reason
from bns.zonefiles.store import zonefile_hash
from bnslab.chain import BitcoindBackend, base_chain, start_node
from bnslab.recording import record
from tests.labs import FIRST_BLOCK

if TYPE_CHECKING:
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool
    from bnslab.lab import Lab
    from tests.labs import Labs


def opened(lab: Lab) -> None:
    lab.namespace("test", by="alice", lifetime=5)
    lab.register("foo.test", by="bob")


def rows(lab: Lab) -> list[object]:
    tables = ("name_records", "namespaces", "preorders", "history", "snapshots")
    return [sorted(lab.node.state.connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables]


# lab.at


def test_looking_back(make_lab: Labs) -> None:
    lab = make_lab()
    opened(lab)
    registered = lab.height
    lab.transfer("foo.test", by="bob", to="carol")
    lab.mine()
    before, then, now = lab.at(registered - 1), lab.at(registered), lab.at(lab.height)
    assert lab.at(FIRST_BLOCK - 1).namespace("test") is None
    assert (before.height, then.height) == (registered - 1, registered)
    assert before.name("foo.test") is None
    assert before.namespace("test") == lab.now.namespace("test")
    foo = then.name("foo.test")
    assert foo is not None
    assert foo.address == lab.wallet("bob").address
    assert then.get("/v1/names/foo.test").json()["address"] == lab.wallet("bob").address
    assert then.consensus_hash == lab.receipts[-2].consensus_hash
    assert lab.name("foo.test") == now.name("foo.test")
    assert lab.at(registered) is then


@pytest.mark.parametrize("height", [FIRST_BLOCK - 2, FIRST_BLOCK, "111", None])
def test_looking_back_to_where_nothing_is(make_lab: Labs, height: int) -> None:
    with pytest.raises(InvalidInput, match="height to look back to: expected a whole number from 110 to 110"):
        make_lab().at(height)


# lab.branch


def test_a_branch_leaves_nothing_behind(make_lab: Labs) -> None:
    plain, lab = make_lab(), make_lab()
    opened(plain)
    opened(lab)
    before = (rows(lab), lab.tip, lab.consensus_hash, list(lab.trace.lines), dict(lab.sent), len(lab.receipts))
    balance = lab.wallet("bob").balance
    with lab.branch():
        lab.transfer("foo.test", by="bob", to="carol")
        lab.mine(3)
        assert lab.name("foo.test").address == lab.wallet("carol").address  # type: ignore[union-attr]
        with lab.rejects(Reason.NOT_OWNER):
            lab.revoke("foo.test", by="bob")
        lab.name_preorder("pending.test", by="bob")
    after = (rows(lab), lab.tip, lab.consensus_hash, list(lab.trace.lines), dict(lab.sent), len(lab.receipts))
    assert before == after
    assert lab.wallet("bob").balance == balance
    for each in (plain, lab):
        each.update("foo.test", by="bob", value_hash="11" * 20)
        each.mine()
        each.finish()
    assert record(lab) == record(plain), "the chain is that of a scenario without the branch"


def test_what_was_pending_is_pending_again(make_lab: Labs) -> None:
    lab = make_lab()
    opened(lab)
    update = lab.update("foo.test", by="bob", value_hash="11" * 20)
    with lab.branch():
        lab.mine()
        assert lab.name("foo.test").value_hash == "11" * 20  # type: ignore[union-attr]
    assert lab.name("foo.test").value_hash is None  # type: ignore[union-attr]
    lab.mine()
    assert update.accepted
    assert lab.name("foo.test").value_hash == "11" * 20  # type: ignore[union-attr]


def test_a_branch_ends_by_an_exception_too(make_lab: Labs) -> None:
    lab = make_lab()
    opened(lab)
    tip = lab.tip
    with pytest.raises(InvalidInput, match="number of blocks"), lab.branch():
        lab.mine(lab.mine(2).height * 0)
    assert lab.tip == tip
    with lab.branch(), pytest.raises(InvalidInput, match="branch"), lab.branch():
        pass
    lab.finish()


def test_branches_with_a_fixture(make_lab: Labs) -> None:
    plain = make_lab()
    opened(plain)
    lab = make_lab(fixture=record(plain))
    lab.namespace("test", by="alice", lifetime=5)
    with lab.branch():
        lab.mine(10)
    lab.register("foo.test", by="bob")
    with lab.branch():
        lab.mine()
    lab.finish()


def test_zone_files_of_a_branch_are_forgotten_and_those_before_stay(make_lab: Labs) -> None:
    lab = make_lab()
    opened(lab)
    bar = lab.subdomain("bar.foo.test", "carol")
    first, second = lab.zonefile("foo.test", bar), lab.zonefile("foo.test", bar.update())
    for number, zonefile in enumerate((first, second)):
        lab.update("foo.test", by="bob", value_hash=zonefile_hash(zonefile))
        lab.mine()
        if number == 0:
            lab.publish(first)
    with lab.branch():
        lab.publish(second)
        lab.mine()
        assert lab.resolve("bar.foo.test").sequence == 1  # type: ignore[union-attr]
    lab.mine()
    assert lab.resolve("bar.foo.test").sequence == 0  # type: ignore[union-attr]
    assert len(lab.published) == 1
    assert lab.at(lab.height).get("/v1/subdomains/x").status == lab.now.get("/v1/subdomains/x").status
    assert lab.at(lab.height - 1).node.offchain.inventory() == lab.node.offchain.inventory()
    lab.finish()


def test_looking_back_inside_and_after_a_branch(make_lab: Labs) -> None:
    lab = make_lab()
    opened(lab)
    with lab.branch():
        lab.revoke("foo.test", by="bob")
        lab.mine()
        assert lab.at(lab.height).name("foo.test").revoked  # type: ignore[union-attr]
    lab.mine()
    assert not lab.at(lab.height).name("foo.test").revoked  # type: ignore[union-attr]


def test_branches_on_a_bitcoind(
    make_lab: Labs, bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool
) -> None:
    chain = BitcoindBackend(base_chain(), lambda: start_node(bitcoind_binary, run_directory, port_pool))
    try:
        for identity in ("a scenario", "another", "a scenario"):
            lab = make_lab(identity=identity, chain=chain)
            opened(lab)
            for depth in (1, 3):
                with lab.branch():
                    lab.transfer("foo.test", by="bob", to="carol")
                    lab.mine(depth)
            lab.transfer("foo.test", by="bob", to="carol")
            lab.mine()
            lab.finish()
    finally:
        chain.close()
