"""What distinguishes two fixtures of one scenario, in words: rules, blocks, operations, records."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import msgspec

from bns.errors import Reason
from bns.operations.base import opcode_name
from bns.operations.reasons import RULES
from bnslab.divergence import named_fields, operation_txid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bnslab.fixtures import Fixture

MOST = 12
"""Lines told of one fixture."""

_LONGEST = 80
_FOLLOWS = ("txid", "vtxindex")
_IDS = ("name", "namespace_id", "preorder_hash")


def changes(old: Fixture, new: Fixture, most: int = MOST) -> list[str]:
    """A line for each thing that is another in the new fixture, in the order of the chain, at most so many."""
    lines = list(_changes(old, new)) or ["the same blocks and results, stored in another way"]
    return lines if len(lines) <= most else [*lines[:most], f"and {len(lines) - most} more"]


def _changes(old: Fixture, new: Fixture) -> Iterator[str]:
    if old.scenario != new.scenario:
        yield f"scenario: {old.scenario} -> {new.scenario}"
    yield from _fields("rules", old.env, new.env)
    for height in range(min(old.blocks[0].height, new.blocks[0].height), max(old.tip, new.tip) + 1):
        yield from _block(old, new, height)
    for number, (one, other) in enumerate(zip_longest(old.zonefiles, new.zonefiles)):
        if one != other:
            yield from _fields(f"zone file {number}", _members(one), _members(other))
    yield from _subdomains(old, new)


def _block(old: Fixture, new: Fixture, height: int) -> Iterator[str]:
    where = f"block {height}"
    before, after = old.block_hash(height), new.block_hash(height)
    if before is None or after is None:
        yield f"{where}: {'new' if before is None else 'gone'}"
        return
    told = list(_operations(where, old, new, height))
    told += _rejections(where, old, new, height)
    yield from told
    if not told and old.consensus_hash(height) == new.consensus_hash(height) and before != after:
        yield f"{where}: other bytes, the same operations and hashes"


def _operations(where: str, old: Fixture, new: Fixture, height: int) -> Iterator[str]:
    """The operations that are on one side only; pairs of one opcode and subject are one that has changed."""
    before, after = old.serialized_ops(height), new.serialized_ops(height)
    gone = [text for text in before if text not in after]
    come = [text for text in after if text not in before]
    for text in gone:
        partner = next((other for other in come if _subject(other) == _subject(text)), None)
        if partner is None:
            yield f"{where}: {_subject(text)}: accepted before, {_fate(new, height, text)}"
            continue
        come.remove(partner)
        one, other = named_fields(text), named_fields(partner)
        telling = [{k: v for k, v in fields.items() if k not in _FOLLOWS} for fields in (one, other)]
        if telling[0] == telling[1]:
            yield f"{where}: {_subject(text)}: the same in another transaction"
        yield from _fields(f"{where}: {_subject(text)}", *telling)
    for text in come:
        yield f"{where}: {_subject(text)}: {_fate(old, height, text)} before, now accepted"


def _fate(fixture: Fixture, height: int, text: str) -> str:
    """What became of a transaction in the fixture that has no such operation."""
    entries = [] if fixture.expected is None else fixture.expected.rejected_ops.get(str(height), [])
    reason = next((entry.reason for entry in entries if entry.txid == operation_txid(text)), None)
    return "not there" if reason is None else f"rejected: {_rule(reason)}"


def _rejections(where: str, old: Fixture, new: Fixture, height: int) -> Iterator[str]:
    """Rejections that have come, gone, or have another reason; those that _operations tells of are left out."""
    sides = [
        {} if each.expected is None else {e.txid: e for e in each.expected.rejected_ops.get(str(height), [])}
        for each in (old, new)
    ]
    accepted = {operation_txid(text) for each in (old, new) for text in each.serialized_ops(height)}
    for txid in sides[0] | sides[1]:
        one, other = sides[0].get(txid), sides[1].get(txid)
        if txid in accepted or one == other:
            continue
        if one is not None and other is not None and one.reason == other.reason:
            yield f"{where}: {one.reason} of {txid[:16]}: {one.detail} -> {other.detail}"
        else:
            before, after = (_rule(each.reason) if each else "no such transaction" for each in (one, other))
            yield f"{where}: rejected {txid[:16]}: {before} -> {after}"


def _rule(reason: str) -> str:
    rule = RULES.get(Reason[reason]) if reason in Reason.__members__ else None
    return reason if rule is None else f"{reason} (spec 02 section {rule.section})"


def _subject(text: str) -> str:
    """Operation and what it is about."""
    fields = named_fields(text)
    about = next((fields[name] for name in _IDS if name in fields), "")
    return f"{_operation_name(fields['opcode'])} {about}".strip()


def _operation_name(opcode: str) -> str:
    try:
        return opcode_name(opcode)
    except (LookupError, ValueError):
        return f"opcode {opcode!r}"


def _subdomains(old: Fixture, new: Fixture) -> Iterator[str]:
    before, after = (_rows(each) for each in (old, new))
    for key in sorted(before | after):
        yield from _fields(f"subdomain {key[0]}, zone file {key[1]}", before.get(key, {}), after.get(key, {}))


def _rows(fixture: Fixture) -> dict[tuple[str, str], Mapping[str, object]]:
    if fixture.expected is None or not fixture.expected.subdomains:
        return {}
    rows: Sequence[Mapping[str, object]] = msgspec.json.decode(fixture.expected.subdomains)
    return {(str(row["fully_qualified_subdomain"]), str(row["parent_zonefile_index"])): row for row in rows}


def _members(entry: msgspec.Struct | None) -> dict[str, object]:
    return {} if entry is None else msgspec.structs.asdict(entry)


def _fields(what: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """One line with every field that is another; for what is on one side only, that."""
    if not before or not after:
        if before or after:
            yield f"{what}: {'gone' if after == {} else 'new'}"
        return
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if changed:
        yield f"{what}: " + ", ".join(f"{n} {_shown(before.get(n))} -> {_shown(after.get(n))}" for n in changed)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
