"""Blocks: real ones, malformed ones, and candidate selection against its slow definition."""

from __future__ import annotations

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bns.bitcoin.block import (
    BlockHeader,
    Candidate,
    WrongMerkleRoot,
    block_hash,
    candidates,
    parse_header,
    read_transactions,
    transaction_ids,
)
from bns.bitcoin.hashes import merkle_root
from bns.bitcoin.script import nulldata, op_return
from bns.bitcoin.transaction import ParseError, Transaction, TxIn, TxOut, encode_varint, txid_to_hex
from bns.errors import InvalidInput

# Real regtest blocks, with witnesses: (raw, hash, txids, payloads by place in the block).
BLOCKS = {
    "namespace preorder": (
        """
            00000020b2132c1c02a565f0df1f8d0a9af57fb36c7e93ea8e6b2d4bfe32a136f64b83765adc71381b0c6604eedc41784db2
            d762e5c25194c05eb35790de587ab14e79806fa0026bffff7f20020000000202000000000101000000000000000000000000
            0000000000000000000000000000000000000000ffffffff0402b10200ffffffff024095a412000000001976a914dbedea95
            efb33033223af66cac5395e9043fc9a588ac0000000000000000266a24aa21a9ed267e7fa85f175fc039926ce6bc74d1afae
            fa0c5e6dbf38c818e6d866ffae155c0120000000000000000000000000000000000000000000000000000000000000000000
            0000000100000001bec812a9e2d6fc169e826b0cca0bf75dca6f989fcb357048bbabc161b1d42275000000006b4830450221
            00af7f5e50ef1b6524ac9b4e753d64a86db39fb9e79193595bed3e5ae5d757fe7a0220702576454385b4b340414322114fa1
            7b97c50404c07c6cda0f4972cd1c504cb2012103d6fd1ba0effaf1e8d94ea7b7a3d0ef26fea00a14ce5ffcc1495fe588a2c6
            d0f3ffffffff030000000000000000296a2769642adb67800bdfa5da781e177cc268f7cf030952629a2a9148d8b13939723d
            2aca16c75c6d68e0372a12010000001976a91474178497e927ff3ff1428a241be454d393c3c91c88ac0084d7170000000019
            76a914000000000000000000000000000000000000000088ac00000000
        """,
        "0d57406affd0b3f75f03ad39a6c424ddb5b25926d8116c2b473fdf38280c22d1",
        [
            "c203c4e52a361ca5e751ac6f42c06b0dd6d68ba3a4094097639b77baef02efc8",
            "037dab38d4980f053780c5cebdee8dc417ef2222a0a3224ae971adfd5c230998",
        ],
        {1: "69642adb67800bdfa5da781e177cc268f7cf030952629a2a9148d8b13939723d2aca16c75c6d68"},
    ),
    "other magic": (
        """
            00000020cfeab4bb2d9c2d58f7a7812c758c63aacb68bbd871f0e55b312bbd3b6ea69c32dd91be939e9ebd16bd245357cc0d
            9dcdbf973202295eed814be54411008ea46ac6a0026bffff7f20080000000202000000000101000000000000000000000000
            0000000000000000000000000000000000000000ffffffff0402b10200ffffffff029c74a012000000001976a914dbedea95
            efb33033223af66cac5395e9043fc9a588ac0000000000000000266a24aa21a9ed8e92d1c7908fd176944f75df5d506cc8bf
            c41232f1a4ec59ef9f769c7f0021c20120000000000000000000000000000000000000000000000000000000000000000000
            00000001000000018fab17afb3abab6588e7d38b62432434a89fb37fcc9245f80261e75082b78605010000006a4730440220
            5fd13989716e092357f2d187776054f246b7b887d72dafc268bc22dbc83841c3022059fc7bf6bfb3f91de19068ee8baee589
            7ba6b999e31cac4d73505340c9d88011012103d6fd1ba0effaf1e8d94ea7b7a3d0ef26fea00a14ce5ffcc1495fe588a2c6d0
            f3feffffff030000000000000000046a0265677c150000000000001976a91482093b62a3699282d926981bed7665e8384caa
            5588ac08c7052a010000001976a91474178497e927ff3ff1428a241be454d393c3c91c88ac00000000
        """,
        "20b52afc7687f307544e8a2768e1ce23bde3bada9e91fd9dc3ca4b81c97bbbb4",
        [
            "e72512e4fed4eae8aaa80d9501c6b6d87ccb7be14ddef6e6e15ba39e388af4f0",
            "85abbd3155404d38ce88ba333db5a0975556df356a80eb508ab4394678f970ea",
        ],
        {},
    ),
    "wrapped witness sender": (
        """
            00000020104b828d1b2bbc40519ed5e44b64201f4ef5b1e61f374e8e65765277057a80047df5377b1c344a59ec8da472d6b0
            fc63d099037ec025d6a6cf0067b2668609912dae026bffff7f20000000000302000000000101000000000000000000000000
            0000000000000000000000000000000000000000ffffffff0402b10200ffffffff0290c3a812000000001976a914dbedea95
            efb33033223af66cac5395e9043fc9a588ac0000000000000000266a24aa21a9ed0806b7693cec21da1cf18f745f4a34c60d
            2c35c724dffa2b309d0f730ac77bc90120000000000000000000000000000000000000000000000000000000000000000000
            00000001000000000101d6a78429bbc8c8375febc7fe790f7139238b8342c8fb9e7ffb165a5ebc3437b80000000017160014
            393ffec4f09b38895b8502377693f23c6ae00f19ffffffff030000000000000000296a2769642a844538527426b3991df646
            6f7186fca08660d3732a9148d8b13939723d2aca16c75c6d68b0699f270100000017a91431f8968eb1730c83fb58409a9a56
            0a0a0835027f87005a6202000000001976a914000000000000000000000000000000000000000088ac02483045022100e0bf
            a95364a2ea7bafc4a9d3d306f687beda597c1ef1f3664c7f6a58393afb1702207b9bae7014e0c677b1f1e7e9b611b364c1d0
            24d34c04cc7c5c571bd3f897f299012102d341f728783eb93e6fb5921a1ebe9d149e941de31e403cd69afa2f0f1e698e8100
            00000001000000012308bebff9e1575ad520c9fda0b12b844df07240753a87816d62ad491012bc1b010000006b4830450221
            00de741eb7f3c03f9ab88a0a087e635f279a8030591f6d5974438c96c189667d620220147d1fc851cdc9f7d5a7d167aba54f
            f9d639b8fbe9f226991b06bcd28cba9243012103d6fd1ba0effaf1e8d94ea7b7a3d0ef26fea00a14ce5ffcc1495fe588a2c6
            d0f3ffffffff030000000000000000296a2769642a045f3225b134f795d046b97b3a876786cd6441472a9148d8b13939723d
            2aca16c75c6d68e0619f27010000001976a91474178497e927ff3ff1428a241be454d393c3c91c88ac005a62020000000019
            76a914000000000000000000000000000000000000000088ac00000000
        """,
        "772275d02e0742a217b227647accaf0cd647cdbcdc4ad9e99e9a4a3252136cfc",
        [
            "a174cdd6f33385f9f54696f48bcdaa6671e3d765047a98ea9fd5c4773677c788",
            "b343e43f5e8abd6e8d7e850195b5837bb4f4fd8d1880eed90600283c170b97b4",
            "f90bcd028611c39b86cff1bfa879ae8951a2f9eb9175878c9749bfd748b49e9c",
        ],
        {
            1: "69642a844538527426b3991df6466f7186fca08660d3732a9148d8b13939723d2aca16c75c6d68",
            2: "69642a045f3225b134f795d046b97b3a876786cd6441472a9148d8b13939723d2aca16c75c6d68",
        },
    ),
}

