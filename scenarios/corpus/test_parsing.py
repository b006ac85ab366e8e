"""Payloads on chain, right and wrong in length and spelling (spec 10 section 3.21)."""

import pytest

from bns.bitcoin.script import p2pkh
from bns.bitcoin.transaction import TxOut
from bns.engine import Block, Engine
from bns.errors import InvalidInput
from bns.operations.names import is_name, is_namespace_id
from bns.operations.prices import burn_address
from bns.state.files import DatabaseError
from bns.state.store import State
from bnslab import Reason, epochs
from bnslab.outputs import Outputs
from bnslab.transactions import pay

PARSE = {
    Reason.UNKNOWN_OPCODE,
    Reason.BAD_PAYLOAD_LENGTH,
    Reason.INVALID_NAME,
    Reason.INVALID_NAMESPACE_ID,
    Reason.BAD_MARKER,
    Reason.BAD_DISPOSITION,
}
"""What a payload alone can be refused for."""

REVEAL = bytes.fromhex("0000cd7304046543211000000000a50001")
PADDED = b"hello.test".ljust(37, b"\0")
HASH = b"\x22" * 20
BAD_NAMES = {
    "empty": b"", "upper case": b"Hello.test", "no namespace": b"hellotest", "empty namespace": b"hello.",
    "two periods": b"hel.lo.test", "plus": b"hel+lo.test", "38 bytes": b"a" * 33 + b".test",
}  # fmt: skip
BAD_IDS = {
    "upper case": b"Hello", "two periods": b"hel.lo.", "period": b".", "plus": b"hel+lo", "empty": b"",
    "20 characters": b"a" * 20,
}  # fmt: skip


def padded(name):
    return name.ljust(37, b"\0") + HASH


VALID = {
    "namespace preorder": b"*" + bytes(36),
    "name preorder": b"?" + bytes(36),
    "reveal": b"&" + REVEAL + b"hello",
    "ready": b"!.hello",
    "registration": b":hello.test",
    "registration with hash": b":" + PADDED + HASH,
    "update": b"+" + bytes(36),
    "transfer keeping": b">>" + bytes(32),
    "transfer dropping": b">~" + bytes(32),
    "revocation": b"~hello.test",
    "import": b";hello.test",
    "announcement": b"#" + bytes(20),
}

INVALID = {
    **{f"{name} {size} bytes": op + bytes(size) for name, op, sizes in (
        ("namespace preorder", b"*", (35, 37)), ("name preorder", b"?", (35, 37)), ("update", b"+", (35, 37)),
        ("announcement", b"#", (19, 21)), ("transfer", b">>", (31, 33)),
    ) for size in sizes},
    **{f"reveal {what}": b"&" + REVEAL + id_ for what, id_ in BAD_IDS.items()},
    **{f"ready {what}": b"!." + id_ for what, id_ in BAD_IDS.items() if what != "period"},
    "ready missing period": b"!hello",
    "ready only a period": b"!.",
    **{f"{what} {name}": op + bad for what, op in (("registration", b":"), ("revocation", b"~"), ("import", b";"))
       for name, bad in BAD_NAMES.items()},
    **{f"registration with hash {name}": b":" + padded(bad) for name, bad in BAD_NAMES.items()},
    "registration padded without hash": b":" + PADDED,
    "registration with hash of 21 bytes": b":" + PADDED + HASH + b"\x22",
    "registration padded one byte short, hash of 21 bytes": b":" + PADDED[:-1] + HASH + b"\x22",
    "registration padded one byte short": b":" + PADDED[:-1] + HASH,
    "transfer with another flag": b">!" + bytes(32),
    "opcode that is none": b"{",
    "no opcode": b"",
}  # fmt: skip


def send(lab, by, payload):
    """The operation with whatever outputs its kind looks for."""
    kind = payload[:1]
    recipient, burned = pay(by.address), pay(burn_address(lab.params))
    carrier = TxOut(5_500, p2pkh(b"\x11" * 20))
    layouts = {b"*": [None, burned], b"?": [None, burned], b";": [recipient, carrier, None]}
    outputs = layouts.get(kind, [recipient, None])
    return lab.send_payload(b"id" + payload, by=by, outputs=outputs)


@epochs(3)
@pytest.mark.parametrize("payloads", [VALID, INVALID], ids=["valid", "invalid"])
def test_nameop_parsing(lab, alice, payloads):
    """Those that are right in form fail for other reasons, if at all."""
    with lab.undecided():
        sent = {what: send(lab, alice, payload) for what, payload in payloads.items()}
    wrong = {what for what, one in sent.items() if one.reason in PARSE}
    assert wrong == (set() if payloads is VALID else set(INVALID))


def test_the_layouts_are_what_they_say():
    assert all(not is_name(bad.decode()) for bad in BAD_NAMES.values())
    assert all(not is_namespace_id(bad.decode()) for bad in BAD_IDS.values())


@epochs(1)
def test_virtualchain_bad_opcodes(lab, alice):
    consensus = []
    for payload in (b"eg", b"id", b"id{"):
        with lab.rejects(Reason.UNKNOWN_OPCODE):
            lab.send_payload(payload, by=alice)
        assert lab.receipts[-1].accepted == ()
        consensus.append(lab.consensus_hash)
    assert len(set(consensus)) == 3, "the node keeps indexing"


@epochs(1)
def test_virtualchain_abort(lab, alice, bob, tmp_path):
    """A node that cannot write stops at that block; what it has stored stays."""
    lab.namespace_preorder("test", by=alice, to=bob)
    lab.mine()
    lab.namespace_preorder("test2", by=alice, to=bob)
    lab.mine()
    state, outputs = State.create(tmp_path / "bns.db", lab.params), Outputs(lab.base.coins)
    engine = Engine(lab.params, state)
    first, second = lab.chain.blocks_from(lab.params.first_block)
    outputs.add_block(first.raw)
    outputs.add_block(second.raw)
    engine.apply(Block(first.tip.height, first.raw, outputs.find))
    state.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(DatabaseError, match="readonly database"):
        engine.apply(Block(second.tip.height, second.raw, outputs.find))
    assert (state.last_block, state.consensus_hash(state.last_block)) == (111, lab.receipts[0].consensus_hash)
    state.close()


@pytest.mark.parametrize("name", ["Hello.test", "hellotest", "hel.lo.test", "hel+lo.test", "a" * 33 + ".test"])
def test_a_client_refuses_them_too(lab, alice, name):
    lab.mine()
    with pytest.raises(InvalidInput, match="name: expected"):
        lab.name_preorder(name, by=alice)
