from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from platformdirs import user_cache_path

from bns.bitcoin.script import op_return
from bns.bitcoin.transaction import Transaction, TxOut
from bnslab.bitcoind import NodeDied, PortPool, RegtestNode, RunDirectory, find
from bnslab.chain import BitcoindBackend, BlockFactory, BlockRefused, ChainError, base_chain, start_node
from bnslab.chain.factory import MOCKTIME
from bnslab.wallets import Faucet, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bnslab.chain import Block


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], RegtestNode]]:
    program, ports = find(None, user_cache_path("bnslab")), PortPool.claimed()
    with RunDirectory.create(tmp_path_factory.mktemp("cache")) as directory:
        yield lambda: start_node(program, directory.path, ports)


@pytest.fixture
def backend(start: Callable[[], RegtestNode]) -> Iterator[BitcoindBackend]:
    opened = BitcoindBackend(base_chain(), start)
    yield opened
    opened.close()


def chained(name: str, count: int) -> list[Block]:
    """One transaction a block, each spending the one before."""
    ledger = Ledger()
    faucet = Faucet(base_chain(), ledger)
    factory, tip, blocks = BlockFactory.for_scenario(name), base_chain().tip, []
    for _ in range(count):
        payment = faucet.pay([], tip.height + 1)
        ledger.apply(payment, tip.height + 1)
        blocks.append(factory.build(tip, [payment]))
        tip = blocks[-1].tip
    return blocks


def independent(name: str, count: int) -> list[Block]:
    """One transaction a block, spending a coinbase that no other touches."""
    faucet = Faucet(base_chain(), Ledger())
    factory, tip, blocks = BlockFactory.for_scenario(name), base_chain().tip, []
    for coin in base_chain().coins[:count]:
        blocks.append(factory.build(tip, [lone_payment(faucet, coin.spendable_from)]))
        tip = blocks[-1].tip
    return blocks


def lone_payment(faucet: Faucet, ripe: int) -> Transaction:
    (coin,) = (coin for coin in faucet.wallet.coins if coin.spendable_from == ripe)
    outputs = (TxOut(0, op_return(b"id")), faucet.wallet.output(coin.output.value))
    return faucet.wallet.sign(Transaction(1, (coin.input,), outputs, 0), [coin.output])


def run(backend: BitcoindBackend, name: str, blocks: list[Block]) -> int:
    """Run a scenario; the process that judged it."""
    backend.begin(name)
    for block in blocks:
        backend.accept(block.raw)
    return backend.node.pid


def assert_clean(backend: BitcoindBackend) -> None:
    """The node says so itself: at the base chain, and nothing in the mempool."""
    rpc = backend.node.rpc
    assert rpc.call("getbestblockhash") == base_chain().tip.hash
    assert rpc.call("getrawmempool") == []
    assert backend.tip() == base_chain().tip


def test_chained_transactions_leave_the_node_clean(backend: BitcoindBackend) -> None:
    pids = set()
    for count in (0, 1, 5, 9, 10, 11, 15, 30):
        pids.add(run(backend, f"chained {count}", chained(f"chained {count}", count)))
        pids.add(run(backend, f"after {count}", []))
        assert_clean(backend)
    assert len(pids) == 1, "a node was replaced without need"


def test_a_late_first_transaction_leaves_the_node_clean(backend: BitcoindBackend) -> None:
    factory, tip = BlockFactory.for_scenario("late"), base_chain().tip
    pid = run(backend, "late", [])
    for _ in range(12):
        tip = backend.accept(factory.build(tip).raw)
    backend.accept(factory.build(tip, [lone_payment(Faucet(base_chain(), Ledger()), 101)]).raw)
    assert run(backend, "after", []) == pid
    assert_clean(backend)


@pytest.mark.parametrize("count", [1, 5, 9, 10, 11, 15])
def test_independent_transactions_leave_the_next_scenario_clean(backend: BitcoindBackend, count: int) -> None:
    run(backend, "independent", independent("independent", count))
    run(backend, "after", [])
    assert_clean(backend)


