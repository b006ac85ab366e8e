"""Float texts, serialization, Merkle trees and hashes (spec 01 sections 9 to 11 and 18)."""

from __future__ import annotations

import pytest

from bns.bitcoin.hashes import sha256d
from bns.consensus import (
    EMPTY_OPS_HASH,
    SERIALIZED_FIELDS,
    consensus_hash,
    float_text,
    merkle_root,
    ops_hash,
    serialize_fields,
    value_text,
)
from tests.python2_floats import PAIRS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.0, "10.0"),
        (365714.28571428574, "365714.285714"),
        (2363568410.0, "2363568410.0"),
        (12345678900.05, "12345678900.0"),
        (357142857142.8572, "3.57142857143e+11"),
        (3.1962657931507854e39, "3.19626579315e+39"),
        (99999999999.5, "99999999999.5"),
        (1e11, "1e+11"),
        (999999999999.4, "9.99999999999e+11"),
        (123456789012345.0, "1.23456789012e+14"),
        (1234567890105.0, "1.23456789010e+12"),
        (1234567890104.0, "1.2345678901e+12"),
        (5518723689405.0, "5.51872368940e+12"),
        (1000000000005.0, "1.00000000000e+12"),
        (1234567890115.0, "1.23456789012e+12"),  # the half rounds up to an even digit that is no zero
        (2.5e12, "2.5e+12"),
    ],
)
def test_float_texts(value: float, text: str) -> None:
    assert float_text(value) == text


def test_float_texts_are_those_of_python_2() -> None:
    assert len(PAIRS) == 330
    assert [(value, float_text(value)) for value, _ in PAIRS] == PAIRS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ("abc", "abc"),
        (0, "0"),
        (4294967295, "4294967295"),
        (10**20, "100000000000000000000"),
        (True, "True"),
        (False, "False"),
        (10240.0, "10240.0"),
        ((6, 5, 4, 0), "[6, 5, 4, 0]"),
        ("[6, 5, 4, 0]", "[6, 5, 4, 0]"),
    ],
)
def test_texts_of_values(value: object, text: str) -> None:
    assert value_text(value) == text


def test_a_field_is_written_with_its_length() -> None:
    fields: dict[str, object] = dict.fromkeys(SERIALIZED_FIELDS["?"], "ab")
    fields.update(sender_pubkey=None, op="?", op_fee=1000)
    assert serialize_fields("?", fields) == "?:2:ab,2:ab,2:ab,0:,2:ab,2:ab,1:?,2:ab,2:ab,4:1000"


def test_a_missing_field_is_fatal() -> None:
    fields = dict.fromkeys(SERIALIZED_FIELDS["~"])
    del fields["importer"]
    with pytest.raises(KeyError, match="importer"):
        serialize_fields("~", fields)


def test_the_number_of_fields() -> None:
    assert {wire: len(fields) for wire, fields in SERIALIZED_FIELDS.items()} == {
        "?": 10, ":": 18, "+": 18, ">": 19, "~": 16, ";": 18, "*": 10, "&": 19, "!": 20,
    }  # fmt: skip


# Merkle trees


def _pair(left: str, right: str) -> str:
    """Two nodes in display order to their parent."""
    return sha256d(bytes.fromhex(left)[::-1] + bytes.fromhex(right)[::-1])[::-1].hex()


A, B, C, D, E = ("0a" * 32, "0b" * 32, "0c" * 16, "0d" * 16, "0e" * 32)


def test_one_leaf_is_its_own_root() -> None:
    assert merkle_root([A]) == A
    assert merkle_root([C]) == C


def test_the_last_node_of_an_odd_row_counts_twice_at_every_level() -> None:
    assert merkle_root([A, C]) == _pair(A, C)
    assert merkle_root([A, B, C]) == _pair(_pair(A, B), _pair(C, C))
    last = _pair(E, E)
    assert merkle_root([A, B, C, D, E]) == _pair(_pair(_pair(A, B), _pair(C, D)), _pair(last, last))


def test_the_ops_hash_of_nothing() -> None:
    assert EMPTY_OPS_HASH == "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456"
    assert ops_hash([]) == EMPTY_OPS_HASH


def test_the_ops_hash_does_not_depend_on_the_order() -> None:
    assert ops_hash(["a", "b", "c"]) == ops_hash(["c", "a", "b"])
    assert ops_hash(["a"]) == sha256d(b"a").hex()
    assert ops_hash(["a", "a"]) != ops_hash(["a"])


# Spec 01 section 18: block 373619 of appendix A

