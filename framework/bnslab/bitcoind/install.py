"""Getting a bitcoind into the cache: the first source that works, all or nothing."""

from __future__ import annotations

import contextlib
import errno
import secrets
import shutil
from typing import TYPE_CHECKING, NamedTuple

from bnslab.bitcoind import debian, image, locks, release
from bnslab.bitcoind.errors import BitcoindNotFound, InstallError, SourceFailed
from bnslab.bitcoind.locate import command, entries, identify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bnslab.bitcoind.locate import Bitcoind

_PARTIAL = ".partial-"


class Source(NamedTuple):
    """A way to get a bitcoind.

    `fetch(tree, report)` puts the program at `tree/bin/bitcoind`, and where it needs its own libraries those and their
    loader in `tree/lib`. What it downloads it verifies. It raises SourceFailed, or OSError, when it cannot.
    """

    name: str
    fetch: Callable[[Path, Callable[[str], None]], None]


SOURCES = (Source("release", release.fetch), Source("debian", debian.fetch), Source("image", image.fetch))


def install(cache: Path, report: Callable[[str], None], *, sources: Sequence[Source] = SOURCES) -> Bitcoind:
    """Install a bitcoind below `cache` from the first of `sources` that works, unless a usable one is there already.

    `report` is called with lines of progress. The new entry appears in one step: an interrupted installation leaves
    nothing that could be taken for one, and of several at once one does the work and the others find it done. Raises
    InstallError with one line for each source.
    """
    root = cache / "bitcoind"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with locks.locked(root / ".lock", lambda: report("another installation is under way; waiting for it")):
            return _installed(cache, report) or _install(root, cache, report, sources)
    except OSError as error:
        raise InstallError(f"cannot install into the cache {cache}: {_reason(error)}") from error


def _installed(cache: Path, report: Callable[[str], None]) -> Bitcoind | None:
    for entry in entries(cache):
        with contextlib.suppress(BitcoindNotFound):
            found = identify(command(entry), entry.name, cache)
            report(f"bitcoind {found.version} is installed")
            return found
    return None


def _install(root: Path, cache: Path, report: Callable[[str], None], sources: Sequence[Source]) -> Bitcoind:
    for left_over in root.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    failures = []
    for source in sources:
        report(f"{source.name}: trying")
        with _staging(root) as tree:
            try:
                source.fetch(tree, report)
                version = identify(command(tree), source.name).version
            except (SourceFailed, BitcoindNotFound) as error:
                failures.append(f"{source.name}: {error}")
            except OSError as error:
                failures.append(f"{source.name}: {_reason(error)}")
            else:
                return _publish(tree, root / f"{source.name}-{version}", cache, report)
        report(failures[-1])
    advice = "put a bitcoind (25 or later) on PATH, or name one with --bitcoind PATH"
    raise InstallError("\n".join(["no source could supply a bitcoind", *failures, f"what to do: {advice}"]))


def _publish(tree: Path, entry: Path, cache: Path, report: Callable[[str], None]) -> Bitcoind:
    if entry.exists():
        shutil.rmtree(entry)
    tree.rename(entry)
    found = identify(command(entry), entry.name, cache)
    report(f"bitcoind {found.version} installed in {entry}")
    return found


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Path]:
    tree = root / f"{_PARTIAL}{secrets.token_hex(8)}"
    tree.mkdir()
    try:
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full (about 150 MB are needed while installing, 60 MB after)"
    return error.strerror or str(error)
