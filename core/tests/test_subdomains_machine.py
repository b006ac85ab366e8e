"""Which of competing records count (spec 04 sections 5.1, 5.5 and 5.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bns.subdomains import machine
from bns.subdomains.machine import Entry, Subdomain, may_follow
from bns.subdomains.signatures import sign
from tests.subdomain_chain import K1, K2, K3, address, record


def entry(index: int, sequence: int, owner: str = "A", signer: str | None = None, *, foreign: bool = False) -> Entry:
    """An entry that the stand-in of `verify` finds signed by `signer`."""
    return Entry(index, sequence, owner, signer or owner, b"", foreign)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature is the name of its signer, and every owner is an account."""
    monkeypatch.setattr(machine, "verify", lambda owner, digest, signature: owner == signature)
    monkeypatch.setattr(machine, "account", lambda owner: owner)


def settle(*windows: list[Entry]) -> list[int]:
    """The accepted indexes after entries came in some windows."""
    subdomain = Subdomain()
    for window in windows:
        for each in window:
            subdomain.store(replace(each))
        subdomain.settle([each.index for each in window])
    return sorted(each.index for each in subdomain if each.accepted)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("entries", "accepted"),
    [
        ([entry(1, 1), entry(2, 0)], [2]),
        ([entry(1, 1), entry(2, 0), entry(3, 2)], [1, 2, 3]),
        ([entry(1, 0), entry(2, 1), entry(3, 1), entry(4, 2)], [1, 2, 4]),
        ([entry(1, 0), entry(2, 2)], [1]),
        ([entry(1, 0, foreign=True), entry(2, 0)], []),
        ([entry(1, -1), entry(2, 0)], []),
        ([entry(1, 0), entry(2, 1, foreign=True)], [1, 2]),
        ([entry(1, 0), entry(2, 1, "B", "A", foreign=True)], [1]),
        ([entry(1, 0), entry(2, 1, "B", "A"), entry(3, 2, "B", foreign=True)], [1, 2, 3]),
        ([entry(1, 0), entry(2, 0)], [1]),
        ([entry(1, 0), entry(2, 1, "A", "B")], [1]),
    ],
)
def test_what_a_rebuild_accepts(entries: list[Entry], accepted: list[int]) -> None:
    assert settle(entries) == accepted


@pytest.mark.usefixtures("plain")
def test_the_order_of_arrival_can_matter() -> None:
    early, late = entry(1, 1, foreign=True), entry(2, 0)
    assert settle([late], [early]) == [1, 2]
    assert settle([early, late]) == settle([early], [late]) == [2]


@pytest.mark.usefixtures("plain")
def test_a_late_record_displaces_what_followed_others() -> None:
    root, late, first, second = entry(1, 0), entry(2, 1, "B", "A"), entry(3, 1), entry(4, 2)
    assert settle([root], [first], [second]) == [1, 3, 4]
    assert settle([root], [first], [second], [late, first, second]) == [1, 2]


def test_with_real_signatures() -> None:
    def real(index: int, *args: object, **values: object) -> Entry:
        made = record(*args, **values)  # type: ignore[arg-type]
        return Entry(index, made.sequence, made.owner, made.signature, made.digest, made.is_independent)

    root = real(1, 0, K1)
    assert may_follow(root, real(2, 1, K1))
    assert may_follow(root, real(2, 1, K2, K1))
    assert not may_follow(root, real(2, 1, K2, K2))
    assert not may_follow(root, real(2, 1, K2, K3))
    assert not may_follow(root, real(2, 2, K1))
    assert may_follow(root, real(2, 1, K1, domain="qux.test"))
    assert not may_follow(root, real(2, 1, K2, K1, domain="qux.test"))
    mainnet = replace(root, owner=address(K1, 0))
    assert may_follow(mainnet, real(2, 1, K1, domain="qux.test"))  # the same owner, written otherwise
    nobody = record(0, zonefile=b"x")
    unsigned = Entry(2, 1, "garbage", real(2, 1, K1).signature, nobody.digest, independent=False)
    assert not may_follow(root, unsigned)
    assert not may_follow(replace(root, owner="garbage"), real(2, 1, K1))


def test_a_transfer_to_no_address_is_refused() -> None:
    garbage = replace(record(1), owner="garbage")
    signature = sign(garbage.digest, [K1])
    transfer = Entry(2, 1, "garbage", signature, garbage.digest, independent=False)
    assert not may_follow(Entry(1, 0, address(K1), "", b"", independent=False), transfer)


