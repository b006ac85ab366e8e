"""The stories that random programs are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bns.params import Feature
from bnslab.fuzz import actors
from bnslab.fuzz.program import KINDS, Step, Terms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from bns.params import Params

OWNERS = (*actors.KEYS, *actors.KEYS, actors.UNCOMPRESSED, *actors.SCRIPTS)
LAYOUTS = (
    "more", "less", "last", "second", "decoy", "cancelled", "pushdata1", "pushdata2", "pushdata4", "truncated",
    "two pushes", "hash behind p2sh", "hash behind witness",
)  # fmt: skip
PAYLOADS = ("short", "long", "empty", "newline", "upper", "plus", "dots", "flip", "magic", "opcode", "bare")
ANNOUNCERS = ("muneeb.id", "judecn.id")
TWISTED = 0.12
PAYEES = ("right", "burn", "creator", "sender", "witness", "nobody")


@dataclass
class Space:
    """A namespace of the plan: its terms, who reveals it, who holds it, and the block it should be ready at."""

    id: str
    label: str
    terms: Terms
    revealer: int
    holder: int
    ready: int = 0
    names: list[str] = field(default_factory=list)


class Plan:
    """A timeline under construction; heights outside of it take nothing."""

    def __init__(self, rng: Random, first: int, length: int, params: Params, labels: Sequence[str]) -> None:
        self.rng = rng
        self.first = first
        self.length = length
        self.params = params
        self.labels = labels
        self.blocks: list[list[Step]] = [[] for _ in range(length)]
        self.spaces: list[Space] = []
        self.size = 0

    @property
    def last(self) -> int:
        """Height of the last block."""
        return self.first + self.length - 1

    def lay(self, height: int, *steps: Step) -> None:
        """Put steps at the end of a block."""
        if self.first <= height <= self.last:
            self.blocks[height - self.first] += steps
            self.size += len(steps)

    def put(self, height: int, *steps: Step) -> None:
        """The same, sometimes with a twist."""
        self.lay(height, *(twisted(self.rng, step) if self.rng.random() < TWISTED else step for step in steps))

    def open_to_all(self, space: Space, revealed: int) -> None:
        """Have a namespace opened without fail."""
        epoch = self.params.epoch(revealed)
        if epoch is not None and not epoch.has(Feature.NAMESPACE_BURN_TO_CREATOR):
            space.terms = replace(space.terms, version=1)
        preorder = Step("namespace_preorder", space.id, by=space.revealer, to=space.holder)
        reveal = Step("namespace_reveal", space.id, by=space.revealer, to=space.holder, terms=space.terms)
        for height, step in (
            (revealed, preorder),
            (revealed, reveal),
            (space.ready, Step("namespace_ready", space.id)),
        ):
            if height <= self.last:
                self.blocks[height - self.first].append(step)

    def favourite(self) -> Space:
        """A namespace, most often the first, which is the most likely to open."""
        return self.spaces[0] if self.rng.random() < 0.6 else self.rng.choice(self.spaces)

    def deadline(self, start: int, lifetime: int) -> tuple[int, int]:
        """Heights at which a name of a start expires and its grace period ends, as they will look then."""
        expire = grace = self.last + 1
        for height in range(self.last, start, -1):
            epoch = self.params.epoch(height)
            if epoch is not None:
                end = start + lifetime * epoch.lifetime_multiplier
                expire = height if height >= end else expire
                grace = height if height >= end + epoch.grace_period else grace
        return expire, grace


def twisted(rng: Random, step: Step) -> Step:
    """The step with one thing changed that its kind depends on."""
    twists = ["layout", "payload", "by", "second"]
    if step.op in ("name_preorder", "name_renewal", "namespace_preorder"):
        twists += ["fee", "fee", "pay", "pay"]
    if step.op in ("name_preorder", "namespace_preorder", "name_update", "name_transfer"):
        twists += ["back", "back"]
    if step.op in ("name_registration", "name_renewal", "name_transfer", "name_import", "namespace_reveal"):
        twists += ["to"]
    match rng.choice(twists):
        case "layout":
            return replace(step, layout=rng.choice(LAYOUTS))
        case "payload":
            return replace(step, payload=rng.choice(PAYLOADS))
        case "by":
            return replace(step, by=rng.randrange(actors.NOBODY + 1))
        case "second":
            return replace(step, second=rng.randrange(actors.NOBODY + 1), unlock=rng.choice(("plain", "pushed")))
        case "fee":
            return replace(step, fee=rng.choice(("low", "low", "high", "none")))
        case "pay":
            return replace(step, pay=rng.choice(PAYEES[1:]))
        case "back":
            return replace(step, back=rng.choice((0, 2, 23, 24, 24, 25, 25, 26)))
    return replace(step, to=rng.randrange(actors.NOBODY + 1))


def tell_namespaces(plan: Plan, spaces: Sequence[Space]) -> None:
    """Preorder, reveal, fill and open some namespaces; the first in good time, some too late, some a second time."""
    rng = plan.rng
    expire = plan.params.namespace_reveal_expire
    for number, space in enumerate(spaces):
        start = plan.first + (rng.randrange(3) if number == 0 else rng.randrange(plan.length // 3 + 1))
        revealed = start + rng.choice((0, 1, 1, 1, 2, 4))
        space.ready = revealed + 1 + rng.choice((1, 2, 3, 5, 9, expire - 1, expire, expire, expire + 1))
        if number == 0:  # most of the other stories need it
            space.ready = revealed + 1 + min(space.ready - revealed, expire - 1, plan.length // 5)
            plan.open_to_all(space, revealed)
        plan.spaces.append(space)
        _open(plan, space, start, revealed)
        _import_names(plan, space, revealed)
        plan.put(space.ready, Step("namespace_ready", space.id))
        if number > 0 and (space.ready > revealed + expire or rng.random() < 0.2):
            _reopen(plan, space, max(revealed + expire, space.ready) + rng.choice((0, 0, 1, 3)))


def _reopen(plan: Plan, space: Space, start: int) -> None:
    rng = plan.rng
    same = rng.random() < 0.3
    revealer = space.revealer if same else rng.choice(actors.KEYS)
    space = _revealed_anew(space, rng.randrange(1, 20), revealer, rng.choice(actors.KEYS))
    space.ready = start + rng.choice((2, 3, 6))
    _open(plan, space, start, start + rng.choice((0, 1, 2)))
    _import_names(plan, space, start + 1)
    plan.put(space.ready, Step("namespace_ready", space.id))
    plan.spaces.append(space)


def _revealed_anew(space: Space, lifetime: int, revealer: int, holder: int) -> Space:
    """The same namespace revealed anew, by and to others."""
    terms = replace(space.terms, lifetime=lifetime)
    return Space(space.id, space.label, terms, revealer, holder, space.ready, space.names)


def _open(plan: Plan, space: Space, start: int, revealed: int) -> None:
    preorder = Step("namespace_preorder", space.id, by=space.revealer, to=space.holder)
    reveal = Step("namespace_reveal", space.id, by=space.revealer, to=space.holder, terms=space.terms)
    plan.put(start, preorder)
    plan.put(revealed, reveal)
    if plan.rng.random() < 0.15:  # a second claim on the same id
        rival = plan.rng.choice(actors.KEYS)
        plan.put(start, replace(preorder, by=rival))
        plan.put(revealed, replace(reveal, by=rival))
    plan.put(revealed + 1, replace(preorder, back=2), reveal)  # once more, in case that something went wrong


def _import_names(plan: Plan, space: Space, revealed: int) -> None:
    rng = plan.rng
    for _ in range(rng.choice([0, 2, 4, 6])):
        name = f"{rng.choice(('a', 'foo', 'muneeb', 'b1c', 'xz', 'imported', 'seventeenletterss'))}.{space.id}"
        space.names.append(name)
        height = rng.randrange(revealed, max(space.ready, revealed) + 2)
        child = rng.choice((None, None, None, 0, 1, 4, 5))
        step = Step("name_import", name, by=space.holder, child=child, to=rng.choice(OWNERS), value=rng.randrange(9))
        step = replace(step, known=rng.random() < 0.6)
        plan.put(height, step)
        if rng.random() < 0.4:
            plan.put(height + rng.choice((0, 0, 1, 2)), replace(step, to=rng.choice(OWNERS), child=None))
        if rng.random() < 0.5:
            _live(plan, name, space, max(space.ready, height + 1))


def tell_name(plan: Plan) -> None:
    """Preorder and register a name, let it live, perhaps let somebody register it again."""
    rng = plan.rng
    space = plan.favourite()
    name = f"{rng.choice(plan.labels)}.{space.id}"
    soonest = max(space.ready, plan.first)
    latest = max(plan.last - 3, soonest + 1)
    early = rng.randrange(soonest, min(soonest + 8, latest))
    height = rng.choice((rng.randrange(soonest, latest), early, rng.choice((early, soonest - 1, soonest))))
    for _ in range(rng.choice((1, 1, 2, 3))):
        end = _register(plan, name, space, height)
        if end > plan.last:
            return
        height = end + rng.choice((-2, -1, 0, 0, 1, 2))


def _register(plan: Plan, name: str, space: Space, height: int) -> int:
    rng = plan.rng
    by = rng.choice(OWNERS)
    to = None if rng.random() < 0.75 else rng.choice(OWNERS)
    lives = min(space.terms.lifetime * 2, 40)
    wait = rng.choice((0, 1, 1, 1, 1, 2, 5, lives, lives + 1, 24))
    value = rng.randrange(9) if rng.random() < 0.5 else None
    known = rng.random() < 0.9 and height > space.ready
    plan.put(height, Step("name_preorder", name, by=by, to=to, known=known))
    plan.put(height + wait, Step("name_registration", name, by=by, to=to, value=value, known=known))
    if rng.random() < 0.1:
        plan.put(height + wait + 1, Step("name_registration", name, by=by, to=to))
    space.names.append(name)
    return _live(plan, name, space, height + wait)


def _live(plan: Plan, name: str, space: Space, born: int) -> int:
    """Things that happen to a name from its first block on; the height at which it should be free again."""
    rng = plan.rng
    start = born
    expire, grace = plan.deadline(start, space.terms.lifetime)
    for _ in range(rng.choice((1, 2, 3, 5))):
        around = rng.choice(
            (start + 1, start + 2, expire, grace, grace + 1, rng.randrange(start, max(grace, start) + 2))
        )
        height = around + rng.choice((-1, 0, 0, 0, 1))
        step = replace(change(rng, name), known=rng.random() < 0.85)
        plan.put(height, step)
        if step.op == "name_renewal" and height <= grace + 1:
            start = height
            expire, grace = plan.deadline(start, space.terms.lifetime)
        if step.op == "name_transfer" and rng.random() < 0.5:
            after = replace(change(rng, name), by=step.to, known=True)
            plan.put(height + rng.choice((0, 0, 1)), after)
    for end in plan.params.epochs[:2]:
        if end.end is not None and rng.random() < 0.3:
            plan.put(end.end + rng.choice((0, 1)), change(rng, name))
    return grace + 1


def change(rng: Random, name: str) -> Step:
    """Something that the owner of a name does with it."""
    to = rng.choice(OWNERS)
    if name.endswith(ANNOUNCERS) and rng.random() < 0.4:
        return Step("announce", name, value=rng.randrange(9))
    match rng.randrange(12):
        case 0 | 1 | 2:
            return Step("name_transfer", name, to=to, keep=rng.random() < 0.5)
        case 3 | 4 | 5 | 6:
            return Step("name_update", name, value=rng.randrange(9), back=rng.choice((1, 1, 1, 2, 23, 24, 25)))
        case 7:
            return Step("name_renewal", name, to=to, value=rng.choice((None, 3)))
        case 8 | 9 | 10:
            return Step("name_renewal", name, value=rng.choice((None, None, 4)))
    return Step("name_revoke", name)


def nonsense(rng: Random, ids: Sequence[str], labels: Sequence[str]) -> Step:
    """Any step by anybody about anything."""
    op = rng.choice(KINDS)
    id_ = rng.choice(ids)
    if not op.startswith("namespace") and op != "announce":
        id_ = f"{rng.choice(labels)}.{id_}"
    return Step(
        op,
        id_,
        by=rng.choice((None, None, *range(actors.NOBODY + 1))),
        to=rng.choice((None, None, *range(actors.NOBODY + 1))),
        seal=rng.choice((None,) * 5 + (0, 7)),
        value=rng.choice((None, 1, 2)),
        keep=rng.random() < 0.5,
        back=rng.choice((1, 1, 1, 1, 24, 25, 0)),
        fee=rng.choice(("exact", "exact", "low", "high", "none")),
        pay=rng.choice(PAYEES),
        layout=rng.choice(("plain",) * 9 + LAYOUTS),
        payload=rng.choice(("plain",) * 9 + PAYLOADS),
        terms=Terms(lifetime=rng.randrange(30), version=rng.randrange(4), nonalpha=rng.randrange(3)),
    )


def tell_nonsense(plan: Plan) -> None:
    """One step without a story, more often than not about a name that there is."""
    rng = plan.rng
    space = rng.choice(plan.spaces)
    step = nonsense(rng, [space.id for space in plan.spaces], plan.labels)
    if space.names and step.op.startswith("name_") and rng.random() < 0.7:
        step = replace(step, id=rng.choice(space.names), known=rng.random() < 0.6)
    plan.put(rng.randrange(plan.first, plan.last + 1), step)
