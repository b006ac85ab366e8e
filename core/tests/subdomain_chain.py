"""For tests of what lives beside the chain: keys, signed subdomain records, and names that announce zone files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bns.bitcoin.address import base58check_encode
from bns.bitcoin.hashes import hash160
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.network import TESTNET
from bns.subdomains.offchain import Offchain
from bns.subdomains.records import SubdomainRecord
from bns.subdomains.signatures import sign
from bns.zonefiles.store import MemoryZonefiles, zonefile_hash
from tests.chain import ALICE, Chain, Terms, rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bns.engine import Block
    from bns.state.store import State
    from bns.zonefiles.store import Zonefiles

K1, K2, K3 = (PrivateKey(bytes([byte]) * 32) for byte in (0x42, 0x11, 0x33))
"""The keys of spec 04 section 4.7."""

DOMAIN = "foo.test"
NAME = "bar.foo.test"


def address(key: PrivateKey, version: int = TESTNET.p2pkh_version) -> str:
    return base58check_encode(version, hash160(key.public_key))


def record(
    sequence: int,
    owner: PrivateKey = K1,
    signer: PrivateKey | None = None,
    *,
    name: str = NAME,
    domain: str = DOMAIN,
    zonefile: bytes = b"",
) -> SubdomainRecord:
    """A record that names an owner; signed by `signer` (by default the owner) unless it is a creation."""
    unsigned = SubdomainRecord(name, domain, address(owner), sequence, zonefile or b"version %d" % sequence)
    if sequence == 0:
        return unsigned
    return replace(unsigned, signature=sign(unsigned.digest, [signer or owner]))


def carry(*records: SubdomainRecord, domain: str = DOMAIN, more: str = "") -> bytes:
    """A zone file with some records, and further lines."""
    lines = [f"$ORIGIN {domain}", "$TTL 3600", *(entry.line for entry in records), more]
    return "\n".join(lines).encode("latin-1") + b"\n"


class Publisher:
    """A chain on which ALICE owns names, with what lives beside it."""

    def __init__(self, *names: str, state: State | None = None, zonefiles: Zonefiles | None = None) -> None:
        self.chain = Chain(rules(), state)
        self.events: list[Block | bytes] = []
        self.zonefiles = zonefiles or MemoryZonefiles()
        if self.chain.state.namespace("test") is None:
            self.chain.opened(terms=Terms(lifetime=50_000))
        for name in names or (DOMAIN,):
            self.chain.given(name, ALICE)
        self.offchain = self.open()

    def open(self) -> Offchain:
        """A new view of the same database."""
        return Offchain(self.chain.state, self.zonefiles)

    @property
    def height(self) -> int:
        """The last block."""
        return self.chain.state.last_block

    def announce(self, data: bytes, *, name: str = DOMAIN) -> int:
        """Mine a block in which a name announces a zone file; its height."""
        txid = self.chain.update(name, ALICE, zonefile_hash(data))
        reason = self.chain.judge(txid)
        assert reason is None, reason
        self._mined()
        return self.height

    def put(self, data: bytes) -> None:
        """Hand over a zone file that was announced."""
        assert self.offchain.put(data)
        self.events.append(data)

    def publish(self, data: bytes, *, name: str = DOMAIN) -> None:
        """Announce a zone file, put it, and mine the block from which it counts."""
        self.announce(data, name=name)
        self.put(data)
        self.mine()

    def mine(self, count: int = 1) -> None:
        """Mine blocks without operations."""
        for _ in range(count):
            self.chain.mine()
            self._mined()

    def _mined(self) -> None:
        self.offchain.follow()
        self.events.append(self.chain.blocks[-1])

    def replay(self, events: Iterable[Block | bytes]) -> None:
        """Index blocks and take zone files as another one did."""
        for event in events:
            if isinstance(event, bytes):
                self.put(event)
            else:
                self.chain.index(event)
                self._mined()

    def rollback_to(self, height: int) -> None:
        """Undo blocks."""
        self.chain.state.rollback_to(height)
        self.offchain.follow()

    def accepted(self, name: str = NAME) -> list[int]:
        """The announcement indexes of a subdomain's accepted records."""
        rows = self.offchain.subdomains.rows()
        return [
            row["parent_zonefile_index"] for row in rows if row["fully_qualified_subdomain"] == name and row["accepted"]
        ]


def dump(offchain: Offchain) -> tuple[object, ...]:
    """Everything that two nodes must agree on."""
    return offchain.subdomains.rows(), offchain.announced.between(0, 2**40), offchain.inventory()
