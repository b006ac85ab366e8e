"""Runs a command for as long as its starter wants: `supervise.py ANSWERS ALIVE CWD COMMAND...`

The command's standard output is the descriptor ANSWERS. When the pipe ALIVE ends, because its other end was closed or
the process that had it is gone, the command and all of its process group are killed. The exit status, or the signal, is
the command's; until then ANSWERS stays open, so that its end means that all is over. It runs as a script without
site-packages, so it imports the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys


def main() -> None:
    """Run the command to its end, or end it."""
    answers, alive = int(sys.argv[1]), int(sys.argv[2])
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    # Handlers, because what is ignored here would be ignored by the command too.
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    try:
        process = subprocess.Popen(sys.argv[4:], cwd=sys.argv[3], stdout=answers, start_new_session=True)
    except OSError as error:
        sys.exit(f"cannot be started: {error}")
    watch = select.poll()
    watch.register(alive, select.POLLIN)
    watch.register(woken, select.POLLIN)
    while process.poll() is None:
        if alive in dict(watch.poll()):
            break
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 4096)
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    status = process.wait()
    if status < 0:
        with contextlib.suppress(OSError):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
