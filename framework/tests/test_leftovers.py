"""What a run leaves behind: nothing outside its cache and output directory, however it ends."""

from __future__ import annotations

import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from tests.projects import ENVIRONMENT, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARK = "BNSLAB_TEST_FAMILY"
"""A variable that all descendants of a run inherit, whatever becomes of their parents."""

NOT_OURS = {"__pycache__"}
"""What Python keeps for itself beside the scenarios."""

GONE_WITHIN = 60

SCENARIOS = """\
import json
import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent

@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=pytest.mark.xdist_group(f"group{n}")) for n in range(2)]
)
def test_meeting(lab, lab_chain, alice, number):
    lab.namespace("test", by=alice)
    with open(HERE / f"reached-{number}", "w") as reached:
        json.dump([os.getpid(), lab_chain.node.pid, lab_chain.node.rpc_port], reached)
    (HERE / f"go-{number}").read_bytes()
    lab.register("foo.test", by=alice)
"""


class Meeting(NamedTuple):
    """Where a scenario stands in the middle: its process, its node, and the port of that."""

    pid: int
    node: int
    port: int


class World:
    """A copy of a project, a home, a directory for temporary files and a cache, in which runs are started."""

    def __init__(self, path: Path, make_cache: Callable[[Path], Path]) -> None:
        self.path = path
        self.token = secrets.token_hex(16)
        self.project, self.cache, self.output = path / "project", path / "cache", path / "output"
        shutil.copytree(ROOT / "scenarios" / "quickstart", self.project / "quickstart")
        for place in ("meeting", "home", "tmp"):
            (path / place if place != "meeting" else self.project / place).mkdir()
        make_cache(self.cache)
        (self.project / "pytest.ini").write_text("[pytest]\n")
        (self.project / "meeting" / "test_it.py").write_text(SCENARIOS)
        for number in range(2):
            os.mkfifo(self.project / "meeting" / f"reached-{number}")
            os.mkfifo(self.project / "meeting" / f"go-{number}")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `bnslab run` as the leader of a process group."""
        places = {"HOME": str(self.path / "home"), "TMPDIR": str(self.path / "tmp"), MARK: self.token}
        command = [sys.executable, "-P", "-m", "bnslab", "run", *arguments, "--cache", str(self.cache)]
        return subprocess.Popen(
            [*command, "--", "--lab-trace", "--lab-output", str(self.output)],
            cwd=self.project,
            env=ENVIRONMENT | places,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def family(self) -> list[psutil.Process]:
        """The processes that descend from a run and have not ended."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.token and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def files(self) -> set[str]:
        """All files outside of cache and output, but for those of Python and pytest themselves."""
        found = set()
        for directory, names, files in os.walk(self.path):
            here = Path(directory)
            names[:] = [name for name in names if name not in NOT_OURS and here / name not in (self.cache, self.output)]
            found |= {(here / name).relative_to(self.path).as_posix() for name in [*names, *files]}
        return found

    def run_directories(self) -> list[str]:
        """Those of the cache in which runs keep their nodes."""
        return sorted(path.name for path in (self.cache / "runs").iterdir() if path.name != ".lock")


@pytest.fixture
def world(tmp_path: Path, make_cache: Callable[[Path], Path]) -> Iterator[World]:
    made = World(tmp_path, make_cache)
    yield made
    for process in made.family():
        process.kill()


@contextmanager
def met(world: World, run: subprocess.Popen[bytes], count: int) -> Iterator[tuple[list[Meeting], Callable[[], None]]]:
    """Wait until so many scenarios stand in the middle; they stay there until they are let go."""
    place = world.project / "meeting"
    reached = [os.open(place / f"reached-{number}", os.O_RDONLY | os.O_NONBLOCK) for number in range(count)]
    gates = [os.open(place / f"go-{number}", os.O_RDWR) for number in range(count)]

    def let_go() -> None:
        while gates:
            os.close(gates.pop())

    try:
        yield [Meeting(*json.loads(said(pipe, run))) for pipe in reached], let_go
    finally:
        let_go()
        for pipe in reached:
            os.close(pipe)


def said(pipe: int, run: subprocess.Popen[bytes]) -> bytes:
    """The first words from a pipe; fails with the output of the run if that ends before."""
    assert run.stdout is not None
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    poller.register(run.stdout, select.POLLHUP)
    ready = dict(poller.poll(GONE_WITHIN * 1000))
    assert pipe in ready, run.stdout.read().decode() if ready else "nothing happened"
    return os.read(pipe, 4096)


def listening(processes: list[psutil.Process]) -> set[int]:
    """The ports on which processes listen."""
    connections = [each for process in processes for each in process.net_connections()]
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


def test_a_run_with_two_workers_leaves_nothing(world: World) -> None:
    before = world.files()
    with world.start("meeting", "quickstart", "-n", "2") as run:
        with met(world, run, 2) as (meetings, let_go):
            family = world.family()
            assert {pid for meeting in meetings for pid in (meeting.pid, meeting.node)} < {p.pid for p in family}
            assert listening(family) == {meeting.port for meeting in meetings}
            assert len(world.run_directories()) == 3, "one of each worker, one of the run"
            let_go()
        out, _ = run.communicate()
    assert run.returncode == 0, out.decode()
    assert b"3 passed" in out
    assert world.family() == []
    assert world.files() == before
    assert world.run_directories() == []
    assert len(list((world.output / "traces").iterdir())) == 3


def test_nothing_survives_a_killed_runner(world: World) -> None:
    before = world.files()
    with world.start("meeting", "-n", "2") as run:
        with met(world, run, 2) as (meetings, let_go):
            family = world.family()
            assert len(family) >= 7  # the runner; two workers, each with its node and its guard
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            assert len(meetings) == 2
            let_go()
        assert psutil.wait_procs(family, GONE_WITHIN)[1] == []
    assert world.family() == []
    assert world.files() == before
    assert world.run_directories() == []


def test_the_next_run_clears_what_a_killed_guard_could_not(world: World) -> None:
    before = world.files()
    with world.start("meeting/test_it.py::test_meeting[0]") as run:
        with met(world, run, 1) as ((meeting,), _):
            left = world.run_directories()
            assert meeting.pid == run.pid
            others = [process for process in world.family() if process.pid not in meeting]
            for process in [*others, psutil.Process(run.pid)]:
                process.kill()
            run.wait()
        assert psutil.wait_procs(others, GONE_WITHIN)[1] == []
    assert world.run_directories() == left
    with world.start("quickstart", "--chain", "memory") as run:
        out, _ = run.communicate()
    assert run.returncode == 0, out.decode()
    assert psutil.wait_procs(world.family(), GONE_WITHIN)[1] == []
    assert world.run_directories() == []
    assert world.files() == before
