"""Which records of one subdomain count: the rules of acceptance and how they are re-applied (spec 04 section 5).

Records come in any order and compete. The order that counts is by (sequence, index), the index being the place of the
carrying zone file in the sequence of announcements. Pure: entries in, their `accepted` marks changed.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bns.subdomains.signatures import account, verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(slots=True)
class Entry:
    """What the rules look at in a stored record.

    digest is the SHA-256 of its signed form; independent says that another domain's zone file carried it.
    """

    index: int
    sequence: int
    owner: str
    signature: str
    digest: bytes
    independent: bool
    accepted: bool = False

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among the records of its subdomain."""
        return self.sequence, self.index

    @property
    def is_initial(self) -> bool:
        """Whether a subdomain may begin with it: no signature is needed, but the own domain."""
        return self.sequence == 0 and not self.independent


def may_follow(previous: Entry, entry: Entry) -> bool:
    """Whether an entry may follow an accepted one (spec 04 section 5.1): only the own domain may transfer.

    An owner that is no address signs nothing and receives nothing.
    """
    if entry.sequence != previous.sequence + 1 or not verify(previous.owner, entry.digest, entry.signature):
        return False
    receiver = account(entry.owner)
    return receiver is not None and (not entry.independent or receiver == account(previous.owner))


@dataclass(slots=True)
class Subdomain:
    """All stored records of one subdomain."""

    _by_index: dict[int, Entry] = field(default_factory=dict)
    _by_sequence: defaultdict[int, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    _verdicts: dict[tuple[int, int], bool] = field(default_factory=dict)

    def __contains__(self, index: int) -> bool:
        return index in self._by_index

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_index.values())

    def store(self, entry: Entry) -> None:
        """Take an entry as it is; its index must be new."""
        self._by_index[entry.index] = entry
        insort(self._by_sequence[entry.sequence], entry, key=_index)

    def settle(self, indexes: Sequence[int]) -> None:
        """Judge stored entries that arrived, or arrived again, together. Spec 04 section 5.5."""
        arrivals = [self._by_index[index] for index in indexes]
        for entry in arrivals:
            entry.accepted = False
        for entry in arrivals:
            if not self._insert(entry):
                history = self._rewrite_history(entry)
                if history is not None:
                    self._rewrite_future(history)

    def _insert(self, entry: Entry) -> bool:
        """The usual case: an accepted neighbour decides, and what lies further away is not affected."""
        before, beside, after = (self._by_sequence.get(entry.sequence + step, ()) for step in (-1, 0, 1))
        line = [*before, *beside, *after]
        start = next((at for at, e in enumerate(line) if e.accepted or e.place > entry.place), len(line))
        if start == len(line) or not line[start].accepted:
            return False
        verdicts = [each.accepted for each in line[: start + 1]]
        last = line[start]
        for later in line[start + 1 :]:
            verdicts.append(self._may_follow(last, later))
            last = later if verdicts[-1] else last
        if after and verdicts[-1] != line[-1].accepted:
            return False
        for each, verdict in zip(line, verdicts, strict=True):
            each.accepted = verdict
        return True

    def _rewrite_history(self, entry: Entry) -> Entry | None:
        """Judge everything up to an entry; the last one accepted."""
        history = [e for e in self._by_index.values() if e.sequence <= entry.sequence and e.index <= entry.index]
        history.sort(key=_place)
        if history[0].is_initial:
            return self._walk(history)
        for each in history:
            each.accepted = False
        return None

    def _rewrite_future(self, accepted: Entry) -> None:
        """Judge everything after an accepted entry."""
        future = [e for e in self._by_index.values() if e.sequence >= accepted.sequence and e.index >= accepted.index]
        future.sort(key=_place)
        self._walk(future)

    def _walk(self, line: list[Entry]) -> Entry:
        last = line[0]
        last.accepted = True
        for later in line[1:]:
            later.accepted = self._may_follow(last, later)
            last = later if later.accepted else last
        return last

    def _may_follow(self, previous: Entry, entry: Entry) -> bool:
        key = previous.index, entry.index
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verdicts[key] = may_follow(previous, entry)
        return verdict


def _index(entry: Entry) -> int:
    return entry.index


def _place(entry: Entry) -> tuple[int, int]:
    return entry.place
