"""Nodes that begin with a signed snapshot (spec 08 sections 11 and 12)."""

import pytest

from bns.errors import BnsError
from bns.zonefiles.store import zonefile_hash
from bnslab import epochs
from bnslab.snapshots import NodeOnDisk, Restored

KEPT_ELSEWHERE = pytest.mark.otherwise_on(
    "reference", "it keeps keychains in files, and no digests of subdomain records"
)
ENOUGH = [((3, 4, 5), 3), ((5, 4, 3), 3), ((3, 4), 2), ((3, 5), 2), ((4, 5), 2), ((3,), 1), ((4, 0), 1), ((0, 1, 5), 1)]
TOO_FEW = [((3,), 2), ((3, 4), 3), ((0,), 1), ((0, 3), 2), ((0, 3, 4), 3)]


def check_signers(lab, wallets, tmp_path):
    """A snapshot signed by wallets 3, 4 and 5: restored with enough of them, and equal; refused with too few."""
    node = NodeOnDisk(lab, tmp_path / f"node {lab.height}")
    node.back_up()
    snapshot = node.snapshot(node.directory / "snapshot.bsk", *wallets[3:6])
    for place, (signers, required) in enumerate(ENOUGH):
        directory = node.directory / f"copy {place}"
        copy = Restored(lab, snapshot, directory, [wallets[signer] for signer in signers], required)
        assert copy.height == lab.height
        assert copy.tables() == node.tables()
    for place, (signers, required) in enumerate(TOO_FEW):
        directory = node.directory / f"none {place}"
        with pytest.raises(BnsError):
            Restored(lab, snapshot, directory, [wallets[signer] for signer in signers], required)
        assert not (directory / "blockstack-server.db").exists()
    return copy


@epochs(1)
@KEPT_ELSEWHERE
def test_name_pre_reg_fast_sync(lab, tmp_path):
    wallets = [lab.wallet(f"wallet {number}") for number in range(6)]
    lab.namespace("test", by=wallets[0])
    names = [f"foo_{number}.test" for number in range(10)]
    for name in names:
        lab.name_preorder(name, by=wallets[2], to=wallets[3])
    lab.mine()
    for name in names:
        lab.name_registration(name, by=wallets[2], to=wallets[3])
    lab.mine()
    zonefiles = {name: lab.zonefile(name, uri=f"https://{name}/profile") for name in names}
    for name, zonefile in zonefiles.items():
        lab.update(name, by=wallets[3], zonefile=zonefile)
        lab.mine()
        lab.publish(zonefile)
    lab.mine()

    copy = check_signers(lab, wallets, tmp_path)

    for name, zonefile in zonefiles.items():
        assert lab.name(name).address == wallets[3].address
        assert copy.zonefile(lab.name(name).value_hash) == zonefile


@epochs(1)
@KEPT_ELSEWHERE
def test_name_pre_reg_snapshots(lab, tmp_path):
    creator, revealer, payer, owner, signer = [lab.wallet(f"wallet {number}") for number in range(5)]
    node, published = NodeOnDisk(lab, tmp_path / "node"), tmp_path / "published"
    imported, updated = (lab.zonefile(name, uri=f"https://{name}/") for name in ("imported.test", "foo.test"))

    def mine_and_publish(max_age=3):
        lab.mine()
        node.back_up()
        return node.publish(published, signer, max_age)

    lab.namespace_preorder("test", by=creator, to=revealer)
    mine_and_publish()
    lab.namespace_reveal("test", by=creator, to=revealer)
    mine_and_publish()
    lab.name_import("imported.test", by=revealer, to=owner, zonefile=imported)
    mine_and_publish()
    lab.publish(imported)
    lab.namespace_ready("test", by=revealer)
    mine_and_publish()
    lab.name_preorder("foo.test", by=payer, to=owner)
    mine_and_publish()
    lab.name_registration("foo.test", by=payer, to=owner)
    assert len(mine_and_publish()) == 4
    lab.update("foo.test", by=owner, zonefile=updated)
    lab.mine()
    lab.publish(updated)
    assert mine_and_publish(max_age=1) == ["snapshot.bsk", f"snapshot.bsk.{lab.height - 1}"]

    copy = Restored(lab, published / "snapshot.bsk", tmp_path / "copy", [signer], 1)
    assert copy.tables() == node.tables()
    assert [copy.zonefile(zonefile_hash(data)) for data in (imported, updated)] == [imported, updated]
    assert [namespace for namespace, _ in copy.tables()["keychains"]] == ["test"]
    assert lab.name("foo.test").address == owner.address


@epochs(3, lifetime=1, grace=1)
@KEPT_ELSEWHERE
def test_name_pre_regup_subdomain_fast_sync(lab, tmp_path):
    wallets = [lab.wallet(f"wallet {number}") for number in range(6)]
    lab.namespace("test", by=wallets[0])
    names = [f"foo_{number}.test" for number in range(10)]
    zonefiles = {name: lab.zonefile(name, lab.subdomain(f"bar.{name}", owner=wallets[4])) for name in names}
    for name in names:
        lab.name_preorder(name, by=wallets[2], to=wallets[3])
    lab.mine()
    for name, zonefile in zonefiles.items():
        lab.name_registration(name, by=wallets[2], to=wallets[3], zonefile=zonefile)
    lab.mine()
    files = list(zonefiles.values())
    lab.publish(*files[:5])
    lab.mine()
    lab.publish(*files[5:])

    waiting = check_signers(lab, wallets, tmp_path).tables()
    assert (len(waiting["subdomains"]), len(waiting["queue"])) == (5, 5)
    lab.mine()
    done = check_signers(lab, wallets, tmp_path).tables()
    assert (len(done["subdomains"]), len(done["queue"])) == (10, 0)
    assert all(row[12] for row in done["subdomains"])
