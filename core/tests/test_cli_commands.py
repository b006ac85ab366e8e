"""The command line: what it prints, its exit status, and that an error is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bns.cli import main
from bns.node.config import load
from bns.node.pidfile import AlreadyRunning, PidFile, stop

if TYPE_CHECKING:
    from pathlib import Path

PID = "blockstack-server.pid"


def test_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["version", f"--working_dir={tmp_path / 'none'}"]) == 0
    assert capsys.readouterr() == ("Blockstack version: 19.0.8.1\n", "")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["frobnicate"], "No such command 'frobnicate'."),
        (["start", "--frobnicate"], "No such option '--frobnicate'."),
        (["start", "--port", "70000"], "Invalid value for '--port': 70000 is not in the range 1<=x<=65535."),
        (["verifydb", "5", "xyz", "."], "consensus hash: expected 32 lower-case hex digits, got 'xyz'"),
        (["verifydb", "5", "00" * 16, "nothing"], "Invalid value for 'CHAINSTATE_DIR': Directory 'nothing' does not"),
        (["restore"], "nowhere: there is no such directory"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([f"--working-dir={tmp_path / 'nowhere'}", *arguments]) == 2
    output, error = capsys.readouterr()
    assert output == ""
    assert error.startswith("blockstack-core: ")
    assert complaint in error
    assert error.count("\n") == 1


def test_no_command_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("Usage: blockstack-core ")


def test_an_obsolete_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "my.ini").write_text("[blockstack]\nserver_version = 0.16.0\n")
    assert main(["start", f"--working-dir={tmp_path}", f"--config={tmp_path / 'my.ini'}"]) == 1
    assert "obsolete or unrecognizable config file" in capsys.readouterr().err


def configure(directory: Path, answers: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "bns.cli", "configure", f"--working-dir={directory}"]
    return subprocess.run(command, input=answers, capture_output=True, text=True, check=False, timeout=60)


def test_configure_asks_for_everything_and_once_more_for_nonsense(tmp_path: Path) -> None:
    answers = ["bitcoin.example", "many", "70000", "18443", "me", "secret", "", "yes"]
    done = configure(tmp_path, "\n".join(answers) + "\n" * 20)
    assert done.returncode == 0, done.stderr
    assert 'server (default: "localhost"): ' in done.stdout
    assert done.stdout.endswith("Blockstack successfully reconfigured.\n")
    assert "port: expected a number, got 'many'" in done.stderr
    assert "port: expected a port from 1 to 65535, got 70000" in done.stderr
    config = load(tmp_path)
    assert (config.bitcoind.server, config.bitcoind.port, config.bitcoind.regtest) == ("bitcoin.example", 18443, True)
    assert (config.bitcoind.user, config.bitcoind.passwd, config.node.rpc_port) == ("me", "secret", 6264)


def test_configure_that_is_given_up_changes_nothing(tmp_path: Path) -> None:
    done = configure(tmp_path, "bitcoin.example\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(tmp_path.iterdir())


# The pid file

HOLDER = """
import signal, sys
from pathlib import Path
from bns.node.pidfile import PidFile
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
file = PidFile(Path(sys.argv[1]))
print("ready", flush=True)
signal.pause()
"""


def holder(path: Path, how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), how], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("how", "seconds", "status"), [("willing", 60, -15), ("deaf", 0.2, -9)])
def test_a_running_process_is_stopped(how: str, seconds: float, status: int, tmp_path: Path) -> None:
    path = tmp_path / PID
    with holder(path, how) as process:
        try:
            assert path.read_text() == str(process.pid)
            with pytest.raises(AlreadyRunning, match="a node runs here already"):
                PidFile(path)
            assert stop(path, seconds) == process.pid
            assert process.wait(60) == status
        finally:
            process.kill()
    assert not path.exists()
    PidFile(path).close()


@pytest.mark.parametrize("content", ["", "1", "no number", "ours"])
def test_a_file_that_nobody_holds_is_stale(content: str, tmp_path: Path) -> None:
    path = tmp_path / PID
    content = content.replace("ours", str(os.getpid()))
    path.write_text(content)
    assert stop(path, 1) is None
    assert not path.exists()
    path.write_text(content)
    PidFile(path)
    assert path.read_text() == str(os.getpid())


def test_no_file_no_process(tmp_path: Path) -> None:
    assert stop(tmp_path / PID, 1) is None