def test_without_padding_the_mempool_would_not_be_empty(backend: BitcoindBackend) -> None:
    run(backend, "short", chained("short", 5))
    backend.rollback(base_chain().height)
    assert len(backend.node.rpc.call("getrawmempool")) == 5


def test_the_same_scenario_runs_twice(backend: BitcoindBackend) -> None:
    blocks = chained("twice", 3)
    first = run(backend, "twice", blocks)
    assert run(backend, "between", chained("between", 3)) == first
    assert run(backend, "twice", blocks) != first


def test_a_node_refuses_a_block_that_it_dropped(backend: BitcoindBackend) -> None:
    blocks = chained("once", 2)
    run(backend, "once", blocks)
    backend.rollback(111)
    with pytest.raises(BlockRefused, match="duplicate-invalid"):
        backend.accept(blocks[1].raw)


def test_a_node_is_replaced_at_its_age(start: Callable[[], RegtestNode]) -> None:
    backend = BitcoindBackend(base_chain(), start, scenarios_per_node=2)
    pids = [run(backend, str(number), chained(str(number), 1)) for number in range(5)]
    backend.close()
    assert [pids.count(pid) for pid in pids] == [2, 2, 2, 2, 1]


def test_a_node_that_dies_is_replaced_for_the_next_scenario(backend: BitcoindBackend) -> None:
    blocks = chained("killed", 4)
    pid = run(backend, "killed", blocks[:2])
    directory = backend.node.directory
    os.kill(pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(NodeDied, match="SIGKILL"):
            backend.accept(blocks[2].raw)
    assert backend.tip() == blocks[1].tip
    assert run(backend, "killed", blocks) != pid
    assert backend.tip() == blocks[3].tip
    assert not directory.exists()


def test_a_node_that_dies_between_scenarios_is_replaced(backend: BitcoindBackend) -> None:
    pid = run(backend, "first", chained("first", 2))
    os.kill(pid, signal.SIGKILL)
    assert run(backend, "second", chained("second", 2)) != pid


def test_a_discarded_node_is_replaced(backend: BitcoindBackend) -> None:
    pid = run(backend, "first", [])
    backend.discard()
    assert backend.node.pid == pid, "not before the next scenario"
    assert run(backend, "second", []) != pid
    assert run(backend, "third", []) == backend.node.pid


def test_what_a_test_did_to_the_node_does_not_last(backend: BitcoindBackend) -> None:
    run(backend, "busy", chained("busy", 2))
    rpc = backend.node.rpc
    payment = lone_payment(Faucet(base_chain(), Ledger()), 105)
    assert rpc.call("sendrawtransaction", payment.raw.hex(), 0) == payment.txid
    rpc.call("generatetodescriptor", 3, "raw(51)")
    run(backend, "after", chained("after", 2))
    run(backend, "at the end", [])
    assert_clean(backend)


def test_the_clock_is_set_back(backend: BitcoindBackend) -> None:
    pid = run(backend, "late", chained("late", 2))
    backend.node.rpc.call("setmocktime", MOCKTIME + 100_000)
    assert run(backend, "after", []) == pid
    assert backend.node.rpc.call("getblocktemplate", {"rules": ["segwit"]})["curtime"] == MOCKTIME


def test_a_base_chain_that_a_node_refuses_is_no_base(start: Callable[[], RegtestNode]) -> None:
    started: list[RegtestNode] = []

    def watched() -> RegtestNode:
        started.append(start())
        return started[-1]

    base = base_chain()
    flawed = replace(base, blocks=(base.blocks[0], base.blocks[2]._replace(tip=base.blocks[1].tip)))
    backend = BitcoindBackend(flawed, watched)
    with pytest.raises(ChainError, match="the base chain was not accepted: prev-blk-not-found"):
        backend.begin("never")
    assert not started[0].alive()
