"""The messages of `consume --exec`, one JSON object a line: what goes to an implementation, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 1


class Hello(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """Begins a chain: the rules in force (spec 02 section 1.5) and the height of the first block that will come."""

    protocol: int
    scenario: str
    env: dict[str, str]
    first_block: int


class NextBlock(msgspec.Struct, frozen=True, tag_field="type", tag="block"):
    """The next block, raw as hex, hash in display order; prevouts are what it spends and does not contain."""

    height: int
    hash: str
    raw: str
    prevouts: dict[str, str] = {}


class NextZonefile(msgspec.Struct, frozen=True, tag_field="type", tag="zonefile"):
    """A zone file that is handed over when after_height is the last block."""

    after_height: int
    base64: str


class End(msgspec.Struct, frozen=True, tag_field="type", tag="end"):
    """Nothing more comes. It has no answer: the implementation ends, with exit status 0."""


class Greeting(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """Answers Hello: the version of the protocol, and who is there."""

    protocol: int
    name: str = ""


class Refused(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operation that was rejected; reason is the name of a bns.errors.Reason, or nothing from who does not say."""

    txid: str
    reason: str = ""


class Indexed(msgspec.Struct, frozen=True, tag_field="type", tag="block", omit_defaults=True):
    """Answers NextBlock. Who does not give one of the last two leaves it out."""

    height: int
    consensus_hash: str
    ops_hash: str
    serialized_ops: list[str] | None = None
    rejected: list[Refused] | None = None


class Stored(msgspec.Struct, frozen=True, tag_field="type", tag="zonefile", omit_defaults=True):
    """Answers NextZonefile: 1 if it is kept, 0 if not, nothing from who has no zone files."""

    saved: int | None = None


class Declined(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """Answers anything that the implementation can make nothing of, in words."""

    message: str


Message = Hello | NextBlock | NextZonefile | End
Answer = Greeting | Indexed | Stored | Declined

encode = msgspec.json.Encoder().encode
read_message: Callable[[bytes], Message] = msgspec.json.Decoder(Message).decode
read_answer: Callable[[bytes], Answer] = msgspec.json.Decoder(Answer).decode
