"""Programs: what a random chain does, as plain data.

A program is a list of blocks, each a list of steps; a step is one operation in terms that stay meaningful when other
steps are taken away: wallets by number, `the owner`, `the right fee less one`, `the consensus hash of 24 blocks ago`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from bns.errors import InvalidInput
from bns.params import Params

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1

ACTORS = 13
"""How many actors there are: see actors.py."""

Number = Annotated[int, Meta(ge=0, lt=2**31)]
Actor = Annotated[int, Meta(ge=0, lt=ACTORS)]
Byte = Annotated[int, Meta(ge=0, lt=256)]
Nibble = Annotated[int, Meta(ge=0, lt=16)]
Id = Annotated[str, Meta(pattern="^[0-9a-z_.-]{1,37}$")]


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a namespace reveal says beside its id."""

    lifetime: Annotated[int, Meta(ge=0, lt=2**32)] = 20
    coeff: Byte = 4
    base: Byte = 4
    buckets: Annotated[tuple[Nibble, ...], Meta(min_length=16, max_length=16)] = (6, 5, 4, 3, 2, 1, 1, *(0,) * 9)
    nonalpha: Nibble = 10
    no_vowel: Nibble = 5
    version: Annotated[int, Meta(ge=0, lt=2**16)] = 1


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation; the defaults are those of a well-behaved client.

    op is the name of the operation in lower case; id a name or namespace id. by and to number actors; without by it is
    whoever should do it (owner, revealer); without to it is by. child is the number of a key below that of by.
    """

    op: str
    id: Id
    by: Actor | None = None
    to: Actor | None = None
    child: Number | None = None
    seal: Actor | None = None
    """Actor whose script goes into the preorder hash in place of the sender's."""
    value: Number | None = None
    """Value hash, as a number."""
    keep: bool = True
    """Whether a transfer keeps the value hash."""
    back: Number = 1
    """The consensus hash of how many blocks ago; 0 is one that never was."""
    fee: Annotated[str, Meta(pattern="^(exact|low|high|none)$")] = "exact"
    """exact, low (a satoshi less), high (one more), none (no satoshi)."""
    pay: str = "right"
    """Who gets the fee: right, burn, creator, sender, witness (an output of a witness program), nobody."""
    layout: str = "plain"
    """plain, more, less, last, second, decoy, cancelled, pushdata1, pushdata2, pushdata4: see perform.arrange."""
    payload: str = "plain"
    """plain, short, long, empty, newline, upper, plus, dots, flip, magic, opcode: see payloads.damage."""
    unlock: str = "plain"
    """plain, or pushed: a needless push before the signature of the first input."""
    second: Actor | None = None
    """Actor who brings a second input."""
    known: bool = False
    """Left out where it has no chance: the name gone for long or never there, the namespace not open."""
    terms: Terms = Terms()


KINDS = (
    "namespace_preorder", "namespace_reveal", "namespace_ready", "name_import", "name_preorder", "name_registration",
    "name_renewal", "name_update", "name_transfer", "name_revoke", "announce",
)  # fmt: skip
"""The operations of steps."""

Blocks = list[list[Step]]


class Program(msgspec.Struct, frozen=True):
    """A chain to be made: name is its identity, env the reference's settings that its rules need.

    Steps on which the reference would abort (Spec 02 section 11.2) are left out unless fatal.
    """

    name: str
    env: dict[str, str]
    blocks: Blocks
    fatal: bool = False
    format: int = FORMAT

    @property
    def params(self) -> Params:
        """The rules that its env stands for."""
        return Params.from_reference_env(self.env)

    @property
    def size(self) -> int:
        """The number of steps."""
        return sum(map(len, self.blocks))

    def with_blocks(self, blocks: Blocks) -> Program:
        """The same under the same rules with other blocks."""
        return msgspec.structs.replace(self, blocks=blocks)


def write(path: Path, program: Program) -> None:
    """Write a program as readable JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(program), indent=1) + b"\n")


def read(path: Path) -> Program:
    """Read a program; InvalidInput naming the file and what is wrong with it."""
    expected = "a program as the fuzzer writes it"
    try:
        program = msgspec.json.decode(path.read_bytes(), type=Program)
    except (msgspec.DecodeError, OSError) as error:
        raise InvalidInput(f"program {path}", str(error), expected) from None
    if program.format != FORMAT or not program.blocks:
        raise InvalidInput(f"program {path}", f"format {program.format}, {len(program.blocks)} blocks", expected)
    for step in (step for steps in program.blocks for step in steps):
        if step.op not in KINDS or ("." in step.id) < step.op.startswith("name_"):
            raise InvalidInput(f"program {path}", f"{step.op} {step.id}", "an operation, and a name with a dot for it")
    return program
