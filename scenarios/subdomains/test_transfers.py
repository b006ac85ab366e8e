"""Subdomains that change hands, with zone files that are missing for a while or for good (spec 10 section 3.16)."""

import pytest

pytestmark = pytest.mark.p2pkh(*(f"w{number}" for number in range(6)))  # segwit owners cannot sign records

OTHERS = ("foo4.test", "foo5.test", "foo6.test", "foo7.test")


def test_name_pre_regup_subdomain_seq_xfer(rounds):
    rounds.open()
    rounds.put(0)
    rounds.lab.mine()
    rounds.current(0)
    for key, to in enumerate((0, 1, 2, 3, 4, 0), start=1):
        rounds.announce(key, key - 1, to=rounds.wallets[to])
        rounds.put(key)
        rounds.lab.mine()
        rounds.current(key)
    rounds.history(*range(7))


def test_name_pre_regup_subdomain_seq_xfer_pending(rounds):
    rounds.open(others=OTHERS)
    rounds.put(0)
    rounds.lab.mine()
    rounds.current(0)
    for key in (1, 2, 3, 4):
        rounds.announce(key, key - 1, to=rounds.wallets[key - 1])
        if key in (2, 4):
            rounds.put(key)
        rounds.lab.mine()
        rounds.current(0, pending=True)
    rounds.put(1, 3)
    rounds.lab.mine()
    rounds.current(4)
    rounds.history(0, 1, 2, 3, 4)


def branch(rounds, **more):
    """Two transfers of w4's, the older one withheld, and one that follows each."""
    wallets = rounds.wallets
    rounds.announce("to w0", 0, to=wallets[0], **more)
    rounds.lab.mine()
    rounds.current(0, pending=not more)
    rounds.announce("to w1", 0, to=wallets[1], **more)
    rounds.put("to w1")
    rounds.lab.mine()
    rounds.current("to w1", pending=not more)
    rounds.announce("w0 to w1", "to w0", to=wallets[1], **more)
    rounds.lab.mine()
    rounds.announce("w1 to w2", "to w1", to=wallets[2], **more)
    rounds.put("w1 to w2")
    rounds.lab.mine()
    rounds.current("w1 to w2", pending=True)


def test_name_pre_regup_subdomain_seq_xfer_reorg_pending(rounds):
    rounds.open(others=OTHERS)
    rounds.put(0)
    rounds.lab.mine()
    branch(rounds)
    rounds.put("to w0", "w0 to w1")
    rounds.lab.mine()
    rounds.current("w0 to w1")
    rounds.history(0, "to w0", "w0 to w1")


def test_name_pre_regup_subdomain_seq_xfer_reorg_pending_missing(rounds):
    """Before each round come announcements whose zone files never do: the round declares them lost."""
    lab, wallets, owner = rounds.lab, rounds.wallets, rounds.wallets[3]
    lost = []

    def lose(send):
        for name in rounds.records[0]:
            send(name)
        lab.mine()
        count = lab.node.offchain.count()
        lost.extend(range(count - 2, count + 1))

    lab.namespace("test", by=wallets[0])
    for name in rounds.records[0]:
        lab.name_preorder(name, by=wallets[2], to=owner)
    lab.mine()
    lose(lambda name: lab.name_registration(name, by=wallets[2], to=owner, value_hash="22" * 20))
    rounds.write(0, missing=lost)
    rounds.send(0)
    rounds.put(0)
    lab.mine()
    rounds.current(0)
    for key, previous, to in (
        ("to w0", 0, 0),
        ("to w1", 0, 1),
        ("w0 to w1", "to w0", 1),
        ("w1 to w2", "to w1", 2),
        ("w1 to w3", "w0 to w1", 3),
    ):
        lose(lambda name: lab.update(name, by=owner, value_hash="11" * 20))
        rounds.announce(key, previous, to=wallets[to], missing=lost)
        if key in ("to w1", "w1 to w2"):
            rounds.put(key)
    lab.mine()
    rounds.current("w1 to w2", pending=True)
    rounds.put("to w0", "w0 to w1", "w1 to w3")
    lab.mine()
    rounds.current("w1 to w3")
    assert "0" in lab.node.offchain.announced.bits()
    rounds.history(0, "to w0", "w0 to w1", "w1 to w3")


def test_name_pre_regup_subdomain_xfer_dependent(rounds):
    """Other names' zone files can carry updates, but no transfers."""
    rounds.open(others=OTHERS)
    rounds.put(0)
    wallets = rounds.wallets
    for key, previous, carrier, to in (
        ("foreign", 0, "foo4.test", 0),
        ("own", 0, None, 1),
        ("foreign again", "own", "foo6.test", 2),
        ("own again", "own", None, 3),
    ):
        rounds.announce(key, previous, carrier, to=wallets[to])
        rounds.put(key)
    rounds.lab.mine()
    rounds.current("own again")
    rounds.history(0, "own", "own again")
