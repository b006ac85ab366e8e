"""Random programs: stories of names and namespaces, told at the same time, and steps that make no sense.

A story puts steps into the blocks of a timeline, with a liking for the blocks at which something changes: ends of
epochs, expiry, grace, the end of a reveal, the window of consensus hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnslab.chain.factory import BASE_CHAIN_LENGTH
from bnslab.fuzz import actors, hostile, stories
from bnslab.fuzz.program import Program, Terms
from bnslab.fuzz.stories import Plan, Space

if TYPE_CHECKING:
    from random import Random

FIRST_BLOCK = BASE_CHAIN_LENGTH + 1

SPACES = ("test", "id", "name", "x", "a-b", "qq", "longernamespace", "zz_9", "nineteencharacters1")
LABELS = (
    "a", "7", "ab", "xz", "z9", "abc", "xyz", "b1c", "a-b", "foo", "bar", "w_w", "muneeb", "muneeb", "judecn", "bcdfgh",
    "fourteenletter", "fifteenletterss", "sixteenlettersss", "seventeenletterss", "0", "00a", "0a",
)  # fmt: skip
INFINITE = 2**32 - 1


def generate(rng: Random, name: str, *, blocks: int = 160, density: float = 2.6, fatal: bool = False) -> Program:
    """A program of so many blocks with about density operations in each.

    With fatal, also steps on which the reference would abort.
    """
    env = environment(rng, blocks, fatal=fatal)
    program = Program(name, env, [], fatal)
    plan = Plan(rng, FIRST_BLOCK, blocks, program.params, LABELS)
    stories.tell_namespaces(plan, _spaces(rng))
    while plan.size < density * blocks:
        _go_on(plan)
    return program.with_blocks(plan.blocks)


def environment(rng: Random, blocks: int, *, fatal: bool = False) -> dict[str, str]:
    """Rules of a chain as the reference's settings: where epochs end and how long things last."""
    span = max(blocks, 12)
    first = FIRST_BLOCK + rng.choice([-2, -2, rng.randrange(1, span // 3), rng.randrange(1, span // 2)])
    second = first + rng.choice([1, 1, rng.randrange(2, span // 3), rng.randrange(2, span // 2)])
    if rng.random() < 0.35:
        first, second = FIRST_BLOCK - 3, FIRST_BLOCK - 2
    third = FIRST_BLOCK + blocks - 5 if fatal and rng.random() < 0.3 else -1
    if 0 <= third <= second:
        third = second + 1
    env = {
        "BLOCKSTACK_TEST": "1",
        "BLOCKSTACK_TESTNET": "1",
        "BLOCKSTACK_TEST_FIRST_BLOCK": str(FIRST_BLOCK),
        "BLOCKSTACK_NAMESPACE_REVEAL_EXPIRE": str(rng.choice([2, 5, 9, 14, 20, 30, 144])),
        "BLOCKSTACK_TEST_NAMESPACE_PREORDER_EXPIRE": str(rng.choice([0, 1, 2, 5, 144, 144, 144])),
        "BLOCKSTACK_TEST_NAME_PREORDER_EXPIRE": str(rng.choice([0, 1, 2, 5, 144, 144, 144, 144])),
    }
    for number, end in ((1, first), (2, second), (3, third)):
        prefix = f"BLOCKSTACK_EPOCH_{number}_"
        env[prefix + "END_BLOCK"] = str(end)
        env[prefix + "PRICE_MULTIPLIER"] = repr(rng.choice([1.0, 0.1, 0.1, 0.5, 0.333, 2.0]))
        env[prefix + "NAMESPACE_LIFETIME_MULTIPLIER"] = str(rng.choice([1, 1, 2, 2, 3]))
        grace = rng.choice([0, 1, 2, 5, 9]) if number == 3 else rng.choice([0, 0, 0, 3])
        env[prefix + "NAMESPACE_LIFETIME_GRACE_PERIOD"] = str(grace)
        env[prefix + "NAMESPACE_RECEIVE_FEES_PERIOD"] = str(rng.choice([0, 3, 10, 40, 52595]))
    return env


def _spaces(rng: Random) -> list[Space]:
    count = rng.choice([2, 2, 3, 4])
    ids = rng.sample(SPACES, count)
    if rng.random() < 0.3:
        ids = ["id", *(id_ for id_ in ids if id_ != "id")]  # where the announcers have their names
    return [Space(id_, rng.choice(LABELS[:3]), terms(rng), *_people(rng)) for id_ in ids]


def _people(rng: Random) -> tuple[int, int]:
    """Who reveals a namespace and who then holds it; the holder should have a key."""
    holder = rng.choice([*actors.KEYS, *actors.KEYS, actors.UNCOMPRESSED, 7])
    return rng.choice([*actors.KEYS, 7, 9, holder]), holder


def terms(rng: Random) -> Terms:
    """What a namespace's creator chooses."""
    lifetime = rng.choice([1, 3, 5, 8, 8, 13, 13, 20, 20, 30, rng.randrange(1, 60), INFINITE])
    base = rng.choice([2, 4, 4, 7])
    top = {2: 12, 4: 7, 7: 4}[base]
    buckets = sorted((rng.randrange(top + 1) for _ in range(16)), reverse=True)
    if rng.random() < 0.2:
        rng.shuffle(buckets)
    if rng.random() < 0.05:
        buckets, base = [15] * 16, 255
    coeff = rng.choice([0, 1, 4, 10, 250])
    nonalpha, no_vowel = rng.randrange(1, 16), rng.randrange(1, 16)
    return Terms(lifetime, coeff, base, tuple(buckets), nonalpha, no_vowel, rng.choice((1, 1, 2, 2)))


def _go_on(plan: Plan) -> None:
    tell = plan.rng.choices(
        (stories.tell_name, hostile.tell_hostile_block, stories.tell_nonsense, hostile.tell_crowd),
        weights=(10, 6, 6, 0.2 if plan.length >= 60 else 0),
    )[0]
    tell(plan)
