"""What a lab did, and what the fuzzer makes, as scripts that do the same again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bns.errors import Reason
from bns.params import Params
from bns.zonefiles.store import zonefile_hash
from bnslab.errors import CheckFailed
from bnslab.fixtures import load
from bnslab.fuzz import campaign
from bnslab.fuzz.duel import Duel
from bnslab.fuzz.program import Program, Step
from bnslab.fuzz.targets import AgainstModel
from bnslab.fuzz.telling import script_of
from bnslab.nodes.inprocess import InProcessNode
from bnslab.script.cases import cases
from bnslab.script.formatting import format_script
from bnslab.script.parsing import parse
from bnslab.script.recorder import Recorder
from bnslab.script.runner import Runner
from bnslab.transactions import pay
from tests.labs import transactions_of
from tests.projects import ROOT

if TYPE_CHECKING:
    from bnslab.lab import Lab
    from tests.labs import Labs
    from tests.projects import Project

pytest_plugins = ["pytester"]


def run(make_lab: Labs, text: str, node: type[InProcessNode] = InProcessNode) -> Lab:
    (case,) = cases(parse(text), "a.bns", "a")
    lab = make_lab(*case.epochs, node=node, **case.rules)
    Runner(lab).run(case.steps)
    lab.finish()
    return lab


# Recordings

RECORDED = """\
override BLOCKSTACK_EPOCH_3_NAMESPACE_LIFETIME_GRACE_PERIOD 3
wallet vault as p2sh-multisig signed by 2 of 3