HEADER = bytes(80)
COINBASE = Transaction(2, (TxIn(bytes(32), 0xFFFFFFFF, b"\x01\x01\x00", 0xFFFFFFFF),), (TxOut(50, b"\x51"),), 0)

# Scripts made of what matters to the rule, in any order: OP_RETURN, heads of pushes, lengths, the magic and its halves.
pieces = st.sampled_from(
    [
        b"\x6a",
        b"\x4c",
        b"\x4d",
        b"\x4e",
        b"\x00",
        b"\x01",
        b"\x02",
        b"\x04",
        b"\x28",
        b"\x4b",
        b"\x51",
        b"i",
        b"d",
        b"id",
    ]
)
jumbled = st.lists(pieces, max_size=10).map(b"".join)
data = st.one_of(st.builds(bytes.__add__, st.just(b"id"), st.binary(max_size=90)), st.just(b"id" * 150), jumbled)


@st.composite
def pushes(draw: st.DrawFn) -> bytes:
    """A push in any form, perhaps with a length that its data does not have."""
    content = draw(data)
    size = max(0, len(content) + draw(st.sampled_from([0, 0, 0, -1, 1, 36])))
    width: int = draw(st.sampled_from([0, 1, 2, 4]))
    if width == 0:
        return bytes([min(size, 0x4B)]) + content
    return (
        bytes([{1: 0x4C, 2: 0x4D, 4: 0x4E}[width]])
        + min(size, (1 << 8 * width) - 1).to_bytes(width, "little")
        + content
    )


