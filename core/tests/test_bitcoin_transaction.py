"""Transactions: published and real ones parse, write back and keep their ids; malformed ones are refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bns.bitcoin.script import nulldata
from bns.bitcoin.transaction import (
    DEFAULT_SEQUENCE,
    ParseError,
    Transaction,
    TxIn,
    TxOut,
    parse_transaction,
    read_transaction,
    txid_from_hex,
    txid_to_hex,
)
from bns.errors import BnsError, InvalidInput

# (raw, txid, payload): transactions of spec 02, appendices A and B.
OPERATIONS = {
    "namespace preorder": (
        """
            0100000001ce01a1f6a676de9a13596f35d9b3f6d6c8d6e6e67df7ac0d9cc1cd8129b0219c000000006a4730303030303030
            3030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030
            30303030303030303030303030302102741806e3b855a6db58aece1a83268695a218fc279ebf7da95b0aeca6f655f9feffff
            ffff030000000000000000296a2769642a4bee0ba0a9214a8be82d1515e98a2e3a11cb9ace9daa6e59877b9e0ca4772a3df4
            75abd27c150000000000001976a91426d4a371b4136ea455445bf171f9941d96b7c9bc88ac005a6202000000001976a91400
            0000000000000000000000000000000000000088ac00000000
        """,
        "70d5d22f9e498a06ecd5e9b6330762b2d27796ad73faba2c7e94da7af468cdb7",
        "69642a4bee0ba0a9214a8be82d1515e98a2e3a11cb9ace9daa6e59877b9e0ca4772a3df475abd2",
    ),
    "renewal": (
        """
            0100000001a73031ae38d7a92fed4beb21dc994172e80359cc37d9501ac7b56b81597f2c43000000006a4730303030303030
            3030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030
            303030303030303030303030303021039997a497d964fc1a62885b05a51166a65a90df00492c8d7cf61d6accf54803beffff
            ffff0400000000000000003e6a3c69643a6261722e7465737400000000000000000000000000000000000000000000000000
            0000000011111111111111111111111111111111111111117c150000000000001976a9147c8aa0f9f7cf2cf41457213f8089
            e95b8f96d2d088ac10270000000000001976a91433b94b70bbd434f0ad01925669bedf3469832b5888ac0028000000000000
            1976a914000000000000000000000000000000000000000088ac00000000
        """,
        "30abfd0f276afcea54d47a22eb6782fb3d4e6c6b84a2374f69ea716982dada52",
        "69643a" + b"bar.test".hex() + "00" * 29 + "11" * 20,
    ),
    "revoke": (
        """
            0100000001ea27a265e4e2c3df3409af9ff73174cecf9821cc8b22a81ad503a6e93fbe0435000000006a4730303030303030
            3030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030
            303030303030303030303030303021024edfcf9dfe6c0b5c83d1ab3f78d1b39a46ebac6798e08e19761f5ed89ec83c10ffff
            ffff0200000000000000000d6a0b69647e6261722e746573747c150000000000001976a9147c8aa0f9f7cf2cf41457213f80
            89e95b8f96d2d088ac00000000
        """,
        "b777f62edcba5bf5f01f5fd7897f73588f0fc3409952be381347b083447c3805",
        "69647e" + b"bar.test".hex(),
    ),
    "import": (
        """
            0100000001ecf7253a2f5f30c3b7b0456c2667cab4b37ff6de3ca433394c68f0a4f7932244000000006a4730303030303030
            3030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030
            30303030303030303030303030302102575dbd2c2723375f0f980ed49bdf922302cf447ad8b495baad6c4a4375b37ab9ffff
            ffff0400000000000000000b6a0969643b612e746573747c150000000000001976a91433b94b70bbd434f0ad01925669bedf
            3469832b5888ac7c150000000000001976a914111111111111111111111111111111111111111188ac102700000000000019
            76a91470c74f271eaeaa53df77181ea7dddf8e0cd8929588ac00000000
        """,
        "76f682b0506e206d5933f90ff959cd891c8662cd6f3d675e38b3a8a43bdbb1f3",
        "69643b" + b"a.test".hex(),
    ),
}

# The signed example of BIP 143 (P2WPKH): a legacy input and a witness input.
SIGNED = bytes.fromhex("""
    01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc2
    6ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4
    ecbab4cc618ef3ed01eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff
    02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4d
    be6a21b2d50ce2f0167faa815988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a
    0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb
    3566bb0ad253f62fc70f07aeee635711000000
