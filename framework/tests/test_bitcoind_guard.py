"""Nothing outlives the harness: neither processes nor files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from bnslab.bitcoind import CacheUnusable, PortPool, RegtestNode, RunDirectory, guard, sweep
from tests.processes import SOON, ends, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bnslab.bitcoind import Bitcoind

HARNESS = """
import sys
from pathlib import Path
from bnslab.bitcoind import PortPool, RegtestNode, RunDirectory, find, guard

program, cache, user_cache, ended_by = sys.argv[1:]
if ended_by == "guard":
    guard.spawn_prefix = lambda: ()
run = RunDirectory.create(Path(cache))
binary = find(None, Path(user_cache)) if program == "find" else find(Path(program), Path(cache))
node = RegtestNode.start(binary, run.path, PortPool.claimed(), mocktime=1500000000)
print(run.path, node.pid, run._guard.pid, flush=True)
sys.stdin.read()
"""


@dataclass
class Harness:
    process: subprocess.Popen[str]
    run_dir: Path
    node: psutil.Process
    watcher: psutil.Process

    def die(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def harness(bitcoind_binary: Bitcoind, tmp_path: Path) -> Iterator[Callable[[str], Harness]]:
    """Starts another Python process that holds a running node; `ended_by` says who ends the node if it dies:

    the kernel (and the guard process), or the guard process alone.
    """
    started: list[Harness] = []
    entry = bitcoind_binary.program.parent.parent
    found = (
        [str(bitcoind_binary.program), ""] if bitcoind_binary.source == "PATH" else ["find", str(entry.parent.parent)]
    )

    def start(ended_by: str) -> Harness:
        process = subprocess.Popen(
            [sys.executable, "-c", HARNESS, found[0], str(tmp_path), found[1], ended_by],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        run_dir, node, watcher = process.stdout.readline().split()
        started.append(Harness(process, Path(run_dir), psutil.Process(int(node)), psutil.Process(int(watcher))))
        return started[-1]

    yield start
    for one in started:
        one.die()
        one.process.communicate()
        for left in (one.node, one.watcher):
            if runs(left):
                left.kill()


def left_in(cache: Path) -> list[str]:
    return [entry.name for entry in (cache / "runs").iterdir() if entry.name != ".lock"]


@pytest.mark.parametrize("ended_by", ["kernel", "guard"])
def test_a_killed_harness_leaves_no_node_and_no_files(
    ended_by: str, harness: Callable[[str], Harness], tmp_path: Path
) -> None:
    one = harness(ended_by)
    assert runs(one.node)
    one.die()
    assert ends(one.node)
    assert ends(one.watcher)
    assert left_in(tmp_path) == []
    assert sweep(tmp_path) == []


def test_with_the_guard_killed_too_the_kernel_ends_the_node_and_the_sweep_clears_the_files(
    harness: Callable[[str], Harness], tmp_path: Path
) -> None:
    if not guard.spawn_prefix():
        pytest.skip("setpriv is not on this machine")
    one = harness("kernel")
    one.watcher.kill()
    one.die()
    assert ends(one.node)
    assert left_in(tmp_path) == [one.run_dir.name]
    assert sweep(tmp_path) == [one.run_dir]
    assert left_in(tmp_path) == []


def test_with_every_guard_gone_the_sweep_ends_the_node(harness: Callable[[str], Harness], tmp_path: Path) -> None:
    one = harness("guard")
    one.watcher.kill()
    one.die()
    assert runs(one.node)
    assert sweep(tmp_path) == [one.run_dir]
    assert ends(one.node)
    assert left_in(tmp_path) == []


def test_the_guard_is_not_stopped_by_what_stops_the_harness(harness: Callable[[str], Harness], tmp_path: Path) -> None:
    one = harness("guard")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        one.watcher.send_signal(number)
    one.process.send_signal(signal.SIGINT)
    one.process.wait(SOON)
    assert ends(one.node)
    assert ends(one.watcher)
    assert left_in(tmp_path) == []


def test_the_sweep_leaves_running_harnesses_alone(
    harness: Callable[[str], Harness], tmp_path: Path, bitcoind_binary: Bitcoind, port_pool: PortPool
) -> None:
    other = harness("kernel")
    with RunDirectory.create(tmp_path) as run:
        with RegtestNode.start(bitcoind_binary, run.path, port_pool, mocktime=1_500_000_000) as node:
            assert sweep(tmp_path) == []
            assert node.rpc.call("getblockcount") == 0
        assert runs(other.node)
    assert left_in(tmp_path) == [other.run_dir.name]


def test_only_processes_of_the_directory_are_ended(tmp_path: Path) -> None:
    mine = tmp_path / "runs" / "mine"
    mine.mkdir(parents=True)

    def spawn(argument: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", "input()", argument], stdin=subprocess.PIPE)

    ours = spawn(f"-datadir={mine}/node")
    strangers = [spawn(f"-datadir={mine}2/node"), spawn(str(mine)), spawn(f"-datadir={tmp_path}/else")]
    try:
        assert guard.owned(mine) == [ours.pid]
        assert guard.reap(mine) == [ours.pid]
        assert ours.wait(SOON) == -signal.SIGKILL
        assert [stranger.poll() for stranger in strangers] == [None] * 3
        assert not mine.exists()
    finally:
        for process in (ours, *strangers):
            process.kill()
            process.communicate()


def test_closing_a_run_directory_ends_what_runs_in_it(
    bitcoind_binary: Bitcoind, tmp_path: Path, port_pool: PortPool
) -> None:
    run = RunDirectory.create(tmp_path)
    node = RegtestNode.start(bitcoind_binary, run.path, port_pool, mocktime=1_500_000_000)
    run.close()
    assert not psutil.pid_exists(node.pid) or psutil.Process(node.pid).status() == psutil.STATUS_ZOMBIE
    assert left_in(tmp_path) == []
    run.close()
    node.kill()


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheUnusable, match="file: Not a directory"):
        RunDirectory.create(tmp_path / "file")
    with pytest.raises(CacheUnusable, match="file: Not a directory"):
        sweep(tmp_path / "file")


def test_sweep_of_an_empty_cache(tmp_path: Path) -> None:
    assert sweep(tmp_path / "new") == []
    (tmp_path / "new" / "runs" / "half made").mkdir()
    assert [path.name for path in sweep(tmp_path / "new")] == ["half made"]


def test_no_descriptor_of_the_lock_reaches_a_child(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path) as run:
        lock = run._lock
        assert lock is not None
        assert not os.get_inheritable(lock)
