"""The answers of the RPC methods as types: the envelope and each method's own members (spec 06 sections 2 and 6)."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from bns.api.schemas import (
    AnyState,
    Base64,
    Count,
    DecimalText,
    Did,
    Height,
    Hex32,
    Hex40,
    Hex64,
    NameHistory,
    NameRecord,
    NamespaceRecord,
    NameState,
    Shape,
    SubdomainHistory,
    SubdomainOp,
    SubdomainRecord,
)


class Answer(Shape, kw_only=True):
    """What every successful answer carries."""

    status: Literal[True]
    indexing: bool
    lastblock: Height | None
    stale: Literal[True] | UnsetType = UNSET
    warning: str | UnsetType = UNSET


class OneName(Answer, kw_only=True):
    """A name."""

    record: NameRecord


class OneSubdomain(Answer, kw_only=True):
    """A subdomain."""

    record: SubdomainRecord


class OneNamespace(Answer, kw_only=True):
    """A namespace."""

    record: NamespaceRecord


class NamePage(Answer, kw_only=True):
    """Part of the history of a name."""

    history: NameHistory


class SubdomainPage(Answer, kw_only=True):
    """Part of the history of a subdomain."""

    history: SubdomainHistory


class Result(Answer, kw_only=True):
    """Yes or no."""

    result: bool


class States(Answer, kw_only=True):
    """States of a name in a block."""

    records: list[NameState] | None


class OneDid(Answer, kw_only=True):
    """A decentralised identifier."""

    did: Did


class NameList(Answer, kw_only=True):
    """Names."""

    names: list[str]


class SubdomainList(Answer, kw_only=True):
    """Subdomains."""

    subdomains: list[str]


class Created(Shape):
    """A name and where it came to be."""

    name: str
    block_id: Height
    vtxindex: Count


class CreatedList(Answer, kw_only=True):
    """Names created for an address."""

    names: list[Created]


class NamespaceList(Answer, kw_only=True):
    """Namespaces."""

    namespaces: list[str]


class Total(Answer, kw_only=True):
    """How many there are."""

    count: Count


class Cost(Answer, kw_only=True):
    """A price in satoshis."""

    amount: Count
    units: Literal["BTC"]


class SubdomainOps(Answer, kw_only=True):
    """Subdomain records in a zone file."""

    subdomain_ops: list[SubdomainOp]


class NameOps(Answer, kw_only=True):
    """Operations of a block."""

    nameops: list[AnyState]


class OpsHash(Answer, kw_only=True):
    """The hash over the operations of a block."""

    ops_hash: Hex64 | None


class Consensus(Answer, kw_only=True):
    """The consensus hash of a block."""

    consensus: Hex32 | None


class ConsensusHashes(Answer, kw_only=True):
    """Consensus hashes by height."""

    consensus_hashes: dict[DecimalText, Hex32 | None]


class Block(Answer, kw_only=True):
    """A height."""

    block_id: Height | None


class ZonefileMap(Answer, kw_only=True):
    """Zone files by hash."""

    zonefiles: dict[Hex40, Base64]


class Saved(Answer, kw_only=True):
    """Which zone files were kept."""

    saved: list[Literal[0, 1]]


class Announced(Shape):
    """A zone file hash in the chain."""

    name: str
    zonefile_hash: Hex40
    block_height: Height
    txid: Hex64
    inv_index: Count


class AnnouncedList(Answer, kw_only=True):
    """Zone file hashes in the chain."""

    zonefile_info: list[Announced]


class Inventory(Answer, kw_only=True):
    """Which zone files are here, one bit each."""

    inv: Base64


class Peers(Answer, kw_only=True):
    """Peers as host:port."""

    peers: list[str]
