"""Names, their base-40 bytes and their hashes (spec 02 section 2)."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bns.operations.names import (
    ALPHABET,
    b40_bytes,
    is_name,
    is_namespace_id,
    label_of,
    name_consensus_hash,
    name_hash128,
    namespace_of,
    preorder_hash,
    reads_as_number,
)

NS_SCRIPT = "76a91426d4a371b4136ea455445bf171f9941d96b7c9bc88ac"
A_SCRIPT = "76a91433b94b70bbd434f0ad01925669bedf3469832b5888ac"
B_SCRIPT = "76a9147c8aa0f9f7cf2cf41457213f8089e95b8f96d2d088ac"
RV = "mkWZyGa6qVwWqEzJQg28vSSBRnYAhZz5Sr"
A = "mkESjLZW66TmHhiFX8MCaBjrhZ543PPh9a"
B = "mrsU9wTxs1UB4wqWZbuA6Nd6uYxs2VKe8T"
D = "mnLx2xcfdukP1y1djkgJrkrw87L6vRpvVg"


def test_the_alphabet() -> None:
    assert ALPHABET == "0123456789" + "abcdefghijklmnopqrstuvwxyz" + "-_.+"


@pytest.mark.parametrize(
    "text", ["a", "0", "-", "_", "id", "test", "a" * 19, "0123456789", "qrstuvwxyz-_", "-5", "1e3"]
)
def test_namespace_ids(text: str) -> None:
    assert is_namespace_id(text)


@pytest.mark.parametrize(
    "text", ["", "a" * 20, "a.b", ".", "a+", "+", "A", "Test", "te st", "test\n", "\ntest", "te\0st", "tést", "a/b"]
)
def test_what_is_no_namespace_id(text: str) -> None:
    assert not is_namespace_id(text)


@pytest.mark.parametrize(
    "text", ["a.b", "foo.test", "-._", "0.0", "a" * 35 + ".b", "a" * 17 + "." + "b" * 19, "1.e5", "a_b-c.id"]
)
def test_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "test",
        ".test",
        "foo.",
        "foo.bar.test",
        "foo..test",
        "a" * 36 + ".b",
        "a." + "b" * 20,
        "a+b.test",
        "foo.te+st",
        "Foo.test",
        "foo.Test",
        "foo.test\n",
        "foo\n.test",
        "foo.test\0",
        "fo o.test",
        "föö.test",
    ],
)
def test_what_is_no_name(text: str) -> None:
    assert not is_name(text)


def test_the_parts_of_a_name() -> None:
    assert (label_of("foo.test"), namespace_of("foo.test")) == ("foo", "test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test", "1cadfd"),
        ("bar.test", "01add1fc8dfd"),
        ("a", "0a"),
        ("00a", "0a"),
        ("0a", "0a"),
        ("+", "27"),
        ("10", "28"),
        ("6f", "ff"),
        ("6g", "0100"),
        ("0", "00"),
        ("000", "00"),
        ("", "00"),
    ],
)
def test_base_40_bytes(text: str, expected: str) -> None:
    assert b40_bytes(text).hex() == expected


@given(st.text(ALPHABET, max_size=40))
def test_base_40_bytes_are_the_number_without_leading_zeros(text: str) -> None:
    number = sum(ALPHABET.index(character) * 40**place for place, character in enumerate(reversed(text)))
    digits = f"{number:x}"
    assert b40_bytes(text).hex() == ("0" + digits if len(digits) % 2 else digits)


@pytest.mark.parametrize(
    ("name", "script", "address", "expected"),
    [
        ("test", NS_SCRIPT, RV, "4bee0ba0a9214a8be82d1515e98a2e3a11cb9ace"),
        ("bar.test", A_SCRIPT, A, "6c14ca5cf362679ee298d23c723b4d285312b529"),
        ("bar.test", B_SCRIPT, B, "28226fb9130041d1a0367648346a07e2bfd939b5"),
        ("bar.test", B_SCRIPT, D, "848df2a4691ac53698e4cb58bc7dc594de33cda5"),
        ("qux.test", A_SCRIPT, A, "d725664776c066a000f1f592c0983fd6e7df2958"),
    ],
)
def test_preorder_hashes(name: str, script: str, address: str, expected: str) -> None:
    assert preorder_hash(name, script, address) == expected


def test_leading_zeros_do_not_change_a_preorder_hash() -> None:
    assert preorder_hash("0a.id", A_SCRIPT, A) == preorder_hash("a.id", A_SCRIPT, A)
    assert preorder_hash("a0.id", A_SCRIPT, A) != preorder_hash("a.id", A_SCRIPT, A)


def test_name_hashes() -> None:
    assert name_hash128("bar.test") == "a602edb9dd618bdcb8d2db3c78619b16"
    assert name_hash128("0a.id") != name_hash128("a.id")


@pytest.mark.parametrize(
    ("name", "consensus_hash", "expected"),
    [
        ("bar.test", "8f0216c9436bccc4a7773d3e9143a856", "5cb8668dbbd7f3dc964c0d5f3a673fbb"),
        ("foo.test", "f4913054d2d3a8e6a3af492d432a1b3d", "62f978256e95b31f360ab6a0a97ea866"),
        ("d.test", "fd02fe5a0a8d5b261fd53d589228aa97", "7c034f88a36cc8a6bb2248a919da9844"),
    ],
)
def test_hashes_of_a_name_and_a_consensus_hash(name: str, consensus_hash: str, expected: str) -> None:
    assert name_consensus_hash(name, consensus_hash) == expected


NUMBERS = ["0", "123", "007", "-5", "1e3", "-1e3", "1e-3", "9" * 19, "1e400", "0e0"]
TEXTS = [
    "a",
    "id",
    "e3",
    "1e",
    "1e-",
    "-",
    "--5",
    "1-",
    "12a",
    "a12",
    "1e3e4",
    "1_0",
    "_1",
    "0x10",
    "5-3",
    "inf",
    "nan",
]


@pytest.mark.parametrize("text", NUMBERS)
def test_ids_that_read_as_numbers(text: str) -> None:
    assert reads_as_number(text)


@pytest.mark.parametrize("text", TEXTS)
def test_ids_that_do_not(text: str) -> None:
    assert not reads_as_number(text)


@given(st.text("0123456789e-_x", min_size=1, max_size=19))
def test_the_database_agrees_on_what_reads_as_a_number(text: str) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE ids (id STRING)")
        database.execute("INSERT INTO ids VALUES (?)", (text,))
        (kind,) = database.execute("SELECT typeof(id) FROM ids").fetchone()
    database.close()
    assert reads_as_number(text) == (kind != "text")
