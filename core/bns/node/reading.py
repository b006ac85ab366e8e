"""What answers are made from: the node's database, read apart from the connection that blocks are written through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bns.api.records import NodeView
from bns.state.reading import ReadState
from bns.subdomains.embedded import AllZonefiles
from bns.subdomains.queries import SubdomainQueries
from bns.zonefiles.announcements import Announcements

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bns.node.follow import SharedState
    from bns.subdomains.offchain import Offchain
    from bns.zonefiles.announcements import Announcement
    from bns.zonefiles.store import Zonefiles


def reading_view(
    state: SharedState,
    offchain: Offchain | None,
    zonefiles: Zonefiles,
    *,
    peers: Callable[[str], Sequence[str]] | None = None,
    **parts: Any,  # noqa: ANN401 - any part of a NodeView
) -> NodeView:
    """The view of a node that goes on to write to its state, in another thread; such further parts.

    peers is asked as bns.api.sources.Atlas is; without it there are none. The view and the one aside of it have states
    of their own: it is to be closed, before the state of the node.
    """
    aside = _view(state, offchain, zonefiles, peers, **parts)
    try:
        return _view(state, offchain, zonefiles, peers, aside=aside, **parts)
    except BaseException:
        aside.close()
        raise


def _view(
    state: SharedState,
    offchain: Offchain | None,
    zonefiles: Zonefiles,
    peers: Callable[[str], Sequence[str]] | None,
    **parts: Any,  # noqa: ANN401 - any part of a NodeView
) -> NodeView:
    read = ReadState.beside(state)
    if offchain is None:
        return NodeView(read, zonefiles.get, reading=read, writing=state.lock, version=read.newest, **parts)
    every = AllZonefiles(read.connection, zonefiles)
    subdomains = SubdomainQueries(read.connection, every, read.params.network)
    atlas = _Atlas(read, offchain, peers or offchain.peers)
    return NodeView(
        read, every.get, atlas, subdomains, reading=read, writing=state.lock,
        version=lambda: (read.newest(), offchain.kept), **parts,
    )  # fmt: skip


class _Atlas:
    """Reads as its state does, and leaves to the writer what changes something. See bns.api.sources.Atlas."""

    def __init__(self, state: ReadState, writer: Offchain, peers: Callable[[str], Sequence[str]]) -> None:
        self._state = state
        self._writer = writer
        self._peers = peers
        self._announced = Announcements(state.connection)
        self._inventory = -1, b""

    def count(self) -> int:
        return self._announced.count()

    def put(self, data: bytes, /) -> bool:
        return self._writer.put(data)

    def announcements(self, first: int, last: int, offset: int, count: int) -> Sequence[Announcement]:
        return self._announced.between(first, last, offset, count)

    def inventory(self) -> bytes:
        version, inventory = self._inventory
        if version != self._state.version:
            inventory = self._announced.inventory()
            self._inventory = self._state.version, inventory
        return inventory

    def peers(self, asking: str) -> Sequence[str]:
        return self._peers(asking)