""")
UNSIGNED = bytes.fromhex("""
    0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804cc89d1
    82d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99
    f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000
""")

PLAIN = Transaction(1, (TxIn(b"\x01" * 32, 7, b"\x51", DEFAULT_SEQUENCE),), (TxOut(5, b"\x52"),), 9)

uint32 = st.integers(0, 2**32 - 1)
short_bytes = st.binary(max_size=40)
inputs = st.builds(
    TxIn, st.binary(min_size=32, max_size=32), uint32, short_bytes, uint32, st.lists(short_bytes, max_size=3).map(tuple)
)
outputs = st.builds(TxOut, st.integers(0, 2**64 - 1), short_bytes)
transactions = st.builds(
    Transaction,
    uint32,
    st.lists(inputs, min_size=1, max_size=4).map(tuple),
    st.lists(outputs, max_size=4).map(tuple),
    uint32,
)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_of_the_specification(name: str) -> None:
    text, txid, payload = OPERATIONS[name]
    raw = bytes.fromhex(text)
    transaction = parse_transaction(raw)
    assert transaction.txid == txid
    assert transaction.txid_bytes == bytes.fromhex(txid)[::-1]
    assert nulldata(transaction.outputs) == bytes.fromhex(payload)
    assert rebuilt(transaction).raw == rebuilt(transaction).stripped == raw
    assert not transaction.is_coinbase


def test_fields_of_a_transaction() -> None:
    transaction = parse_transaction(bytes.fromhex(OPERATIONS["namespace preorder"][0]))
    assert (transaction.version, transaction.locktime) == (1, 0)
    (txin,) = transaction.inputs
    assert txid_to_hex(txin.txid) == "9c21b02981cdc19c0dacf77de6e6d6c8d6f6b3d9356f59139ade76a6f6a101ce"
    assert (txin.index, txin.sequence, len(txin.script), txin.witness) == (0, 0xFFFFFFFF, 106, ())
    assert [output.value for output in transaction.outputs] == [0, 5500, 40_000_000]


def test_witness_is_kept_and_left_out_of_the_txid() -> None:
    transaction = parse_transaction(SIGNED)
    assert [len(txin.witness) for txin in transaction.inputs] == [0, 2]
    assert transaction.inputs[1].witness[1].hex().startswith("025476c2e8")
    assert transaction.raw == SIGNED
    stripped = parse_transaction(transaction.stripped)
    assert all(txin.witness == () for txin in stripped.inputs)
    assert stripped.outputs == transaction.outputs
    assert stripped.txid == transaction.txid
    assert stripped.wtxid_bytes == transaction.txid_bytes != transaction.wtxid_bytes
    assert rebuilt(transaction).raw == SIGNED
    assert rebuilt(transaction).stripped == transaction.stripped


def test_what_was_parsed_equals_what_was_built() -> None:
    assert parse_transaction(PLAIN.raw) == PLAIN
    assert PLAIN.raw.hex() == "01000000" + "01" + "01" * 32 + "07000000" + "0151" + "feffffff" + (
        "01" + "0500000000000000" + "0152" + "09000000"
    )


def test_read_transaction_at_an_offset() -> None:
    raw = b"\xaa" * 3 + SIGNED + UNSIGNED
    first, end = read_transaction(raw, 3)
    second, last = read_transaction(raw, end)
    assert (first.raw, second.raw, last) == (SIGNED, UNSIGNED, len(raw))


@pytest.mark.parametrize("size", [0, 252, 253, 65_535, 65_536])
def test_lengths_of_every_width(size: int) -> None:
    transaction = Transaction(2, (TxIn(bytes(32), 0, b"\x51" * size, 0, (b"\x52" * size,)),), (), 0)
    assert rebuilt(parse_transaction(transaction.raw)) == transaction
    assert parse_transaction(transaction.raw).stripped == transaction.stripped


def test_coinbase() -> None:
    coinbase = Transaction(2, (TxIn(bytes(32), 0xFFFFFFFF, b"\x01\x01\x00", 0xFFFFFFFF),), (), 0)
    assert coinbase.is_coinbase
    assert not Transaction(2, (TxIn(bytes(32), 0, b"", 0),), (), 0).is_coinbase
    assert not Transaction(2, coinbase.inputs * 2, (), 0).is_coinbase


@settings(deadline=None, database=None)
@given(transactions)
def test_round_trip(transaction: Transaction) -> None:
    parsed = parse_transaction(transaction.raw)
    assert parsed == transaction
    assert parsed.stripped == transaction.stripped
    assert parsed.txid == transaction.txid


@settings(deadline=None, database=None)
@given(transactions, st.data())
def test_every_truncation_is_a_parse_error(transaction: Transaction, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(transaction.raw) - 1))
    with pytest.raises(ParseError, match="offset "):
        parse_transaction(transaction.raw[:cut])


@settings(deadline=None, database=None)
@given(transactions, st.data())
def test_changed_bytes_parse_exactly_or_not_at_all(transaction: Transaction, data: st.DataObject) -> None:
    raw = bytearray(transaction.raw)
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=3)):
        raw[place] = data.draw(st.sampled_from([0, 1, 2, 0xFD, 0xFE, 0xFF]))
    try:
        parsed = parse_transaction(bytes(raw))
    except ParseError:
        return
    assert rebuilt(parsed).raw == bytes(raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", r"offset 4: expected input count, got the end of 0 bytes"),
        ("01000000", r"offset 4: expected input count, got the end of 4 bytes"),
        ("01000000fd01", r"offset 5: expected 2 bytes of input count, got 1"),
        ("01000000fd0100", r"offset 5: expected input count in its shortest form, got 1 in 2 bytes"),
        ("01000000fe00010000", r"offset 5: expected input count in its shortest form, got 256 in 4 bytes"),
        ("01000000ff0000000001000000", r"offset 49: expected input script length, got the end of 13 bytes"),
        ("01000000" + "01" + "00" * 30, r"offset 41: expected input script length, got the end of 35 bytes"),
        (
            "01000000" + "01" + "01" * 36 + "ff" * 9,
            r"offset 18446744073709551669: expected output count, got the end of 50 bytes",
        ),
        ("010000000002", r"offset 5: expected witness flag 01, got 02"),
        (PLAIN.raw.hex()[:-2], r"offset 61: expected 1 more bytes of the transaction, got the end"),
        (PLAIN.raw.hex() + "00", r"offset 62: expected the end of the transaction, got 1 more bytes"),
        (
            "010000000001" + PLAIN.raw.hex()[8:-8] + "00" + "09000000",
            r"offset 60: expected a witness for at least one input, got none",
        ),
    ],
)
def test_malformed_bytes_are_named(raw: str, message: str) -> None:
    with pytest.raises(ParseError, match=f"^{message}$") as caught:
        parse_transaction(bytes.fromhex(raw))
    assert isinstance(caught.value, BnsError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": -1}, "version of a transaction: expected an unsigned number of 4 bytes, got -1"),
        ({"locktime": 1 << 32}, "locktime of a transaction"),
        ({"inputs": (TxIn(b"\x01" * 31, 0, b"", 0),)}, "txid of an input: expected 32 bytes"),
        ({"inputs": (TxIn(bytes(32), -1, b"", 0),)}, "output index of an input"),
        ({"inputs": (TxIn(bytes(32), 0, b"", 1 << 32),)}, "sequence of an input"),
        ({"outputs": (TxOut(-1, b""),)}, "value of an output"),
        ({"outputs": (TxOut(1 << 64, b""),)}, "value of an output"),
    ],
)
def test_fields_that_do_not_fit_the_wire(change: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"version": 1, "inputs": PLAIN.inputs, "outputs": PLAIN.outputs, "locktime": 0} | change
    with pytest.raises(InvalidInput, match=message):
        _ = Transaction(**fields).raw


def test_txid_text() -> None:
    txid = bytes(range(32))
    assert txid_to_hex(txid) == "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"
    assert txid_from_hex(txid_to_hex(txid)) == txid


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "00 " * 32])
def test_txid_text_is_checked(text: str) -> None:
    with pytest.raises(InvalidInput, match="txid: expected 64 hex characters"):
        txid_from_hex(text)


def rebuilt(transaction: Transaction) -> Transaction:
    """The same transaction without what the parser remembered of its bytes."""
    return Transaction(transaction.version, transaction.inputs, transaction.outputs, transaction.locktime)
