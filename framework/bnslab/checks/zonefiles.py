"""Every zone file that was handed over is kept and served, and the inventory tells those that are here."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple

from bns.operations.records import Name
from bns.zonefiles.store import zonefile_hash
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab

_ANNOUNCING = frozenset({":", "::", "+", ";"})


class Announced(NamedTuple):
    """A zone file hash that an accepted operation announced: the name that did, and whether it was handed over."""

    name: str
    zonefile_hash: str
    present: bool


class Zonefiles:
    """Asks for zone files by their hash, and for the inventory, at the end."""

    name = "zonefiles"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Nothing to see before the end."""

    def at_end(self, lab: Lab) -> None:
        """What is announced is told by the receipts, what is here by what was published."""
        announced = announcements(lab)
        for data in kept(lab):
            path = f"/v1/zonefiles/{zonefile_hash(data)}"
            response = lab.get(path)
            if (response.status, response.body) != (200, data):
                actual = f"status {response.status}, {response.body!r}"
                raise CheckFailed(self.name, lab.height, f"GET {path}", f"status 200, {data!r}", actual)
        bits = "".join(str(int(each.present)) for each in announced)
        answer = lab.call("get_zonefile_inventory", 0, len(bits) // 8 + 1)
        inventory = "".join(f"{byte:08b}" for byte in base64.b64decode(answer.get("inv", "")))
        if inventory != bits + "0" * (-len(bits) % 8):
            raise CheckFailed(self.name, lab.height, "inventory", bits or "nothing", inventory or str(answer))


def kept(lab: Lab) -> list[bytes]:
    """The zone files that the node has taken, each once."""
    taken = (entry.base64 for entry in lab.published if entry.saved)
    return [base64.b64decode(text) for text in dict.fromkeys(taken)]


def announcements(lab: Lab) -> list[Announced]:
    """What the accepted operations announced, in the order of the chain (spec 05 section 3.1)."""
    here = {zonefile_hash(data) for data in kept(lab)}
    return [
        Announced(record.name, record.value_hash, record.value_hash in here)
        for receipt in lab.receipts
        for record in (accepted.record for accepted in receipt.accepted)
        if isinstance(record, Name) and record.op in _ANNOUNCING and record.value_hash is not None
    ]
