"""Zone files reach every node of a network of processes that follow one bitcoind."""

import pytest

from bns.zonefiles.store import zonefile_hash

NAMES = ["one.test", "two.test"]


@pytest.mark.bitcoind
def test_zone_files_go_along_a_line_of_processes(lab, alice, bob):
    network = lab.network(nodes=2, topology="line", processes=True)
    last = network.peers[-1]
    lab.namespace("test", by=alice)
    files = [lab.zonefile(name) for name in NAMES]
    for name, data in zip(NAMES, files, strict=True):
        lab.register(name, by=bob, zonefile=data)
    lab.publish(files[0])
    network.publish(last, files[1])
    network.sync()
    assert last.holdings.stored(zonefile_hash(files[0])) == files[0]
    assert lab.get(f"/v1/zonefiles/{zonefile_hash(files[1])}").body == files[1]
