"""The modes, and what scenarios do to chains, on nodes elsewhere: they work, or one line says that they cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.projects import Project

pytest_plugins = ["pytester"]

BACK_AND_FORTH = """\
import pytest
from bnslab import Reason


def test_it(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    bar = lab.subdomain("bar.foo.test", owner=carol)
    first = lab.zonefile("foo.test", bar, uri=lab.gaia.profile(bob, {"name": "Bob"}))
    lab.register("foo.test", by=bob)
    lab.update("foo.test", by=bob, zonefile=first)
    lab.mine()
    lab.publish(first)
    lab.mine()
    registered = lab.height
    assert lab.resolve("bar.foo.test").holds(bar)
    assert lab.profile("foo.test") == {"name": "Bob"}
    with lab.branch():
        lab.transfer("foo.test", by=bob, to=carol)
        second = lab.zonefile("foo.test", bar.update())
        lab.update("foo.test", by=carol, zonefile=second)
        lab.publish(second, saved=False)
        lab.mine()
        lab.publish(second)
        lab.mine(3)
        assert lab.name("foo.test").address == carol.address
        assert lab.get("/v1/names/foo.test").json()["address"] == carol.address
        assert lab.resolve("bar.foo.test").sequence == 1
    assert lab.get("/v1/names/foo.test").json()["address"] == bob.address
    assert lab.resolve("bar.foo.test").sequence == 0
    revocation = lab.revoke("foo.test", by=bob)
    lab.mine(2)
    lab.reorg(2)
    assert not lab.name("foo.test").revoked
    assert lab.get("/v1/names/foo.test").json()["status"] == "registered"
    lab.mine()
    lab.reorg(1, [], [], [])
    with lab.refuses(Reason.NOT_OWNER):
        lab.revoke("foo.test", by=alice)
    assert lab.at(registered - 3).name("foo.test") is None
    assert lab.at(registered).name("foo.test") == lab.name("foo.test")
    print("EPOCH", lab.next_epoch.number, "KIND", bob.kind, "NODE", lab.node.name)
"""
MARKED = BACK_AND_FORTH.replace("def test_it", '@pytest.mark.p2pkh("bob", "carol")\ndef test_it')
PROCESS = ("--chain", "bitcoind", "--node", "process")


@pytest.fixture
def played(project: Project, make_cache: Callable[[Path], Path]) -> Project:
    """A project with a scenario that goes back and forth, and a bitcoind."""
    make_cache(project.path / "cache")
    project.write("test_it.py", MARKED)
    return project


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "EPOCH 3 KIND p2pkh"),
        (("--reorg-every", "2:3", "--seed", "5"), "EPOCH 3 KIND p2pkh"),
        (("--restart-every", "2"), "EPOCH 3 KIND p2pkh"),
        (("--restart-every", "3", "--reorg-every", "2:2"), "EPOCH 3 KIND p2pkh"),
        (("--wallets", "segwit", "--epoch", "2"), "EPOCH 2 KIND p2pkh"),
        (("--epoch", "1"), "EPOCH 1 KIND p2pkh"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_modes_on_a_node_in_its_own_process(played: Project, options: tuple[str, ...], told: str) -> None:
    outcome = played.run(*PROCESS, "-s", *options)
    assert outcome.status == 0, outcome.stdout
    assert f"{told} NODE process" in outcome.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--node", "reference", "--reorg-every", "2:1"),
            "--reorg-every: expected nothing beside --node reference: it knows no reorganisation, got '2:1'",
        ),
        (
            ("--node", "reference", "--restart-every", "2"),
            "--restart-every: expected nothing beside --node reference: its blocks go with its process, got 2",
        ),
        (
            ("--node", "reference", "--fill-update"),
            "--fill-update: expected nothing beside --node reference: it does not say why it rejects, got True",
        ),
        (
            ("--node", "process", "--chain", "memory"),
            "--chain: expected bitcoind beside --node process: such a node follows a real one, got 'memory'",
        ),
        (("--reorg-every", "2"), "--reorg-every: expected N:DEPTH, such as 3:2, got '2'"),
        (("--restart-every", "-1"), "--restart-every: expected a number of blocks, got -1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_does_not_go_together_is_told_before_anything_runs(
    project: Project, options: tuple[str, ...], told: str
) -> None:
    project.write("test_it.py", "def test_it(lab):\n    print('RAN')\n")
    outcome = project.run("-s", *options)
    assert outcome.status == 4
    assert outcome.stderr == f"ERROR: {told}\n" or outcome.stderr.strip() == f"ERROR: {told}"
    assert "RAN" not in outcome.stdout


@pytest.mark.foreign
@pytest.mark.parametrize("options", [(), ("--wallets", "segwit"), ("--epoch", "2")], ids=" ".join)
def test_modes_on_the_reference(project: Project, options: tuple[str, ...]) -> None:
    text = MARKED.partition("    with lab.branch")[0].replace('uri=lab.gaia.profile(bob, {"name": "Bob"})', "uri='x:y'")
    text = text.replace('    assert lab.profile("foo.test") == {"name": "Bob"}\n', "")
    back = "    assert lab.at(registered - 3).name('foo.test') is None\n    lab.reorg(1)\n"
    project.write("test_it.py", text)
    project.write("test_back.py", text + back)
    outcome = project.run_process("pytest", "--chain", "memory", "--node", "reference", "-rs", *options)
    assert outcome.counts == {"passed": 1, "skipped": 1}, outcome.stdout
    assert "the reference cannot go back to block 116: it knows no reorganisation" in outcome.stdout
