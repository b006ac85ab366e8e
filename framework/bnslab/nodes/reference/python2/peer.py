"""The reference as a node of the peer network. Python 2.7; imported by `driver.py`."""

from __future__ import absolute_import

import sys
import threading

from blockstack import blockstackd
from blockstack.lib.atlas import atlas_node_start
from blockstack.lib.util import GCThread


def say(word):
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def take_part(state, options):
    """Answer calls and run the reference's crawlers, until the process is killed; say which zone files come."""
    # The server counts calls on it; it need not run.
    blockstackd.gc_thread = GCThread()
    state["rpc"].listen(options["atlas_port"])
    for component in state["atlas"].values():
        component.daemon = True
    crawler = state["atlas"]["zonefile_crawler"]
    stored = crawler.store_zonefile_cb

    def tell(hash_, height):
        told = stored(hash_, height)
        say(hash_)
        return told

    crawler.set_store_zonefile_callback(tell)
    atlas_node_start(state["atlas"])
    say("ready")
    threading.Event().wait(10 ** 8)
