"""Replays fixtures into the core and compares (docs/fixture-format.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bns.bitcoin.block import parse_header
from bns.bitcoin.transaction import txid_to_hex
from bns.engine import Block, Engine
from bns.errors import BnsError, InvalidInput
from bns.state.store import State
from bnslab.divergence import side_by_side
from bnslab.errors import LabError
from bnslab.fixtures import SUFFIX, Fixture, load
from bnslab.tables import TableDifference, compare_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bns.engine import Receipt

PARTS = ("consensus", "tables")
"""What can be compared."""


class Difference(LabError):
    """A fixture and the core disagree: what, where, and both values."""

    def __init__(self, what: str, where: str, expected: object, actual: object, more: str = "") -> None:
        text = f"{what}: {where}: expected {expected} got {actual}"
        super().__init__(text + (f"\n{more}" if more else ""))


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


def consume(path: Path, parts: Sequence[str] = PARTS) -> Verdict:
    """Replay one chain file and compare the parts asked for."""
    name = path.name.removesuffix(SUFFIX)
    try:
        fixture = load(path)
        if fixture.expected is None:
            check_links(fixture)
        else:
            compare(fixture, parts)
    except (LabError, BnsError) as error:
        return Verdict(name, str(error))
    return Verdict(name, None)


def compare(fixture: Fixture, parts: Sequence[str]) -> None:
    """Index the chain of a fixture and compare; Difference at the first that is found."""
    state = State.memory(fixture.params)
    try:
        for receipt in replay(fixture, state):
            if "consensus" in parts:
                _compare_consensus(fixture, receipt)
        expected_tip = fixture.expected.tip if fixture.expected is not None else fixture.tip
        if state.last_block != expected_tip:
            raise Difference("consensus", "last block", expected_tip, state.last_block)
        if "tables" in parts and fixture.expected is not None:
            compare_tables(fixture.expected, state)
    except TableDifference as difference:
        raise Difference("tables", difference.where, difference.expected, difference.actual) from None
    finally:
        state.close()


def replay(fixture: Fixture, state: State) -> Iterator[Receipt]:
    """Index the blocks of a chain file, from its first block on, into a new state."""
    engine = Engine(fixture.params, state)
    outputs = fixture.outputs()
    for block in fixture.blocks:
        if block.height >= fixture.params.first_block:
            yield engine.apply(Block(block.height, bytes.fromhex(block.raw), outputs.find))


def check_links(fixture: Fixture) -> None:
    """A chain file without an expected part, such as a base chain: its blocks must follow each other."""
    for before, block in zip(fixture.blocks, fixture.blocks[1:], strict=False):
        previous = txid_to_hex(parse_header(bytes.fromhex(block.raw)).previous)
        if previous != before.hash:
            raise Difference("chain", f"block {block.height}", before.hash, previous)


def _compare_consensus(fixture: Fixture, receipt: Receipt) -> None:
    height, expected = receipt.height, fixture.expected
    assert expected is not None, "only fixtures are compared"
    wanted = fixture.serialized_ops(height)
    # the hash does not depend on the order, but the reference's list is in it
    if list(receipt.serialized) != wanted and (wanted or expected.serialized_ops):
        more = side_by_side(wanted, receipt.serialized)
        rejected = "\n".join(f"rejected {r.txid}: {r.reason.name} ({r.detail})" for r in receipt.rejected)
        more = f"{more}\n{rejected}" if rejected else more
        raise Difference("consensus", f"block {height} operations", len(wanted), len(receipt.serialized), more)
    pairs: list[tuple[str, object, object]] = [
        ("ops hash", expected.ops_hashes.get(str(height), receipt.ops_hash), receipt.ops_hash),
        ("consensus hash", fixture.consensus_hash(height), receipt.consensus_hash),
    ]
    rejections = fixture.rejected_ops(height)
    if rejections is not None:
        pairs.append(("rejections", rejections, [r.reason.name for r in receipt.rejected]))
    for what, value, actual in pairs:
        if value != actual:
            raise Difference("consensus", f"block {height} {what}", value, actual)


def consume_all(paths: Sequence[Path], parts: Sequence[str], report: Callable[[Verdict], None]) -> tuple[int, int]:
    """Consume every file, in order; how many passed and failed."""
    passed = failed = 0
    for path in paths:
        verdict = consume(path, parts)
        report(verdict)
        if verdict.failure is None:
            passed += 1
        else:
            failed += 1
    return passed, failed
