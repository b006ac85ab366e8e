"""What a node does without end: meet peers, ask what they hold, fetch what is missing (spec 05 sections 1, 4.7 to 5.2).

Each is a process: a generator that yields calls and pauses, and never ends by itself.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

from bns.atlas import walk
from bns.atlas.addresses import canonical
from bns.atlas.inventory import Popularity, as_integer, mask_of, with_bits
from bns.atlas.messages import Pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bns.atlas.messages import Exchange, Process
    from bns.atlas.node import AtlasNode


def crawl(node: AtlasNode, step: Callable[[], Exchange[int]]) -> Process:
    """Step after step, with a rest after one that had nothing to do."""
    while True:
        begun = node.clock()
        done = yield from step()
        rested = begun + node.constants.crawl_period
        if not done and node.clock() < rested:
            yield Pause(rested)


class PeerCrawler:
    """Finds peers by a random walk, admits them, drops those that are gone. Spec 05 sections 4.5 and 4.7."""

    def __init__(self, node: AtlasNode) -> None:
        self._node = node
        self.candidates: list[str] = []
        self._walk: walk.Walk | None = None
        self._cleaned: float | None = None

    def run(self) -> Process:
        """The process."""
        return crawl(self._node, self.step)

    def step(self) -> Exchange[int]:
        """One step; how many peers came and went."""
        added = yield from self._admit()
        self._keep([*self.candidates, *added])
        yield from self._wander()
        removed = yield from self._prune()
        return len(added) + removed

    def _admit(self) -> Exchange[list[str]]:
        node = self._node
        current = set(node.table)
        asked, node.callers = node.callers, []
        candidates = _unique([*self.candidates, *map(canonical, asked)], node.address)
        node.chance.shuffle(candidates)
        added: list[str] = []
        contacted = 0
        for peer in candidates:
            if contacted == node.constants.admissions:
                break
            if peer in current:
                continue
            contacted += 1
            if (yield from node.is_welcome(peer)) and (yield from node.try_admit(peer)):
                added.append(peer)
        return added

    def _wander(self) -> Exchange[None]:
        node = self._node
        if self._walk is None and len(node.table):
            self._walk = yield from walk.begin(node)
            self._meet()
        if self._walk is not None:
            self._walk = yield from walk.step(node, self._walk)
            self._meet()

    def _meet(self) -> None:
        if self._walk is not None:
            self._keep([*self.candidates, *self._walk.here.neighbours])

    def _prune(self) -> Exchange[int]:
        node, constants = self._node, self._node.constants
        gone: list[str] = []
        if self._cleaned is None or self._cleaned + constants.clean_interval < node.clock():
            for peer in node.table.older_than(constants.max_peer_age, node.clock()):
                usable = (yield from node.info(peer)) is not None
                entry = node.table.get(peer)
                if entry is not None and usable:
                    node.table.renew(peer, node.clock())
                elif entry is not None and entry.health < constants.min_health and node.table.remove(peer):
                    gone.append(peer)
            self._cleaned = node.clock()
        gone += [peer for peer in node.table.unhealthy() if node.table.remove(peer)]
        self.candidates = [peer for peer in self.candidates if peer not in gone] if gone else self.candidates
        return len(gone)

    def _keep(self, candidates: Iterable[str]) -> None:
        """Remember candidates, but not too many: which ones is left to chance."""
        kept, most = _unique(candidates, self._node.address), self._node.constants.pending
        self.candidates = self._node.chance.sample(kept, most) if len(kept) > most else kept


class HealthChecker:
    """Keeps the inventories of peers fresh. Spec 05 section 4.8."""

    def __init__(self, node: AtlasNode) -> None:
        self._node = node

    def run(self) -> Process:
        """The process: it rests until an inventory is too old or a peer is new, but for a second at least."""
        node, constants = self._node, self._node.constants
        due: list[tuple[float, str]] = []
        while True:
            for peer in node.take_unvisited():
                heapq.heappush(due, (node.clock(), peer))
            while due and due[0][0] <= node.clock():
                _, peer = heapq.heappop(due)
                if self._is_due(peer):
                    yield from node.refresh_inventory(peer)
                    heapq.heappush(due, (node.clock() + constants.ping_interval, peer))
            yield Pause(node.clock() + constants.health_period)
            if not node.unvisited:
                yield Pause(due[0][0] if due else math.inf, wakeable=True)

    def _is_due(self, peer: str) -> bool:
        node, entry = self._node, self._node.table.get(peer)
        if entry is None:
            return False
        return entry.last_refresh is None or entry.last_refresh + node.constants.ping_interval <= node.clock()


class ZonefileCrawler:
    """Fetches zone files that are announced and not here, the rarest first. Spec 05 sections 5.1 and 5.2."""

    def __init__(self, node: AtlasNode) -> None:
        self._node = node

    def run(self) -> Process:
        """The process."""
        return crawl(self._node, self.step)

    def step(self) -> Exchange[int]:
        """One step; how many zone files came."""
        node = self._node
        missing = node.holdings.missing()
        found = [hash_ for hash_ in missing if node.holdings.discover(hash_)]
        missing = {hash_: bits for hash_, bits in missing.items() if hash_ not in set(found)} if found else missing
        if not missing:
            return len(found)
        search = _Search(node, missing)
        for hash_ in search.rarest_first():
            while hash_ in search.wanted and (peer := search.best_source(hash_)) is not None:
                found += yield from self._fetch(peer, search)
            search.give_up(hash_)
        return len(found)

    def _fetch(self, peer: str, search: _Search) -> Exchange[list[str]]:
        """Ask a peer for all it is said to have; the hashes of what came and was kept."""
        asked = search.to_ask(peer)
        files = yield from self._node.zonefiles(peer, asked)
        kept = [hash_ for hash_ in asked if hash_ in files and self._node.holdings.put(files[hash_])]
        search.settle(peer, asked, kept)
        return kept


class _Search:
    """Which peers are said to have which of the missing zone files, as sets of bits (see bns.atlas.inventory)."""

    def __init__(self, node: AtlasNode, missing: Mapping[str, Sequence[int]]) -> None:
        self._node = node
        self._places = missing
        size = node.inventory_size()
        self.wanted = {hash_: mask_of(places, size) for hash_, places in missing.items()}
        any_of_them = mask_of((place for places in missing.values() for place in places), size)
        self._offers: dict[str, int] = {}
        popularity = Popularity()
        for peer, entry in node.table.items():
            offer = as_integer(entry.inventory, size) & any_of_them if entry.inventory else 0
            if offer:
                self._offers[peer] = offer
                popularity.add(offer)
        self._order = sorted(self.wanted, key=lambda hash_: popularity.of(self.wanted[hash_])) if self._offers else []

    def rarest_first(self) -> Sequence[str]:
        """The missing hashes, those that the fewest peers have first; none if nobody has any."""
        return self._order

    def best_source(self, hash_: str) -> str | None:
        """The healthiest peer that offers a file, None if no one is left that does."""
        mask = self.wanted[hash_]
        offering = [peer for peer, offer in self._offers.items() if offer & mask]
        return max(offering, key=self._rank) if offering else None

    def _rank(self, peer: str) -> tuple[float, str]:
        entry = self._node.table.get(peer)
        return (entry.health if entry is not None else 0.0), peer

    def to_ask(self, peer: str) -> list[str]:
        """All that a peer offers and that is still wanted."""
        offer = self._offers[peer]
        return [hash_ for hash_, mask in self.wanted.items() if offer & mask]

    def settle(self, peer: str, asked: Sequence[str], kept: Sequence[str]) -> None:
        """Files came or did not; a peer that did not give what it offered is not asked for that again."""
        for hash_ in kept:
            self.give_up(hash_)
        refused = set(asked).difference(kept)
        del self._offers[peer]
        entry = self._node.table.get(peer)
        if refused and entry is not None:
            places = [place for hash_ in refused for place in self._places[hash_]]
            entry.inventory = with_bits(entry.inventory, places, present=False)

    def give_up(self, hash_: str) -> None:
        """Want a file no more."""
        self.wanted.pop(hash_, None)


def _unique(peers: Iterable[str], own_address: str) -> list[str]:
    return [peer for peer in dict.fromkeys(peers) if peer != own_address]
