"""The modes that put any scenario through more than it says."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from bns.errors import InvalidInput
from bnslab.errors import CheckFailed
from bnslab.modes import Modes, parse_reorgs
from bnslab.modes.forks import Forks, branch
from bnslab.modes.restarts import Restarts
from bnslab.nodes.inprocess import InProcessNode
from bnslab.outputs import Outputs
from bnslab.rules import scenario_params
from bnslab.wallets import AS_WRITTEN, WalletKinds
from tests.labs import FIRST_BLOCK

if TYPE_CHECKING:
    from pathlib import Path

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


# Forks


def with_forks(make_lab: Labs, node: type[InProcessNode], every: int = 1, seeds: int = 1) -> list[Forks]:
    """One scenario, once with each seed: not every fork meets a defect."""
    made = []
    for seed in range(seeds):
        lab = make_lab(node=node)
        made.append(Forks(every, 3, str(seed)))
        lab.checks = [*lab.checks, made[-1]]
        named(lab)
        lab.update("foo.test", by="bob", value_hash=H1)
        lab.mine(3)
        lab.finish()
    return made


def test_forks_leave_no_trace(make_lab: Labs) -> None:
    assert [forks.made for forks in with_forks(make_lab, InProcessNode, seeds=2)] == [8, 8]
    assert [forks.made for forks in with_forks(make_lab, InProcessNode, every=3)] == [2]


class Keeping(InProcessNode):
    """Forgets to give back what a name was before."""

    def rollback(self, height: int) -> None:
        rows = self.state.connection.execute("SELECT value_hash, name FROM name_records").fetchall()
        super().rollback(height)
        update = "UPDATE name_records SET value_hash = ? WHERE name = ?"
        self.state.connection.executemany(update, rows)


class Confused(InProcessNode):
    """Tells another consensus hash of a block it sees a second time."""

    seen = 0

    def apply(self, height: int, raw: bytes) -> Any:
        receipt = super().apply(height, raw)
        again = height < self.seen
        self.seen = max(self.seen, height)
        return receipt if not again else type(receipt)(**{**_fields(receipt), "consensus_hash": "00" * 16})


class Leaving(InProcessNode):
    """Leaves history rows behind."""

    def rollback(self, height: int) -> None:
        columns = "txid, history_id, creator_address, block_id, vtxindex, op, opcode, value_hash, history_data"
        rows = self.state.connection.execute(
            f"SELECT {columns} FROM history WHERE block_id = ?", (height + 1,)
        ).fetchall()
        super().rollback(height)
        marks = ", ".join("?" * 9)
        self.state.connection.executemany(
            f"INSERT OR REPLACE INTO history ({columns}) VALUES ({marks})",
            [(f"{row[0][:-1]}x", *row[1:3], height, *row[4:]) for row in rows],
        )


def _fields(receipt: Any) -> dict[str, Any]:
    return {name: getattr(receipt, name) for name in receipt.__dataclass_fields__}


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (Keeping, "table name_records (on|after) the fork"),
        (Confused, "outcome after a fork"),
        (Leaving, "table history (on|after) the fork"),
    ],
)
def test_a_node_that_rolls_back_badly_is_found(make_lab: Labs, node: type[InProcessNode], told: str) -> None:
    with pytest.raises(CheckFailed, match=told) as found:
        with_forks(make_lab, node, seeds=8)
    assert found.value.check == "forks"


def test_a_branch_can_be_spent_and_differs(make_lab: Labs) -> None:
    lab = named(make_lab())
    for digit in "123":
        lab.update("foo.test", by="bob", value_hash=digit * 40)
    lab.mine()
    blocks = lab.mined
    original = [transaction.txid_bytes for block in blocks for transaction in block]
    shapes = set()
    for seed in range(20):
        made = branch(blocks, Random(seed))
        assert len(made) == len(blocks)
        order = [transaction.txid_bytes for block in made for transaction in block]
        assert len(order) == len(set(order))
        assert set(order) <= set(original)
        known: set[bytes] = set()
        for block in made:
            for transaction in block:
                needed = {source.txid for source in transaction.inputs} & set(original)
                assert needed <= known
                known.add(transaction.txid_bytes)
        shapes.add(tuple(map(len, made)))
    assert len(shapes) > 5


# Restarts


def test_a_node_is_restarted_from_its_file(make_lab: Labs, tmp_path: Path) -> None:
    class OnDisk(InProcessNode):
        def __init__(self, params: Any, outputs: Any) -> None:
            super().__init__(params, outputs, tmp_path / "bns.db")

    lab = make_lab(node=OnDisk)
    first = lab.node.state
    lab.checks = [*lab.checks, Restarts(2)]
    named(lab)
    assert lab.node.state is not first
    assert lab.name("foo.test") is not None
    lab.finish()


class Forgetful(InProcessNode):
    """Loses its names at a restart."""

    def restart(self) -> None:
        super().restart()
        self.state.connection.execute("DELETE FROM name_records")


def test_what_a_restart_loses_is_found(make_lab: Labs, tmp_path: Path) -> None:
    class OnDisk(Forgetful):
        def __init__(self, params: Any, outputs: Any) -> None:
            super().__init__(params, outputs, tmp_path / "bns.db")

    lab = make_lab(node=OnDisk)
    lab.checks = [*lab.checks, Restarts(5)]
    named(lab)
    with pytest.raises(CheckFailed, match="table name_records of a fresh index"):
        lab.finish()


def test_a_state_in_memory_cannot_be_restarted() -> None:
    with pytest.raises(InvalidInput, match="state to restart from: expected a file"):
        InProcessNode(scenario_params(FIRST_BLOCK, (3,), {}), Outputs()).restart()


# Wallets


@pytest.mark.parametrize(
    ("kind", "becomes"),
    [
        (None, "p2sh-p2wpkh"),
        ("p2sh-multisig", "p2sh-p2wsh"),
        ("p2pkh", "p2pkh"),
        ("p2sh-p2wpkh", "p2sh-p2wpkh"),
        ("p2sh-p2wsh", "p2sh-p2wsh"),
    ],
)
def test_wallets_become_segwit(kind: str | None, becomes: str) -> None:
    assert WalletKinds(segwit=True).of("alice", kind) == becomes
    assert WalletKinds(segwit=True, p2pkh=frozenset({"alice"})).of("alice", kind) == kind
    assert AS_WRITTEN.of("alice", kind) == kind


def test_chains_that_begin_in_epoch_1_keep_their_wallets() -> None:
    modes = Modes(segwit=True)
    keys = frozenset({"alice"})
    assert modes.kinds(scenario_params(FIRST_BLOCK, (1,), {}), keys) == AS_WRITTEN
    assert modes.kinds(scenario_params(FIRST_BLOCK, (1, 2), {"ends": 120}), keys) == AS_WRITTEN
    assert modes.kinds(scenario_params(FIRST_BLOCK, (2,), {}), keys) == WalletKinds(segwit=True, p2pkh=keys)
    assert Modes().kinds(scenario_params(FIRST_BLOCK, (2,), {}), keys) == AS_WRITTEN


# The options

SCENARIO = """\
import pytest
from bnslab import epochs


