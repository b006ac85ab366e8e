"""Programs and the chains made of them: reproducible, varied, good enough for a real node."""

from __future__ import annotations

import hashlib
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from bns.bitcoin.script import nulldata, op_return, p2pkh
from bns.bitcoin.transaction import TxOut
from bns.errors import InvalidInput
from bns.params import Params
from bnslab import fixtures
from bnslab.chain import BitcoindBackend, start_node
from bnslab.chain.factory import base_chain
from bnslab.fuzz import program as programs
from bnslab.fuzz.actors import NOBODY, WITNESS, Actors
from bnslab.fuzz.campaign import program_of
from bnslab.fuzz.duel import Duel, Tally
from bnslab.fuzz.generator import environment, generate
from bnslab.fuzz.perform import Performer, arrange
from bnslab.fuzz.program import ACTORS, KINDS, Program, Step, Terms
from bnslab.fuzz.stories import LAYOUTS
from bnslab.fuzz.targets import AgainstModel
from bnslab.wallets import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool

SCRIPT = p2pkh(bytes(20))


def chain_of(program: Program) -> fixtures.Fixture:
    performer = Performer(program)
    for steps in program.blocks:
        performer.perform(steps)
    return performer.chain()


def test_a_seed_makes_the_same_chain_byte_for_byte(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "other"):
        path = tmp_path / f"{name}.json.gz"
        fixtures.save(path, chain_of(program_of(3, blocks=60, target=AgainstModel())))
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert digests[0] == digests[1]
    other = chain_of(program_of(4, blocks=60, target=AgainstModel()))
    assert other.blocks[-1].hash != fixtures.load(path).blocks[-1].hash


def test_a_program_survives_being_written(tmp_path: Path) -> None:
    program = generate(Random(1), "fuzz/1", blocks=30)
    path = tmp_path / "program.json"
    programs.write(path, program)
    assert programs.read(path) == program


STEPS = '{"name": "x", "env": {}, "blocks": [[%s]]}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        STEPS % '{"op": 1, "id": "x"}',
        STEPS % '{"op": "announce", "id": "X"}',
        STEPS % '{"op": "announce", "id": "x", "by": 13}',
        STEPS % '{"op": "announce", "id": "x", "fee": "much"}',
        STEPS % '{"op": "announce", "id": "x", "terms": {"buckets": [1]}}',
    ],
)
def test_what_is_no_program_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "program.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="a program as the fuzzer writes it"):
        programs.read(path)


def test_a_program_without_blocks_is_none(tmp_path: Path) -> None:
    path = tmp_path / "program.json"
    programs.write(path, Program("x", {}, []))
    with pytest.raises(InvalidInput, match="0 blocks"):
        programs.read(path)


@pytest.mark.parametrize("step", ['{"op": "name_steal", "id": "a.b"}', '{"op": "name_update", "id": "ab"}'])
def test_what_is_no_operation_is_told(step: str, tmp_path: Path) -> None:
    path = tmp_path / "program.json"
    path.write_text(STEPS % step)
    with pytest.raises(InvalidInput, match="a name with a dot"):
        programs.read(path)


def test_the_chain_must_start_above_the_base() -> None:
    with pytest.raises(InvalidInput, match="expected 111"):
        Performer(Program("x", {"BLOCKSTACK_TEST": "1", "BLOCKSTACK_TEST_FIRST_BLOCK": "7"}, [[]]))


def test_every_environment_is_one_of_the_reference() -> None:
    ends = set()
    for seed in range(200):
        params = Params.from_reference_env(environment(Random(seed), 160))
        assert Params.from_reference_env(params.to_reference_env()) == params
        ends.add(sum(params.first_block <= (epoch.end or 0) < params.first_block + 160 for epoch in params.epochs))
    assert ends == {0, 1, 2}, "how many epochs end within the chain"


@pytest.fixture(scope="module")
def tally() -> Tally:
    counted: Tally = Counter()
    for seed in range(12):
        with Duel(program_of(seed, blocks=100, target=AgainstModel())) as duel:
            assert duel.run() is None
            counted += duel.tally()
    return counted


def test_a_good_share_is_accepted(tally: Tally) -> None:
    accepted = sum(count for (_, fate), count in tally.items() if fate == "accepted")
    assert sum(tally.values()) > 1500
    assert 0.3 < accepted / sum(tally.values()) < 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_each_operation_is_accepted_and_rejected_for_many_reasons(tally: Tally, kind: str) -> None:
    fates = {fate for one, fate in tally if one == kind}
    assert "accepted" in fates
    assert len(fates) > {"announce": 2, "namespace_ready": 3}.get(kind, 4)


