"""Names that the revealer of a namespace gives away before it is ready (spec 02 section 7.4)."""

import pytest

from bnslab import Reason

pytestmark = pytest.mark.p2pkh("alice", "bob")  # importers must show their keys


def reveal(lab, alice):
    lab.namespace_preorder("test", by=alice)
    lab.mine()
    lab.namespace_reveal("test", by=alice)
    lab.mine()


def test_imports_with_derived_keys(lab, alice, bob, carol):
    reveal(lab, alice)
    lab.name_import("first.test", by=alice, to=bob, value_hash="11" * 20)
    lab.mine()
    for index in range(lab.params.import_keyring_size):
        lab.name_import(f"name{index}.test", by=alice.child(index), to=carol)
    lab.mine()
    with lab.rejects(Reason.NOT_AN_IMPORT_KEY):
        lab.name_import("late.test", by=alice.child(lab.params.import_keyring_size), to=carol)
    lab.namespace_ready("test", by=alice)
    lab.mine()

    assert lab.name("first.test").address == bob.address
    assert lab.name("name4.test").record.importer_address == alice.child(4).address
    with lab.rejects(Reason.NAMESPACE_NOT_REVEALED):
        lab.name_import("after.test", by=alice, to=bob)


def test_a_child_key_may_come_first_in_the_block_that_creates_the_keychain(lab, alice, bob):
    reveal(lab, alice)
    child = lab.name_import("child.test", by=alice.child(0), to=bob)
    lab.name_import("parent.test", by=alice, to=bob)
    lab.mine()
    assert child.accepted


def test_only_the_revealer_imports_first(lab, alice, bob):
    reveal(lab, alice)
    with lab.rejects(Reason.NOT_AN_IMPORT_KEY):
        lab.name_import("foo.test", by=bob, to=bob)
    with lab.rejects(Reason.NOT_AN_IMPORT_KEY):
        lab.name_import("foo.test", by=alice.child(0), to=bob)


def test_the_last_import_of_a_name_wins(lab, alice, bob, carol):
    reveal(lab, alice)
    lab.name_import("foo.test", by=alice, to=bob, value_hash="11" * 20)
    lab.mine()
    registered = lab.name("foo.test").record.first_registered
    lab.name_import("foo.test", by=alice, to=bob, value_hash="22" * 20)
    lab.name_import("foo.test", by=alice, to=carol, value_hash="33" * 20)
    lab.namespace_ready("test", by=alice)
    lab.mine()
    foo = lab.name("foo.test")
    assert (foo.address, foo.value_hash) == (carol.address, "33" * 20)
    assert foo.record.first_registered == registered


def test_an_importer_must_show_its_key(lab, alice, bob):
    vault = lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    lab.namespace_preorder("test", by=alice, to=vault)
    lab.mine()
    lab.namespace_reveal("test", by=alice, to=vault)
    lab.mine()
    with lab.rejects(Reason.NO_PUBLIC_KEY):
        lab.name_import("foo.test", by=vault, to=bob)
