"""Every pair and triple of owner operations in one block, against a small model (spec 10 section 4, item 11)."""

from dataclasses import dataclass, replace
from itertools import product

import pytest

from bnslab import Reason

OPERATIONS = ("update", "transfer", "drop", "renew", "revoke")
H1 = "11" * 20


@dataclass(frozen=True)
class Model:
    """What is known of a name within its block. Owners are "bob" and "carol"."""

    owner: str = "bob"
    revoked: bool = False
    renewals: int = 0

    def verdict(self, operation):
        """Why the operation is refused if its owner sends it, or None."""
        if self.revoked:
            return {
                "update": Reason.NO_SUCH_NAME, "transfer": Reason.NAME_NOT_REGISTERED,
                "drop": Reason.NAME_NOT_REGISTERED, "renew": Reason.NAME_REVOKED, "revoke": Reason.NAME_REVOKED,
            }[operation]  # fmt: skip
        return Reason.COLLISION if operation == "renew" and self.renewals else None

    def after(self, operation):
        """The same after the operation was accepted."""
        match operation:
            case "transfer" | "drop":
                return replace(self, owner="carol" if self.owner == "bob" else "bob")
            case "renew":
                return replace(self, renewals=self.renewals + 1)
            case "revoke":
                return replace(self, revoked=True)
            case _:
                return self


def send(lab, name, operation, owner):
    other = "carol" if owner == "bob" else "bob"
    match operation:
        case "update":
            return lab.update(name, by=owner, value_hash=H1)
        case "transfer":
            return lab.transfer(name, by=owner, to=other)
        case "drop":
            return lab.transfer(name, by=owner, to=other, keep_data=False)
        case "renew":
            return lab.renew(name, by=owner)
        case _:
            return lab.revoke(name, by=owner)


def expected(word):
    """The verdict of each operation of a word. Three renewals in one block undo each other."""
    model, verdicts = Model(), []
    for operation in word:
        verdict = Reason.COLLISION if word == ("renew",) * 3 else model.verdict(operation)
        verdicts.append(verdict)
        model = model if verdict else model.after(operation)
    return verdicts, model


def in_one_block(lab, alice, words):
    lab.namespace("test", by=alice)
    names = [f"{'-'.join(word)}.test" for word in words]
    for name in names:
        lab.name_preorder(name, by="bob")
    lab.mine()
    for name in names:
        lab.name_registration(name, by="bob")
    lab.mine()
    sent = {}
    with lab.undecided():
        for name, word in zip(names, words, strict=True):
            model = Model()
            sent[name] = []
            for operation in word:
                sent[name].append(send(lab, name, operation, model.owner))
                model = model if model.verdict(operation) else model.after(operation)
    for name, word in zip(names, words, strict=True):
        verdicts, model = expected(word)
        assert [one.reason for one in sent[name]] == verdicts, word
        info = lab.name(name)
        assert info.address == lab.wallet(model.owner).address, word
        assert info.revoked == model.revoked, word


PAIRS = list(product(OPERATIONS, repeat=2))
TRIPLES = list(product(OPERATIONS, repeat=3))


@pytest.mark.parametrize("part", range(2))
def test_pairs(lab, alice, bob, carol, part):
    in_one_block(lab, alice, PAIRS[part::2])


@pytest.mark.parametrize("first", OPERATIONS)
@pytest.mark.parametrize("second", OPERATIONS)
def test_triples(lab, alice, bob, carol, first, second):
    in_one_block(lab, alice, [word for word in TRIPLES if word[:2] == (first, second)])


@pytest.mark.p2pkh("alice")
def test_import_ready_and_preorder(lab, alice, bob, carol):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice)
    lab.mine()
    lab.name_import("foo.test", by=alice, to=bob)
    lab.namespace_ready("test", by=alice)
    lab.name_preorder("bar.test", by=bob)
    lab.name_registration("bar.test", by=bob)
    with lab.rejects(Reason.NAMESPACE_NOT_REVEALED):
        lab.name_import("baz.test", by=alice, to=bob)
    assert (lab.name("foo.test").address, lab.name("bar.test").address) == (bob.address, bob.address)


def test_namespace_preorder_and_reveal(lab, alice):
    lab.namespace_preorder("test", by=alice)
    lab.namespace_reveal("test", by=alice)
    with lab.rejects(Reason.NAMESPACE_NOT_REVEALED):
        lab.namespace_ready("test", by=alice)
    lab.namespace_ready("test", by=alice)
    lab.mine()


def test_two_transfers_to_different_owners(lab, alice, bob, carol):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
    lab.transfer("foo.test", by=bob, to=carol)
    with lab.rejects(Reason.NOT_OWNER):
        lab.transfer("foo.test", by=bob, to=alice)


def test_a_squatted_preorder_hash(lab, alice, bob, carol):
    """Anybody can publish the hash that somebody else will need, and so keep it from counting."""
    from bns.operations import name_preorder
    from bns.operations.prices import burn_address
    from bnslab.transactions import pay

    lab.namespace("test", by=alice)
    payload = name_preorder.encode("foo.test", bob.script.hex(), bob.address, lab.consensus_hash)
    fee = pay(burn_address(lab.params), lab.price("foo.test"))
    lab.send_payload(payload, by=carol, outputs=[None, fee])
    with lab.rejects(Reason.PREORDER_PENDING):
        lab.name_preorder("foo.test", by=bob)
    with lab.rejects(Reason.PREORDERED_BY_ANOTHER):
        lab.name_registration("foo.test", by=bob)


def test_the_same_preorder_live_consumed_and_too_old(lab, alice, bob):
    lab.namespace("test", by=alice, lifetime=2)
    lab.name_preorder("foo.test", by=bob)
    lab.mine()
    with lab.rejects(Reason.PREORDER_PENDING):
        lab.name_preorder("foo.test", by=bob)
    lab.name_registration("foo.test", by=bob)
    lab.mine()
    lab.name_preorder("foo.test", by=bob)
    lab.name_preorder("bar.test", by=bob)
    lab.mine(6)
    with lab.rejects(Reason.PREORDER_PENDING):
        lab.name_preorder("bar.test", by=bob)
