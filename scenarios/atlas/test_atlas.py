"""Zone files reach every node: the six networks of the reference's tests (spec 10 section 3.15).

Each of ten names announces a zone file, which is handed to the main node alone. Times are simulated seconds. Unlike
there, every file must reach every node, not only the first.
"""

import pytest

from bns.zonefiles.parse import parse
from bns.zonefiles.store import zonefile_hash

NAMES = [f"foo_{number}.test" for number in range(10)]


@pytest.fixture
def names(lab, alice, bob, carol):
    """Ten names of carol, without zone files."""
    lab.namespace("test", by=alice)
    for name in NAMES:
        lab.name_preorder(name, by=bob, to=carol)
    lab.mine()
    for name in NAMES:
        lab.name_registration(name, by=bob, to=carol)
    lab.mine()
    return NAMES


def publish(lab, names):
    """A zone file for each name, announced by carol and handed to the main node; all of them by their hash."""
    published = {}
    for name in names:
        data = lab.zonefile(name)
        lab.update(name, by="carol", zonefile=data)
        lab.mine()
        lab.publish(data)
        published[zonefile_hash(data)] = data
        assert lab.name(name).value_hash == zonefile_hash(data)
    return published


def held(peer, published):
    return {hash_: peer.holdings.stored(hash_) for hash_ in published}


def test_name_pre_reg_up_atlas(lab, names):
    network = lab.network(nodes=1)
    network.run(5)
    published = publish(lab, names)
    assert network.sync(within=10) > 0
    assert held(network.peers[0], published) == published


def test_name_pre_reg_up_atlas_chain(lab, names):
    network = lab.network(nodes=8, topology="chain")
    network.run(25)
    published = publish(lab, names)
    assert network.sync(within=60) > 0
    assert [held(peer, published) for peer in network.nodes] == [published] * 9
    assert set(network.peers[-1].node.table) == {"peer7:6264"}


def test_name_pre_reg_up_atlas_mesh(lab, names):
    published = publish(lab, names)
    network = lab.network(nodes=8, topology="mesh")
    assert network.sync(within=60) > 0
    assert [held(peer, published) for peer in network.nodes] == [published] * 9
    network.run(60)
    assert all(len(peer.node.table) > 1 for peer in network.peers)  # they have met each other


def test_name_pre_reg_up_atlas_nat(lab, names):
    published = publish(lab, names)
    network = lab.network(nodes=8, topology="nat")
    assert network.sync(within=60) > 0
    assert [held(peer, published) for peer in network.nodes] == [published] * 9
    assert all(set(peer.node.table) == {"main:6264"} for peer in network.peers)


def test_name_pre_reg_up_atlas_churn(lab, names):
    published = publish(lab, names)
    network = lab.network(nodes=17, topology="churn")
    network.run(120)
    network.sync(within=60)
    assert [held(peer, published) for peer in network.nodes] == [published] * 18


def test_name_pre_reg_up_atlas_storage(lab, names):
    published = publish(lab, names)
    network = lab.network(nodes=1)
    assert network.sync(within=60) > 0
    for name, (hash_, data) in zip(names, published.items(), strict=True):
        assert lab.node.offchain.zonefiles.get(hash_) == network.peers[0].holdings.stored(hash_) == data
        assert parse(data).origin == name
