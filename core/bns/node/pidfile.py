"""The pid file: which process runs a node here, and whether it still does (spec 08 sections 6.1 and 6.5).

The running node keeps its pid file locked, and the system lets go of the lock when the process ends, however it ends.
So a file that nobody has locked is stale, whatever process has its number now.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from typing import TYPE_CHECKING

from bns.errors import BnsError

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "blockstack-server.pid"


class AlreadyRunning(BnsError):
    """A node runs in this working directory."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.parent}: a node runs here already: stop it with `blockstack-core stop`")


class CannotStop(BnsError):
    """A running node cannot be stopped."""


class PidFile:
    """The pid file of this process, from the moment it is made until close; AlreadyRunning if a node has it.

    The lock stays until the process ends, so that whoever waits for it waits for just that.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _lock(path)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)


def _lock(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise AlreadyRunning(path) from None
        if _is_at(file, path):
            return file
        os.close(file)  # its last owner removed it between our two steps


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def stop(path: Path, seconds: float) -> int | None:
    """Ask the node whose pid file this is to stop, and wait; its process id, or None if there was none.

    After so many seconds it is killed. A stale file is removed. Raises CannotStop if the system does not allow it.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _take(file):
            path.unlink(missing_ok=True)
            return None
        text = os.pread(file, 20, 0)
        if not text.isdigit():
            raise CannotStop(f"{path}: expected the number of a process, got {text!r}: try again in a moment")
        pid = int(text)
        if not (_ended(file, pid, signal.SIGTERM, seconds) or _ended(file, pid, signal.SIGKILL, seconds)):
            raise CannotStop(f"process {pid}: still there {seconds:g} s after it was killed")
        path.unlink(missing_ok=True)
        return pid
    finally:
        os.close(file)


def _take(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ended(file: int, pid: int, number: signal.Signals, seconds: float) -> bool:
    """Send a signal and wait for the lock; False when the time is over."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise CannotStop(f"process {pid}: it belongs to another user") from None
    # There is no wait for a lock that ends by itself: a thread waits, and we for it.
    copy = os.dup(file)
    waiter = threading.Thread(target=_wait, args=(copy,), name="wait-for-end", daemon=True)
    waiter.start()
    waiter.join(seconds)
    return not waiter.is_alive()


def _wait(file: int) -> None:
    fcntl.flock(file, fcntl.LOCK_EX)
    os.close(file)
