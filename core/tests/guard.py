"""Nothing that a test starts outlives the tests, however they end.

A process that holds a pipe of theirs sees them go, and ends whoever has a path below their temporary directory on its
command line. So it finds daemons too, which no longer have a parent that could.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_DONE = b"done"


@pytest.fixture(scope="session", autouse=True)
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Guard the processes of this session, or of this worker. A module whose tests start daemons imports it."""
    command = [sys.executable, __file__, str(tmp_path_factory.getbasetemp())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd="/") as guard:
        yield
        guard.communicate(_DONE)


def members(base: str) -> list[psutil.Process]:
    """The processes that work with files below a directory, as far as their command lines tell."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(f"{base}{os.sep}" in word for word in process.info["cmdline"] or ())
        and process.status() != psutil.STATUS_ZOMBIE
    ]


def main(base: str) -> None:
    """Wait for the end of the standard input; unless it says that all went well, end the members."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == _DONE:
        return
    while found := members(base):  # one that is about to start a daemon may have done so meanwhile
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found)


if __name__ == "__main__":
    main(sys.argv[1])
