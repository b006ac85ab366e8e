"""SNV: what is true is proven from every later block, and no lie gets through."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from bns.identity.snv import proof
from bns.identity.snv.errors import BadAnswer, NotFound, NotProven, SnvError, Unreachable
from bns.identity.snv.proof import Trusted
from bns.identity.snv.sources import StateSource
from bns.state.store import State
from tests.api_nodes import golden, replay
from tests.files import PARAMS, busy_blocks, index

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CHAIN = "name_imp_xfer_up_multi_snv"


@cache
def state(name: str = CHAIN) -> State:
    return replay(name).state


def first() -> int:
    return state().params.first_block


def trusted(height: int, name: str = CHAIN) -> Trusted:
    hash_ = state(name).consensus_hash(height)
    assert hash_ is not None
    return Trusted(height, hash_)


def last() -> Trusted:
    return trusted(state().last_block)


@dataclass
class Lying(StateSource):
    """Says something else of some heights."""

    state: State
    ops_hashes: dict[int, Any] = field(default_factory=dict)
    hashes: dict[int, Any] = field(default_factory=dict)
    operations: dict[int, Callable[[list[dict[str, Any]]], Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.state)

    def ops_hash_at(self, height: int, /) -> str | None:
        truth: str | None = self.ops_hashes.get(height, super().ops_hash_at(height))
        return truth

    def consensus_hashes(self, heights: Sequence[int], /) -> Mapping[int, str | None]:
        return {**super().consensus_hashes(heights), **{h: self.hashes[h] for h in heights if h in self.hashes}}

    def operations_at(self, height: int, /) -> Sequence[Mapping[str, Any]]:
        truth = [dict(one) for one in super().operations_at(height)]
        change = self.operations.get(height)
        return truth if change is None else change(truth)


def busy(count: int = 1) -> list[int]:
    """Heights with so many operations at least."""
    heights = range(first(), state().last_block)
    return [height for height in heights if len(StateSource(state()).operations_at(height)) >= count]


# What is true

KINDS = {
    "name_pre_reg_expire_snv": {"NAME_PREORDER", "NAME_REGISTRATION"},
    "name_imp_xfer_up_multi_snv": {"NAME_IMPORT", "NAME_TRANSFER", "NAME_UPDATE", "NAMESPACE_READY"},
    "name_import_renew_revoke": {"NAME_RENEWAL", "NAME_REVOKE", "NAMESPACE_REVEAL", "NAMESPACE_PREORDER"},
}


@pytest.mark.parametrize("name", KINDS)
def test_every_operation_is_proven_from_every_later_block(name: str) -> None:
    source, first_block, tip = StateSource(state(name)), state(name).params.first_block, state(name).last_block
    seen = set()
    for height in range(first_block, tip + 1):
        said = golden(name)["expected"]["accepted_ops"].get(str(height), [])
        for later in range(height, tip + 1):
            found = proof.operations(source, first_block, height, trusted(later, name))
            assert sorted(one["txid"] for one in found) == sorted(one["txid"] for one in said)
        for one in found:
            (original,) = (each for each in said if each["txid"] == one["txid"])
            assert all(original[key] == value for key, value in one.items()), one
            seen.add(one["opcode"])
    assert seen >= KINDS[name]


def test_what_is_asked_for_is_chosen_by_name_or_transaction() -> None:
    found = proof.operations(StateSource(state()), first(), busy()[-1], last())
    (updated,) = found
    assert proof.of_name(found, updated["name"]) == [updated]
    assert proof.of_transaction(found, updated["txid"]) == [updated]
    with pytest.raises(NotFound, match=r"^other\.test: no operation on it among the 1 that the block accepted$"):
        proof.of_name(found, "other.test")
    with pytest.raises(NotFound, match=r"^transaction 00+: not among"):
        proof.of_transaction(found, "00" * 32)


def test_few_values_are_needed() -> None:
    class Counting(StateSource):
        asked = 0

        def consensus_hashes(self, heights: Sequence[int], /) -> Mapping[int, str | None]:
            self.asked += len(heights)
            return super().consensus_hashes(heights)

    name = "extra_many_ops"
    source, first_block, tip = Counting(state(name)), state(name).params.first_block, state(name).last_block
    proof.operations(source, first_block, first_block, trusted(tip, name))
    assert source.asked <= (tip - first_block).bit_length() ** 2


@pytest.mark.parametrize("height", [first() - 1, state().last_block + 1])
def test_blocks_that_no_hash_leads_to(height: int) -> None:
    with pytest.raises(Unreachable, match=f"^block {height}: expected one from "):
        proof.operations(StateSource(state()), first(), height, last())


def test_a_hash_that_the_node_does_not_know() -> None:
    assert proof.trust_hash(StateSource(state()), last().consensus_hash) == last()
    with pytest.raises(Unreachable, match="the node knows no block"):
        proof.trust_hash(StateSource(state()), "ab" * 16)


# Lies


def lies() -> dict[str, Lying]:
    height = busy()[-1]
    below = last().height - 3

    def change(**fields: Any) -> Lying:
        return Lying(state(), operations={height: lambda ops: [{**ops[0], **fields}, *ops[1:]]})

    return {
        "another owner": change(address="mthief"),
        "another transaction": change(txid="00" * 32),
        "an operation more": Lying(state(), operations={height: lambda ops: [*ops, ops[0]]}),
        "an operation less": Lying(state(), operations={height: lambda ops: ops[1:]}),
        "operations of another block": Lying(
            state(), operations={height: lambda _: StateSource(state()).operations_at(busy()[-2])}
        ),
        "another ops hash": Lying(state(), ops_hashes={height: "00" * 32}),
        "another hash in the skip list": Lying(state(), hashes={below: "00" * 16}),
        "another ops hash on the way": Lying(state(), ops_hashes={last().height: "11" * 32}),
    }


@pytest.mark.parametrize("lie", lies())
def test_a_lie_is_found(lie: str) -> None:
    with pytest.raises(NotProven, match=r"^block [0-9]+: expected "):
        proof.operations(lies()[lie], first(), busy()[-1], last())


def test_another_trusted_hash_proves_nothing() -> None:
    with pytest.raises(NotProven, match="expected hashes that combine to 00"):
        proof.operations(StateSource(state()), first(), busy()[0], last()._replace(consensus_hash="00" * 16))


def test_exchanged_heights_are_found_where_the_operation_names_its_own() -> None:
    """The tree of hashes sorts its leaves, so it does not tell them apart."""
    long = State.memory(PARAMS)
    index(long, busy_blocks())
    truth, first_block, top = StateSource(long), PARAMS.first_block, long.last_block
    one, other = top - 1, top - 3
    hashes = truth.consensus_hashes(range(first_block, top + 1))
    entering = zip(proof.earlier_heights(one, first_block), proof.earlier_heights(other, first_block), strict=True)
    liar = Lying(
        long,
        hashes={**{there: hashes[here] for there, here in entering}, one: hashes[other], other: hashes[one]},
        ops_hashes={one: truth.ops_hash_at(other)},
        operations={one: lambda _: truth.operations_at(other)},
    )
    with pytest.raises(NotProven, match=f"^block {one}: expected operations of this block, got one of block {other}$"):
        proof.operations(liar, first_block, one, Trusted(top, hashes[top] or ""))


@pytest.mark.parametrize(
    "said",
    [
        None, 5, {}, {"op": None}, {"op": ""}, {"op": "#"}, {"op": 5}, {"op": ":"},
        {"revoked": "False"}, {"revoked": 0}, {"vtxindex": "1"}, {"vtxindex": True}, {"op_fee": "640000"},
        {"name": 5}, {"name": "f\u00f6o.test"}, {"first_registered": 1.5}, {"address": ["x"]}, {"op_fee": None},
    ],
)  # fmt: skip
def test_malformed_operations(said: Any) -> None:
    height = busy()[-1]
    merge = isinstance(said, dict) and said and "op" not in said

    def change(ops: list[dict[str, Any]]) -> list[Any]:
        return [{**ops[0], **said} if merge else said, *ops[1:]]

    with pytest.raises(BadAnswer, match=f"^operation in block {height}: "):
        proof.operations(Lying(state(), operations={height: change}), first(), height, last())


@pytest.mark.parametrize("hash_", [None, 5, "", "00" * 31, "00" * 33, "0" * 63 + "G", "AB" * 32])
def test_malformed_hashes(hash_: Any) -> None:
    with pytest.raises(BadAnswer, match=f"^ops hash of block {last().height}: expected 64 hex digits"):
        proof.operations(Lying(state(), ops_hashes={last().height: hash_}), first(), first(), last())
    below = last().height - 1
    with pytest.raises(BadAnswer, match=f"^consensus hash of block {below}: expected 32 hex digits"):
        proof.operations(Lying(state(), hashes={below: hash_}), first(), first(), last())


# All blocks at once: as strict as every pair of blocks, one by one


def every_pair(source: StateSource) -> bool:
    """Whether each block is proven from each block that is not before it, one at a time."""
    known = source.consensus_hashes(range(first(), last().height + 1))
    try:
        for height in range(first(), last().height + 1):
            for later in range(height, last().height + 1):
                hash_ = last().consensus_hash if later == last().height else known[later]
                proof.operations(source, first(), height, Trusted(later, hash_ or ""))
    except SnvError:
        return False
    return True


def together(source: StateSource) -> bool:
    try:
        return len(list(proof.all_operations(source, first(), last()))) == last().height - first() + 1
    except SnvError:
        return False


def tampered() -> list[Lying]:
    """One lie about each height, and two about some."""
    single = [Lying(state())]
    for height in range(first(), last().height + 1):
        single += [
            Lying(state(), ops_hashes={height: "22" * 32}),
            Lying(state(), operations={height: lambda ops: ops[1:] or [{"op": "?"}]}),
        ]
        if height < last().height:
            single.append(Lying(state(), hashes={height: "33" * 16}))
    pairs = combinations(range(first(), last().height), 2)
    swapped = [Lying(state(), hashes={a: trusted(b).consensus_hash, b: trusted(a).consensus_hash}) for a, b in pairs]
    return single + swapped


def test_all_blocks_at_once_are_as_good_as_every_pair() -> None:
    verdicts = [(every_pair(source), together(source)) for source in tampered()]
    assert verdicts[0] == (True, True)
    assert [one for one, _ in verdicts] == [other for _, other in verdicts]
    assert verdicts.count((False, False)) == len(verdicts) - 1


def test_all_blocks_at_once_gives_what_each_gives() -> None:
    for block, found in proof.all_operations(StateSource(state()), first(), last()):
        assert block == trusted(block.height)
        assert found == proof.operations(StateSource(state()), first(), block.height, last())
