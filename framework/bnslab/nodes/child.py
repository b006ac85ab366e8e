"""A node in a process of its own, which tells what it does line by line, and dies with the harness."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Protocol

from bnslab.bitcoind import guard
from bnslab.bitcoind.errors import CacheUnusable
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_TAIL_BYTES = 4096
_TAIL_LINES = 12
_LONGEST_LINE = 1 << 26


class NodeFailed(LabError):
    """A node ended, or did not do in time what it should: what happened, and how its log ends."""

    def __init__(self, what: str, tail: Sequence[str]) -> None:
        self.what = what
        self.tail = tuple(tail)
        said = "; its log ends:\n  " + "\n  ".join(tail) if tail else "; its log is empty"
        super().__init__(f"{what}{said}")


class Process(Protocol):
    """What a Child needs of its subprocess.Popen, or of another process."""

    @property
    def stdin(self) -> IO[bytes] | None:
        """Where lines for it go, if it takes any."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal."""

    def kill(self) -> None:
        """Kill it."""

    def wait(self) -> int:
        """Wait until it has ended; its exit status, or the number of a signal, negative."""


class Child:
    """One process, its log in `directory`, which goes away with it. `what` is what messages call it.

    The directory must be named in the command as bnslab.bitcoind.guard wants it, or the process must see to it by
    itself that it does not outlive the harness: then `prefix` is empty. Lines come from the descriptor `reader`, whose
    other end the process has; `seconds` is the longest wait for one, and for one to be taken, by `clock`. `start`
    makes the process of the command in another way, given a descriptor for its log; it then takes no lines.
    """

    process: Process

    def __init__(
        self,
        what: str,
        command: Sequence[str],
        directory: Path,
        reader: int,
        *,
        start: Callable[[Sequence[str], int], Process] | None = None,
        prefix: Sequence[str] | None = None,
        pass_fds: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._directory = directory
        self.reader = reader
        self._seconds = seconds
        self._clock = clock
        self._text = b""
        self._closing = ExitStack()
        self._closing.callback(os.close, reader)
        tied = guard.spawn_prefix() if prefix is None else prefix
        try:
            with (directory / "log").open("ab") as log:
                if start is not None:
                    self.process = start(command, log.fileno())
                    return
                self.process = subprocess.Popen(
                    [*tied, *command],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=directory,
                    env=environment,
                    pass_fds=pass_fds,
                )
                assert self.process.stdin is not None, "spawned with a pipe"
                self._closing.callback(self.process.stdin.close)
        except OSError as error:
            self._closing.close()
            raise NodeFailed(f"{what} cannot be started: {error}", ()) from error

    def write(self, line: bytes) -> None:
        """Send a line to its standard input; NodeFailed if it ends, or does not take it."""
        assert self.process.stdin is not None, "spawned with a pipe"
        pipe = self.process.stdin.fileno()
        os.set_blocking(pipe, False)
        watch = select.poll()
        watch.register(pipe, select.POLLOUT)
        deadline = self._clock() + self._seconds
        rest = memoryview(line + b"\n")
        while rest:
            if not watch.poll(max(0.0, deadline - self._clock()) * 1000):
                raise self.failed(f"{self._what} took no more input for {self._seconds:g} s")
            try:
                rest = rest[os.write(pipe, rest) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self.ended() from None

    def read(self) -> bytes:
        """The next line it tells; NodeFailed if it ends, or takes too long."""
        deadline = self._clock() + self._seconds
        while b"\n" not in self._text:
            if not self._read_more(deadline):
                raise self.ended()
            if len(self._text) > _LONGEST_LINE:
                raise self.failed(f"{self._what} told a line of more than {_LONGEST_LINE} bytes")
        line, _, self._text = self._text.partition(b"\n")
        return line

    def read_end(self) -> None:
        """Wait until it ends with status 0, telling nothing more; else NodeFailed."""
        deadline = self._clock() + self._seconds
        while not self._text and self._read_more(deadline):
            pass
        if self._text:
            raise self.failed(f"{self._what} told more than it was asked: {self._text[:80].decode(errors='replace')!r}")
        if self.process.wait() != 0:
            raise self.ended()

    def _read_more(self, deadline: float) -> bool:
        """Wait for what it tells; False at the end of it. NodeFailed at the deadline."""
        watch = select.poll()
        watch.register(self.reader, select.POLLIN)
        if not watch.poll(max(0.0, deadline - self._clock()) * 1000):
            raise self.failed(f"{self._what} told nothing for {self._seconds:g} s")
        chunk = os.read(self.reader, 1 << 16)
        self._text += chunk
        return bool(chunk)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> None:
        """Have it stop in order, and wait until it has; its directory stays. NodeFailed if it does not."""
        self.signal(signal.SIGTERM)
        status = self.process.wait()
        self._closing.close()
        if status != 0:
            raise self.ended()

    def end(self) -> None:
        """Kill it, and remove its directory."""
        self.process.kill()
        self.process.wait()
        self._closing.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def failed(self, what: str) -> NodeFailed:
        """An error that says what happened and how the log ends."""
        return NodeFailed(what, self._tail())

    def ended(self) -> NodeFailed:
        """An error that says how it ended: it has, or is about to."""
        status = self.process.wait()
        how = f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
        return self.failed(f"{self._what} ended: {how}")

    def _tail(self) -> list[str]:
        with (self._directory / "log").open("rb") as log:
            log.seek(max(0, (self._directory / "log").stat().st_size - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]


def new_directory(run_dir: Path, name: str) -> Path:
    """A new directory for a node's files; CacheUnusable if it cannot be made."""
    directory = run_dir.resolve() / name
    try:
        directory.mkdir(mode=0o700)
    except OSError as error:
        raise CacheUnusable(f"cannot write to {run_dir}: {error.strerror or error}") from error
    return directory