def test_a_real_node_takes_the_chains(bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool) -> None:
    program = generate(Random(5), "fuzz/on a real node", blocks=70, density=4)
    backend = BitcoindBackend(base_chain(), lambda: start_node(bitcoind_binary, run_directory, port_pool))
    try:
        trial = AgainstModel(backend).run(program)
        assert trial.divergence is None
        assert backend.tip().hash == trial.chain.blocks[-1].hash
    finally:
        backend.close()


def test_a_block_that_a_node_refuses_is_told() -> None:
    class Refusing:
        name = "refusing"

        def begin(self, scenario: str) -> None:
            assert scenario == "fuzz/x"

        def accept(self, raw: bytes) -> None:
            from bnslab.chain.base import BlockRefused, Tip

            raise BlockRefused(Tip(111, "00"), "bad-blk")

    trial = AgainstModel(Refusing()).run(generate(Random(5), "fuzz/x", blocks=12))  # type: ignore[arg-type]
    assert trial.divergence is not None
    assert (trial.divergence.what, trial.divergence.actual) == ("chain", "bad-blk")


def test_actors_differ_in_script_and_address() -> None:
    actors = Actors(Ledger())
    assert len(actors) == ACTORS
    assert len({actors[number].script for number in range(len(actors))}) == len(actors)
    assert (actors[NOBODY].address, actors[WITNESS].address[:4]) == ("", "tb1p")
    assert actors.of_script(actors[7].script.hex()) == 7
    assert actors.of_script("51ff") is None
    assert actors.child(6, 1).address != actors.child(6, 2).address


@pytest.mark.parametrize("layout", ["plain", *LAYOUTS])
def test_layouts(layout: str) -> None:
    data, fee, hash_ = TxOut(0, op_return(b"id!.test")), TxOut(7, SCRIPT), TxOut(8, p2pkh(bytes([5]) * 20))
    arranged = arrange(layout, [data, fee, hash_, None], SCRIPT)
    told = nulldata(output for output in arranged if output is not None)
    if layout in ("cancelled", "two pushes"):
        assert told is None
    else:
        assert told == b"id!.test"
    assert (arranged == [data, fee, hash_, None]) == (layout == "plain")
    if layout.startswith("hash behind"):
        carrier = arranged[2]
        assert carrier is not None
        assert bytes([5]) * 20 in carrier.script


EPOCH_3 = {
    "BLOCKSTACK_TEST": "1",
    "BLOCKSTACK_TESTNET": "1",
    "BLOCKSTACK_TEST_FIRST_BLOCK": "111",
    "BLOCKSTACK_EPOCH_1_END_BLOCK": "1",
    "BLOCKSTACK_EPOCH_2_END_BLOCK": "2",
}
OPENING = [Step("namespace_preorder", "test", by=0), Step("namespace_reveal", "test", by=0, terms=Terms(lifetime=9))]


def rejections(blocks: list[list[Step]], *, fatal: bool) -> tuple[int, set[str]]:
    """How many steps were sent, and the rules that rejected some."""
    performer = Performer(Program("fatal", EPOCH_3, blocks, fatal))
    performed = [performer.perform(steps) for steps in blocks]
    rules = {rule for each in performed for rule in each.outcome.rejected.values()}
    return sum(len(each.sent) for each in performed), rules


def test_steps_that_abort_the_reference_are_left_out_unless_wanted() -> None:
    block = [
        Step("name_import", "foo.test", by=0, payload="newline"),
        Step("name_import", "foo.test", by=0),
        Step("namespace_ready", "test", by=0),
        Step("name_registration", "bar.test", by=1, to=WITNESS),
    ]
    assert rejections([OPENING, block], fatal=False) == (4, set())
    assert rejections([OPENING, block], fatal=True) == (6, {"F3", ": F1"})


def test_what_aborts_the_reference_before_earlier_operations_count_is_left_out_too() -> None:
    first = [Step("namespace_ready", "test", by=0), Step("name_preorder", "foo.test", by=1)]
    then = [Step("name_registration", "foo.test", by=1)]
    block = [Step("name_revoke", "foo.test"), Step("name_renewal", "foo.test", to=WITNESS)]
    assert rejections([OPENING, first, then, block], fatal=False) == (6, set())
    assert rejections([OPENING, first, then, block], fatal=True) == (7, {": C2"})
