"""Decentralised identifiers, as text: `did:stack:v0:ADDRESS-INDEX` (spec 04 section 8.1, spec 03 section 9.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bns.bitcoin.address import base58check_decode, base58check_encode
from bns.bitcoin.network import MAINNET, TESTNET
from bns.errors import InvalidInput

if TYPE_CHECKING:
    from bns.bitcoin.network import Network

Kind = Literal["name", "subdomain"]

_DID = re.compile(r"did:stack:v0:([1-9A-HJ-NP-Za-km-z]{25,35})-([0-9]+)")
_SUBDOMAIN_VERSIONS = {MAINNET.name: (63, 50), TESTNET.name: (127, 142)}
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Did:
    """The index-th (from 0) name or subdomain that an address created.

    The address is that of an owner, in the encoding of the node's network.
    """

    kind: Kind
    address: str
    index: int


def parse_did(text: str, network: Network) -> Did:
    """Read a DID; InvalidInput for another form, a wrong checksum, or a version byte of no address of the network."""
    match = _DID.fullmatch(text)
    if match is None:
        raise InvalidInput("DID", text, "did:stack:v0:ADDRESS-INDEX")
    version, payload = base58check_decode(match[1])
    single, shared = _SUBDOMAIN_VERSIONS[network.name]
    kind: Kind = "subdomain" if version in (single, shared) else "name"
    known = {single: network.p2pkh_version, shared: network.p2sh_version} if kind == "subdomain" else _versions(network)
    if version not in known or len(payload) != 20:
        raise InvalidInput("address of a DID", match[1], f"an address of {network.name}")
    digits = match[2].lstrip("0") or "0"
    index = int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS  # nobody has created that many
    return Did(kind, base58check_encode(known[version], payload), index)


def format_did(did: Did, network: Network) -> str:
    """Write a DID; InvalidInput for an address that is none.

    An owner of a subdomain in the other network's encoding is written as p2sh: so does everybody.
    """
    version, payload = base58check_decode(did.address)
    if did.kind == "subdomain":
        single, shared = _SUBDOMAIN_VERSIONS[network.name]
        address = base58check_encode(single if version == network.p2pkh_version else shared, payload)
    else:
        known = _versions(network)
        if version not in known:
            raise InvalidInput("address of a DID", did.address, "a p2pkh or p2sh address")
        address = base58check_encode(known[version], payload)
    return f"did:stack:v0:{address}-{did.index}"


def _versions(network: Network) -> dict[int, int]:
    """What the version bytes of any network become on this one."""
    versions: dict[int, int] = {}
    for other in (MAINNET, TESTNET):
        versions |= {other.p2pkh_version: network.p2pkh_version, other.p2sh_version: network.p2sh_version}
    return versions
