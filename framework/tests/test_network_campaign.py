"""Small samples of the campaigns on simulated networks; `./lab bench atlas` runs the full ones."""

from __future__ import annotations

import pytest

from bns.atlas.memory import MemoryHoldings
from bns.atlas.node import AtlasNode
from bnslab.campaigns import network
from bnslab.campaigns.network import Spread, WrongNetwork, besiege, campaign


def test_files_spread_under_loss_and_churn() -> None:
    figures = Spread(40, 60, seed=1, churn=0.5).run()
    assert figures.left >= 5
    assert figures.arrivals > 30 * 60
    assert 0 < figures.median <= figures.p95 <= figures.slowest
    assert figures.trace_hash == Spread(40, 60, seed=1, churn=0.5).run().trace_hash


def test_a_network_without_connections_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "PATIENCE", 100.0)
    with pytest.raises(WrongNetwork, match="seed 3: 9 of 10 peers lack files"):
        Spread(10, 5, seed=3, loss=0.999, churn=0).run()


def test_hostile_minorities_achieve_nothing() -> None:
    figures = campaign(range(1, 9))
    assert {each.seed for each in figures} == set(range(1, 9))
    assert max(each.hostile for each in figures) >= 6
    assert max(each.table for each in figures) > 50  # sybils are let in, up to the number of slots
    assert besiege(5).trace_hash == figures[4].trace_hash


def test_a_node_that_believes_everything_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def believe(holdings: MemoryHoldings, data: bytes) -> bool:
        holdings._files[holdings.announced.hashes[0]] = data + b"?"
        return True

    monkeypatch.setattr(MemoryHoldings, "put", believe)
    with pytest.raises(WrongNetwork, match="has stored b'"):
        besiege(1)


def test_a_node_that_remembers_everybody_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def remember(node: AtlasNode, asking: str) -> list[str]:
        node.callers.extend([asking] * 100)
        return []

    monkeypatch.setattr(AtlasNode, "peers", remember)
    with pytest.raises(WrongNetwork, match=r"callers=\d+"):
        besiege(1)
