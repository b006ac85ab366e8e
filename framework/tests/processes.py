"""Whether processes run, for tests that see them end."""

from __future__ import annotations

import os
import select
import sys

import psutil

SOON = 10.0


def ends(process: psutil.Process) -> bool:
    """Whether the process ends soon. A zombie has ended: when it is buried is up to its new parent."""
    if sys.platform != "linux":
        process.wait(SOON)
        return True
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], SOON)[0])
    finally:
        os.close(handle)


def runs(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
