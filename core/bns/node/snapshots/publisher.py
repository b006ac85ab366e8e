"""A directory of snapshots that follows the backups of a node, as web servers want it (spec 08 section 12)."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bns.bitcoin.keys import verify_compact
from bns.errors import BnsError
from bns.node.snapshots import archive
from bns.node.snapshots.export import export

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bns.bitcoin.keys import PrivateKey
    from bns.node.backups import Backups
    from bns.params import Params

PUBLISHED = "snapshot.bsk"
CHECK_SECONDS = 60.0

_NUMBERED = re.compile(rf"{re.escape(PUBLISHED)}\.(\d+)")

log = logging.getLogger("bns.node")


@dataclass(frozen=True, slots=True)
class Publisher:
    """Makes `snapshot.bsk.<label>` of each backup that is not more than max_age blocks older than the newest.

    `snapshot.bsk` is the last one made; it is replaced by a rename, so that whoever fetches it gets one or the other.
    trusted are the public keys of publishers whose signatures are kept with it. Threads may share it.
    """

    backups: Backups
    zonefiles: Path
    params: Params
    directory: Path
    key: PrivateKey
    max_age: int
    trusted: Sequence[bytes] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def labels(self) -> list[int]:
        """Those of the snapshots that are there, ascending."""
        if not self.directory.is_dir():
            return []
        found = (_NUMBERED.fullmatch(entry.name) for entry in self.directory.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def run_once(self) -> list[int]:
        """Make the snapshots that are missing, drop those that are too old; the labels of those made."""
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        backups, present = self.backups.labels(), self.labels()
        newest = max([*backups, *present], default=0)
        due = [label for label in backups if label not in present and not self._is_old(label, newest)]
        for label in due:
            path = self._path(label)
            export(self.backups, self.zonefiles, self.params, path, self.key, label)
            with self._lock:
                self._publish(path)
            log.info("made %s", path)
        with self._lock:
            for label in self.labels():
                if self._is_old(label, newest):
                    self._path(label).unlink()
        return due

    def digest(self, label: int) -> bytes:
        """SHA-256 of the payload of a snapshot, which is what is signed."""
        with self._path(label).open("rb") as file:
            return archive.payload_digest(file, archive.read_trailer(file).payload_size)

    def signer(self, digest: bytes, signature: bytes) -> bytes | None:
        """The key of another publisher, one that is trusted, of which 64 bytes are a signature of a digest."""
        others = (key for key in self.trusted if key != self.key.public_key)
        return next((key for key in others if verify_compact(key, digest, signature)), None)

    def keep(self, label: int, signer: bytes, digest: bytes, signature: bytes) -> None:
        """Add a signature by a key to a snapshot, which has that digest, unless the key has signed it.

        Raises BadSnapshot if it has as many signatures as fit.
        """
        with self._lock:
            path = self._path(label)
            with path.open("rb") as file:
                if archive.has_signed(signer, digest, archive.read_trailer(file).signatures):
                    return
            archive.append_signature(path, signature)
            if label == max(self.labels()):
                self._publish(path)

    def _path(self, label: int) -> Path:
        return self.directory / f"{PUBLISHED}.{label}"

    def _is_old(self, label: int, newest: int) -> bool:
        return label <= newest - self.max_age and label != newest

    def _publish(self, path: Path) -> None:
        copy = self.directory / f".{PUBLISHED}"
        copy.unlink(missing_ok=True)
        try:
            os.link(path, copy)
        except OSError:  # not every file system has links
            shutil.copyfile(path, copy)
        copy.replace(self.directory / PUBLISHED)

    def run(self, wait: Callable[[float], bool]) -> None:
        """Pass after pass; wait takes seconds and says whether to stop. What fails is told, and tried again."""
        stopping = False
        while not stopping:
            try:
                self.run_once()
            except (BnsError, OSError) as error:
                log.error("no snapshot: %s", error)
            stopping = wait(CHECK_SECONDS)
