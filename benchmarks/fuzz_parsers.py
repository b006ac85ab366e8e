"""Random bytes and near-misses into what reads zone files, subdomain records, snapshots, profiles and answers of peers.

Nothing may crash or take long.

What is made up depends on the seed alone. Any exception but the parser's own ends the campaign with the input at fault.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, NamedTuple

from bns.subdomains.records import read_records
from bns.subdomains.signatures import verify
from bns.zonefiles.parse import parse
from bns.zonefiles.schema import decode
from bns.zonefiles.store import MAX_ZONEFILE_SIZE
from bns.zonefiles.tokens import ZonefileError
from bnslab.fuzz import peers, profiles, snapshots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

DOMAIN = "foo.test"
HEAD = b"$ORIGIN foo.test\n$TTL 3600\n"
OWNER = b"12uHAvfqxWDD3R5DJWykjxKEY2wzht3GPK"
SIZES = (0, 1, 3, 10, 40, 200, 1000)
WORDS = (
    b"a", b"bar", b"@", b"b.c", b"bar.foo.test", b"_missing", b"_resolver", b'"x y"', b'"', b"\\", b";", b"(", b")",
    b"-1", b"--", b"--ttl", b"--ttl=5", b"-h", b"5", b"0x5", b"9" * 5000, b"IN", b"in", b"TXT", b"URI", b"SOA", b"A",
    b"MX", b"PTR", b"SRV", b"$ORIGIN", b"$TTL", b'""', b"\xff\xa0", b"\x85", b"\x0b", b"\r", b"\0", b" ", b" ", b"\t",
    b"\n", b"owner=" + OWNER, b"seqn=0", b"seqn=1", b"seqn=9223372036854775808", b"parts=0", b"parts=1",
    b"parts=99999999999", b"zf0=QUJD", b"zf0=QU", b"sig=QUJD", b"sig=", b"=", b"https://a.b/c", b'"1,2"', b'{"a": 1}',
)  # fmt: skip


class Figures(NamedTuple):
    """Inputs tried, how many were read as something, the slowest in seconds of processor time, and its bytes."""

    target: str
    inputs: int
    read: int
    slowest: float
    size: int
    seconds: float


def words(choose: Random) -> bytes:
    """Pieces of zone files in no order."""
    head = HEAD if choose.random() < 0.7 else b""
    separator = choose.choice((b"", b" ", b" "))
    return head + separator.join(choose.choices(WORDS, k=choose.choice(SIZES)))[:MAX_ZONEFILE_SIZE]


def entry(choose: Random) -> bytes:
    """A line with a record, more or less."""
    strings = [
        b"owner=" + choose.choice((OWNER, b"", b"garbage", choose.randbytes(5).replace(b"\n", b""))),
        b"seqn=%d" % choose.choice((0, 1, 2, -1, 2**63, 10**30)),
        b"parts=%d" % choose.choice((0, 1, 1, 2, -1, 10**12)),
        b"zf0=" + choose.choice((b"QUJD", b"QUI\\=", b"Q", b"", b"\xff")),
        b"sig=" + choose.choice((b"QUJD", b"", b"None", b"\xff")),
    ]
    choose.shuffle(strings)
    kept = strings[choose.choice((0, 0, 0, 1)) :] + choose.choices(WORDS[:12], k=choose.choice((0, 0, 0, 1)))
    name = choose.choice((b"bar", b"Bar", b"baz", b"bar.qux.id", b"_missing", b"in", b"-x", b"%", b"a" * 300))
    return name + b" TXT " + b" ".join(b'"%s"' % string for string in kept)


def records(choose: Random) -> bytes:
    """A zone file with some records, of which a few bytes may have changed."""
    lines = [entry(choose) for _ in range(choose.choice((1, 1, 2, 5, 50)))]
    lines += choose.choices(
        (b'_missing TXT "1,2"', b'_resolver URI 1 1 "https://r"', b"; x"), k=choose.choice((0, 1, 2))
    )
    data = bytearray(HEAD + b"\n".join(lines))
    for _ in range(choose.choice((0, 0, 1, 3))):
        data[choose.randrange(len(data))] = choose.randrange(256)
    return bytes(data[: choose.choice((len(data), len(data), choose.randrange(len(data))))])


def junk(choose: Random) -> bytes:
    """Any bytes, or few different ones, up to the greatest size."""
    size = choose.choice((*SIZES, choose.randrange(MAX_ZONEFILE_SIZE)))
    if choose.random() < 0.5:
        return choose.randbytes(size)
    return bytes(choose.choices(choose.choices(b'\\"();- \t\nA$0', k=choose.randrange(1, 5)), k=size))


MAKERS: tuple[Callable[[Random], bytes], ...] = (words, records, records, junk)


def zonefile(data: bytes) -> bool:
    """The zone file parser, and the decoder around it."""
    decode(data)
    try:
        parse(data)
    except ZonefileError:
        return False
    return True


def subdomain(data: bytes) -> bool:
    """The record parser, and what is done with its records."""
    found = read_records(DOMAIN, data)
    for each in found:
        verify(each.owner, each.digest, each.signature)
        read_records(each.domain, HEAD + each.line.encode("latin-1"))
    return bool(found)


class Target(NamedTuple):
    """What reads an input, True if it was read as something, and what makes inputs."""

    read: Callable[[bytes], bool]
    makers: tuple[Callable[[Random], bytes], ...]


TARGETS = {
    "zonefile": Target(zonefile, MAKERS),
    "subdomain": Target(subdomain, MAKERS),
    "snapshot": Target(snapshots.read, snapshots.MAKERS),
    "profile": Target(profiles.read, profiles.MAKERS),
    "peer": Target(peers.read, peers.MAKERS),
}


def campaign(target: str, seed: int, count: int) -> Figures:
    """Try so many inputs; what a target raises gets the input as a note."""
    choose = random.Random(f"{target} {seed}")
    read, slowest, size = 0, 0.0, 0
    started = perf_counter()
    for number in range(count):
        data = choose.choice(TARGETS[target].makers)(choose)
        begun = process_time()
        try:
            read += TARGETS[target].read(data)
        except BaseException as error:
            error.add_note(f"{target}, seed {seed}, input {number}: {data!r}")
            raise
        seconds = process_time() - begun
        if seconds > slowest:
            slowest, size = seconds, len(data)
    return Figures(target, count, read, slowest, size, perf_counter() - started)


def main(argv: Sequence[str]) -> int:
    """Run and print; --json FILE writes the figures."""
    parser = argparse.ArgumentParser(prog="fuzz_parsers", description=__doc__)
    parser.add_argument("--target", nargs="*", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    rows = []
    for target in options.target:
        figures = campaign(target, options.seed, options.count)
        rows.append({"seed": options.seed, **figures._asdict()})
        sys.stdout.write(
            f"{target}: seed {options.seed}, {figures.inputs} inputs, {figures.read} read, none broke it; the slowest "
            f"took {figures.slowest * 1000:.0f} ms for {figures.size} bytes ({figures.seconds:.0f} s)\n"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
