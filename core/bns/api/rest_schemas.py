"""The shapes of REST requests and replies as types (spec 07 section 5 and appendix B)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from bns.api.schemas import Count, DecimalText, Did, HeightOrNever, Hex, Hex32, Hex40, Hex64, Shape


class Error(Shape):
    """The body of every REST answer that reports an error."""

    error: str


class NameInfo(Shape):
    """A name (spec 07 section 5.3)."""

    status: Literal["registered", "revoked"]
    address: str
    blockchain: Literal["bitcoin"]
    zonefile: str | None
    zonefile_hash: Hex40 | None
    last_txid: Hex64
    expire_block: HeightOrNever
    renewal_deadline: HeightOrNever
    grace_period: bool
    resolver: str | None
    did: Did | Error


class SubdomainInfo(Shape):
    """A subdomain (spec 07 section 5.3)."""

    status: Literal["registered_subdomain"]
    address: str
    blockchain: Literal["bitcoin"]
    zonefile: str
    zonefile_hash: Hex40
    last_txid: Hex64
    did: Did | Error


class Available(Shape, kw_only=True):
    """There is no such name."""

    status: Literal["available"]
    more: str | UnsetType = UNSET


class Redirect(Shape):
    """Ask the resolver in the Location header."""

    status: Literal["redirect"]


class ZonefileText(Shape):
    """A zone file."""

    zonefile: str


class PushedZonefile(Struct, kw_only=True):
    """A zone file to keep, as text or as base64; the text counts if there are both. `error` must not be there;
    other members are ignored."""

    zonefile: Annotated[str, Meta(max_length=40_960)] | None = None
    zonefile_b64: Annotated[str, Meta(max_length=54_614)] | None = None
    error: None = None


class Pushed(Shape):
    """A zone file was handed on; whether it was kept shows only when it is asked for."""

    status: Literal[True]
    servers: list[str]


class Names(Shape):
    """Names of an address."""

    names: list[str]


class NamesCount(Shape):
    """How many there are."""

    names_count: Count


class Price(Shape):
    """A price in satoshis, twice."""

    units: Literal["BTC"]
    amount: DecimalText
    satoshis: Count


class NamePrice(Shape):
    """The price of a name."""

    name_price: Price


class ConsensusHash(Shape):
    """The consensus hash of the last block."""

    consensus_hash: Hex32


class DidDocument(Shape):
    """Whom a decentralised identifier stands for."""

    public_key: Hex
    document: dict[str, Any]


class Outpoint(Shape):
    """Where an output is."""

    hash: Hex64
    index: Count


class Unspent(Shape):
    """An unspent output."""

    transaction_hash: Hex64
    outpoint: Outpoint
    value: Count
    out_script: Hex
    confirmations: Count
