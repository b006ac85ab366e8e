"""How a configuration becomes a part in the peer network (spec 05 section 1.1)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from bns.atlas.constants import Constants
from bns.atlas.node import Identity
from bns.atlas.service import AtlasService
from bns.atlas.store import PeerFile
from bns.bitcoin.network import MAINNET
from bns.node.config import STUN

if TYPE_CHECKING:
    from contextlib import ExitStack

    from bns.node.config import Config
    from bns.node.follow import SharedState
    from bns.subdomains.offchain import Offchain


def open_network(config: Config, offchain: Offchain, state: SharedState, opened: ExitStack) -> AtlasService:
    """The network service of a node, not started; DatabaseError if the file of peers cannot be used."""
    constants = Constants.from_reference_env(config.rules, test_mode=config.test_mode)
    store = PeerFile(config.node.atlasdb_path)
    opened.callback(store.close)
    return AtlasService(identity_of(config), offchain, state, state.lock, constants=constants, store=store)


def identity_of(config: Config) -> Identity:
    """Who the node is to its peers."""
    settings = config.node
    return Identity(
        f"{_host(settings.atlas_hostname)}:{settings.atlas_port}",
        16264 if config.test_mode else 6264,
        settings.atlas_seeds,
        settings.atlas_blacklist,
        testnet=config.test_mode or config.params.network != MAINNET,
    )


def _host(name: str) -> str:
    """The host that peers are told. Nobody is asked for it: peers elsewhere only believe where a call comes from."""
    if name == "<host>":
        try:
            return socket.gethostbyname(socket.gethostname())
        except OSError:
            return "127.0.0.1"
    return "127.0.0.1" if name in ("", STUN) else name
