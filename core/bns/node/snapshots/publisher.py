"""A directory of snapshots that follows the backups of a node, as web servers want it (spec 08 section 12)."""

from __future__ import annotations

import logging
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from bns.errors import BnsError
from bns.node.snapshots.export import export

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request

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
    """

    backups: Backups
    zonefiles: Path
    params: Params
    directory: Path
    key: PrivateKey
    max_age: int

    def labels(self) -> list[int]:
        """Those of the snapshots that are there, ascending."""
        found = (_NUMBERED.fullmatch(entry.name) for entry in self.directory.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def run_once(self) -> list[int]:
        """Make the snapshots that are missing, drop those that are too old; the labels of those made."""
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        backups, present = self.backups.labels(), self.labels()
        newest = max([*backups, *present], default=0)
        due = [label for label in backups if label not in present and not self._is_old(label, newest)]
        for label in due:
            path = self.directory / f"{PUBLISHED}.{label}"
            export(self.backups, self.zonefiles, self.params, path, self.key, label)
            self._publish(path)
            log.info("made %s", path)
        for label in self.labels():
            if self._is_old(label, newest):
                (self.directory / f"{PUBLISHED}.{label}").unlink()
        return due

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


def ping_app() -> Starlette:
    """The service's only answer: that it is alive."""

    async def ping(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def nothing(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({"error": "No such method"}, 404)

    return Starlette(routes=[Route("/v1/ping", ping)], exception_handlers={404: nothing, 405: nothing})