scripts = st.one_of(
    pushes().map(lambda pushed: b"\x6a" + pushed),
    jumbled,
    st.tuples(jumbled, pushes(), jumbled).map(b"".join),
    st.just(b"\x76\xa9\x14" + b"id" * 10 + b"\x88\xac"),
)
inputs = st.builds(TxIn, st.just(b"id" * 16), st.just(0), jumbled, st.just(0), st.lists(scripts, max_size=1).map(tuple))
outputs = st.builds(TxOut, st.sampled_from([0, 0x6469, 0x64690200_6A]), scripts)
transactions = st.builds(
    Transaction,
    st.just(1),
    st.lists(inputs, min_size=1, max_size=2).map(tuple),
    st.lists(outputs, min_size=1, max_size=3).map(tuple),
    st.just(0),
)


@pytest.mark.parametrize("name", BLOCKS)
def test_real_blocks(name: str) -> None:
    text, block, txids, payloads = BLOCKS[name]
    raw = bytes.fromhex(text)
    header = parse_header(raw)
    found = read_transactions(raw)
    assert block_hash(raw) == block_hash(raw[:80]) == txid_to_hex(header.hash) == block
    assert header.serialize() == raw[:80]
    assert [transaction.txid for transaction in found] == txids
    assert merkle_root([transaction.txid_bytes for transaction in found]) == header.merkle_root
    assert [transaction.is_coinbase for transaction in found] == [True] + [False] * (len(found) - 1)
    assert candidates(raw) == [Candidate(i, found[i], bytes.fromhex(payload)) for i, payload in payloads.items()]


@pytest.mark.parametrize("name", BLOCKS)
def test_ids_that_the_header_covers(name: str) -> None:
    text, block, txids, _ = BLOCKS[name]
    raw = bytes.fromhex(text)
    assert [txid_to_hex(txid) for txid in transaction_ids(raw)] == txids
    damaged = raw[:-1] + bytes([raw[-1] ^ 1])
    with pytest.raises(WrongMerkleRoot, match=f"block {block}: expected transactions with the Merkle root") as wrong:
        transaction_ids(damaged)
    assert wrong.value.expected == txid_to_hex(parse_header(raw).merkle_root) != wrong.value.actual
    with pytest.raises(WrongMerkleRoot):
        transaction_ids(raw[:80] + b"\0")
    with pytest.raises(ParseError):
        transaction_ids(raw[:-1])


def test_header_fields() -> None:
    header = parse_header(bytes.fromhex(BLOCKS["other magic"][0]))
    assert (header.version, header.bits, header.nonce) == (0x20000000, 0x207FFFFF, 8)
    assert header.time == 0x6B02A0C6
    assert header.previous.hex().startswith("cfeab4bb2d9c2d58")
    assert header.merkle_root.hex().startswith("dd91be939e9ebd16")


def test_candidates_in_odd_places() -> None:
    """The magic in scripts that are no data output, in a coinbase, in a stale OP_RETURN and in every push form."""
    kept = [
        b"\x6a\x04id?A",
        b"\x6a\x4c\x04id?A",
        b"\x6a\x4d\x04\x00id?A",
        b"\x6a\x4e\x04\x00\x00\x00id?A",
        b"\x6a\x28id?A",
    ]
    dropped = [b"\x51\x6a\x04id?A", b"\x6a\x04id?A\x51", b"\x6a\x00\x04id?A", b"\x6a\x03?id", b"\x6a\x01id"]
    spend = COINBASE.inputs[0]._replace(index=0)
    chain = [
        Transaction(2, COINBASE.inputs, (TxOut(0, op_return(b"id!")),), 0),
        *(Transaction(1, (spend,), (TxOut(0, script),), 0) for script in (*dropped, *kept)),
        Transaction(1, (spend,), (TxOut(0, op_return(b"id!")), TxOut(0, b"\x6a")), 0),
        Transaction(1, (spend._replace(witness=(op_return(b"id!"),)),), (), 0),
        Transaction(1, (spend,), (TxOut(0, b"\x6a"), TxOut(0, op_return(b"id!")), TxOut(1, b"\x51")), 0),
    ]
    found = candidates(block_of(chain))
    assert [(candidate.index, candidate.payload) for candidate in found] == [
        (0, b"id!"),
        *((place, b"id?A") for place in range(6, 11)),
        (13, b"id!"),
    ]
    assert [candidate.transaction for candidate in found] == [chain[candidate.index] for candidate in found]


