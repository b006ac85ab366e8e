"""What the API asks about subdomains, as of the last block that was followed (spec 04 section 6)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from bns.errors import InvalidInput
from bns.identity.dids import Did, format_did
from bns.zonefiles.announcements import Announcements

if TYPE_CHECKING:
    import sqlite3

    from bns.bitcoin.network import Network
    from bns.subdomains.embedded import AllZonefiles

PAGE = 20
"""Records of a history page."""

_RECORD = (
    "SELECT owner, domain, block_height, sequence, txid, zonefile_hash, fully_qualified_subdomain, resolver "
    "FROM subdomain_records WHERE fully_qualified_subdomain = ? AND accepted = 1"
)
_ROW = (
    "SELECT fully_qualified_subdomain, domain, sequence, owner, zonefile_hash, signature, block_height, "
    "parent_zonefile_hash, parent_zonefile_index, zonefile_offset, txid, missing, accepted, resolver "
    "FROM subdomain_records"
)

Record = dict[str, Any]


class SubdomainQueries:
    """The subdomains of a node. A subdomain is written in full; an unknown one gives None or an empty result."""

    def __init__(self, connection: sqlite3.Connection, zonefiles: AllZonefiles, network: Network) -> None:
        self._connection = connection
        self._zonefiles = zonefiles
        self._network = network
        self._announced = Announcements(connection)

    def record(self, name: str, /) -> Record | None:
        """The current record (spec 06 section 4.2) with `pending`, without `did` and `history`.

        Members: name, address, domain, block_number, sequence, txid, value_hash, zonefile (base64), pending, and
        resolver if there is one. None if no record is accepted, or its zone file is lost.
        """
        query = f"{_RECORD} ORDER BY sequence DESC, parent_zonefile_index DESC LIMIT 1"
        row = self._connection.execute(query, (name,)).fetchone()
        record = None if row is None else self._as_record(row)
        return None if record is None else {**record, "pending": self.is_pending(name)}

    def history(self, name: str, /) -> dict[str, list[Record]]:
        """Accepted records by block height (as decimal text), in the order of the chain, without `pending`."""
        return self._history(name, 0, -1)

    def history_page(self, name: str, page: int, /) -> dict[str, list[Record]]:
        """What page `page` (from 0) shows of the history: 20 * (page + 1) records from the 20 * page-th on."""
        return self._history(name, PAGE * page, PAGE * (page + 1))

    def operations_at(self, txid: str, /) -> list[Record]:
        """The rows of the zone file that a transaction announced, accepted or not (spec 06 section 4.6)."""
        return self._table_rows("WHERE txid = ? ORDER BY zonefile_offset", txid)

    def rows(self) -> list[Record]:
        """All rows, as operations_at gives them, in the order of the chain."""
        return self._table_rows("ORDER BY parent_zonefile_index, zonefile_offset")

    def owned_by(self, address: str, /) -> list[str]:
        """Subdomains, ascending, that have or had an accepted record with exactly this owner."""
        query = "SELECT DISTINCT fully_qualified_subdomain FROM subdomain_records WHERE owner = ? AND accepted = 1"
        return sorted(name for (name,) in self._connection.execute(query, (address,)))

    def count(self) -> int:
        """How many subdomains have an accepted record."""
        query = "SELECT count(DISTINCT fully_qualified_subdomain) FROM subdomain_records WHERE accepted = 1"
        return int(self._connection.execute(query).fetchone()[0])

    def names(self, offset: int, count: int, /) -> list[str]:
        """Some of all subdomains, ascending, those that no rule ever accepted among them."""
        query = (
            "SELECT DISTINCT fully_qualified_subdomain FROM subdomain_records "
            "ORDER BY fully_qualified_subdomain LIMIT ? OFFSET ?"
        )
        return [name for (name,) in self._connection.execute(query, (count, offset))]

    def has_zonefile_hash(self, name: str, hash_: str, /) -> bool:
        """Whether any record of a subdomain, accepted or not, has the zone file with this hash (40 hex)."""
        query = "SELECT 1 FROM subdomain_records WHERE fully_qualified_subdomain = ? AND zonefile_hash = ? LIMIT 1"
        return self._connection.execute(query, (name, hash_)).fetchone() is not None

    def is_pending(self, name: str, /) -> bool:
        """Whether zone files of the subdomain's domain are announced, not here, and not declared lost. Section 6.3."""
        domain = name.partition(".")[2]
        query = "SELECT missing FROM subdomain_records WHERE domain = ? ORDER BY parent_zonefile_index DESC LIMIT 1"
        row = self._connection.execute(query, (domain,)).fetchone()
        declared = {int(index) for index in row[0].split(",")} if row and row[0] else set()
        return self._announced.misses_any(domain, declared)

    def resolver(self, domain: str, /) -> str | None:
        """Where to ask for unknown subdomains of a name: the accepted record of highest sequence says so."""
        query = (
            "SELECT resolver FROM subdomain_records WHERE domain = ? AND resolver <> '' AND accepted = 1 "
            "ORDER BY sequence DESC, parent_zonefile_index DESC LIMIT 1"
        )
        row = self._connection.execute(query, (domain,)).fetchone()
        return None if row is None else str(row[0])

    def did(self, name: str, /) -> str | None:
        """The decentralised identifier of a subdomain (section 8.3); None if it was never created, or by no address."""
        query = (
            "SELECT owner, parent_zonefile_index, zonefile_offset FROM subdomain_records "
            "WHERE fully_qualified_subdomain = ? AND sequence = 0 AND accepted = 1"
        )
        creation = self._connection.execute(query, (name,)).fetchone()
        if creation is None:
            return None
        query = (
            "SELECT count(*) FROM subdomain_records WHERE owner = ? AND sequence = 0 AND accepted = 1 "
            "AND (parent_zonefile_index, zonefile_offset) < (?, ?)"
        )
        (index,) = self._connection.execute(query, creation).fetchone()
        try:
            return format_did(Did("subdomain", creation[0], index), self._network)
        except InvalidInput:
            return None

    def did_record(self, address: str, index: int, /) -> Record | None:
        """The current record, as record gives it, of the index-th (from 0) subdomain that an address created.

        Creations that no rule accepted count here, but not in did: so does everybody (spec 04 section 8.3).
        """
        query = (
            "SELECT fully_qualified_subdomain FROM subdomain_records WHERE owner = ? AND sequence = 0 "
            "ORDER BY parent_zonefile_index, zonefile_offset LIMIT 1 OFFSET ?"
        )
        row = self._connection.execute(query, (address, index)).fetchone()
        return None if row is None else self.record(row[0])

    def _history(self, name: str, offset: int, count: int) -> dict[str, list[Record]]:
        query = f"{_RECORD} ORDER BY parent_zonefile_index LIMIT ? OFFSET ?"
        history: dict[str, list[Record]] = {}
        for row in self._connection.execute(query, (name, count, offset)):
            record = self._as_record(row)
            if record is not None:
                history.setdefault(str(record["block_number"]), []).append(record)
        return history

    def _as_record(self, row: tuple[Any, ...]) -> Record | None:
        owner, domain, height, sequence, txid, hash_, name, resolver = row
        zonefile = self._zonefiles.embedded(hash_)
        if zonefile is None:
            return None
        record = {
            "address": owner,
            "domain": domain,
            "block_number": height,
            "sequence": sequence,
            "txid": txid,
            "value_hash": hash_,
            "zonefile": base64.b64encode(zonefile).decode(),
            "name": name,
        }
        return record if resolver is None else {**record, "resolver": resolver}

    def _table_rows(self, where: str, *values: str) -> list[Record]:
        cursor = self._connection.execute(f"{_ROW} {where}", values)
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor]
