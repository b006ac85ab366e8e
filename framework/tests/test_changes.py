"""What has changed in a fixture, in words: which rule, which block, which record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from bnslab import Reason
from bnslab.changes import changes
from bnslab.recording import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnslab.fixtures import Fixture
    from bnslab.lab import Lab
    from tests.labs import Labs
    from tests.projects import Project

pytest_plugins = ["pytester"]


@pytest.fixture
def recorded(make_lab: Labs) -> Callable[[Callable[[Lab], object]], Fixture]:
    """The fixture of a namespace, a name, and what is done with it then."""

    def make(then: Callable[[Lab], object]) -> Fixture:
        lab = make_lab()
        lab.namespace("test", by="alice")
        lab.register("foo.test", by="bob")
        then(lab)
        return record(lab)

    return make


def revoke(lab: Lab) -> None:
    lab.revoke("foo.test", by="bob")
    lab.mine()


def refused(lab: Lab) -> None:
    with lab.rejects(Reason.NOT_OWNER):
        lab.revoke("foo.test", by="carol")


def test_equal_results_have_nothing_to_tell(recorded: Callable[..., Fixture]) -> None:
    one = recorded(revoke)
    assert changes(one, one) == ["the same blocks and results, stored in another way"]


def altered(fixture: Fixture, **members: object) -> Fixture:
    assert fixture.expected is not None
    return msgspec.structs.replace(fixture, expected=msgspec.structs.replace(fixture.expected, **members))


def test_a_record_with_another_field(recorded: Callable[..., Fixture]) -> None:
    old = recorded(revoke)
    assert old.expected is not None
    texts = old.expected.serialized_ops
    new = altered(old, serialized_ops={**texts, "115": [texts["115"][0].replace(",6:640000", ",6:640001")]})
    assert changes(old, new) == ["block 115: NAME_REGISTRATION foo.test: op_fee '640000' -> '640001'"]


def test_an_operation_that_is_now_rejected_and_the_other_way_round(recorded: Callable[..., Fixture]) -> None:
    old = recorded(refused)
    assert old.expected is not None
    (entry,) = old.expected.rejected_ops["116"]
    operation = recorded(revoke).serialized_ops(116)[0]
    ours = re.sub(r"64:\w{64}", f"64:{entry.txid}", operation)
    texts = {**old.expected.serialized_ops, "116": [ours]}
    new = altered(old, serialized_ops=texts, rejected_ops={"115": []})
    rule = r"rejected: NOT_OWNER \(spec 02 section 7\.6 W2, .*\)"
    (line,) = changes(old, new)
    assert re.fullmatch(rf"block 116: NAME_REVOKE foo\.test: {rule} before, now accepted", line)
    (line,) = changes(new, old)
    assert re.fullmatch(rf"block 116: NAME_REVOKE foo\.test: accepted before, {rule}", line)


def test_another_reason_and_other_rules(recorded: Callable[..., Fixture]) -> None:
    old = recorded(refused)
    assert old.expected is not None
    entry = msgspec.structs.replace(old.expected.rejected_ops["116"][0], reason="NAME_EXPIRED")
    new = msgspec.structs.replace(altered(old, rejected_ops={"116": [entry]}), env={**old.env, "BLOCKSTACK_X": "1"})
    rules, reason = changes(old, new)
    assert rules == "rules: BLOCKSTACK_X None -> '1'"
    assert re.fullmatch(
        rf"block 116: rejected {entry.txid[:16]}: NOT_OWNER \(.*\) -> NAME_EXPIRED \(spec 02 section .*\)", reason
    )


def test_blocks_that_come_go_and_change(recorded: Callable[..., Fixture]) -> None:
    short, long = recorded(lambda lab: lab.mine()), recorded(lambda lab: lab.mine(20))
    told = changes(short, long)
    assert (told[0], told[-1], len(told)) == ("block 117: new", "and 7 more", 13)
    assert changes(long, short)[0] == "block 117: gone"
    other = [*short.blocks[:-1], msgspec.structs.replace(short.blocks[-1], hash="00")]
    assert changes(short, msgspec.structs.replace(short, blocks=other)) == [
        "block 116: other bytes, the same operations and hashes"
    ]


SCENARIO = """\
def test_it(lab, alice, bob):
    lab.namespace("test", by=alice)
    lab.register("foo.test", by=bob)
"""


def test_fill_tells_what_it_writes(project: Project) -> None:
    project.write("tests/test_it.py", SCENARIO)
    first = project.run("tests", "--chain", "memory", "--fill-update")
    assert "tests/test_it.py::test_it: new" in first.stdout
    assert "fixtures written" not in project.run("tests", "--chain", "memory", "--fill-update").stdout
    project.write("tests/test_it.py", SCENARIO.replace("foo", "fop"))
    again = project.run("tests", "--chain", "memory", "--fill-update").stdout
    assert "tests/test_it.py::test_it\n" in again
    assert "  block 115: NAME_REGISTRATION foo.test: accepted before, not there\n" in again
    assert "  block 115: NAME_REGISTRATION fop.test: not there before, now accepted\n" in again
