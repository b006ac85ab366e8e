"""The two chains of spec 02's appendices and the vectors of spec 03 section 19, read from the documents themselves."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from bns.bitcoin.script import p2pkh
from bns.bitcoin.transaction import Transaction, TxOut, parse_transaction
from bns.consensus import consensus_hash, ops_hash
from bns.engine import Block, Engine, Receipt
from bns.params import Params
from bns.state.store import State
from tests.chain import PLENTY, coinbase, raw_block

SPEC = Path(__file__).parents[2] / "docs" / "spec"

_BLOCK = re.compile(
    r"\*\*Block (?P<height>\d+)\*\* — ops hash `(?P<ops>\w{64})`, consensus hash `(?P<consensus>\w{32})`"
    r"(?:: no transactions|\n\n```\n(?P<body>.*?)```)",
    re.DOTALL,
)
_TRANSACTION = re.compile(
    r"tx (?P<place>\d+)  (?P<title>.*?)  \[(?P<verdict>accepted|not accepted)\]\n"
    r"prevout script (?P<script>\w+)\nraw (?P<raw>\w+)\n(?:ser (?P<text>.*)\n)?"
)


class VectorTransaction(NamedTuple):
    place: int
    title: str
    accepted: bool
    spent: TxOut
    transaction: Transaction
    text: str | None


class VectorBlock(NamedTuple):
    height: int
    ops: str
    consensus: str
    transactions: list[VectorTransaction]


@cache
def appendix(letter: str) -> tuple[dict[str, str], list[VectorBlock]]:
    """The environment and the blocks of an appendix."""
    text = (SPEC / "02-operations.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## Appendix (\w) — .*?\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    environment: dict[str, str] = {}
    for known in "AB"[: "AB".index(letter) + 1]:  # B: as A, plus
        line = re.search(r"^Environment: .*$", sections[known], re.MULTILINE)
        assert line is not None
        environment.update(re.findall(r"(BLOCKSTACK_\w+)=([^\s`]+)", line[0]))
    blocks = [
        VectorBlock(int(found["height"]), found["ops"], found["consensus"], _transactions(found["body"] or ""))
        for found in _BLOCK.finditer(sections[letter])
    ]
    return environment, blocks


def _transactions(body: str) -> list[VectorTransaction]:
    return [
        VectorTransaction(
            int(found["place"]),
            found["title"],
            found["verdict"] == "accepted",
            TxOut(PLENTY, bytes.fromhex(found["script"])),
            parse_transaction(bytes.fromhex(found["raw"])),
            found["text"],
        )
        for found in _TRANSACTION.finditer(body)
    ]


@cache
def receipts(letter: str) -> list[Receipt]:
    """What the engine makes of an appendix."""
    environment, blocks = appendix(letter)
    params = Params.from_reference_env(environment)
    engine = Engine(params, State.memory(params))
    spent = {
        (txin.txid, txin.index): entry.spent
        for block in blocks
        for entry in block.transactions
        for txin in entry.transaction.inputs
    }
    found = []
    for block in blocks:
        first = coinbase(block.height, TxOut(0, p2pkh(bytes(20))))
        raw = raw_block(bytes(32), block.height, [first, *(entry.transaction for entry in block.transactions)])
        found.append(engine.apply(Block(block.height, raw, lambda txid, index: spent.get((txid, index)))))
    return found


APPENDICES = pytest.mark.parametrize("letter", ["A", "B"])


@pytest.mark.parametrize(("letter", "blocks", "transactions", "accepted"), [("A", 19, 17, 16), ("B", 26, 34, 23)])
def test_the_appendix_was_read_whole(letter: str, blocks: int, transactions: int, accepted: int) -> None:
    _, found = appendix(letter)
    entries = [entry for block in found for entry in block.transactions]
    assert [block.height for block in found] == list(range(373601, 373601 + blocks))
    assert (len(entries), sum(entry.accepted for entry in entries)) == (transactions, accepted)
    for block in found:
        assert [entry.place for entry in block.transactions] == list(range(1, len(block.transactions) + 1))
    assert all((entry.text is not None) == entry.accepted for entry in entries)


@APPENDICES
def test_the_hashes_of_every_block(letter: str) -> None:
    _, blocks = appendix(letter)
    found = [(receipt.height, receipt.ops_hash, receipt.consensus_hash) for receipt in receipts(letter)]
    assert found == [(block.height, block.ops, block.consensus) for block in blocks]


@APPENDICES
def test_what_is_hashed(letter: str) -> None:
    _, blocks = appendix(letter)
    expected = [[entry.text for entry in block.transactions if entry.accepted] for block in blocks]
    assert [list(receipt.serialized) for receipt in receipts(letter)] == expected


@APPENDICES
def test_what_is_accepted(letter: str) -> None:
    _, blocks = appendix(letter)
    for block, receipt in zip(blocks, receipts(letter), strict=True):
        accepted = {entry.operation.carrier.vtxindex: entry.opcode for entry in receipt.accepted}
        refused = {entry.vtxindex for entry in receipt.rejected}
        titles = {entry.place: entry.title.split()[0] for entry in block.transactions if entry.accepted}
        assert accepted == titles, block.height
        assert refused == {entry.place for entry in block.transactions if not entry.accepted}, block.height


@pytest.mark.parametrize(
    ("letter", "height", "reasons"),
    [
        ("A", 373618, ["NOT_AN_ANNOUNCER"]),
        ("B", 373607, ["NOT_AN_IMPORT_KEY"]),
        ("B", 373608, ["NAMESPACE_NOT_REVEALED"]),
        ("B", 373610, ["COLLISION", "COLLISION", "WRONG_FEE_ADDRESS"]),
        ("B", 373612, ["COLLISION"]),
        ("B", 373618, ["NAME_IN_GRACE_PERIOD"]),
        ("B", 373623, ["NAME_EXPIRED"]),
        ("B", 373624, ["NO_SUCH_NAME", "PREORDER_PENDING"]),
        ("B", 373625, ["NOT_PREORDERED"]),
    ],
)
def test_why_the_others_are_refused(letter: str, height: int, reasons: list[str]) -> None:
    receipt = receipts(letter)[height - 373601]
    assert [entry.reason.name for entry in receipt.rejected] == reasons


# Spec 03 section 19


class SyntheticBlock(NamedTuple):
    height: int
    text: str
    ops: str
    consensus: str


@cache
def synthetic_blocks() -> list[SyntheticBlock]:
    """Blocks 689 to 692, of one operation each."""
    text = (SPEC / "03-state.md").read_text(encoding="utf-8")
    section = text[text.index("\n## 19. Test vectors") :]
    found = [
        SyntheticBlock(int(height), serialized, ops, consensus)
        for height, serialized, ops, consensus in re.findall(
            r"^Block (\d+), one .*?```\n(.*?)\n```\nops hash `(\w{64})`.*?consensus\s`(\w{32})`",
            section,
            re.DOTALL | re.MULTILINE,
        )
    ]
    repeat = re.search(
        r"^Block 692 .*?value hash `12`.20 and txid\s`(\w{64})`.*?ops hash\s`(\w{64})`.*?consensus\s`(\w{32})`",
        section,
        re.DOTALL | re.MULTILINE,
    )
    assert repeat is not None
    txid, ops, consensus = repeat.groups()
    again = re.sub(r"64:\w{64}", f"64:{txid}", found[-1].text.replace("11" * 20, "12" * 20))
    return [*found, SyntheticBlock(692, again, ops, consensus)]


def test_the_synthetic_blocks_were_read_whole() -> None:
    assert [block.height for block in synthetic_blocks()] == [689, 690, 691, 692]


@pytest.mark.parametrize("place", range(4))
def test_the_hashes_of_the_synthetic_blocks(place: int) -> None:
    block = synthetic_blocks()[place]
    earlier = {688: "2a9148d8b13939723d2aca16c75c6d68"}
    earlier.update((before.height, before.consensus) for before in synthetic_blocks()[:place])
    assert ops_hash([block.text]) == block.ops
    assert consensus_hash(block.height, block.ops, 688, earlier.__getitem__) == block.consensus