TREE = [
    entry(1, 0, "A"),
    entry(2, 1, "B", "A"),
    entry(3, 1, "C", "A"),
    entry(4, 2, "D", "C"),
    entry(5, 2, "E", "B"),
    entry(6, 2, "F", "C"),
    entry(7, 2, "G", "B"),
]


@pytest.mark.usefixtures("plain")
def test_all_orders_in_which_a_tree_of_seven_can_come() -> None:
    """What is revealed is gone through from its place on, as zone files of one name are."""
    for order in permutations(range(7)):
        subdomain, here = Subdomain(), set()
        for revealed in order:
            subdomain.store(replace(TREE[revealed]))
            here.add(revealed)
            subdomain.settle([TREE[other].index for other in sorted(here) if other >= revealed])
        assert sorted(each.index for each in subdomain if each.accepted) == [1, 2, 5], order


# The rules once more, word for word as spec 04 section 5.5 has them.


@dataclass
class Row:
    n: int
    index: int
    entry: Entry
    accepted: bool = False


def place(row: Row) -> tuple[int, int]:
    return row.n, row.index


def ok(previous: Row, row: Row) -> bool:
    return may_follow(previous.entry, row.entry)


def try_insert(rows: list[Row], r: Row) -> bool:
    line = sorted((row for row in rows if abs(row.n - r.n) <= 1), key=place)
    last = -1
    for at, row in enumerate(line):
        if row.accepted:
            last = at
            break
        if row.n > r.n or (row.n == r.n and row.index > r.index):
            return False
    if last < 0:
        return False
    tip = line[-1].accepted
    dirty = []
    for at in range(last + 1, len(line)):
        new = ok(line[last], line[at])
        if new != line[at].accepted:
            dirty.append((line[at], new))
        if new:
            last = at
    marks = {row.index: new for row, new in dirty}
    if marks.get(line[-1].index, tip) != tip and any(row.n == r.n + 1 for row in rows):
        return False
    for row, new in dirty:
        row.accepted = new
    return True


def rewrite(rows: list[Row], r: Row) -> None:
    history = sorted((row for row in rows if row.n <= r.n and row.index <= r.index), key=place)
    for row in history:
        row.accepted = False
    if history[0].n != 0 or history[0].entry.independent:
        return
    history[0].accepted = True
    last = history[0]
    for row in history[1:]:
        if ok(last, row):
            row.accepted, last = True, row
    future = sorted((row for row in rows if row.n >= last.n and row.index >= last.index and row is not last), key=place)
    for row in future:
        row.accepted = False
    for row in future:
        if ok(last, row):
            row.accepted, last = True, row


def spelled_out(*windows: list[Entry]) -> list[int]:
    rows: dict[int, Row] = {}
    for window in windows:
        for each in window:
            rows[each.index] = Row(each.sequence, each.index, each)
        for each in window:
            r = rows[each.index]
            if not try_insert(list(rows.values()), r):
                rewrite(list(rows.values()), r)
    return sorted(row.index for row in rows.values() if row.accepted)


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Entry]]:
    """Up to eight entries, in windows of any size and order; windows may bring entries again."""
    owner = st.sampled_from("AB")
    sequence = st.sampled_from([0, 0, 1, 1, 1, 2, 2, 3, -1])
    kinds = draw(
        st.lists(st.tuples(sequence, owner, owner, st.sampled_from([False, False, True])), min_size=1, max_size=8)
    )
    entries = [entry(index, n, to, by, foreign=foreign) for index, (n, to, by, foreign) in enumerate(kinds)]
    order = draw(st.permutations(entries)) + draw(st.lists(st.sampled_from(entries), max_size=4))
    windows = []
    while order:
        size = draw(st.integers(1, len(order)))
        window = {each.index: each for each in order[:size]}
        windows.append([window[index] for index in sorted(window)])
        order = order[size:]
    return windows


@pytest.mark.usefixtures("plain")
def test_the_rules_do_what_they_say() -> None:
    @settings(max_examples=300, deadline=None, database=None)
    @given(arrivals())
    def check(windows: list[list[Entry]]) -> None:
        first: set[int] = set()
        subdomain = Subdomain()
        for window in windows:
            for each in window:
                if each.index not in first:
                    first.add(each.index)
                    subdomain.store(replace(each))
            subdomain.settle([each.index for each in window])
        assert sorted(each.index for each in subdomain if each.accepted) == spelled_out(*windows)

    check()
