"""How a failure reads: what is told, of which line, and that the command that is printed fails in the same way."""

from __future__ import annotations

import re
import shlex
import socket
from typing import TYPE_CHECKING

import pytest

from bnslab.bitcoind import PortPool, PortTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.projects import Project

pytest_plugins = ["pytester"]

FAILING = """\
import pytest
from bnslab import Reason, each_epoch, epochs

@pytest.fixture
def owned(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)

def test_refused(lab, owned, carol):
    lab.revoke("foo.test", by=carol)
    lab.mine()

def test_wrong_reason(lab, owned, carol):
    with lab.rejects(Reason.NAME_EXPIRED):
        lab.revoke("foo.test", by=carol)

def helper(lab):
    lab.update("foo.test", "carol", "00" * 20)
    return lab.mine()

def test_in_a_helper(lab, owned, carol):
    helper(lab)

def test_at_the_end(lab, owned, carol):
    lab.revoke("foo.test", by=carol)

def test_assertion(lab, owned):
    assert lab.name("foo.test").revoked

def test_bug(lab, owned):
    lab.name("bar.test").address

def test_unknown_wallet(lab):
    lab.revoke("foo.test", by="nobody")

def test_bad_name(lab, alice):
    lab.name_preorder("Foo.test", by=alice)

def test_negative_fee(lab, alice):
    lab.name_preorder("foo.test", by=alice, fee=-5)

def test_empty(lab, alice):
    pass

@epochs(2, 1)
def test_bad_mark(lab):
    lab.mine()

@each_epoch
@epochs(3)
def test_two_epochs(lab):
    lab.mine()

@pytest.fixture
def broken(lab):
    raise RuntimeError("a fixture of the author's")

def test_broken_fixture(lab, broken):
    lab.mine()
"""

NOT_FAILING = """\
import pytest
from bnslab import Reason

def test_skipped_before_a_block(lab):
    pytest.skip("not today")

@pytest.mark.xfail(reason="known", strict=True)
def test_known_bug(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.revoke("foo.test", by=bob)
    lab.mine()

def test_good(lab, alice):
    lab.namespace("test", by=alice)
"""


@pytest.fixture
def told(project: Project) -> Callable[[str], list[str]]:
    """What the failure of each test says, without pytest's frame; all run once, in memory."""
    project.write("tests/test_it.py", FAILING)
    outcome = project.run("tests", "--chain", "memory")

    def tell(test: str) -> list[str]:
        return outcome.told(test)

    return tell


REFUSED = [
    r"block 116: NAME_REVOKE foo\.test by carol \(tx \w{64}\)",
    r"  check     expectations",
    r"  expected  accepted",
    r"  actual    rejected: NOT_OWNER: sender is not the owner",
    r"  reason    \w.*",
    r"  scenario  tests/test_it\.py:11: lab\.mine\(\)",
    r"  trace     the last 12 lines",
    r"    111  NAMESPACE_PREORDER test by alice  accepted",
    r"    111  consensus hash \w{32}",
    r"    112  NAMESPACE_REVEAL test by alice  accepted",
    r"    112  consensus hash \w{32}",
    r"    113  NAMESPACE_READY test by alice  accepted",
    r"    113  consensus hash \w{32}",
    r"    114  NAME_PREORDER foo\.test by bob  accepted",
    r"    114  consensus hash \w{32}",
    r"    115  NAME_REGISTRATION foo\.test by bob  accepted",
    r"    115  consensus hash \w{32}",
    r"    116  NAME_REVOKE foo\.test by carol  rejected: NOT_OWNER \(.*\)",
    r"    116  consensus hash \w{32}",
    r"  replay    bnslab run tests/test_it\.py::test_refused --chain memory",
]


