"""Receipts: what a block did, and what in it was refused (spec 01 sections 5 to 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.block import candidates, read_transactions
from bns.bitcoin.hashes import sha256d
from bns.bitcoin.script import op_return
from bns.bitcoin.transaction import ParseError, Transaction, TxIn, TxOut
from bns.consensus import EMPTY_OPS_HASH, serialize
from bns.engine import Block, Receipt
from bns.errors import InvalidInput, MissingPrevout, Reason
from bns.operations import name_revoke
from bns.operations.base import wire
from tests.chain import ALICE, BOB, BURN, CHANGE, NOBODY, PLENTY, SHARED, WITNESS, Chain, coinbase, raw_block
from tests.situations import NAME, owned

if TYPE_CHECKING:
    from collections.abc import Sequence


def index(chain: Chain, transactions: Sequence[Transaction]) -> Receipt:
    """Index a block of these transactions, the coinbase included."""
    raw = raw_block(bytes(32), chain.height, transactions)
    return chain.index(Block(chain.height, raw, chain.prevout))


def revocation(chain: Chain) -> Transaction:
    """A valid operation that waits to be mined."""
    owned(chain).revoke(NAME, ALICE)
    return chain.take_back()


# Blocks without operations


def test_a_block_without_candidates() -> None:
    chain = Chain()
    receipt = chain.mine()
    assert (receipt.height, receipt.accepted, receipt.rejected, receipt.serialized) == (100, (), (), ())
    assert receipt.ops_hash == EMPTY_OPS_HASH
    assert receipt.consensus_hash == "2a9148d8b13939723d2aca16c75c6d68"
    assert receipt.block_hash == sha256d(chain.blocks[0].raw[:80])[::-1].hex()
    assert receipt.seconds > 0


@pytest.mark.parametrize(
    "script",
    [
        op_return(b"eg~foo.test"),
        op_return(b"i"),
        op_return(b""),
        b"\x6a",
        b"\x6a\x00",
        b"\x51" + op_return(b"id~foo.test"),
        op_return(b"id~foo.test") + b"\x51",
        op_return(b"xid~foo.test"),
    ],
)
def test_outputs_that_are_no_candidates(script: bytes) -> None:
    chain = owned(Chain())
    chain.spend(ALICE, TxOut(0, script))
    receipt = chain.mine()
    assert (receipt.accepted, receipt.rejected) == ((), ())


def test_the_magic_elsewhere_in_a_block_means_nothing() -> None:
    chain = owned(Chain())
    data = op_return(name_revoke.encode(NAME))
    txin = TxIn(b"\x01" * 32, 0, data, 0, (data,))
    chain.queue(Transaction(1, (txin,), (TxOut(0, b"\x76" + data),), 0))
    receipt = chain.mine()
    assert (receipt.accepted, receipt.rejected) == ((), ())


def test_nobody_is_asked_for_outputs_that_do_not_matter() -> None:
    chain = Chain()
    unknown = TxIn(b"\x01" * 32, 0, b"", 0)
    chain.queue(Transaction(1, (unknown,), (TxOut(0, op_return(b"eg")),), 0))
    chain.queue(Transaction(1, (unknown,), (TxOut(0, op_return(b"id$")),), 0))
    assert [entry.reason for entry in chain.mine().rejected] == [Reason.UNKNOWN_OPCODE]
    chain.queue(Transaction(1, (unknown,), (TxOut(0, op_return(b"id~")),), 0))
    with pytest.raises(MissingPrevout, match="01" * 32 + ":0"):
        chain.mine()


# What is refused


def test_refusals_come_in_the_order_of_the_block() -> None:
    chain = owned(Chain())
    txids = [
        chain.revoke(NAME, BOB),
        chain.op(ALICE, b"id$"),
        chain.update(NAME, ALICE),
        chain.spend(ALICE, TxOut(0, op_return(b"eg"))),
        chain.op(ALICE, wire("?", b"")),
        chain.transfer(NAME, WITNESS, BOB),
        chain.op(ALICE, b"id"),
        chain.announce(ALICE),
    ]
    receipt = chain.mine()
    assert [(entry.vtxindex, entry.txid, entry.reason) for entry in receipt.rejected] == [
        (1, txids[0], Reason.NOT_OWNER),
        (2, txids[1], Reason.UNKNOWN_OPCODE),
        (5, txids[4], Reason.BAD_PAYLOAD_LENGTH),
        (6, txids[5], Reason.NO_SENDER_ADDRESS),
        (7, txids[6], Reason.UNKNOWN_OPCODE),
        (8, txids[7], Reason.NOT_AN_ANNOUNCER),
    ]
    assert [(entry.operation.carrier.vtxindex, entry.opcode) for entry in receipt.accepted] == [(3, "NAME_UPDATE")]


def test_a_refusal_shows_the_payload_and_the_operation_if_there_is_one() -> None:
    chain = owned(Chain())
    refused = name_revoke.encode(NAME)
    chain.op(BOB, refused)
    malformed = refused + b"\0"
    chain.op(BOB, malformed)
    one, other = chain.mine().rejected
    assert (one.payload, other.payload) == (refused, malformed)
    assert one.operation is not None
    assert (one.operation.WIRE, one.operation.carrier.address) == ("~", BOB.address)
    assert other.operation is None
    assert one.detail == f"foo.test belongs to {ALICE.address}, not to {BOB.address}"
    assert other.detail == "'foo.test\\x00'"


def test_an_accepted_operation_has_one_text_and_one_row() -> None:
    chain = owned(Chain())
    chain.announce(ALICE)
    chain.update(NAME, ALICE)
    chain.preorder("bar.test", BOB)
    receipt = chain.mine()
    assert [text[0] for text in receipt.serialized] == ["+", "?"]
    query = "SELECT vtxindex, txindex, opcode, data_hex, fee FROM chainstate WHERE block_id = ? ORDER BY vtxindex"
    rows = chain.state.connection.execute(query, (receipt.height,)).fetchall()
    data = [entry.operation.carrier for entry in receipt.accepted]
    assert [carrier.vtxindex for carrier in data] == [2, 3]
    assert [row[:3] for row in rows] == [(0, 2, "+"), (1, 3, "?")]
    assert [row[4] for row in rows] == [PLENTY - CHANGE, -CHANGE]
    payloads = [candidate.payload[3:].hex() for candidate in candidates(chain.blocks[-1].raw)][1:]
    assert [row[3] for row in rows] == payloads


def test_an_announcement_leaves_no_trace() -> None:
    chain = Chain().opened("id", imports={"judecn.id": ALICE})
    chain.announce(ALICE)
    receipt = chain.mine()
    (accepted,) = receipt.accepted
    assert (accepted.opcode, accepted.record) == ("ANNOUNCE", None)
    with pytest.raises(InvalidInput, match="operation to serialize: expected one that leaves a record, got '#'"):
        serialize(accepted)
    assert (receipt.serialized, receipt.ops_hash) == ((), EMPTY_OPS_HASH)
    query = "SELECT count(*) FROM chainstate WHERE block_id = ?"
    assert chain.state.connection.execute(query, (receipt.height,)).fetchone() == (0,)


def test_a_renewal_is_called_a_renewal() -> None:
    chain = owned(Chain())
    chain.renew(NAME, ALICE)
    (accepted,) = chain.mine().accepted
    assert (accepted.wire, accepted.opcode) == (":", "NAME_RENEWAL")


# Coinbases (spec 01 sections 6 and 19.10)


@pytest.mark.parametrize("wire_opcode", ["~", "?", "#", "$"])
def test_a_coinbase_never_is_an_operation(wire_opcode: str) -> None:
    chain = owned(Chain())
    for _ in range(2):
        data = TxOut(0, op_return(wire(wire_opcode, NAME.encode())))
        receipt = index(chain, [coinbase(chain.height, data, TxOut(0, ALICE.script), TxOut(0, BURN.script))])
        assert receipt.accepted == ()
        (refused,) = receipt.rejected
        expected = Reason.UNKNOWN_OPCODE if wire_opcode == "$" else Reason.NO_SENDER_ADDRESS
        assert (refused.vtxindex, refused.reason) == (0, expected)


# Witnesses


def test_witnesses_change_nothing() -> None:
    plain, segwit = Chain(), Chain()
    transaction = revocation(plain)
    revocation(segwit)
    segwit.funding.update(plain.funding)
    (txin,) = transaction.inputs
    signed = Transaction(1, (txin._replace(witness=(b"id~foo.test", b"\x6a\x02id", b"")),), transaction.outputs, 0)
    assert signed.raw != signed.stripped
    others = [coinbase(plain.height), Transaction(1, (TxIn(b"\x01" * 32, 0, b"", 0),), (TxOut(1, NOBODY.script),), 0)]
    shown = Transaction(1, (TxIn(b"\x01" * 32, 0, b"", 0, (b"\x6a\x02id",)),), (TxOut(1, NOBODY.script),), 0)
    one = index(plain, [*others, transaction])
    other = index(segwit, [others[0], shown, signed])
    assert len(one.accepted) == 1
    assert (one.consensus_hash, one.serialized) == (other.consensus_hash, other.serialized)
    query = "SELECT * FROM chainstate"
    assert plain.state.connection.execute(query).fetchall() == segwit.state.connection.execute(query).fetchall()


def test_a_sender_behind_a_script_hash_may_show_a_witness() -> None:
    chain = Chain().opened(imports={NAME: SHARED})
    chain.revoke(NAME, SHARED)
    plain = chain.take_back()
    txin = plain.inputs[0]._replace(script=b"\x16\x00\x14" + bytes(20), witness=(b"signature", b"key"))
    assert chain.judge(chain.queue(Transaction(1, (txin,), plain.outputs, 0))) is None


# Malformed blocks


def test_a_malformed_block_leaves_everything_as_it_was() -> None:
    chain = Chain()
    transaction = revocation(chain)
    raw = raw_block(bytes(32), chain.height, [coinbase(chain.height), transaction])
    for cut in (10, 79, len(raw) - 1, len(raw) - 30):
        with pytest.raises(ParseError):
            chain.engine.apply(Block(chain.height, raw[:cut], chain.prevout))
    assert len(chain.engine.apply(Block(chain.height, raw, chain.prevout)).accepted) == 1


def test_the_hash_of_a_block_is_kept() -> None:
    chain = Chain()
    receipt = chain.mine()
    snapshot = chain.state.snapshot(100)
    assert snapshot is not None
    assert snapshot.block_hash == receipt.block_hash
    assert len(read_transactions(chain.blocks[0].raw)) == 1
