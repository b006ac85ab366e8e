"""Tokens, types, data outputs and builders: the tables of spec 01 sections 4, 5 and 17.1."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bns.bitcoin.script import (
    ScriptType,
    classify,
    multisig,
    nulldata,
    op_return,
    p2pkh,
    p2sh,
    p2wpkh,
    p2wsh,
    push,
    tokens,
)
from bns.bitcoin.transaction import TxOut
from bns.errors import InvalidInput

KEY = "02741806e3b855a6db58aece1a83268695a218fc279ebf7da95b0aeca6f655f9fe"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        ("00", [0]),
        ("4f5051525e5f60", [-1, 0, 1, 2, 14, 15, 16]),
        ("616aacaeff", [97, 106, 172, 174, 255]),
        ("03aabbcc", [b"\xaa\xbb\xcc"]),
        ("03aabb", [b"\xaa\xbb"]),
        ("03", [b""]),
        ("4c02aabb51", [b"\xaa\xbb", 1]),
        ("4d0200aabb51", [b"\xaa\xbb", 1]),
        ("4e02000000aabb51", [b"\xaa\xbb", 1]),
        ("4c", [b""]),
        ("4c00", [b""]),
        ("4c0051", [b"", 1]),
        ("4d02", [b""]),
        ("4d0001aa", [b"\xaa"]),
        ("4effffffffaa", [b"\xaa"]),
        ("4b" + "11" * 75 + "51", [b"\x11" * 75, 1]),
    ],
)
def test_tokens(script: str, expected: list[bytes | int]) -> None:
    assert tokens(bytes.fromhex(script)) == expected


@settings(deadline=None, database=None)
@given(st.binary(max_size=200))
def test_tokens_and_classify_never_fail(script: bytes) -> None:
    assert sum(len(token) if isinstance(token, bytes) else 1 for token in tokens(script)) <= len(script)
    assert classify(script) in ScriptType


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("76a914" + "11" * 20 + "88ac", ScriptType.PUBKEYHASH),
        ("a914" + "11" * 20 + "87", ScriptType.SCRIPTHASH),
        ("0014" + "55" * 20, ScriptType.P2WPKH),
        ("0020" + "66" * 32, ScriptType.P2WSH),
        ("6a", ScriptType.NULLDATA),
        ("6a0469643f41", ScriptType.NULLDATA),
        ("6aae", ScriptType.NULLDATA),
        ("51" + "21" + KEY + "51ae", ScriptType.MULTISIG),
        ("ae", ScriptType.MULTISIG),
        ("76a914" + "11" * 20 + "88ae", ScriptType.MULTISIG),
        ("21" + KEY + "ac", ScriptType.PUBKEY),
        ("51ac", ScriptType.PUBKEY),
        ("00ac", ScriptType.PUBKEY),
        ("", ScriptType.NONSTANDARD),
        ("ac", ScriptType.NONSTANDARD),
        ("51", ScriptType.NONSTANDARD),
        ("006a", ScriptType.NONSTANDARD),
        ("01ae", ScriptType.NONSTANDARD),
        ("516a0469643f41", ScriptType.NONSTANDARD),
        ("76a914" + "11" * 19 + "88ac", ScriptType.NONSTANDARD),
        ("a914" + "11" * 21 + "87", ScriptType.NONSTANDARD),
        ("0014" + "55" * 21, ScriptType.NONSTANDARD),
        ("0120" + "66" * 32, ScriptType.NONSTANDARD),
    ],
)
def test_classify(script: str, expected: ScriptType) -> None:
    assert classify(bytes.fromhex(script)) is expected


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        (["6a0469643f41"], "69643f41"),
        (["6a4c0469643f41"], "69643f41"),
        (["6a4d040069643f41"], "69643f41"),
        (["6a4e0400000069643f41"], "69643f41"),
        (["6a2869643f41"], "69643f41"),
        (["6a4c2869643f41"], "69643f41"),
        (["6a4c00"], ""),
        (["6a4c"], ""),
        (["6a"], None),
        (["6a00"], None),
        (["6a52"], None),
        (["6a0469643f4151"], None),
        (["6a0469643f4100"], None),
        (["6a000469643f41"], None),
        (["6a01aa01bb"], None),
        (["516a0469643f41"], None),
        (["6a0469643f41", "51", "6a0469643f42"], "69643f42"),
        (["6a0469643f41", "51", "6a"], None),
        (["51", "6a0469643f41", "76a914" + "11" * 20 + "88ac"], "69643f41"),
        ([], None),
    ],
)
def test_nulldata(scripts: list[str], expected: str | None) -> None:
    payload = nulldata([TxOut(0, bytes.fromhex(script)) for script in scripts])
    assert payload == (None if expected is None else bytes.fromhex(expected))


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "00"),
        (1, "01"),
        (75, "4b"),
        (76, "4c4c"),
        (255, "4cff"),
        (256, "4d0001"),
        (65535, "4dffff"),
        (65536, "4e00000100"),
    ],
)
def test_push(size: int, head: str) -> None:
    assert push(b"\x69" * size) == bytes.fromhex(head) + b"\x69" * size


@pytest.mark.parametrize("size", [1, 40, 75, 76, 79, 80, 81, 255, 256, 70_000])
def test_op_return_carries_its_data(size: int) -> None:
    data = b"\x69" * size
    assert nulldata([TxOut(0, op_return(data))]) == data


def test_op_return_of_a_real_operation() -> None:
    assert op_return(b"id!.test").hex() == "6a086964212e74657374"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (p2pkh(b"\x11" * 20), "76a914" + "11" * 20 + "88ac"),
        (p2sh(b"\x11" * 20), "a914" + "11" * 20 + "87"),
        (p2wpkh(b"\x55" * 20), "0014" + "55" * 20),
        (p2wsh(b"\x66" * 32), "0020" + "66" * 32),
        (multisig(1, [bytes.fromhex(KEY)]), "5121" + KEY + "51ae"),
        (multisig(16, [bytes.fromhex(KEY)] * 16), "60" + ("21" + KEY) * 16 + "60ae"),
    ],
)
def test_builders(script: bytes, expected: str) -> None:
    assert script.hex() == expected


@pytest.mark.parametrize("build", [p2pkh, p2sh, p2wpkh, p2wsh])
def test_builders_check_the_size_of_a_hash(build: object) -> None:
    assert callable(build)
    with pytest.raises(InvalidInput, match="hash in a script: expected"):
        build(b"\x11" * 21)


@pytest.mark.parametrize(("m", "keys"), [(0, 1), (2, 1), (1, 0), (1, 17)])
def test_multisig_checks_its_numbers(m: int, keys: int) -> None:
    with pytest.raises(InvalidInput, match="1 <= m <= keys <= 16"):
        multisig(m, [bytes.fromhex(KEY)] * keys)