def test_every_failure_explains_itself(told: Callable[[str], list[str]]) -> None:
    refused = told("test_refused")
    assert len(refused) == len(REFUSED)
    for line, pattern in zip(refused, REFUSED, strict=True):
        assert re.fullmatch(pattern, line), line

    def says(test: str, *patterns: str) -> None:
        text = "\n".join(told(test))
        for pattern in patterns:
            assert re.search(pattern, text, re.MULTILINE), f"{test}: {pattern} not in\n{text}"

    here = r"^  scenario  tests/test_it\.py:"
    replay = r"^  replay    bnslab run '?tests/test_it\.py::"
    says("test_wrong_reason", "^  expected  rejected: NAME_EXPIRED: name expired$", here + r"14: with lab\.rejects\(")
    says("test_in_a_helper", r"^block 116: NAME_UPDATE foo\.test by carol", here + r"19: return lab\.mine\(\)$", replay)
    says("test_at_the_end", "^block 116: NAME_REVOKE", here + "24: test_at_the_end, outside its lines$", replay)
    says("test_assertion", r"^>       assert lab\.name", "^  trace     the last", "^    115  consensus hash", replay)
    says("test_bug", "AttributeError: 'NoneType'", "^  trace     the last", replay + "test_bug --chain memory$")
    says("test_unknown_wallet", "^no wallet is called 'nobody'; known: none$", here + r"34: lab\.revoke", replay)
    says("test_bad_name", r"^InvalidInput: name: expected .* got 'Foo\.test'$", here + "37: ", replay)
    says("test_negative_fee", "^InvalidInput: fee: expected a whole number .* got -5$", here + "40: ", replay)
    says("test_empty", "^tests/test_it/test_empty: expected at least one block: ", here + "42: ", replay)
    says("test_bad_mark", r"^InvalidInput: epochs: expected successive .* got \(2, 1\)$", here + "45: ", replay)
    says("test_two_epochs[epoch1]", "^InvalidInput: epochs: expected no numbers beside", replay)
    says("test_broken_fixture", "^E       RuntimeError: a fixture of the author's$", replay)
    assert not any("Traceback" in line or (".py:" in line and "test_it" not in line) for line in refused)


def test_what_does_not_fail_has_no_end_to_check(project: Project) -> None:
    project.write("tests/test_it.py", NOT_FAILING)
    outcome = project.run("tests", "--chain", "memory")
    assert (outcome.status, outcome.counts) == (0, {"passed": 1, "skipped": 1, "xfailed": 1})


def replayed(project: Project, line: str) -> list[str]:
    """Execute the command of a `replay` line as a user would; what its only failure says."""
    program, *arguments = shlex.split(line.removeprefix("  replay    "))
    assert program == "bnslab"
    outcome = project.run_process("bnslab", *arguments)
    assert outcome.status == 1
    (test,) = (word.rpartition("::")[2] for word in arguments if "::" in word)
    return outcome.told(test)


def without_addresses(lines: list[str]) -> list[str]:
    return [re.sub("0x[0-9a-f]+", "0x", line) for line in lines]


def test_the_replay_fails_in_the_same_way(project: Project, told: Callable[[str], list[str]]) -> None:
    for test in ("test_refused", "test_at_the_end", "test_assertion"):
        failure = told(test)
        (line,) = (line for line in failure if line.startswith("  replay "))
        assert without_addresses(replayed(project, line)) == without_addresses(failure)


def test_the_replay_on_bitcoind(project: Project, make_cache: Callable[[Path], Path]) -> None:
    cache = make_cache(project.path / "a cache")
    project.write("tests/test_it.py", FAILING)
    outcome = project.run("tests", "--lab-cache", str(cache), "-k", "test_refused")
    failure = outcome.told("test_refused")
    assert failure[-1].endswith(f"::test_refused --chain bitcoind --cache '{cache}'")
    for line, pattern in zip(failure[:-1], REFUSED[:-1], strict=True):
        assert re.fullmatch(pattern, line), line
    assert replayed(project, failure[-1]) == failure


