"""Simulated peers that do harm: each a behaviour for bns.atlas.simulator."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from bns.atlas.constants import INVENTORY_BYTES
from bns.atlas.messages import LONGEST_ANSWER, Call
from bns.atlas.simulator import Reply, honest

if TYPE_CHECKING:
    from random import Random

    from bns.atlas.simulator import SimulatedPeer, Simulator


class Byzantine:
    """Answers getinfo like an honest peer, so that others keep it; subclasses do something about the rest."""

    def __init__(self, simulator: Simulator, chance: Random) -> None:
        self._simulator = simulator
        self.chance = chance

    def reply(self, peer: SimulatedPeer, caller: str, call: Call, /) -> Reply:
        """See bns.atlas.simulator.Behaviour."""
        return Reply(self.honest(peer, caller, call))

    def honest(self, peer: SimulatedPeer, caller: str, call: Call) -> dict[str, Any]:
        """What an honest peer would say."""
        return honest(peer, self._simulator.announced.consensus_hash, caller, call)

    def claims_all(self) -> str:
        """An inventory in which everything is present."""
        return _text(b"\xff" * (len(self._simulator.announced.hashes) // 8 + 1))


class WrongContent(Byzantine):
    """Claims to have everything, and hands over something else."""

    def reply(self, peer: SimulatedPeer, caller: str, call: Call, /) -> Reply:
        """See Byzantine."""
        body = self.honest(peer, caller, call)
        if call.method == "get_zonefile_inventory":
            body["inv"] = self.claims_all()
        elif call.method == "get_zonefiles":
            body["zonefiles"] = {hash_: _text(self.chance.randbytes(40)) for hash_ in call.arguments[0]}
        return Reply(body)


class BogusInventory(Byzantine):
    """Claims to have everything and far more, and hands over nothing, or what nobody asked for."""

    def reply(self, peer: SimulatedPeer, caller: str, call: Call, /) -> Reply:
        """See Byzantine."""
        body = self.honest(peer, caller, call)
        if call.method == "get_zonefile_inventory":
            claim = self.chance.choice([_text(b"\xff" * INVENTORY_BYTES), self.claims_all(), "?", 7, None])
            return Reply(body | {"inv": claim})
        if call.method == "get_zonefiles":
            body["zonefiles"] = self.chance.choice([{}, {"00" * 20: ""}, [], None, {"x": 1}])
        return Reply(body)


class Huge(Byzantine):
    """Answers with more than anyone can hold: beyond the limit of an answer, or just below it."""

    def reply(self, peer: SimulatedPeer, caller: str, call: Call, /) -> Reply:
        """See Byzantine."""
        body = self.honest(peer, caller, call)
        if call.method == "getinfo":
            return Reply(body)
        if self.chance.random() < 0.5:
            return Reply(body | {"padding": 0}, LONGEST_ANSWER * 1000)
        if "peers" in body:
            most = self.chance.choice([800, 5000])
            body["peers"] = [f"{'x' * 200}{self.chance.randrange(10**9)}:6264" for _ in range(most)]
        if "inv" in body:
            body["inv"] = _text(b"\xff" * INVENTORY_BYTES)
        if "zonefiles" in body:
            body["zonefiles"] = dict.fromkeys(call.arguments[0], "A" * 60000)
        return Reply(body)


class Silent(Byzantine):
    """Answers nothing but getinfo, and not even that for long."""

    def reply(self, peer: SimulatedPeer, caller: str, call: Call, /) -> Reply:
        """See Byzantine."""
        if call.method == "getinfo" and self.chance.random() < 0.7:
            return Reply(self.honest(peer, caller, call))
        return Reply(None)


class Sybil(Byzantine):
    """Answers at any number of addresses, and tells everybody of them; claims to have everything and gives nothing."""

    prefix = "sybil-"

    def reply(self, peer: SimulatedPeer, caller: str, call: Call, /) -> Reply:
        """See Byzantine."""
        body = self.honest(peer, caller, call)
        if "peers" in body:
            body["peers"] = [f"{self.prefix}{self.chance.randrange(10**6)}:6264" for _ in range(80)]
        if "inv" in body:
            body["inv"] = self.claims_all()
        if "zonefiles" in body:
            body["zonefiles"] = {}
        return Reply(body)


class Malformed(Byzantine):
    """Answers with JSON of any shape."""

    def reply(self, peer: SimulatedPeer, caller: str, call: Call, /) -> Reply:
        """See Byzantine."""
        body = self.honest(peer, caller, call)
        if call.method == "getinfo" and self.chance.random() < 0.8:
            return Reply(body)
        key = self.chance.choice(list(body))
        junk: list[Any] = [None, True, -1, 2**70, "", "x" * 10_000, [], [[]], {}, {"a": {}}, 1.5, ["a:b"], ["a:65535"]]
        body[key] = self.chance.choice(junk)
        if self.chance.random() < 0.2:
            del body[key]
        return Reply(body)


KINDS = (WrongContent, BogusInventory, Huge, Silent, Sybil, Malformed)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
