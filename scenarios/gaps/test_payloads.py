"""Payloads of every kind and length, and blocks full of operations, on chain (spec 10 section 4, items 5 and 6)."""

from random import Random

import pytest

from bnslab import Reason

OPCODES = b"*&!;?:+>~#"
LONGEST = 77
"""Bytes after magic and opcode that an output still carries to the node."""

pytestmark = pytest.mark.unrecorded


def content(kind, length, opcode):
    """Bytes of one class, the same each time."""
    choose = Random(f"{kind}/{length}/{opcode}")
    alphabet = {"zeros": b"\0", "ones": b"\xff", "text": b"abcdefghij.test", "bytes": bytes(range(256))}[kind]
    return bytes(choose.choice(alphabet) for _ in range(length))


@pytest.mark.parametrize("kind", ["zeros", "ones", "text", "bytes"])
@pytest.mark.parametrize("half", range(2))
def test_every_opcode_at_every_length(lab, alice, kind, half):
    """None of it is accepted, none of it stops the node."""
    lab.namespace("test", by=alice)
    with lab.undecided():
        for opcode in OPCODES[half::2]:
            for length in range(LONGEST + 1):
                payload = b"id" + bytes([opcode]) + content(kind, length, opcode)
                lab.send_payload(payload, by=alice, outputs=[alice.output(5_500), None])
    assert lab.receipts[-1].accepted == ()
    lab.register("foo.test", by=alice)


def test_every_byte_as_an_opcode(lab, alice):
    with lab.undecided():
        sent = {byte: lab.send_payload(b"id" + bytes([byte]) + b"hello.test", by=alice) for byte in range(256)}
    unknown = {byte for byte, one in sent.items() if one.reason is Reason.UNKNOWN_OPCODE}
    assert unknown == set(range(256)) - set(OPCODES)


@pytest.mark.parametrize("magic", [b"eg", b"di", b"ID", b"iD", b"i", b"", b"id\0", b"\0id"])
def test_other_magic(lab, alice, magic):
    with lab.rejects(Reason.UNKNOWN_OPCODE):
        lab.send_payload(magic + b"?" + bytes(36), by=alice)
    assert lab.receipts[-1].accepted == ()


def test_a_block_of_many_operations(lab, alice):
    """300 names at a time, from 15 wallets; each step of their lives is one block."""
    owners = [lab.wallet(f"owner {number}") for number in range(15)]
    names = [(f"name{number}.test", owners[number % 15], owners[(number + 1) % 15]) for number in range(300)]
    lab.namespace("test", by=alice)
    for name, owner, _ in names:
        lab.name_preorder(name, by=owner)
    lab.mine()
    for name, owner, _ in names:
        lab.name_registration(name, by=owner)
    lab.mine()
    for place, (name, owner, _) in enumerate(names):
        lab.update(name, by=owner, value_hash=f"{place:040x}")
    lab.mine()
    for name, owner, other in names:
        lab.transfer(name, by=owner, to=other)
        lab.revoke(name, by=other)
    lab.mine()
    assert len(lab.receipts[-1].accepted) == 600
    assert all(lab.name(name).revoked and lab.name(name).address == other.address for name, _, other in names)


def test_outputs_of_nothing(lab, alice, bob):
    """The reveal address and the owner are told by outputs that carry no satoshi."""
    from bns.operations import name_registration

    lab.namespace("test", by=alice)
    lab.name_preorder("foo.test", by=bob)
    lab.mine()
    lab.send_payload(name_registration.encode("foo.test", None), by=bob, outputs=[bob.output(0), None])
    lab.mine()
    assert lab.name("foo.test").address == bob.address
