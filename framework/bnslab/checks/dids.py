"""Every decentralised identifier stands for what it was made for, those of a name's former lives included."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from bns.bitcoin.address import base58check_decode, base58check_encode
from bns.errors import InvalidInput
from bns.operations.names import namespace_of
from bns.operations.records import Name, Preorder
from bnslab.errors import CheckFailed

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.lab import Lab

_MEMBERS = ("name", "address", "value_hash", "txid")
_SUBDOMAIN_VERSIONS = {111: 127, 196: 142}


class Created(NamedTuple):
    """A registration or first import: the identifier that it made, and how the name stood at the end of that life."""

    did: str
    name: str
    last: Name | None


class Dids:
    """Resolves all identifiers at the end, in both directions; they follow from the receipts."""

    name = "dids"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Nothing to see before the end."""

    def at_end(self, lab: Lab) -> None:
        """A life that was revoked has an identifier that stands for nothing (spec 03 section 9.3)."""
        newest: dict[str, str] = {}
        for did, name, last in creations_of_names(lab.receipts):
            served = last is not None and _is_served(lab, name)
            self._compare(lab, did, {key: getattr(last, key) for key in _MEMBERS} if served else None)
            newest[name] = did
        for name, did in newest.items():
            self._compare_did(lab, name, did)
        self._compare_subdomains(lab)

    def _compare_subdomains(self, lab: Lab) -> None:
        """Creations that nobody accepted count on the way back, and on that alone (spec 04 section 8.3)."""
        rows = lab.node.offchain.subdomains.rows()
        current: dict[str, dict[str, Any]] = {}
        accepted: Counter[str] = Counter()
        creations: dict[str, list[str]] = {}
        for row in sorted(rows, key=lambda each: (each["sequence"], each["parent_zonefile_index"])):
            if row["accepted"]:
                values = row["fully_qualified_subdomain"], row["owner"], row["zonefile_hash"], row["txid"]
                current[values[0]] = dict(zip(_MEMBERS, values, strict=True))
        for owner, name, counts in [
            (row["owner"], row["fully_qualified_subdomain"], row["accepted"]) for row in rows if row["sequence"] == 0
        ]:
            creations.setdefault(owner, []).append(name)
            if counts and (did := subdomain_did(owner, accepted[owner])):
                self._compare_did(lab, name, did)
            accepted[owner] += counts
        for owner, names in creations.items():
            for index, name in enumerate(names):
                if did := subdomain_did(owner, index):
                    self._compare(lab, did, current.get(name))

    def _compare(self, lab: Lab, did: str, expected: dict[str, Any] | None) -> None:
        answer = lab.call("get_DID_record", did)
        record = answer.get("record")
        actual = {key: record.get(key) for key in _MEMBERS} if isinstance(record, dict) else None
        if actual != expected:
            self._fail(lab, f"record of {did}", str(expected), str(actual or answer))

    def _compare_did(self, lab: Lab, name: str, expected: str) -> None:
        answer = lab.call("get_name_DID", name)
        if answer.get("did") != expected:
            self._fail(lab, f"identifier of {name}", expected, str(answer.get("did", answer)))

    def _fail(self, lab: Lab, subject: str, expected: str, actual: str) -> None:
        raise CheckFailed(self.name, lab.height, subject, expected, actual)


def creations_of_names(receipts: list[Receipt]) -> list[Created]:
    """All creations in the order of the chain (spec 04 section 8.2). A life ends where its name is preordered again."""
    preordered: dict[str, tuple[int, int]] = {}
    states: dict[str, list[tuple[tuple[int, int], Name | None]]] = {}
    found: list[tuple[str, str, tuple[int, int]]] = []
    created: Counter[str] = Counter()
    for receipt in receipts:
        for record in (accepted.record for accepted in receipt.accepted):
            if isinstance(record, Preorder):
                preordered[record.preorder_hash] = receipt.height, record.vtxindex
            elif isinstance(record, Name):
                place = receipt.height, record.vtxindex
                if record.op == ":":
                    states.setdefault(record.name, []).append((preordered[record.preorder_hash], None))
                if record.op == ":" or record.name not in states:
                    found.append((f"did:stack:v0:{record.address}-{created[record.address]}", record.name, place))
                    created[record.address] += 1
                states.setdefault(record.name, []).append((place, record))
    return [Created(did, name, _last_of_life(states[name], place)) for did, name, place in found]


def _last_of_life(states: list[tuple[tuple[int, int], Name | None]], start: tuple[int, int]) -> Name | None:
    last = None
    for place, record in sorted(states, key=lambda state: state[0]):
        if place >= start:
            if record is None:
                break
            last = record
            if record.revoked:
                return None
    return last


def subdomain_did(owner: str, index: int) -> str | None:
    """The identifier of the index-th subdomain that an address created; None if it is no address of this network."""
    try:
        version, payload = base58check_decode(owner)
    except InvalidInput:
        return None
    if version not in _SUBDOMAIN_VERSIONS:
        return None
    return f"did:stack:v0:{base58check_encode(_SUBDOMAIN_VERSIONS[version], payload)}-{index}"


def _is_served(lab: Lab, name: str) -> bool:
    """Whether the name's namespace is there: a reveal can have expired."""
    namespace = lab.node.state.namespace(namespace_of(name))
    if namespace is None:
        return False
    return namespace.op == "!" or lab.height < namespace.reveal_block + lab.params.namespace_reveal_expire
