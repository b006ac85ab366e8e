"""Nothing outlives the harness: who belongs to a run directory, and how it is ended.

A node belongs to a run directory when its command line holds `-datadir=<run directory>/...`. Run directories have
random names that are never used twice, so such a process is ours beyond doubt, whatever became of its parent.

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

    def _belongs(pid: int, mark: str) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return any(word.startswith(mark.encode()) for word in words)

    def _owned(mark: str) -> list[int]:
        pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
        return [pid for pid in pids if _belongs(pid, mark)]

    def _end(pid: int, mark: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                # Asked again now that the handle holds on to this very process: the number may have changed hands.
                if _belongs(pid, mark):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    watch = select.poll()
                    watch.register(handle, select.POLLIN)
                    watch.poll(_GONE_WITHIN * 1000)
            finally:
                os.close(handle)

else:

    def _owned(mark: str) -> list[int]:
        listing = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
        lines = (line.strip().partition(" ") for line in listing.stdout.splitlines())
        return [int(pid) for pid, _, command in lines if f" {mark}" in command]

    def _end(pid: int, mark: str) -> None:
        queue = select.kqueue()
        with contextlib.closing(queue), contextlib.suppress(ProcessLookupError):
            watch = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            queue.control([watch], 0, 0)
            if pid in _owned(mark):
                os.kill(pid, signal.SIGKILL)
                queue.control(None, 1, _GONE_WITHIN)


def owned(run_dir: Path) -> list[int]:
    """Process ids of the running nodes whose data lies below `run_dir`."""
    return _owned(f"-datadir={run_dir}{os.sep}")


def reap(run_dir: Path) -> list[int]:
    """Kill every node of `run_dir` and remove the directory; give back the process ids that were killed."""
    mark = f"-datadir={run_dir}{os.sep}"
    pids = _owned(mark)
    for pid in pids:
        _end(pid, mark)
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
