"""Every kind of wallet creates namespaces and owns names."""

import pytest

from bnslab import epochs

KINDS = [
    pytest.param("p2pkh", 1, 1, id="p2pkh"),
    pytest.param("p2sh-multisig", 2, 3, id="p2sh-multisig-2of3"),
    pytest.param("p2sh-p2wpkh", 1, 1, id="p2sh-p2wpkh"),
    pytest.param("p2sh-p2wsh", 2, 3, id="p2sh-p2wsh-2of3"),
]


@pytest.mark.parametrize(("kind", "required", "total"), KINDS)
def test_creator(lab, bob, kind, required, total):
    creator = lab.wallet("creator", kind, required=required, total=total)
    namespace = lab.namespace("test", by=creator)
    assert namespace.address == creator.address
    lab.register("foo.test", by=bob)


@epochs(3)
@pytest.mark.parametrize(("kind", "required", "total"), KINDS)
def test_owner(lab, alice, kind, required, total):
    owner = lab.wallet("owner", kind, required=required, total=total)
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=owner)
    lab.register("gift.test", by=alice, to=owner)
    assert lab.name("foo.test").address == owner.address
    assert (lab.name("foo.test").record.sender_pubkey is not None) == (kind == "p2pkh")


@epochs(2)
@pytest.mark.parametrize(("kind", "required", "total"), KINDS)
def test_all_kinds_in_one_block(lab, alice, kind, required, total):
    lab.namespace("test", by=alice)
    owners = [lab.wallet(f"owner-{k}", k, required=m, total=n) for k, m, n in (p.values for p in KINDS)]
    payer = lab.wallet("payer", kind, required=required, total=total)
    for index, owner in enumerate(owners):
        lab.name_preorder(f"name{index}.test", by=payer, to=owner)
    lab.mine()
    for index, owner in enumerate(owners):
        lab.name_registration(f"name{index}.test", by=payer, to=owner)
    lab.mine()
    assert [lab.name(f"name{i}.test").address for i in range(4)] == [owner.address for owner in owners]
