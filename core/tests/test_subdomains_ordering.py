"""The order of a CPython 2.7 dictionary: what that program printed, and where it decides what is accepted."""

from __future__ import annotations

from hashlib import sha256

import pytest

from bns.subdomains.ordering import dictionary_order
from tests.subdomain_chain import DOMAIN, Publisher, carry, record

THIRTY = (
    17, 15, 23, 5, 10, 8, 2, 0, 13, 21, 19, 28, 1, 14, 26, 24, 3, 25, 4, 18, 29, 11, 6, 7, 9, 27, 12, 22, 20, 16,
)  # fmt: skip


@pytest.mark.parametrize(
    ("inserted", "order"),
    [
        ([], []),
        (["foo.test"], ["foo.test"]),
        (
            ["bar.foo.test", "baz.foo.test", "qux.foo.test", "a.foo.test", "b.foo.test"],
            ["qux.foo.test", "a.foo.test", "b.foo.test", "bar.foo.test", "baz.foo.test"],
        ),
        (["b", "a", "", "aa", "\xff", "a"], ["a", "", "aa", "b", "\xff"]),
        (
            ["4.test", "3.test", "2.test", "1.test", "qux.test", "bar.test", "foo.test"],
            ["3.test", "qux.test", "2.test", "1.test", "bar.test", "4.test", "foo.test"],
        ),
        ([f"n{number}.foo.test" for number in range(30)], [f"n{number}.foo.test" for number in THIRTY]),
    ],
)
def test_what_the_program_printed(inserted: list[str], order: list[str]) -> None:
    assert dictionary_order(inserted) == order


def test_a_dictionary_that_grows_in_smaller_steps() -> None:
    order = dictionary_order(map(str, range(100_000)))
    digest = "27f0e2fd530104df2a867975505e48179a1498a6de432f2b91046874c1f6a27f"
    assert sha256("".join(order).encode()).hexdigest() == digest


@pytest.mark.parametrize(("beside", "later", "accepted"), [("b", "e", [2]), ("e", "b", [1, 2])])
def test_which_subdomain_comes_first_decides_what_is_accepted(beside: str, later: str, accepted: list[int]) -> None:
    """A creation comes again, in a file with one other subdomain; its update is in a file with another one.

    If the file of the update is settled before that of the creation, the creation finds an update that is accepted and
    is itself not accepted any more.
    """
    name = f"a.{DOMAIN}"
    publisher = Publisher()
    creation = carry(record(0, name=name), record(0, name=f"{beside}.{DOMAIN}"))
    publisher.publish(creation)
    publisher.publish(carry(record(1, name=name), record(0, name=f"{later}.{DOMAIN}")))
    assert publisher.accepted(name) == [1, 2]
    publisher.put(creation)
    publisher.mine()
    assert publisher.accepted(name) == accepted
    publisher.offchain.reindex()
    assert publisher.accepted(name) == [1, 2]
