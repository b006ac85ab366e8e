"""Where the files of one run of the harness live: `<cache>/runs/<random id>/`, locked while the run lasts."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Self

from bnslab.bitcoind import guard, locks
from bnslab.bitcoind.errors import CacheUnusable

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path


class RunDirectory:
    """A directory that belongs to this process and does not outlive it.

    `path` holds the data directories of the nodes. The lock in it is free exactly when the process is gone; the guard
    process removes the directory at that moment, `sweep` removes it later if the guard was killed as well.
    """

    def __init__(self, path: Path, lock: int, watcher: subprocess.Popen[bytes]) -> None:
        self.path = path
        self._lock: int | None = lock
        self._guard = watcher

    @classmethod
    def create(cls, cache: Path, name: Callable[[], str] = lambda: secrets.token_hex(8)) -> Self:
        """Make and lock a new run directory below `cache`; raises CacheUnusable when that cannot be written."""
        with _registry(cache) as runs:
            path = runs / name()
            path.mkdir(mode=0o700)
            lock = locks.take(path / "lock")
        assert lock is not None, "a directory nobody else has seen yet"
        return cls(path, lock, guard.spawn(path))

    def close(self) -> None:
        """Kill what still runs in the directory, remove it and release the lock. Calling it twice does no harm."""
        if self._lock is None:
            return
        guard.reap(self.path)
        os.close(self._lock)
        self._lock = None
        self._guard.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep(cache: Path) -> list[Path]:
    """Remove the run directories whose process is gone, ending nodes that still run in them; those removed are given
    back. A directory whose lock is held is left alone, and only processes whose data lies in a removed one are killed.
    Raises CacheUnusable when `cache` cannot be written.
    """
    swept = []
    with _registry(cache) as runs:
        for path in sorted(entry for entry in runs.iterdir() if entry.is_dir()):
            try:
                lock = locks.take(path / "lock")
            except FileNotFoundError:
                # Its guard process was quicker.
                continue
            if lock is None:
                continue
            guard.reap(path)
            os.close(lock)
            swept.append(path)
    return swept


@contextlib.contextmanager
def _registry(cache: Path) -> Iterator[Path]:
    # One at a time, so that no sweep meets a directory between its making and its locking.
    try:
        # Resolved, because a node is recognised by this text in its command line.
        runs = cache.resolve() / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        with locks.locked(runs / ".lock"):
            yield runs
    except OSError as error:
        raise CacheUnusable(f"cannot write to the cache {cache}: {error.strerror or error}") from error
