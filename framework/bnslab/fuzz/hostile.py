"""Blocks whose operations stand in each other's way (Spec 02 section 5), and owners of as many names as may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bnslab.fuzz import actors
from bnslab.fuzz.program import Step
from bnslab.fuzz.stories import OWNERS, change

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnslab.fuzz.stories import Plan, Space


@dataclass(frozen=True)
class Scene:
    """A name, its namespace, and the block it is fought over in."""

    plan: Plan
    space: Space
    name: str
    height: int


def tell_hostile_block(plan: Plan) -> None:
    """One block of operations that collide, after what they need."""
    rng = plan.rng
    space = plan.favourite()
    tell = rng.choice(_PATTERNS)
    before = tell in _BEFORE_READY
    soonest = max(space.ready - 3, plan.first + 1) if before else max(space.ready + 1, plan.first + 2)
    latest = space.ready + 1 if before else plan.last
    height = rng.randrange(soonest, max(latest, soonest + 1))
    name = f"{rng.choice(plan.labels)}.{space.id}"
    if space.names and rng.random() < 0.2:
        name = rng.choice(space.names)
    tell(Scene(plan, space, name, height))
    space.names.append(name)


def _two(plan: Plan) -> tuple[int, int]:
    one, other = plan.rng.sample(sorted(set(OWNERS)), 2)
    return one, other


def _preordered(plan: Plan, name: str, height: int, *owners: int) -> list[Step]:
    plan.put(height, *(Step("name_preorder", name, by=by) for by in owners))
    return [Step("name_registration", name, by=by) for by in owners]


def _claimed_twice(scene: Scene) -> None:
    plan, name, height = scene.plan, scene.name, scene.height
    both = _preordered(plan, name, height - 1, *_two(plan))
    plan.put(height, *both)
    plan.put(height + plan.rng.choice((1, 2)), plan.rng.choice(both))


def _claimed_at_once(scene: Scene) -> None:
    """Preorders and registrations in one block, one of them perhaps preordered before."""
    plan, name, height = scene.plan, scene.name, scene.height
    one, other = _two(plan)
    early = plan.rng.random() < 0.3
    registrations = _preordered(plan, name, height - early, one) + _preordered(plan, name, height, other)
    plan.rng.shuffle(registrations)
    plan.put(height, *registrations)


def _renewed_twice(scene: Scene) -> None:
    """Two renewals, and a bad registration or import of the name before, between or after them."""
    plan, name, height = scene.plan, scene.name, scene.height
    owner, other = _two(plan)
    plan.put(height - 1, *_preordered(plan, name, height - 2, owner))
    renewals = [Step("name_renewal", name) for _ in range(plan.rng.choice((1, 2, 2)))]
    bad = Step(plan.rng.choice(("name_registration", "name_import")), name, by=plan.rng.choice((owner, other)))
    renewals.insert(plan.rng.randrange(3), bad)
    plan.put(height + plan.rng.choice((0, 0, 1, 3)), *renewals)


def _passed_on(scene: Scene) -> None:
    """A name goes through several hands in one block; old and new owners use it."""
    plan, name, height = scene.plan, scene.name, scene.height
    rng = plan.rng
    owner, other = _two(plan)
    plan.put(height - 1, *_preordered(plan, name, height - 2, owner))
    if rng.random() < 0.5:
        plan.put(height, Step("name_update", name, value=5))
    steps = []
    holder = owner
    for _ in range(rng.choice((2, 3, 4))):
        to = rng.choice((owner, other, rng.choice(OWNERS)))
        kind = rng.choice(("name_transfer", "name_transfer", "name_renewal"))
        steps.append(Step(kind, name, by=holder, to=to, keep=rng.random() < 0.6))
        user = rng.choice((holder, to, to))
        steps.append(replace(change(rng, name), by=user))
        holder = to
    plan.put(height + rng.choice((0, 0, 1)), *steps)


def _revoked(scene: Scene) -> None:
    plan, name, height = scene.plan, scene.name, scene.height
    owner, _ = _two(plan)
    plan.put(height - 1, *_preordered(plan, name, height - 2, owner))
    steps = [Step("name_revoke", name), *(replace(change(plan.rng, name), by=owner) for _ in range(2))]
    plan.rng.shuffle(steps)
    plan.put(height, *steps, Step("name_revoke", name, by=owner))
    plan.put(height + 1, *_preordered(plan, name, height + 1, owner))


def _hash_twice(scene: Scene) -> None:
    """One preorder hash several times: by its owner, by somebody else, as the preorder of a namespace."""
    plan, name, height = scene.plan, scene.name, scene.height
    rng = plan.rng
    owner, other = _two(plan)
    step = Step("name_preorder", name, by=owner)
    copies = [step, replace(step, by=other, seal=owner, to=owner), replace(step, op="namespace_preorder")]
    plan.put(height, *(rng.choice(copies) for _ in range(2)))
    plan.put(height + rng.choice((0, 1, 2)), *(rng.choice(copies) for _ in range(2)))
    plan.put(height + rng.choice((1, 2, 3)), Step("name_registration", name, by=owner))
    plan.put(height + rng.choice((2, 4, 8)), rng.choice(copies))
    plan.put(height + rng.choice((4, 9, 15)), Step("name_registration", name, by=owner))


def _imported_twice(scene: Scene) -> None:
    plan, space, name, height = scene.plan, scene.space, scene.name, scene.height
    rng = plan.rng
    children = [None, rng.choice((0, 4, 5)), rng.choice((None, 1))]
    rng.shuffle(children)
    imports = [
        Step("name_import", name, by=space.holder, child=child, to=rng.choice(OWNERS), value=value)
        for value, child in enumerate(children)
    ]
    if rng.random() < 0.3:
        imports.insert(rng.randrange(1, 4), Step("namespace_ready", space.id))
    plan.put(height, *imports)


def _opened_and_used(scene: Scene) -> None:
    """Import, ready, preorder, registration, update: all in the block of the ready."""
    plan, space, name = scene.plan, scene.space, scene.name
    rng = plan.rng
    owner, other = _two(plan)
    steps = [Step("name_preorder", name, by=owner), Step("name_registration", name, by=owner)]
    if rng.random() < 0.5:
        steps.insert(0, Step("name_import", name, by=space.holder, to=other))
    steps += [Step("name_update", name, by=owner, value=2), Step("name_transfer", name, by=owner, to=other)]
    plan.put(space.ready, *steps)


def _revealed_twice(scene: Scene) -> None:
    """Two reveals of one id, preordered before or in the very block; then one of them again."""
    plan, space, height = scene.plan, scene.space, scene.height
    rng = plan.rng
    one, other = rng.sample(actors.KEYS, 2)
    id_ = f"{space.label}{rng.choice('pqrst')}{rng.choice('uvw')}"
    both = [Step("namespace_reveal", id_, by=by, to=by, terms=space.terms) for by in (one, other)]
    plan.put(height - rng.choice((0, 1)), *(Step("namespace_preorder", id_, by=by, to=by) for by in (one, other)))
    plan.put(height, *both)
    again = height + rng.choice((1, 2))
    plan.put(again, rng.choice(both))
    plan.put(again + 1, Step("name_import", f"foo.{id_}", to=one, value=1), Step("namespace_ready", id_))


_PATTERNS: tuple[Callable[[Scene], None], ...] = (
    _claimed_twice,
    _claimed_twice,
    _claimed_at_once,
    _claimed_at_once,
    _renewed_twice,
    _renewed_twice,
    _passed_on,
    _passed_on,
    _passed_on,
    _revoked,
    _hash_twice,
    _imported_twice,
    _imported_twice,
    _opened_and_used,
    _revealed_twice,
)
_BEFORE_READY = (_imported_twice,)


def tell_crowd(plan: Plan) -> None:
    """An owner gets as many names as one may have, then tries to get more in every way."""
    rng = plan.rng
    space = plan.spaces[0]
    owner, other = rng.sample(actors.KEYS, 2)
    imported = rng.choice((0, 22, 24, 25, 26))
    names = [f"crowd{number}.{space.id}" for number in range(28)]
    for name in names[:imported]:
        plan.lay(space.ready - 1, Step("name_import", name, by=space.holder, to=owner))
    height = max(space.ready + 1, plan.first + 1) + (0 if imported else rng.randrange(6))
    registered = names[imported : 27 if imported < 25 else imported + 1]
    gifts = [f"{label}.{space.id}" for label in ("gift", "g1ft", "gft")]
    plan.lay(height, *(Step("name_preorder", name, by=owner) for name in registered))
    plan.lay(height, *(Step("name_preorder", name, by=other) for name in gifts))
    plan.lay(height, Step("name_preorder", "late" + gifts[0], by=other, to=owner))
    at_once = rng.random() < 0.5
    for number, name in enumerate(registered):
        plan.lay(height + (1 if at_once else 1 + number // 9), Step("name_registration", name, by=owner))
    plan.lay(height + 1, *(Step("name_registration", name, by=other) for name in gifts))
    plan.lay(height + 4, Step("name_registration", "late" + gifts[0], by=other, to=owner))
    one, *more = (Step("name_transfer", name, by=other, to=owner) for name in gifts)
    away = Step(rng.choice(("name_transfer", "name_renewal", "name_revoke")), rng.choice(names[:3]), by=owner, to=other)
    plan.lay(height + 4, one)
    plan.lay(height + 5, away, *more)
    plan.put(height + 4, Step("name_preorder", f"zz.{space.id}", by=owner), Step("name_renewal", names[5], by=owner))
    for number, name in enumerate(names[6:12]):
        plan.put(height + 4 + number % 3, replace(change(rng, name), by=owner))
