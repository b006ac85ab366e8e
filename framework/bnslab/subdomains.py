"""Subdomain records to be: values that a scenario builds on one another, signed when a zone file takes them up."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bns.errors import InvalidInput
from bns.subdomains.records import SubdomainRecord, is_subdomain
from bns.subdomains.signatures import sign
from bns.zonefiles.text import Zonefile
from bns.zonefiles.text import uri as uri_record

if TYPE_CHECKING:
    from bnslab.wallets import Wallet

TTL = 3600
"""Seconds, in every zone file that is made here."""


@dataclass(frozen=True, slots=True)
class SubdomainDraft:
    """A record of a subdomain (name in full): its owner, its place in the subdomain's history, its own zone file.

    signer is who signs it, by the rules the owner of the record before it; None leaves the signature out. What is
    signed depends on whose zone file carries it (spec 04 section 4.5), so that is done in carried_by.
    """

    name: str
    owner: Wallet
    sequence: int
    zonefile: bytes
    signer: Wallet | None

    def __post_init__(self) -> None:
        if not is_subdomain(self.name):
            raise InvalidInput("subdomain", self.name, "label.name.namespace in lower case")

    def update(
        self, *, zonefile: bytes | None = None, uri: str | None = None, by: Wallet | None = None
    ) -> SubdomainDraft:
        """The next record, with another zone file; signed by the owner unless `by` somebody else."""
        return self.transfer(self.owner, zonefile=zonefile, uri=uri, by=by)

    def transfer(
        self, to: Wallet, *, zonefile: bytes | None = None, uri: str | None = None, by: Wallet | None = None
    ) -> SubdomainDraft:
        """The next record, with another owner; signed by the owner of this one unless `by` somebody else."""
        sequence = self.sequence + 1
        return SubdomainDraft(self.name, to, sequence, embedded(self.name, sequence, zonefile, uri), by or self.owner)

    def carried_by(self, domain: str) -> SubdomainRecord:
        """The record as it stands in a zone file of a domain, signed."""
        record = SubdomainRecord(self.name, domain, self.owner.address, self.sequence, self.zonefile)
        return record if self.signer is None else replace(record, signature=_signature(record.digest, self.signer))


@dataclass(frozen=True, slots=True)
class SubdomainInfo:
    """What a node knows of a subdomain: its record that holds now (spec 04 section 6.1)."""

    record: dict[str, Any]

    @property
    def address(self) -> str:
        """Address of the owner."""
        return str(self.record["address"])

    @property
    def domain(self) -> str:
        """The name whose zone file carried the record."""
        return str(self.record["domain"])

    @property
    def sequence(self) -> int:
        """How many records came before it."""
        return int(self.record["sequence"])

    @property
    def zonefile(self) -> bytes:
        """Its own zone file."""
        return base64.b64decode(self.record["zonefile"])

    @property
    def pending(self) -> bool:
        """Whether zone files are missing that could change the record."""
        return bool(self.record["pending"])

    @property
    def resolver(self) -> str | None:
        """What the zone file that carried it says of a resolver."""
        return self.record.get("resolver")

    def holds(self, draft: SubdomainDraft) -> bool:
        """Whether the record is this one: owner, sequence number, zone file."""
        found = self.address, self.sequence, self.zonefile
        return found == (draft.owner.address, draft.sequence, draft.zonefile)


def embedded(name: str, sequence: int, zonefile: bytes | None, uri: str | None) -> bytes:
    """The zone file of a subdomain: as given, or with one URI, which differs from record to record unless given."""
    if zonefile is not None:
        return zonefile
    target = uri or f"https://example.com/{name}/{sequence}"
    return Zonefile(name, TTL, (uri_record("_https._tcp", target),)).serialize()


def _signature(digest: bytes, signer: Wallet) -> str:
    """What a wallet makes of a digest. Nobody takes the signatures of witness wallets for valid."""
    if signer.kind.multisig:
        return sign(digest, signer.keys, signer.inner_script)
    return sign(digest, signer.keys)