def test_free(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    print("EPOCH", lab.next_epoch.number, "KIND", bob.kind, "BLOCKS", lab.height)


@epochs(2)
def test_tied(lab, alice, bob):
    lab.mine()
    print("TIED", lab.next_epoch.number)


@pytest.mark.p2pkh("alice")
def test_importer(lab, alice, bob):
    lab.mine()
    print("ALICE", alice.kind, "BOB", bob.kind)
"""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], ["EPOCH 3 KIND p2pkh BLOCKS 115", "TIED 2", "ALICE p2pkh BOB p2pkh"]),
        (["--wallets", "segwit"], ["EPOCH 3 KIND p2sh-p2wpkh", "ALICE p2pkh BOB p2sh-p2wpkh"]),
        (["--epoch", "1"], ["EPOCH 1 KIND p2pkh", "TIED 2"]),
        (["--epoch", "1", "--wallets", "segwit"], ["EPOCH 1 KIND p2pkh", "TIED 2"]),
        (["--reorg-every", "2:3", "--seed", "4"], ["EPOCH 3 KIND p2pkh BLOCKS 115"]),
        (["--restart-every", "1"], ["EPOCH 3 KIND p2pkh BLOCKS 115"]),
    ],
)
def test_modes_by_option(project: Project, options: list[str], told: list[str]) -> None:
    project.write("test_it.py", SCENARIO)
    outcome = project.run("--chain", "memory", "-s", *options)
    assert outcome.status == 0, outcome.stdout
    for text in told:
        assert text in outcome.stdout


def test_a_fixture_is_compared_where_the_chain_is_the_same(project: Project) -> None:
    project.write("test_it.py", SCENARIO)
    assert project.run("--chain", "memory", "--fill-update").status == 0
    for options in (["--reorg-every", "1:2"], ["--restart-every", "2"], ["--wallets", "segwit"], ["--epoch", "2"]):
        assert project.run("--chain", "memory", *options).status == 0, options
    (project.path / "fixtures" / "scenarios" / "test_it" / "test_free.json.gz").write_bytes(b"")
    assert project.run("--chain", "memory", "--wallets", "segwit").status == 0
    assert project.run("--chain", "memory", "--reorg-every", "1:2").status == 1


def test_the_replay_of_a_failure_names_the_mode(project: Project) -> None:
    project.write("test_it.py", "def test_it(lab, alice):\n    lab.mine()\n    lab.reorg(9)\n")
    outcome = project.run("--chain", "memory", "--reorg-every", "1:2", "--seed", "7")
    assert "test_it.py::test_it --chain memory --reorg-every=1:2 --seed=7" in outcome.stdout


def test_the_same_seed_gives_the_same_order_and_another_another(project: Project) -> None:
    project.write("test_it.py", "\n".join(f"def test_{number}(): pass" for number in range(20)))

    def order(*options: str) -> list[str]:
        lines = project.run("-v", *options).stdout.splitlines()
        return [line.split()[0] for line in lines if "PASSED" in line]

    plain, one, same, other = order(), order("--shuffle", "1"), order("--shuffle", "1"), order("--shuffle", "2")
    assert one == same
    assert sorted(one) == sorted(other) == sorted(plain)
    assert len({tuple(plain), tuple(one), tuple(other)}) == 3


@pytest.mark.parametrize("text", ["3", "0:2", "3:0", "a:b", ":", "3:-2"])
def test_forks_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput, match="--reorg-every: expected N:DEPTH"):
        parse_reorgs(text)


def test_no_forks_and_some() -> None:
    assert parse_reorgs(None) == (0, 0)
    assert parse_reorgs("3:2") == (3, 2)
    made = Modes(reorg_every=3, depth=2, restart_every=4).disturbances("a scenario")
    assert [check.name for check in made] == ["forks", "restarts"]
