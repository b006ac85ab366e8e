"""What lives beside the chain: the zone files it announces, the subdomains in them (spec 04 sections 5.3 to 5.8)."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from bns.errors import InvalidInput
from bns.subdomains.embedded import AllZonefiles
from bns.subdomains.ordering import dictionary_order
from bns.subdomains.queries import SubdomainQueries
from bns.subdomains.records import read_records
from bns.subdomains.table import Row, SubdomainTable
from bns.zonefiles.announcements import Announcements
from bns.zonefiles.store import MAX_ZONEFILE_SIZE, zonefile_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bns.state.store import State
    from bns.subdomains.records import SubdomainRecord
    from bns.subdomains.table import Queued
    from bns.zonefiles.announcements import Announcement
    from bns.zonefiles.store import Zonefiles

_WINDOW = 100
_QUEUE_AT_ONCE = 1000
_ANNOUNCED = (
    "SELECT block_id, history_id, value_hash, txid FROM history WHERE block_id > ? AND value_hash IS NOT NULL "
    "AND op IN (':', '::', '+', ';') ORDER BY block_id, vtxindex"
)


class Offchain:
    """Zone file announcements and the subdomain index of a node, in the database of its state.

    After the state has applied or rolled back blocks, follow does the same here; it may be called inside the state's
    transaction (State.group). What it finds behind or ahead when it is made, it follows at once. Whoever calls from
    several threads holds the node's lock. It is what bns.api asks of the Atlas of a node without peers. tell is called
    with the hash (40 hex) of each zone file that put has kept.
    """

    def __init__(self, state: State, zonefiles: Zonefiles) -> None:
        self.tell: Callable[[str], None] | None = None
        self.zonefiles = AllZonefiles(state.connection, zonefiles)
        self._state = state
        self.announced = Announcements(state.connection)
        self.subdomains = SubdomainQueries(state.connection, self.zonefiles, state.params.network)
        self._table = SubdomainTable(state.connection)
        self._followed = self.announced.last_block() or 0
        self._tip: str | None = None
        self.kept = 0  # zone files that put has kept; those here may be more
        self._catch_up(just_opened=True)

    # Blocks

    def follow(self) -> None:
        """Do what the state's blocks since the last call did: announcements, and zone files that waited for a block.

        If the state was rolled back, that comes first; call it before the state grows again, or blocks are gone through
        once more as far back as the state could have gone.
        """
        self._catch_up(just_opened=False)

    def _catch_up(self, *, just_opened: bool) -> None:
        state = self._state
        last = state.last_block
        with state.group():
            if last < max(self._followed, self.announced.last_block() or 0, self._table.last_block()):
                self.rollback_to(last)
            elif self._tip is not None and self._tip != _hash_of(state, self._followed):
                self.rollback_to(state.lowest_rollback)
            announced: dict[int, list[tuple[str, str, str]]] = {}
            for height, name, hash_, txid in state.connection.execute(_ANNOUNCED, (self._followed,)):
                announced.setdefault(height, []).append((name, hash_, txid))
            if last > self._followed and not just_opened:
                announced.setdefault(last, [])  # blocks that announce nothing have the queue looked into too
            for height, announcements in announced.items():
                self._announce(height, announcements)
                self._look_into_queue(height)
        self._followed, self._tip = last, _hash_of(state, last)

    def rollback_to(self, height: int) -> None:
        """Make everything what it was after block `height`, apart from zone files: those are kept.

        Zone files that came since are looked into again at the next block. As far as the state can be rolled back.
        """
        with self._state.group():
            self.announced.truncate(height)
            if not self._table.rollback_to(height):
                self._rebuild(height)
        self._followed, self._tip = min(self._followed, height), None

    def reindex(self) -> None:
        """Build the subdomain index anew from all zone files that are here: the canonical index. Spec 04 section 5.7.

        The index that grows block by block can differ from it in which of several competing records it accepts, if
        zone files came out of order.
        """
        with self._state.group():
            self._rebuild(self._state.last_block)

    def adopt(self, judged: Iterable[Judged], queue: Iterable[Queued]) -> None:
        """Take over the subdomain index and the queue of a node with the same announcements.

        judged is in the order of the chain. Raises InvalidInput for a record that is in no zone file here.
        """
        with self._state.group():
            self._table.wipe(self._state.last_block)
            for index, found in groupby(judged, key=attrgetter("inv_index")):
                rows = {
                    row.name: row for carrier in self._read(self.announced.at(index)) for row in self._rows(carrier)
                }
                for record in found:
                    if record.name not in rows:
                        raise InvalidInput("subdomain record", record, "one in a zone file that is here")
                    self._table.add(rows[record.name]._replace(accepted=int(record.accepted)))
            self._table.replace_queue(queue)

    def _announce(self, height: int, announcements: Sequence[tuple[str, str, str]]) -> None:
        for name, hash_, txid in announcements:
            present = self.zonefiles.get(hash_) is not None
            self.announced.append(name, hash_, txid, height, present=present)
            if present:
                self._table.enqueue(hash_, height)

    # Zone files

    def put(self, data: bytes, /) -> bool:
        """Keep a zone file, whose subdomains count from the next block on; False if no rule lets it in.

        It must be announced, and have at most 40,960 bytes. Spec 05 section 6.1.
        """
        if len(data) > MAX_ZONEFILE_SIZE:
            return False
        hash_ = zonefile_hash(data)
        height = self.announced.first_height(hash_)
        if height is None:
            return False
        self.zonefiles.put(data)
        self.kept += 1
        with self._state.group():
            self.announced.mark_present(hash_)
            self._table.enqueue(hash_, height)
        if self.tell is not None:
            self.tell(hash_)
        return True

    def count(self) -> int:
        """How many zone files were announced."""
        return self.announced.count()

    def announcements(self, first: int, last: int, offset: int, count: int) -> Sequence[Announcement]:
        """Some of what was announced in the blocks first to last, by inv_index."""
        return self.announced.between(first, last, offset, count)

    def inventory(self) -> bytes:
        """One bit for each announcement, the first one highest in the first byte: 1 if its zone file is here."""
        return self.announced.inventory()

    def peers(self, asking: str) -> Sequence[str]:
        """Nobody: this is a node without peers."""
        return ()

    # Subdomains

    def _look_into_queue(self, height: int) -> None:
        """Look into all zone files, from the one that arrived on, of every name for which one did. Section 5.4."""
        queue = self._table.queued(_QUEUE_AT_ONCE)
        if not queue:
            return
        first: dict[str, int] = {}
        for entry in queue:
            for announcement in self.announced.by_hash(entry.zonefile_hash):
                if announcement.block_height == entry.block_height:
                    first[announcement.name] = min(entry.block_height, first.get(announcement.name, height))
        by_subdomain: dict[str, list[_Carrier]] = {}
        for name in dictionary_order(first):
            of_name = _by_subdomain(self._read(self.announced.of_name(name, first[name])))
            for subdomain in dictionary_order(of_name):
                by_subdomain.setdefault(subdomain, []).extend(of_name[subdomain])
        for batch in _batches(by_subdomain):
            self._settle(height, batch)
        self._table.dequeue(height, queue)

    def _rebuild(self, height: int) -> None:
        self._table.wipe(height)
        for first in range(self._state.params.first_subdomain_block, height + 1, _WINDOW):
            self._settle(height, self._read(self.announced.between(first, first + _WINDOW - 1)))

    def _read(self, announcements: Iterable[Announcement]) -> list[_Carrier]:
        carriers = []
        for announcement in announcements:
            data = self.zonefiles.get(announcement.zonefile_hash)
            if data is not None:
                carriers.append(_Carrier(announcement, read_records(announcement.name, data)))
        return carriers

    def _settle(self, height: int, carriers: Iterable[_Carrier]) -> None:
        arrivals: dict[str, list[Row]] = {}
        for carrier in carriers:
            for row in self._rows(carrier):
                arrivals.setdefault(row.name, []).append(row)
        for name, rows in arrivals.items():
            self._table.settle(height, name, rows)

    def _rows(self, carrier: _Carrier) -> Iterator[Row]:
        """The records of a carrier, their zone files stored."""
        for record in carrier.records:
            yield _row(carrier.announcement, record, self.zonefiles.embed(record.zonefile))


class Judged(NamedTuple):
    """A subdomain record, by name and by the inv_index of the announcement that carried it; whether it counts."""

    name: str
    inv_index: int
    accepted: bool


class _Carrier(NamedTuple):
    """A zone file that is here, where it was announced, and the subdomain records in it."""

    announcement: Announcement
    records: list[SubdomainRecord]


def _by_subdomain(carriers: Iterable[_Carrier]) -> dict[str, list[_Carrier]]:
    found: dict[str, list[_Carrier]] = {}
    for carrier in carriers:
        for record in carrier.records:
            found.setdefault(record.name, []).append(carrier)
    return found


def _batches(by_subdomain: Mapping[str, Sequence[_Carrier]]) -> Iterator[list[_Carrier]]:
    """What is settled together: for each subdomain in turn the zone files it is in, but none a second time."""
    done: set[str] = set()
    for subdomain in dictionary_order(by_subdomain):
        batch = [each for each in by_subdomain[subdomain] if each.announcement.zonefile_hash not in done]
        if batch:
            yield sorted(batch, key=lambda carrier: carrier.announcement.block_height)
            done.update(carrier.announcement.zonefile_hash for carrier in batch)


def _hash_of(state: State, height: int) -> str | None:
    snapshot = state.snapshot(height)
    return None if snapshot is None else snapshot.block_hash


def _row(carrier: Announcement, record: SubdomainRecord, hash_: str) -> Row:
    return Row(
        record.name, record.domain, record.sequence, record.owner, hash_, record.signature,
        carrier.block_height, carrier.zonefile_hash, carrier.inv_index, record.offset, carrier.txid,
        ",".join(map(str, record.missing)), 0, record.resolver, record.digest,
    )  # fmt: skip