preorder namespace test by alice
mine
reveal namespace test by alice lifetime 9 version 2
mine
ready namespace test by alice
import late.test by alice to bob rejects because NAMESPACE_NOT_REVEALED
mine
fund vault with 1000000
preorder foo.test by bob to vault
mine 2
registration foo.test by bob to vault value 1111111111111111111111111111111111111111
mine
update foo.test by vault value 2222222222222222222222222222222222222222
renew foo.test by vault fee 7 rejects because FEE_TOO_LOW
transfer foo.test by vault to bob dropping data
mine
payload 69643f by bob outputs change, 5500 to vault, 600 to 51 rejects because BAD_PAYLOAD_LENGTH
revoke foo.test by bob
mine
"""


def recorded(lab: Lab) -> str:
    recorder = Recorder(lab)
    vault = lab.wallet("vault", "p2sh-multisig", required=2, total=3)
    lab.namespace_preorder("test", by="alice")
    lab.mine()
    lab.namespace_reveal("test", by="alice", lifetime=9, version=2)
    lab.mine()
    with lab.branch():
        lab.revoke("foo.test", by="alice")
    lab.namespace_ready("test", by="alice")
    with lab.undecided():
        lab.name_import("late.test", by="alice", to="bob")
    lab.fund(vault, 1_000_000)
    lab.name_preorder("foo.test", by="bob", to=vault)
    lab.mine(2)
    lab.name_registration("foo.test", by="bob", to=vault, value_hash="11" * 20)
    lab.mine()
    lab.update("foo.test", by=vault, value_hash="22" * 20)
    with lab.undecided():
        lab.renew("foo.test", by=vault, fee=7)
        lab.transfer("foo.test", by=vault, to="bob", keep_data=False)
    with lab.undecided():
        lab.send_payload(b"id?", "bob", [None, pay(vault.address), pay(vault.address, 600)._replace(script=b"\x51")])
        lab.revoke("foo.test", by="bob")
    lab.name_preorder("pending.test", by="bob")
    return format_script(recorder.script())


def test_a_recording_does_the_same_again(make_lab: Labs) -> None:
    lab = make_lab(3, grace=3)
    text = recorded(lab)
    assert text == RECORDED
    again = run(make_lab, text)
    for block in range(lab.params.first_block, lab.height + 1):
        assert [tx.raw for tx in transactions_of(lab, block)] == [tx.raw for tx in transactions_of(again, block)]
    assert again.consensus_hash == lab.consensus_hash


def test_zone_files_are_recorded(make_lab: Labs) -> None:
    lab = make_lab()
    recorder = Recorder(lab)
    lab.namespace("test", by="alice")
    zonefile = lab.zonefile("foo.test", lab.subdomain("bar.foo.test", "carol"))
    lab.register("foo.test", by="bob", value_hash=zonefile_hash(zonefile))
    lab.publish(zonefile)
    lab.mine(3)
    text = format_script(recorder.script())
    assert text.endswith(f"mine\nsave data {zonefile.hex()} as zone0\npublish zone0\nmine 3\n")
    again = run(make_lab, text)
    assert again.resolve("bar.foo.test") == lab.resolve("bar.foo.test")
    assert again.published == lab.published


def test_scenarios_are_recorded_on_request(project: Project) -> None:
    for name in ("test_changes.py", "test_imports.py"):
        project.write(f"scenarios/names/{name}", (ROOT / "scenarios" / "names" / name).read_text())
    options = ["--chain", "memory", "--fill-update"]
    outcome = project.run("scenarios", *options, "--lab-record", "out")
    written = sorted((project.path / "out").glob("*.bns"))
    assert len(written) == outcome.counts["passed"] >= 20
    # an update does not show the consensus hash it was made with, if that was never one of the chain
    raw = [path.name for path in written if "payload" in path.read_text()]
    assert raw == [f"names.test_changes.test_update-epoch{number}.bns" for number in (1, 2, 3)]
    again = project.run("out", *options)
    assert again.counts == {"passed": len(written)}, again.stdout
    fixtures = {path.name: load(path) for path in (project.path / "fixtures/scenarios/names").rglob("*.gz")}
    for path in (project.path / "fixtures/scenarios/out").rglob("*.gz"):
        original = fixtures[f"{path.name.removesuffix('.json.gz').rpartition('.')[2]}.json.gz"]
        hashes = [each.expected and each.expected.consensus_hashes for each in (load(path), original)]
        assert hashes[0] == hashes[1], path.name


# Programs of the fuzzer


@pytest.mark.parametrize("seed", [0, 3, 7])
def test_a_program_as_a_script_makes_the_same_chain(make_lab: Labs, seed: int) -> None:
    program = campaign.program_of(seed, blocks=40, target=AgainstModel())
    text = script_of(program)
    lab = run(make_lab, text)
    with Duel(program) as duel:
        assert duel.run() is None
        assert lab.consensus_hash == duel.receipts[-1].consensus_hash
    words = [line.split()[0] for line in text.splitlines() if line]
    assert words.count("transaction") < len(words) / 4, "most of it is said in words"


ODD = [
    Step("namespace_preorder", "test", by=0),
    Step("name_preorder", "foo.test", by=1, layout="decoy"),
    Step("name_preorder", "foo.test", by=6),
    Step("announce", "test", by=1, payload="magic"),
    Step("announce", "test", by=1, layout="pushdata1"),
    Step("announce", "test", by=1, payload="empty"),
    Step("announce", "test", by=1, second=2),
    Step("announce", "test", by=1, unlock="pushed"),
    Step("announce", "test", by=11),
    Step("name_update", "foo.test", by=10, back=0),
    Step("name_preorder", "foo.test", by=1, fee="none", pay="nobody"),
]


@pytest.mark.parametrize("step", ODD, ids=lambda step: f"{step.op}-{step.layout}-{step.payload}-{step.by}")
def test_odd_steps_can_be_said(make_lab: Labs, step: Step) -> None:
    env = Params.regtest(first_block=111).to_reference_env()
    program = Program("odd", env, [[step], []], fatal=True)
    lab = run(make_lab, script_of(program))
    with Duel(program) as duel:
        assert duel.run() is None
        made = duel.performer.blocks
    assert lab.consensus_hash == duel.receipts[-1].consensus_hash
    from bns.bitcoin.block import read_transactions

    raw = [tx.raw for tx in read_transactions(made[0].raw)[1:]]
    assert [tx.raw for tx in transactions_of(lab, 111)] == raw


def test_the_script_of_a_failure_fails_where_the_core_is_wrong(make_lab: Labs) -> None:
    class Narrow(InProcessNode):
        def __init__(self, params: Params, outputs: object) -> None:
            super().__init__(replace(params, consensus_window=1), outputs)  # type: ignore[arg-type]

    env = Params.regtest(first_block=111).to_reference_env()
    program = Program("narrow", env, [[], [], [Step("namespace_preorder", "test", by=0, back=3)]])
    text = script_of(program)
    run(make_lab, text)
    with pytest.raises(CheckFailed, match=Reason.STALE_CONSENSUS_HASH.name):
        run(make_lab, text, Narrow)
