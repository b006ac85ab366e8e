"""A process that has imported all that a node needs, and forks nodes: four fifths of a start are imports.

A forked node runs the command line of blockstack-core, as one does that its user starts. It has the fork server's own
command line, which names the run directory, so that bnslab.bitcoind.guard ends it with the rest of the run.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
from subprocess import DEVNULL, Popen
from typing import TYPE_CHECKING, Any

import orjson

from bnslab.bitcoind import guard
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_DIRECTORY = "forkserver"


class ForkServer:
    """One such process, whose log is in a directory of its own below `run_dir`."""

    def __init__(self, run_dir: Path) -> None:
        self._directory = run_dir.resolve() / _DIRECTORY
        self._directory.mkdir(mode=0o700)
        self._control, theirs = socket.socketpair()
        command = [*guard.spawn_prefix(), sys.executable, "-P", "-m", __name__, str(theirs.fileno())]
        command.append(f"--working-dir={self._directory}{os.sep}")
        with theirs, (self._directory / "log").open("wb") as log:
            self._process = Popen(
                command, stdin=DEVNULL, stdout=log, stderr=log, cwd=self._directory, pass_fds=[theirs.fileno()]
            )

    def fork(self, arguments: Sequence[str], directory: Path, log: int, receipts: int) -> Forked:
        """A node with arguments of blockstack-core, in a directory; log and receipts are descriptors to write to.

        LabError if there is no fork server any more.
        """
        order = {"arguments": list(arguments), "directory": str(directory)}
        pid = self._ask(order, (log, receipts))
        if pid is None:
            said = (self._directory / "log").read_text(errors="replace").strip().splitlines() or ["nothing"]
            raise LabError(f"the process that forks nodes has ended; it said: {said[-1]}")
        return Forked(self, pid)

    def wait(self, pid: int) -> int:
        """Wait until a node has ended; its exit status, or the number of a signal, negative."""
        status = self._ask({"wait": pid})
        return -signal.SIGKILL if status is None else status

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, by close or otherwise."""
        return self._process.poll() is None

    def _ask(self, order: dict[str, Any], descriptors: Sequence[int] = ()) -> int | None:
        """What it answers to an order; None if it has ended."""
        try:
            socket.send_fds(self._control, [orjson.dumps(order) + b"\n"], descriptors)
            answer = _line(self._control)
        except OSError:
            return None
        return int(answer) if answer else None

    def close(self) -> None:
        """End it, and what it has forked."""
        self._control.close()
        self._process.wait()


class Forked:
    """A node's process, with what is needed of subprocess.Popen; `stdin` is empty."""

    stdin = None

    def __init__(self, server: ForkServer, pid: int) -> None:
        self.pid = pid
        self._server = server
        self._status: int | None = None

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing once its number may be another's: wait has told of its end, or nobody will."""
        if self._status is None and self._server.is_running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until it has ended; its exit status, or the number of a signal, negative."""
        if self._status is None:
            self._status = self._server.wait(self.pid)
        return self._status


def _line(connection: socket.socket) -> bytes:
    text = b""
    while not text.endswith(b"\n") and (more := connection.recv(1 << 16)):
        text += more
    return text


def main() -> None:
    """Fork nodes, and wait for their ends, as told by the socket whose descriptor is the first argument.

    At the end of the socket, all are killed.
    """
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is for the harness
    from bns import cli  # noqa: F401 - forked nodes have it
    from bns.node import daemon, launch  # noqa: F401 - likewise

    gc.collect()
    gc.freeze()
    living: set[int] = set()
    while order := _received(control):
        document, descriptors = order
        if "wait" in document:
            _, status = os.waitpid(document["wait"], 0)
            living.discard(document["wait"])
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                control.close()
                os._exit(_run(document["arguments"], document["directory"], *descriptors))
            living.add(answer)
            for descriptor in descriptors:
                os.close(descriptor)
        control.sendall(b"%d\n" % answer)
    for pid in living:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _received(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    text, descriptors, *_ = socket.recv_fds(control, 1 << 16, 2)
    if text and not text.endswith(b"\n"):
        text += _line(control)
    return (orjson.loads(text), descriptors) if text else None


def _run(arguments: Sequence[str], directory: str, log: int, receipts: int) -> int:
    """Be a node; its exit status."""
    from bns.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(directory)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    try:
        return main([*arguments, f"--receipts-fd={receipts}"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    main()
