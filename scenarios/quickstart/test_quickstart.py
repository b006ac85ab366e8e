"""A namespace and three names: where to start reading."""


def test_three_names(lab, alice, bob, carol):
    lab.namespace("test", by=alice, lifetime=52595)

    lab.register("foo.test", by=bob)
    lab.register("bar.test", by=carol)
    gift = lab.register("gift.test", by=bob, to=carol)

    assert gift.accepted
    assert lab.name("foo.test").address == bob.address
    assert lab.name("gift.test").address == carol.address
    assert lab.name("nobody.test") is None
