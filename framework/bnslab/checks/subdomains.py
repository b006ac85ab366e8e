"""The subdomain index is what the chain and the zone files give, and what the node says of subdomains is in it."""

from __future__ import annotations

import base64
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from bns.engine import Block, Engine
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import MemoryZonefiles, zonefile_hash
from bnslab.checks.zonefiles import announcements
from bnslab.errors import CheckFailed
from bnslab.outputs import Outputs

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab

Row = dict[str, Any]


class Subdomains:
    """Indexes once more at the end: in the order in which zone files came, and anew from all of them."""

    name = "subdomains"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Nothing to see before the end."""

    def at_end(self, lab: Lab) -> None:
        """Nothing to see either unless zone files were published."""
        if not lab.published:
            return
        rows = lab.node.offchain.subdomains.rows()
        state = State.memory(lab.params)
        try:
            offchain = _follow(lab, state)
            self._compare(lab, "subdomains of a fresh index", offchain.subdomains.rows(), rows)
            offchain.reindex()
            canonical = offchain.subdomains.rows()
        finally:
            state.close()
        for name in sorted(lab.order_dependent):
            if _of(name, rows) == _of(name, canonical):
                self._fail(lab, f"rebuilt index of {name}", "another than the live one", "the same")
        same = [[row for row in each if _name(row) not in lab.order_dependent] for each in (canonical, rows)]
        self._compare(lab, "subdomains of a rebuilt index", *same)
        pending = _pending_domains(lab, rows)
        for name, of_name in _grouped(rows, "fully_qualified_subdomain").items():
            self._compare_record(lab, name, of_name, pending=name.partition(".")[2] in pending)
        for txid, of_transaction in _grouped(rows, "txid").items():
            self._compare_operations(lab, txid, of_transaction)

    def _compare(self, lab: Lab, what: str, expected: list[Row], actual: list[Row]) -> None:
        for one, other in zip_longest(expected, actual):
            if one != other:
                row = one or other or {}
                subject = f"{what}: {_name(row)} in zone file {row['parent_zonefile_index']}"
                self._fail(lab, subject, str(one), str(other))

    def _compare_record(self, lab: Lab, name: str, rows: list[Row], *, pending: bool) -> None:
        """The record that holds now is the accepted one of the highest sequence."""
        accepted = [row for row in rows if row["accepted"]]
        answer = lab.call("get_name_record", name)
        if not accepted:
            if answer.get("http_status") != 404:
                self._fail(lab, f"get_name_record of {name}", "status 404", str(answer))
            return
        row = max(accepted, key=lambda each: (each["sequence"], each["parent_zonefile_index"]))
        expected = {
            "name": name,
            "address": row["owner"],
            "domain": row["domain"],
            "block_number": row["block_height"],
            "sequence": row["sequence"],
            "txid": row["txid"],
            "value_hash": row["zonefile_hash"],
            "pending": pending,
        }
        record = answer.get("record", answer)
        actual = {key: record.get(key) for key in expected}
        if actual != expected:
            self._fail(lab, f"get_name_record of {name}", str(expected), str(actual))
        zonefile = base64.b64decode(record["zonefile"])
        if zonefile_hash(zonefile) != row["zonefile_hash"]:
            self._fail(lab, f"hash of the zone file of {name}", row["zonefile_hash"], zonefile_hash(zonefile))
        path = f"/v1/zonefiles/{row['zonefile_hash']}"
        served = lab.get(path).body
        if served != zonefile and zonefile:
            self._fail(lab, f"GET {path}", str(zonefile), str(served))

    def _compare_operations(self, lab: Lab, txid: str, rows: list[Row]) -> None:
        """The records that came by a transaction are served in their order."""
        path = f"/v1/subdomains/{txid}"
        answer = lab.get(path).json()
        if answer != sorted(rows, key=lambda row: row["zonefile_offset"]):
            self._fail(lab, f"GET {path}", str(rows), str(answer))

    def _fail(self, lab: Lab, subject: str, expected: str, actual: str) -> None:
        raise CheckFailed(self.name, lab.height, subject, expected, actual)


def _follow(lab: Lab, state: State) -> Offchain:
    """A fresh index of the chain and of what was published before its last block."""
    offchain = Offchain(state, MemoryZonefiles())
    engine, outputs = Engine(lab.params, state), Outputs(lab.base.coins)
    for block in lab.chain.blocks_from(lab.params.first_block):
        outputs.add_block(block.raw)
        engine.apply(Block(block.tip.height, block.raw, outputs.find))
        offchain.follow()
        for entry in lab.published:
            if entry.after_height == block.tip.height < lab.height:
                offchain.put(base64.b64decode(entry.base64))
    return offchain


def _pending_domains(lab: Lab, rows: list[Row]) -> set[str]:
    """The names of which a zone file is absent that the newest one does not declare lost (spec 04 section 6.3)."""
    declared: dict[str, list[str]] = {}
    for row in rows:  # in the order of the chain
        declared[row["domain"]] = row["missing"].split(",")
    indexed = enumerate(announcements(lab), start=1)
    return {each.name for index, each in indexed if not each.present and str(index) not in declared.get(each.name, ())}


def _grouped(rows: list[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _name(row: Row) -> str:
    return str(row["fully_qualified_subdomain"])


def _of(name: str, rows: list[Row]) -> list[Row]:
    return [row for row in rows if _name(row) == name]
