"""Reorganisations that scenarios ask for, on every chain."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest
from platformdirs import user_cache_path

from bns.errors import InvalidInput, Reason
from bnslab.chain import MemoryBackend, base_chain, open_backend
from bnslab.chain.base import ChainError
from bnslab.errors import CheckFailed
from bnslab.modes.forks import Forks
from tests.labs import FIRST_BLOCK, transactions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool
    from bnslab.chain.base import ChainBackend
    from bnslab.lab import Lab
    from tests.labs import Labs
    from tests.projects import Project

pytest_plugins = ["pytester"]

H1 = "11" * 20


def named(lab: Lab) -> Lab:
    """With a namespace by alice and foo.test, which is bob's."""
    lab.namespace("test", by="alice")
    lab.register("foo.test", by="bob")
    return lab


def test_what_is_taken_back_is_gone_everywhere(make_lab: Labs) -> None:
    lab = named(make_lab())
    before = lab.height, lab.tip, lab.consensus_hash, len(lab.receipts), lab.wallet("bob").balance
    update = lab.update("foo.test", by="bob", value_hash=H1)
    lab.mine(2)
    assert lab.reorg(2) == [[update], []]
    assert (lab.height, lab.tip, lab.consensus_hash, len(lab.receipts), lab.wallet("bob").balance) == before
    assert (lab.node.state.last_block, lab.chain.tip().height) == (before[0], before[0])
    assert update.txid not in lab.sent
    assert lab.trace.lines[-1] == f"{before[0]}  reorganised: 2 blocks taken back"


def test_the_blocks_after_a_reorganisation_are_others(make_lab: Labs) -> None:
    lab = make_lab()
    tips = set()
    for _ in range(3):
        lab.mine()
        tips.add(lab.tip)
        lab.reorg(1)
    assert len(tips) == 3


def test_what_is_named_comes_again_with_what_it_spends(make_lab: Labs) -> None:
    lab = named(make_lab())
    first = lab.update("foo.test", by="bob", value_hash=H1)
    second = lab.transfer("foo.test", by="bob", to="carol")
    lab.mine()
    assert lab.reorg(1, [], [second]) == [[first, second]]
    assert [tx.txid for tx in transactions_of(lab, lab.height)] == [first.txid, second.txid]
    assert (first.height, second.height, first.accepted, second.accepted) == (lab.height, lab.height, True, True)


def test_what_comes_again_is_expected_as_said(make_lab: Labs) -> None:
    lab = named(make_lab())
    revocation = lab.revoke("foo.test", by="bob")
    lab.mine()
    with pytest.raises(CheckFailed, match="expected  rejected: NOT_OWNER"), lab.rejects(Reason.NOT_OWNER):
        lab.reorg(1, [revocation])


@pytest.mark.parametrize("depth", [0, 6, -1, "1"])
def test_depths_that_are_none(make_lab: Labs, depth: Any) -> None:
    lab = named(make_lab())
    with pytest.raises(InvalidInput, match="depth of a reorganisation: expected 1 to 5 blocks"):
        lab.reorg(depth)


def test_pending_operations_are_in_the_way(make_lab: Labs) -> None:
    lab = named(make_lab())
    lab.update("foo.test", by="bob", value_hash=H1)
    with pytest.raises(InvalidInput, match="pending operations: expected none"):
        lab.reorg(1)


def test_an_operation_that_was_never_taken_back(make_lab: Labs) -> None:
    lab, other = named(make_lab()), named(make_lab(identity="another"))
    update = other.update("foo.test", by="bob", value_hash=H1)
    with pytest.raises(InvalidInput, match="operation to mine again: expected one that was taken back"):
        lab.reorg(1, [update])


@pytest.fixture
def open_chain(run_directory: Path, port_pool: PortPool) -> Iterator[Callable[[str], ChainBackend]]:
    """Opens chains by name, and closes them."""
    with ExitStack() as stack:

        def opened(name: str) -> ChainBackend:
            cache = user_cache_path("bnslab")
            chain = open_backend(name, base_chain(), run_dir=run_directory, cache=cache, ports=port_pool)
            return stack.enter_context(closing(chain))

        yield opened


@pytest.mark.parametrize("name", ["bitcoind", "kernel", "memory"])
def test_every_chain_takes_blocks_back_and_connects_them_again(
    name: str, bitcoind_binary: Bitcoind, open_chain: Callable[[str], ChainBackend], make_lab: Labs
) -> None:
    lab = named(make_lab(chain=open_chain(name), identity=f"modes on {name}"))
    update = lab.update("foo.test", by="bob", value_hash=H1)
    lab.mine(2)
    own = lab.chain.blocks_from(lab.height - 1)
    forks = Forks(1, 2, "seed")
    forks.after_block(lab, lab.receipts[-1])
    assert (forks.made, lab.chain.tip(), lab.node.state.last_block) == (1, own[-1].tip, lab.height)
    lab.reorg(2, [], [update], [])
    assert update.accepted
    assert lab.chain.tip().height == lab.height


def test_a_bitcoind_that_does_not_come_back_is_told(
    bitcoind_binary: Bitcoind, open_chain: Callable[[str], ChainBackend], make_lab: Labs
) -> None:
    chain = open_chain("bitcoind")
    lab = make_lab(chain=chain, identity="modes on a stubborn node")
    lab.mine(2)
    first, second = chain.blocks_from(FIRST_BLOCK)
    chain.rollback(FIRST_BLOCK)
    with pytest.raises(ChainError, match=f"{first.tip.hash} was to be the tip again, it is {second.tip.hash}"):
        chain.reconnect([second, first])


def test_memory_connects_again(make_lab: Labs) -> None:
    chain: ChainBackend = MemoryBackend(base_chain())
    lab = make_lab(chain=chain)
    lab.mine(3)
    own = chain.blocks_from(FIRST_BLOCK + 1)
    chain.rollback(FIRST_BLOCK)
    assert chain.reconnect(own) == own[-1].tip


def test_the_fixture_of_a_scenario_that_takes_blocks_back(project: Project) -> None:
    """Without the mark its first branch is a difference; with it, only the chain that stays is compared."""
    body = "def test_it(lab, alice):\n    lab.mine(2)\n    lab.reorg(1)\n    lab.mine()\n"
    project.write("test_it.py", f"import pytest\n\n\n@pytest.mark.reorganised\n{body}")
    assert project.run("--chain", "memory", "--fill-update").status == 0
    assert project.run("--chain", "memory").status == 0
    project.write("test_it.py", body)
    outcome = project.run("--chain", "memory")
    assert outcome.counts == {"failed": 1, "error": 1} or outcome.counts == {"failed": 1}
    assert "carries the mark `reorganised`" in outcome.stdout