def test_the_replay_keeps_what_was_switched(project: Project) -> None:
    project.write("tests/test_it.py", "def test_new(lab, alice):\n    lab.namespace('test', by=alice)\n")
    outcome = project.run("tests", "--chain", "memory", "--fill", "--lab-skip-check", "rest")
    failure = outcome.told("test_new")
    assert failure[-1].endswith(" --chain memory -- --lab-skip-check=rest --fill")
    assert replayed(project, failure[-1]) == failure


def test_the_replay_says_where(project: Project) -> None:
    project.write("tests/test_it.py", FAILING)
    outcome = project.run_process("pytest", ".", "--chain", "memory", "-k", "test_empty", cwd=project.path / "tests")
    line = next(line for line in outcome.told("test_empty") if line.startswith("  replay "))
    command = line.removeprefix("  replay    ")
    assert command == f"cd {project.path} && bnslab run tests/test_it.py::test_empty --chain memory"


# What can go wrong with the chain

DYING = """\
import os, signal
import pytest

pids = []

@pytest.fixture(autouse=True)
def node(lab_chain, lab):
    pids.append(lab_chain.node.pid)

def test_1_killed(lab, lab_chain, alice):
    lab.mine()
    lab.namespace_preorder("test", by=alice)
    os.kill(lab_chain.node.pid, signal.SIGKILL)
    lab.mine()

def test_2_goes_on_with_another_node(lab, alice, bob):
    assert pids[1] != pids[0]
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)

def test_3_keeps_a_good_node(lab, alice):
    assert pids[2] == pids[1]
    lab.mine()
    assert lab.height == 0, "on purpose"

def test_4_does_not_keep_what_a_failure_may_have_broken(lab):
    assert pids[3] != pids[2]
    lab.mine()
"""


def test_a_node_that_dies_is_told_of_and_replaced(project: Project, make_cache: Callable[[Path], Path]) -> None:
    project.write("tests/test_it.py", DYING)
    outcome = project.run("tests", "--lab-cache", str(make_cache(project.path / "cache")))
    assert outcome.counts == {"passed": 2, "failed": 2}
    killed = outcome.told("test_1_killed")
    assert killed[0].startswith("bitcoind ended: signal SIGKILL; it said")
    assert "  scenario  tests/test_it.py:14: lab.mine()" in killed
    assert "on purpose" in "\n".join(outcome.told("test_3_keeps_a_good_node"))
    assert list((project.path / "cache" / "runs").glob("[!.]*")) == []


@pytest.fixture
def taken() -> Iterator[PortPool]:
    """Ports of which every one has its listener already."""
    pool = PortPool.claimed()
    listeners = []
    try:
        while True:
            port = pool.take()
            listeners.append(socket.create_server(("127.0.0.1", port)))
    except PortTaken:
        yield pool
    finally:
        for listener in listeners:
            listener.close()


def test_a_run_without_a_free_port(
    project: Project, make_cache: Callable[[Path], Path], taken: PortPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("tests/test_it.py", "def test_it(lab):\n    lab.mine()\n")
    monkeypatch.setattr(PortPool, "claimed", lambda: taken)
    outcome = project.run("tests", "--lab-cache", str(make_cache(project.path / "cache")))
    assert outcome.counts == {"error": 1}
    told = outcome.told("test_it")
    assert re.fullmatch(r"no free RPC port for bitcoind: \d{5}, .* are taken by other programs", told[0])


def test_a_bitcoind_that_is_not_there(project: Project) -> None:
    project.write("tests/test_it.py", "def test_it(lab):\n    lab.mine()\n")
    outcome = project.run("tests", "--bitcoind", "nowhere/bitcoind")
    assert outcome.told("test_it")[0] == "no bitcoind at nowhere/bitcoind: it is not an executable file"
    done = project.run_process("bnslab", "run", "tests", "--bitcoind", "nowhere/bitcoind")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == "./lab: no bitcoind at nowhere/bitcoind: it is not an executable file\n"
