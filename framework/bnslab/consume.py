"""Replays fixtures into the core and compares (docs/fixture-format.md)."""

from __future__ import annotations

import base64
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from bns.api.records import view
from bns.engine import Block, Engine
from bns.errors import BnsError, InvalidInput
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import MemoryZonefiles
from bnslab.answers import Answers, AnswersDiffer
from bnslab.divergence import NOTHING, first_difference
from bnslab.errors import LabError
from bnslab.fixtures import SUFFIX, CorruptFixture, Fixture, load
from bnslab.tables import TableDifference, compare_tables
from bnslab.verdicts import rule_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bns.engine import Receipt
    from bnslab.fixtures import Expected

PARTS = ("consensus", "tables", "rpc", "rest")
"""What can be compared."""


class Difference(LabError):
    """A fixture and the core disagree: what, where, and both values."""

    def __init__(self, what: str, where: str, expected: object, actual: object, more: str = "") -> None:
        super().__init__(f"{what}: {where}: expected {expected} got {actual}" + (f" ({more})" if more else ""))


class Verdict(NamedTuple):
    """What became of one file; failure is None if it passed."""

    name: str
    failure: str | None

    def __str__(self) -> str:
        return f"PASS {self.name}" if self.failure is None else f"FAIL {self.name}: {self.failure}"


def find_fixtures(paths: Sequence[Path]) -> list[Path]:
    """The chain files among and below some paths, sorted; InvalidInput for a path where none is."""
    found: list[Path] = []
    for path in paths:
        files = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not files or not files[0].exists():
            raise InvalidInput("fixture", str(path), f"a chain file, or a directory with *{SUFFIX} files")
        found += files
    return found


def verdict_on(path: Path, judge: Callable[[Fixture], None]) -> Verdict:
    """What becomes of one chain file: judge raises where it differs; without an expected part, loading it is all."""
    name = path.name.removesuffix(SUFFIX)
    try:
        fixture = load(path)
        if fixture.expected is not None:
            judge(fixture)
    except CorruptFixture as error:
        return Verdict(name, f"file: {error.problem}")
    except (LabError, BnsError) as error:
        return Verdict(name, str(error))
    return Verdict(name, None)


def consume(path: Path, parts: Sequence[str] = PARTS, way: str = "calls") -> Verdict:
    """Replay one chain file into the core and compare the parts asked for.

    way is how answers are asked for: one of bnslab.answers.WAYS.
    """
    return verdict_on(path, lambda fixture: compare(fixture, parts, way))


def compare(fixture: Fixture, parts: Sequence[str], way: str = "calls") -> None:
    """Index the chain of a fixture and compare; Difference at the first that is found."""
    state = State.memory(fixture.params)
    offchain = Offchain(state, MemoryZonefiles())
    try:
        with Answers(fixture, view(state, offchain), parts, way) as answers:
            for receipt in replay(fixture, state, offchain):
                if "consensus" in parts:
                    _compare_consensus(fixture, receipt)
                answers.after_block(receipt.height)
            expected_tip = fixture.expected.tip if fixture.expected is not None else fixture.tip
            if state.last_block != expected_tip:
                raise Difference("consensus", "last block", expected_tip, state.last_block)
            if "tables" in parts and fixture.expected is not None:
                _compare_tables(fixture.expected, state)
            answers.at_end()
    except AnswersDiffer as error:
        first = error.first
        more = f"in all: {error.summary}"
        raise Difference(first.call, first.moment, first.expected, first.actual, more) from None
    finally:
        state.close()


def replay(fixture: Fixture, state: State, offchain: Offchain) -> Iterator[Receipt]:
    """Index the blocks of a chain file, from its first block on, into a new state.

    A receipt comes before the zone files that followed its block.
    """
    engine = Engine(fixture.params, state)
    outputs = fixture.outputs()
    for block in fixture.blocks:
        if block.height >= fixture.params.first_block:
            try:
                receipt = engine.apply(Block(block.height, bytes.fromhex(block.raw), outputs.find))
            except BnsError as error:
                raise Difference("consensus", f"block {block.height}", "a block to index", repr(error)) from None
            offchain.follow()
            yield receipt
            _hand_over(fixture, receipt.height, offchain)


def _hand_over(fixture: Fixture, height: int, offchain: Offchain) -> None:
    """Give the node the zone files that came after a block; they must be saved, or not, as they were."""
    for number, entry in enumerate(fixture.zonefiles):
        if entry.after_height == height:
            try:
                saved = int(offchain.put(base64.b64decode(entry.base64)))
            except ValueError:
                raise Difference("zone files", f"zonefiles[{number}].base64", "base64", entry.base64[:40]) from None
            if entry.saved is not None and entry.saved != saved:
                raise Difference("zone files", f"zonefiles[{number}].saved", entry.saved, saved)


def _compare_tables(expected: Expected, state: State) -> None:
    try:
        compare_tables(expected, state)
    except TableDifference as difference:
        raise Difference("tables", difference.where, difference.expected, difference.actual) from None
    except (LookupError, TypeError, ValueError, AttributeError, sqlite3.Error) as error:
        raise Difference("tables", "members of the expected part", "golden format 1", repr(error)) from error


def _compare_consensus(fixture: Fixture, receipt: Receipt) -> None:
    height, serialized = receipt.height, receipt.serialized
    compare_operations(fixture, height, serialized, lambda text: f"here: {rule_behind(text, receipt)}")
    compare_hashes(fixture, height, receipt.ops_hash, receipt.consensus_hash)
    compare_rejections(fixture, height, [each.reason.name for each in receipt.rejected])


def compare_operations(fixture: Fixture, height: int, serialized: Sequence[str], explain: Callable[[str], str]) -> None:
    """Difference at the first operation of a block that is serialized in another way; explain says what became of it.

    The hash does not depend on the order, but the reference's list is in it.
    """
    if fixture.expected is None or not fixture.expected.serialized_ops:
        return
    difference = first_difference(fixture.serialized_ops(height), serialized)
    if difference is not None:
        more = [difference.fields, explain(difference.expected or difference.actual or "")]
        raise Difference(
            "consensus", f"block {height} operations", difference.expected or NOTHING, difference.actual or NOTHING,
            "; ".join(filter(None, more)),
        )  # fmt: skip


def compare_hashes(fixture: Fixture, height: int, ops_hash: str, consensus_hash: str, more: str = "") -> None:
    """Difference if one of the hashes of a block is not the expected one; more is told with it."""
    assert fixture.expected is not None, "only fixtures are compared"
    wanted = fixture.expected.ops_hashes.get(str(height), ops_hash)
    if ops_hash != wanted:
        raise Difference("consensus", f"block {height} ops hash", wanted, ops_hash, more)
    if consensus_hash != fixture.consensus_hash(height):
        expected = fixture.consensus_hash(height)
        raise Difference("consensus", f"block {height} consensus hash", expected, consensus_hash, more)


def compare_rejections(fixture: Fixture, height: int, reasons: Sequence[str]) -> None:
    """Difference if operations were rejected for other reasons, where the file knows of rejections."""
    rejections = fixture.rejected_ops(height)
    if rejections is not None and rejections != list(reasons):
        raise Difference("consensus", f"block {height} rejections", rejections, list(reasons))


def consume_all(
    paths: Sequence[Path], judge: Callable[[Path], Verdict], report: Callable[[Verdict], None]
) -> tuple[int, int]:
    """Judge every file, in order; how many passed and failed."""
    passed = failed = 0
    for path in paths:
        verdict = judge(path)
        report(verdict)
        if verdict.failure is None:
            passed += 1
        else:
            failed += 1
    return passed, failed
