"""The data plane of a lab: zone files, the subdomains in them, and when the node is handed which of them."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from bns.errors import InvalidInput
from bns.zonefiles.store import zonefile_hash
from bns.zonefiles.text import Record, Zonefile
from bns.zonefiles.text import txt as txt_record
from bns.zonefiles.text import uri as uri_record
from bnslab.errors import CheckFailed
from bnslab.fixtures import ZonefileEntry
from bnslab.subdomains import TTL, SubdomainDraft, SubdomainInfo, embedded
from bnslab.transactions import require_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bnslab.gaia import Gaia
    from bnslab.nodes import Node
    from bnslab.wallets import Wallet


class DataPlane(ABC):
    """The part of a Lab that makes zone files and hands them to the node. A zone file is bytes."""

    node: Node
    published: list[ZonefileEntry]
    """Every zone file that the node was handed, in order."""
    _gaia: Gaia | None = None
    order_dependent: set[str]
    """Subdomains whose live index has to differ from a rebuilt one."""

    @property
    @abstractmethod
    def height(self) -> int:
        """Height of the last block."""

    @abstractmethod
    def _wallet(self, wallet: Wallet | str) -> Wallet:
        """The wallet meant by a wallet or its name."""

    @property
    def gaia(self) -> Gaia:
        """A store of profiles on the web of the node; it is opened when it is first asked for."""
        if self._gaia is None:
            from bnslab.gaia import HOST, Gaia  # with a server, which few scenarios need

            self._gaia = Gaia()
            self.node.add_host(HOST, self._gaia.address)
        return self._gaia

    def zonefile(
        self,
        name: str,
        *subdomains: SubdomainDraft,
        uri: str | None = None,
        txt: dict[str, str] | None = None,
        resolver: str | None = None,
        registrar: str | None = None,
        missing: Sequence[int] = (),
        lines: Sequence[str] = (),
    ) -> bytes:
        """The zone file of a name, with subdomain records signed for it, its profile's URI and texts by label.

        resolver is where to ask for unknown subdomains; missing are the places in the inventory (from 1) of zone files
        declared lost; lines are added as they are, one character for each byte. Spec 04 sections 2.2 and 4.
        """
        require_name(name)
        targets = {"_https._tcp": uri, "_resolver": resolver, "_registrar": registrar}
        texts = dict(txt or {})
        if missing:
            texts["_missing"] = ",".join(map(str, missing))
        records: list[Record] = [uri_record(label, target) for label, target in targets.items() if target is not None]
        records += [txt_record(label, [text]) for label, text in texts.items()]
        more = [*(draft.carried_by(name).line for draft in subdomains), *lines]
        return Zonefile(name, TTL, tuple(records)).serialize() + "".join(f"{line}\n" for line in more).encode("latin-1")

    def subdomain(
        self,
        name: str,
        owner: Wallet | str,
        *,
        sequence: int = 0,
        zonefile: bytes | None = None,
        uri: str | None = None,
        signed: bool = True,
    ) -> SubdomainDraft:
        """A record that creates label.name.namespace, for a zone file; its update and transfer are those that follow.

        zonefile is its own zone file, by default one with a URI.
        """
        wallet = self._wallet(owner)
        content = embedded(name, sequence, zonefile, uri)
        return SubdomainDraft(name, wallet, sequence, content, wallet if signed else None)

    def publish(self, *zonefiles: bytes, saved: bool = True) -> None:
        """Hand zone files to the node, which were announced: subdomains in them count from the next block on.

        Raises CheckFailed unless the node keeps each; with saved=False, unless it keeps none.
        """
        if not zonefiles:
            raise InvalidInput("zone files to publish", zonefiles, "at least one")
        for data in zonefiles:
            kept = self.node.put_zonefile(data)
            self.published.append(ZonefileEntry(self.height, base64.b64encode(data).decode(), int(kept)))
            if kept != saved:
                words = {True: "saved", False: "not saved"}
                subject = f"zone file {zonefile_hash(data)} of {len(data)} bytes"
                raise CheckFailed("zonefiles", self.height, subject, words[saved], words[kept])

    def expect_order_dependent(self, *subdomains: str) -> None:
        """Have the check of subdomains expect that the order in which zone files came shows in these.

        Where zone files come out of the order of the chain, or again, the live index can accept other records than a
        rebuilt one (spec 04 sections 5.4 and 5.6).
        """
        self.order_dependent.update(subdomains)

    def resolve(self, subdomain: str) -> SubdomainInfo | None:
        """What the node knows of a subdomain (label.name.namespace); None if none of its records is accepted."""
        record = self.node.offchain.subdomains.record(subdomain)
        return None if record is None else SubdomainInfo(record)

    def profile(self, name: str) -> dict[str, Any] | None:
        """What the owner of a name or subdomain says in the profile that its zone file leads to; None if nothing."""
        response = self.node.get(f"/v1/users/{name}")
        claim: dict[str, Any] = response.json()
        return claim if response.status == 200 else None
