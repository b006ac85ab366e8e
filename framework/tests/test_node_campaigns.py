"""The campaigns against the node: a small sample of each, and proof that each can fail."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from bns.state.store import State
from bnslab import fixtures
from bnslab.campaigns import crash, reorg
from bnslab.campaigns.chains import Chain, lifecycle_lab, random_branch
from bnslab.campaigns.digest import digest

if TYPE_CHECKING:
    from bns.operations.records import Preorder

FUZZ = Path(__file__).parents[2] / "fixtures" / "reference" / "fuzz"


def chain_of(name: str) -> Chain:
    return Chain.of_fixture(fixtures.load(FUZZ / f"{name}.json.gz"))


@pytest.fixture(scope="module")
def wild() -> Chain:
    return chain_of("wild_3")


def test_killed_processes_leave_whole_blocks(wild: Chain, tmp_path: Path) -> None:
    reported: list[int] = []
    figures = crash.run(wild, tmp_path, kills=6, seed=1, report=reported.append)
    assert figures.kills == 6
    assert reported
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_state_is_found_after_a_kill(wild: Chain, tmp_path: Path) -> None:
    expecting_other = chain_of("wild_3")
    expecting_other.digests.update(dict.fromkeys(range(wild.first_indexed + 3, wild.tip + 1), "another"))
    with pytest.raises(crash.BrokenState, match=r"seed 1, .* differ from an undisturbed index"):
        crash.run(expecting_other, tmp_path, kills=20, seed=1)


def test_reorganisations_give_what_a_fresh_index_gives(wild: Chain) -> None:
    figures = reorg.run([wild, chain_of("valid_5")], cases=4, seed=1)
    assert figures.cases == 4
    assert figures.deepest > 1


def test_an_incomplete_roll_back_is_found(wild: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(_state: State, _preorder: Preorder, _height: int) -> None:
        """Instead of putting it back."""

    monkeypatch.setattr(State, "_undo_preorder", forget)
    with pytest.raises(reorg.WrongIndex, match=r"seed 1, case .*: table "):
        reorg.run([wild], cases=20, seed=1)


def test_a_seed_names_its_case(wild: Chain) -> None:
    first, again, other = (random_branch(wild, wild.tip - 9, 12, Random(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 12


def test_the_long_chain_is_all_accepted() -> None:
    lab = lifecycle_lab(blocks=40, operations=80)
    assert [receipt.rejected for receipt in lab.receipts if receipt.rejected] == []
    assert sum(len(receipt.accepted) for receipt in lab.receipts) == 80
    chain = Chain.of_lab(lab)
    state = chain.index()
    assert state.consensus_hash(state.last_block) == lab.receipts[-1].consensus_hash
    assert digest(state, undo=True) == chain.digests[chain.tip]
