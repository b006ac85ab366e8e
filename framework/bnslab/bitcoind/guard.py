"""Nothing outlives the harness: who belongs to a run directory, and how it is ended.

A node belongs to a run directory when its command line holds `-datadir=<run directory>/...`, or the same after
`--working-dir=` if it is one of the name system. Run directories have random names that are never used twice, so such
a process is ours beyond doubt, whatever became of its parent.

Three layers, each enough by itself:

* on Linux the kernel kills a node when the thread that spawned it ends (`spawn_prefix`);
* everywhere this file runs as a small process that holds a pipe of the harness; at the end of the pipe, however the
  harness ended, it kills the nodes and removes the directory;
* the next run sweeps what a crash of the whole machine or a kill of both left (`rundir.sweep`).

This is the one module that asks which operating system it is on. It runs as a script without site-packages, so it
imports the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

_GONE_WITHIN = 10.0
"""Seconds given to a killed process to leave the process table."""


def spawn_prefix() -> tuple[str, ...]:
    """Command prefix that ties a child's life to the calling thread; empty where that is not possible or not wanted.

    The kernel ties a child to the *thread* that spawned it, so only the main thread, which lives as long as the
    process, gets the prefix. Nodes spawned elsewhere rely on the guard process.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return ()
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def is_linux() -> bool:
    """Whether Linux programs run here."""
    return sys.platform == "linux"


if sys.platform == "linux":

    def _belongs(pid: int, marks: tuple[str, ...]) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        starts = tuple(mark.encode() for mark in marks)
        return any(word.startswith(starts) for word in words)

    def _owned(marks: tuple[str, ...]) -> list[int]:
        pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
        return [pid for pid in pids if _belongs(pid, marks)]

    def _end(pid: int, marks: tuple[str, ...]) -> None:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                # Asked again now that the handle holds on to this very process: the number may have changed hands.
                if _belongs(pid, marks):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    watch = select.poll()
                    watch.register(handle, select.POLLIN)
                    watch.poll(_GONE_WITHIN * 1000)
            finally:
                os.close(handle)

else:

    def _owned(marks: tuple[str, ...]) -> list[int]:
        listing = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
        lines = (line.strip().partition(" ") for line in listing.stdout.splitlines())
        return [int(pid) for pid, _, command in lines if any(f" {mark}" in command for mark in marks)]

    def _end(pid: int, marks: tuple[str, ...]) -> None:
        queue = select.kqueue()
        with contextlib.closing(queue), contextlib.suppress(ProcessLookupError):
            watch = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            queue.control([watch], 0, 0)
            if pid in _owned(marks):
                os.kill(pid, signal.SIGKILL)
                queue.control(None, 1, _GONE_WITHIN)


def owned(run_dir: Path) -> list[int]:
    """Process ids of the running nodes whose data lies below `run_dir`."""
    return _owned(_marks(run_dir))


def _marks(run_dir: Path) -> tuple[str, ...]:
    return tuple(f"{option}={run_dir}{os.sep}" for option in ("-datadir", "--working-dir"))


def reap(run_dir: Path) -> list[int]:
    """Kill every node of `run_dir` and remove the directory; give back the process ids that were killed."""
    marks = _marks(run_dir)
    pids = _owned(marks)
    for pid in pids:
        _end(pid, marks)
    shutil.rmtree(run_dir, ignore_errors=True)
    return pids


def spawn(run_dir: Path) -> subprocess.Popen[bytes]:
    """Start the guard process of `run_dir`; it acts when its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(run_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def main() -> None:
    """Wait for the end of standard input, then reap the run directory named by the first argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    reap(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