SERIALIZED = [
    "?:40:d725664776c066a000f1f592c0983fd6e7df2958,32:488bc8c479c9fbd758ef3a3c4b924418,50:76a91433b94b70bbd434f0ad01925"
    "669bedf3469832b5888ac,66:039997a497d964fc1a62885b05a51166a65a90df00492c8d7cf61d6accf54803be,34:mkESjLZW66TmHhiFX8MC"
    "aBjrhZ543PPh9a,6:373619,1:?,64:ef2ad8bf165d7f24c46a3f29be7d81f7353a06e9e2082764ed76bf1119b692f4,1:1,5:20000",
    "+:8:foo.test,40:3333333333333333333333333333333333333333,50:76a91433b94b70bbd434f0ad01925669bedf3469832b5888ac,66:0"
    "3a78db7499383e1041da5dd2044b966e29a7159748b45486959da47a50c08070e,34:mkESjLZW66TmHhiFX8MCaBjrhZ543PPh9a,6:373607,6:"
    "373607,6:373607,6:373616,5:False,1:+,64:3b64a4992fd52c31a1a6fce2892ede992d072a129629e24b2d2f969fe7a5220a,1:2,7:1024"
    "0.0,50:76a91436c5fe6f59cbd4006969cbd6de89f374f2fe9e7e88ac,34:mkWZyGa6qVwWqEzJQg28vSSBRnYAhZz5Sr,32:9d803444b6a7ff37"
    "2ad0ea60cd5f5d4a,32:488bc8c479c9fbd758ef3a3c4b924418",
    "?:40:cfdeefe9953e7170733413f840ad84fad8bd9e7b,32:488bc8c479c9fbd758ef3a3c4b924418,50:76a9144ae480ed965041bf816b7e15"
    "6301be7dbeea079c88ac,66:029094567ba7245794198952f68e5723ac5866ad2f67dd97223db40e14c15b092e,34:mnLx2xcfdukP1y1djkgJr"
    "krw87L6vRpvVg,6:373619,1:?,64:b0a11c5325412144920e4a4b59a490a67f5d6fbc3c61450cbcc9f2dce32f77f6,1:3,5:20000",
]
OPS_HASH = "b89e6f88e09b1aa5697265551d7442b0f1287c46cfb3cc4afc91e6090954bfc1"
EARLIER = {
    373618: "488bc8c479c9fbd758ef3a3c4b924418",
    373616: "309d6aa89f78e253c2e95f91b8378f72",
    373612: "26fc425e49a564ac68bae8df3be62c19",
    373604: "9daa6e59877b9e0ca4772a3df475abd2",
}


def test_the_worked_example() -> None:
    assert sorted(sha256d(text.encode()).hex() for text in SERIALIZED) == [
        "510c517cd4b81967c75084a0201f262cb8c04478f22e970ec40aba1ad615b14e",
        "5a69a262b80ce7a53a30c00798683862ba97a1efc1f2c18eaa1f95710ddc3351",
        "a7758e2184545f053c90617082c7ef50d559b4b623a9b09f9722682e28604f81",
    ]
    assert ops_hash(SERIALIZED) == OPS_HASH
    root = merkle_root(sorted([OPS_HASH, *EARLIER.values()]))
    assert root == "4fcb64f57940cada741e807ffed24b48c2d9e8880873e6a1a37e692d3e691fe4"
    found = consensus_hash(373619, OPS_HASH, 373601, EARLIER.__getitem__)
    assert found == "08c11b32b5e231a94e9251cd2e2bcf63"


def test_the_hashes_of_empty_blocks() -> None:
    hashes: dict[int, str] = {}
    for height in range(373601, 373605):
        hashes[height] = consensus_hash(height, EMPTY_OPS_HASH, 373601, hashes.__getitem__)
    assert list(hashes.values()) == [
        "2a9148d8b13939723d2aca16c75c6d68",
        "1c54465d3486f07be2c7a81af0ef44ad",
        "0efa29f955c6ae3bb5037039d89dba5e",
        "9daa6e59877b9e0ca4772a3df475abd2",
    ]


@pytest.mark.parametrize(
    ("height", "earlier"),
    [
        (688, []),
        (689, [688]),
        (690, [689]),
        (691, [690, 688]),
        (692, [691, 689]),
        (695, [694, 692, 688]),
        (696, [695, 693, 689]),
        (700, [699, 697, 693]),
    ],
)
def test_the_earlier_hashes_that_a_block_commits_to(height: int, earlier: list[int]) -> None:
    asked: list[int] = []

    def hash_of(block: int) -> str:
        asked.append(block)
        return "00" * 16

    consensus_hash(height, EMPTY_OPS_HASH, 688, hash_of)
    assert asked == earlier


def test_a_missing_earlier_hash_is_fatal() -> None:
    known = {689: "00" * 16}
    assert consensus_hash(690, EMPTY_OPS_HASH, 688, known.__getitem__)
    with pytest.raises(KeyError, match="688"):
        consensus_hash(691, EMPTY_OPS_HASH, 688, {690: "00" * 16}.__getitem__)


@pytest.mark.parametrize(
    ("height", "ops", "earlier", "expected"),
    [
        (
            689,
            "f8daaf0ad007e50eba852c63aade127ac86370b99bb5405228235c7765478bd0",
            {688: "2a9148d8b13939723d2aca16c75c6d68"},
            "7750f9a8829c841fcc23a1885ea35486",
        ),
        (
            690,
            "271d9de7c08f5f7afd0be0601814e453d68dea7979506c43b6d2cde3024c2971",
            {689: "7750f9a8829c841fcc23a1885ea35486"},
            "1c710fabe4026eb2a88100b825fdddcc",
        ),
        (
            691,
            "0082b7c86634ac7adfea69e31b8a64f1c849a99d464d62e4c7edfdcf18117e18",
            {690: "1c710fabe4026eb2a88100b825fdddcc", 688: "2a9148d8b13939723d2aca16c75c6d68"},
            "1de59e6aac5e0d4b6a2361d3945f017d",
        ),
        (
            692,
            "d203efab05ed43bec47aad0d5a10f5e9c564b51ee473af409bea913d9b8b5edb",
            {691: "1de59e6aac5e0d4b6a2361d3945f017d", 689: "7750f9a8829c841fcc23a1885ea35486"},
            "38c70ae121eee7bc7bec82d0c9735a5a",
        ),
    ],
)
def test_the_blocks_of_a_synthetic_chain(height: int, ops: str, earlier: dict[int, str], expected: str) -> None:
    assert consensus_hash(height, ops, 688, earlier.__getitem__) == expected
