"""Daemons that a test leaves behind die with the tests."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from pathlib import Path

TEST = """\
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.guard import guarded

STARTER = "import subprocess as s, sys; print(s.Popen(sys.argv[1:], stdout=s.DEVNULL, start_new_session=True).pid)"
DAEMON = "import signal; signal.pause()"


def test_it(tmp_path):
    daemon = [sys.executable, "-c", DAEMON, f"--working-dir={tmp_path}"]
    pid = subprocess.run([sys.executable, "-c", STARTER, *daemon], stdout=subprocess.PIPE, check=True).stdout
    Path("pid").write_bytes(pid)
    END
"""


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(1)"])
def test_a_daemon_ends_with_the_tests(tmp_path: Path, end: str) -> None:
    (tmp_path / "test_it.py").write_text(TEST.replace("END", end))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-s", "-p", "no:cacheprovider", "--import-mode=importlib", f"--basetemp={tmp_path / 'base'}"]
    # the daemon holds the pipe of the errors, so its end is waited for
    command = [sys.executable, "-m", "pytest", *options]
    try:
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    finally:
        daemon = int((tmp_path / "pid").read_text())
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(daemon).status() != psutil.STATUS_ZOMBIE:
                psutil.Process(daemon).kill()
                pytest.fail("the daemon lives on")
    assert run.returncode in (-9, 1), run.stdout
