"""What a namespace reveal cannot say is refused before anything is sent (spec 10 section 3.1)."""

import pytest

from bns.errors import InvalidInput

BUCKETS = [6, 5, 4, 3, 2, 1] + [0] * 10
BAD = (
    {"coeff": 256},
    {"coeff": -1},
    {"base": -1},
    {"buckets": [16, *BUCKETS[1:]]},
    {"buckets": [-1, *BUCKETS[1:]]},
    {"nonalpha_discount": 16},
    {"no_vowel_discount": 16},
)


def test_namespace_preorder_reveal_badinput(lab, alice, bob):
    lab.namespace_preorder("test", by=alice, to=bob)
    lab.mine()
    for prices in BAD:
        with pytest.raises(InvalidInput):
            lab.namespace_reveal("test", by=alice, to=bob, **prices)
    lab.namespace_reveal("test", by=alice, to=bob)
    lab.mine()
    namespace = lab.now.namespace("test")
    assert (namespace.coeff, namespace.base, list(namespace.buckets)) == (250, 4, BUCKETS)
    assert (namespace.reveal_block, namespace.block_number) == (lab.height, lab.height - 1)
