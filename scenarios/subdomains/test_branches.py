"""Competing records: which branch holds as zone files come to light (spec 10 section 3.16)."""

import pytest

pytestmark = pytest.mark.p2pkh(*(f"w{number}" for number in range(6)))  # segwit owners cannot sign records

OTHERS = ("foo4.test", "foo5.test", "foo6.test", "foo7.test")

# A root and its six descendants, in the order in which they are announced: what each follows, and its carrier and owner
# where a scenario has others.
TREE = {
    "1-and-2": (0, "foo4.test", 0),
    "1": ("1-and-2", "foo5.test", 1),
    "2": ("1-and-2", "foo6.test", 2),
    "3-and-4": (0, "foo7.test", 3),
    "3": ("3-and-4", "foo1.test", 4),
    "4": ("3-and-4", "foo2.test", 5),
}


def grow(rounds, carriers=False, transfers=False):
    """Announce the tree; the root is handed over."""
    rounds.open(others=OTHERS if carriers else ())
    rounds.put(0)
    for key, (previous, carrier, owner) in TREE.items():
        rounds.announce(key, previous, carrier if carriers else None, rounds.wallets[owner] if transfers else None)


def reveal(rounds, *holds, carriers=False):
    """Hand over the tree, branch by branch from the youngest on; each time one round holds.

    Zone files of other names never make a subdomain pending.
    """
    for key, holding in zip(("3-and-4", "4", "3", "1-and-2", "2", "1"), holds, strict=True):
        rounds.put(key)
        rounds.lab.mine()
        missing = key != "1" if not carriers else {"foo1.test": key in ("3-and-4", "4"), "foo2.test": key == "3-and-4"}
        rounds.current(holding, pending=missing, domain=TREE[holding][1] if carriers else None)


def test_name_pre_regup_subdomain_reorg(rounds):
    """An older round takes the place of a younger one, and what followed that follows it."""
    rounds.open()
    rounds.put(0)
    rounds.announce("a", 0)
    rounds.announce("b", 0)
    rounds.put("b")
    rounds.lab.mine()
    rounds.announce("2", "b")
    rounds.put("2")
    rounds.lab.mine()
    rounds.current("2", pending=True)
    rounds.history(0, "b", "2")
    rounds.put("a")
    rounds.lab.mine()
    rounds.current("2")
    rounds.history(0, "a", "2")


def test_name_pre_regup_subdomain_reorg_deep(rounds):
    grow(rounds)
    reveal(rounds, "3-and-4", "4", "3", "3", "2", "1")


def test_name_pre_regup_subdomain_reorg_deep_indep(rounds):
    grow(rounds, carriers=True)
    reveal(rounds, "3-and-4", "4", "3", "3", "2", "1", carriers=True)


def test_name_pre_regup_subdomain_reorg_deep_transfer(rounds):
    """An older branch that comes to light invalidates what the owners of the younger one signed."""
    grow(rounds, transfers=True)
    reveal(rounds, "3-and-4", "4", "3", "1-and-2", "2", "1")
    rounds.history(0, "1-and-2", "1")
