"""Where two lists of serialized operations differ, in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnslab.divergence import first_difference, parse_items, side_by_side

ONE = "+:8:foo.test,2:ab,1:1"
OTHER = "+:8:foo.test,2:cd,1:1"
THIRD = "~:8:bar.test"


def test_equal_lists_do_not_differ() -> None:
    assert first_difference([ONE, THIRD], (ONE, THIRD)) is None
    assert side_by_side([], []) == "the operations are equal: an earlier block differs"


def test_a_changed_operation_is_shown_with_its_fields() -> None:
    difference = first_difference([THIRD, ONE], [THIRD, OTHER])
    assert difference == (ONE, OTHER, "differ in value_hash: 'ab' against 'cd'")
    lines = side_by_side([THIRD, ONE], [THIRD, OTHER]).splitlines()
    assert lines == [f"expected {ONE}", f"actual   {OTHER}", "differ in value_hash: 'ab' against 'cd'"]


def test_several_fields_and_the_opcode() -> None:
    difference = first_difference([ONE], [THIRD])
    assert difference is not None
    assert difference.fields == (
        "differ in opcode: '+' against '~', name: 'foo.test' against 'bar.test', value_hash: 'ab' against None, "
        "sender: '1' against None"
    )


def test_a_missing_and_a_surplus_operation() -> None:
    assert first_difference([ONE, THIRD], [ONE]) == (THIRD, None, "")
    assert first_difference([], [THIRD]) == (None, THIRD, "")
    assert side_by_side([THIRD], []) == f"expected {THIRD}\nactual   no such operation"


def test_repeated_operations_count() -> None:
    assert first_difference([ONE, ONE], [ONE]) == (ONE, None, "")
    assert first_difference([ONE, THIRD], [ONE, ONE]) == (THIRD, ONE, first_difference([THIRD], [ONE])[2])  # type: ignore[index]


def test_order_counts() -> None:
    assert first_difference([ONE, THIRD], [THIRD, ONE]) == (ONE, THIRD, "the same operations in another order")


def test_a_length_that_lies_is_still_a_difference() -> None:
    difference = first_difference(["+:1:a,"], ["+:1:a"])
    assert difference is not None
    assert difference.fields == "differ in the lengths that are written before the fields"


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", [""]),
        ("?", ["?"]),
        ("?:0:,3:a,b", ["?", "", "a,b"]),
        ("+:8:foo.test,nonsense", ["+", "foo.test", "nonsense"]),
        ("+:x:y", ["+", "x:y"]),
        ("+:-1:y", ["+", "-1:y"]),
        ("+:99:short", ["+", "short"]),
        ("+:²:y", ["+", "²:y"]),
        ("+:" + "9" * 5000 + ":y", ["+", "y"]),
    ],
)
def test_items_of_texts_right_and_wrong(text: str, items: list[str]) -> None:
    assert parse_items(text) == items


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=1), st.lists(st.text()))
def test_what_is_serialized_is_parsed_again(opcode: str, fields: list[str]) -> None:
    text = f"{opcode}:" + ",".join(f"{len(field)}:{field}" for field in fields)
    assert parse_items(text) == [opcode, *fields]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text()), st.lists(st.text()))
def test_any_two_lists_can_be_compared(expected: list[str], actual: list[str]) -> None:
    assert (first_difference(expected, actual) is None) == (expected == actual)
    assert side_by_side(expected, actual)
