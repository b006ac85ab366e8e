"""Random histories of subdomains: competing records, foreign carriers, thieves, zone files late, twice or never."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from bnslab.chain.factory import base_chain
from bnslab.chain.memory import MemoryBackend
from bnslab.lab import Lab
from bnslab.nodes.inprocess import InProcessNode
from bnslab.recording import record
from bnslab.rules import scenario_params

if TYPE_CHECKING:
    from bnslab.fixtures import Fixture
    from bnslab.subdomains import SubdomainDraft
    from bnslab.wallets import Wallet

DOMAINS = ("foo.test", "bar.test", "qux.test")
LABELS = ("a", "b")


def history(seed: int, blocks: int = 14) -> Fixture:
    """The chain that a seed gives, its zone files, and what the core makes of them."""
    lab = Lab(
        f"campaigns/subdomains/{seed}",
        scenario_params(base_chain().height + 1, (), {}),
        base_chain(),
        MemoryBackend(base_chain()),
        InProcessNode,
    )
    try:
        _History(lab, Random(seed)).play(blocks)
        return record(lab)
    finally:
        lab.node.close()


class _History:
    """A lab, and what has been made and held back in it so far."""

    def __init__(self, lab: Lab, random: Random) -> None:
        self._lab = lab
        self._random = random
        self._owners: list[Wallet] = [lab.wallet(f"owner {number}") for number in range(4)]
        self._owners += [lab.wallet(f"vault {number}", "p2sh-multisig", required=2, total=3) for number in range(2)]
        self._owners += [lab.wallet("witness", "p2sh-p2wpkh"), lab.wallet("team", "p2sh-p2wsh", required=1, total=2)]
        self._drafts: dict[str, list[SubdomainDraft]] = {}
        self._zonefiles: dict[str, list[bytes]] = {domain: [] for domain in DOMAINS}
        self._held_back: list[bytes] = []

    def play(self, blocks: int) -> None:
        """Some blocks that announce zone files, of which some are handed over at once, some later, some never."""
        lab, random = self._lab, self._random
        lab.wallet("creator")
        lab.namespace("test", by="creator")
        for register in (lab.name_preorder, lab.name_registration):
            for domain in DOMAINS:
                register(domain, by=lab.wallet(domain))
            lab.mine()
        for _ in range(blocks):
            new = [self._announce(domain) for domain in DOMAINS for _ in range(random.choice((0, 0, 1, 1, 2)))]
            lab.mine()
            random.shuffle(self._held_back)
            late = [self._held_back.pop() for _ in range(len(self._held_back) // 3)]
            for data in dict.fromkeys([*new, *late]):
                if random.random() < 0.75:
                    lab.publish(data)
                else:
                    self._held_back.append(data)
        lab.mine()

    def _announce(self, domain: str) -> bytes:
        lab, random = self._lab, self._random
        earlier = self._zonefiles[domain]
        if earlier and random.random() < 0.1:
            data = random.choice(earlier)
        else:
            names = random.sample([f"{label}.{each}" for label in LABELS for each in DOMAINS], k=3)
            mine = [name for name in names if name.endswith(domain) or (name in self._drafts and random.random() < 0.4)]
            extras: dict[str, object] = {}
            if random.random() < 0.2:
                extras["missing"] = random.sample(range(1, 30), k=3)
            if random.random() < 0.2:
                extras["resolver"] = f"https://resolver/{random.randrange(9)}"
            data = lab.zonefile(domain, *map(self._draft, mine), **extras)  # type: ignore[arg-type]
            earlier.append(data)
        lab.update(domain, by=lab.wallet(domain), zonefile=data)
        return data

    def _draft(self, name: str) -> SubdomainDraft:
        """A record that creates a subdomain, or follows any of those that were made before, by whoever may or not."""
        lab, random = self._lab, self._random
        before = self._drafts.setdefault(name, [])
        if not before or random.random() < 0.05:
            sequence = random.choice((1, -1)) if random.random() < 0.05 else 0
            uri = f"https://example.com/{random.randrange(3)}"
            draft = lab.subdomain(name, random.choice(self._owners), sequence=sequence, uri=uri)
        else:
            previous = before[-1] if random.random() < 0.7 else random.choice(before[-3:])
            thief = random.choice(self._owners) if random.random() < 0.05 else None
            receiver = random.choice(self._owners) if random.random() < 0.25 else previous.owner
            draft = previous.transfer(receiver, by=thief, uri=f"https://example.com/{random.randrange(3)}")
        before.append(draft)
        return draft
