"""The devnet: a chain that the node follows, a faucet, a miner that waits for transactions or for its time."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import pytest

from bns.errors import InvalidInput
from bnslab.chain.factory import COIN
from bnslab.devnet import Devnet, Miner, NotIndexed
from bnslab.devnet.mining import Event, MempoolWatch
from bnslab.errors import LabError
from bnslab.http import HttpClient
from bnslab.wallets import InsufficientFunds
from tests.processes import SOON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool, RegtestNode


@pytest.fixture
def devnet(bitcoind_binary: Bitcoind, tmp_path: Path, port_pool: PortPool) -> Iterator[Devnet]:
    with Devnet(bitcoind_binary, tmp_path, port_pool) as running:
        yield running


def test_a_devnet_begins_with_the_base_chain_and_funded_wallets(devnet: Devnet) -> None:
    assert devnet.height == devnet.params.first_block == 111
    assert [devnet.balance(wallet.address) for wallet in devnet.wallets] == [20 * COIN] * 4
    with HttpClient(devnet.rest_url) as rest:
        consensus_hash = rest.get("/v1/blockchains/bitcoin/consensus").json()["consensus_hash"]
    assert consensus_hash == devnet.receipts[111].consensus_hash


def test_a_block_is_indexed_when_mine_returns(devnet: Devnet) -> None:
    bob = devnet.wallets["bob"]
    devnet.fund(bob.address, 12_345)
    assert devnet.pending() == 1
    assert devnet.mine(2) == 113 == devnet.height
    assert devnet.pending() == 0
    assert devnet.balance(bob.address) == 20 * COIN + 12_345
    assert sorted(devnet.receipts) == [111, 112, 113]


def test_a_transaction_that_arrives_is_mined_at_once_and_no_other_block_is_made(devnet: Devnet) -> None:
    devnet.start_miner()
    for height in (112, 113):
        devnet.fund(devnet.wallets["carol"].address, 1000)
        devnet.wait_for(height, SOON)
    assert devnet.height == 113


def test_what_waits_when_the_miner_starts_is_mined(devnet: Devnet) -> None:
    devnet.fund(devnet.wallets["carol"].address, 1000)
    devnet.start_miner()
    devnet.wait_for(112, SOON)
    assert devnet.pending() == 0


def test_receipts_of_blocks_that_were_undone_go(devnet: Devnet) -> None:
    devnet.mine(3)
    rpc = devnet.bitcoind.rpc
    rpc.call("invalidateblock", rpc.call("getblockhash", 113))
    devnet.fund(devnet.wallets["bob"].address, 1000)  # or the new block would be the one that was undone
    assert devnet.mine(3) == 115
    hashes = {height: receipt.block_hash for height, receipt in devnet.receipts.items() if height > 112}
    assert hashes == {height: rpc.call("getblockhash", height) for height in (113, 114, 115)}


def test_the_faucet_refuses_what_it_cannot_send(devnet: Devnet) -> None:
    with pytest.raises(InvalidInput, match="address"):
        devnet.fund("nobody", 1000)
    with pytest.raises(InsufficientFunds, match="faucet"):
        devnet.fund(devnet.wallets["bob"].address, 10_000 * COIN)


def test_waiting_for_a_block_that_never_comes_ends_with_an_error(devnet: Devnet) -> None:
    with pytest.raises(NotIndexed, match=r"not indexed block 500 within 0\.05 s: it is at 111"):
        devnet.wait_for(500, 0.05)


def test_a_miner_that_fails_says_so_and_waiting_ends(
    bitcoind_binary: Bitcoind, tmp_path: Path, port_pool: PortPool
) -> None:
    failures: queue.Queue[BaseException] = queue.Queue()
    with Devnet(bitcoind_binary, tmp_path, port_pool, failed=failures.put) as devnet:
        devnet.bitcoind.kill()
        devnet.start_miner(every=0.01)
        assert isinstance(failures.get(timeout=SOON), LabError)
        with pytest.raises(NotIndexed, match="has failed"):
            devnet.wait_for(200, SOON)


class Clock:
    """A clock that only moves when somebody waits; a queue's waits move it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.inbox: queue.Queue[Event] = queue.Queue()
        self.inbox.get = self._get  # type: ignore[method-assign]

    def _get(self, block: bool = True, timeout: float | None = None) -> Event:
        assert timeout is not None, "waits with a time-out only"
        self.now += timeout
        raise queue.Empty


def test_a_miner_with_a_block_time_keeps_its_rhythm_however_long_a_block_takes() -> None:
    clock, mined = Clock(), []

    def mine() -> None:
        mined.append(clock.now)
        clock.now += 3.0
        if len(mined) == 4:
            raise LabError("enough")

    failures: list[BaseException] = []
    miner = Miner(mine, lambda: False, every=10.0, failed=failures.append, clock=lambda: clock.now, inbox=clock.inbox)
    miner.run()
    assert mined == [1010.0, 1020.0, 1030.0, 1040.0]
    assert [str(failure) for failure in failures] == ["enough"]


def test_a_miner_without_a_block_time_mines_only_what_is_pending() -> None:
    mined = threading.Semaphore(0)
    answers = iter([False, True])
    miner = Miner(mined.release, lambda: next(answers), every=None, failed=lambda _: None)
    miner.start()
    miner.arrived()
    miner.arrived()
    assert mined.acquire(timeout=SOON)
    miner.close()
    assert not mined.acquire(blocking=False)


def test_a_bitcoind_that_announces_nothing_is_an_error(
    node: RegtestNode, port_pool: PortPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bnslab.devnet.mining._CONNECTS_WITHIN", 50)
    with pytest.raises(LabError, match="does not announce transactions"):
        MempoolWatch(port_pool.take(), lambda: None)