@pytest.mark.parametrize("magic", [b"id", b"i"])
def test_candidates_of_every_size_and_push(magic: bytes) -> None:
    """Each length byte that a push can have before the magic."""
    spend = COINBASE.inputs[0]._replace(index=0)
    scripts = []
    for size in range(1, 300):
        content = (magic + b"x" * size)[:size]
        heads = [bytes([size])] if size <= 0x4B else []
        heads += [b"\x4c" + bytes([size])] if size <= 0xFF else []
        heads += [b"\x4d" + size.to_bytes(2, "little"), b"\x4e" + size.to_bytes(4, "little")]
        scripts += [b"\x6a" + head + content for head in heads if size >= len(magic)]
    chain = [Transaction(1, (spend,), (TxOut(0, script),), 0) for script in scripts]
    assert [candidate.transaction for candidate in candidates(block_of(chain), magic)] == chain


@settings(deadline=None, database=None, max_examples=200)
@given(st.lists(transactions, max_size=3), st.sampled_from([b"id", b"id", b"i", b"\x6a"]))
def test_candidates_equal_their_slow_definition(chain: list[Transaction], magic: bytes) -> None:
    raw = block_of([COINBASE, *chain])
    slow = []
    for index, transaction in enumerate(read_transactions(raw)):
        payload = nulldata(transaction.outputs)
        if payload is not None and payload.startswith(magic):
            slow.append(Candidate(index, transaction, payload))
    event(f"{len(slow)} candidates")
    assert candidates(raw, magic) == slow


@settings(deadline=None, database=None)
@given(st.lists(transactions, max_size=3), st.data())
def test_truncated_blocks(chain: list[Transaction], draw: st.DataObject) -> None:
    """Whole reading always notices; candidates either notice or see only what the whole block holds."""
    raw = block_of([COINBASE, *chain])
    cut = raw[: draw.draw(st.integers(0, len(raw) - 1))]
    with pytest.raises(ParseError, match="offset "):
        read_transactions(cut)
    try:
        found = candidates(cut)
    except ParseError:
        return
    assert found == candidates(raw)[: len(found)]


def test_no_magic_no_work() -> None:
    assert candidates(b"") == []
    assert candidates(bytes(5)) == []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (bytes(79), "offset 79: expected 80 bytes of block header, got 79"),
        (HEADER, "offset 80: expected transaction count, got the end of 80 bytes"),
        (HEADER + b"\x01", "offset 85: expected input count, got the end of 81 bytes"),
        (HEADER + b"\x00\xaa", "offset 81: expected the end of the block, got 1 more bytes"),
    ],
)
def test_malformed_blocks_are_named(raw: bytes, message: str) -> None:
    with pytest.raises(ParseError, match=f"^{message}$"):
        read_transactions(raw)


def test_candidates_notice_bytes_after_the_last_transaction() -> None:
    with pytest.raises(ParseError, match="the end of the block"):
        candidates(block_of([COINBASE]) + b"\x6a\x02id")


def test_short_headers_are_named() -> None:
    for read in (parse_header, block_hash):
        with pytest.raises(ParseError, match="80 bytes of block header"):
            read(bytes(79))


def test_candidates_need_a_magic() -> None:
    with pytest.raises(InvalidInput, match="magic: expected at least one byte"):
        candidates(HEADER, b"")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"previous": b"\x00"}, "previous of a block header: expected 32 bytes"),
        ({"merkle_root": b""}, "merkle_root of a block header: expected 32 bytes"),
        ({"version": -1}, "version of a block header"),
        ({"time": 1 << 32}, "time of a block header"),
        ({"nonce": -1}, "nonce of a block header"),
    ],
)
def test_header_fields_that_do_not_fit(change: dict[str, bytes | int], message: str) -> None:
    header = BlockHeader(1, bytes(32), bytes(32), 0, 0, 0)._replace(**change)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=message):
        header.serialize()


def block_of(chain: list[Transaction]) -> bytes:
    """A whole block whose header says nothing."""
    return HEADER + encode_varint(len(chain)) + b"".join(transaction.raw for transaction in chain)
