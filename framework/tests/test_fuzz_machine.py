"""The name system as a state machine: hypothesis decides what happens next and makes failures small.

Whole random chains are made small by bnslab.fuzz.shrink, which knows what a step is. Here hypothesis draws the steps
themselves, so that it can leave out single rules.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bns.engine import Engine
from bnslab.checks.invariants import Invariants
from bnslab.fuzz import duel
from bnslab.fuzz.actors import NOBODY
from bnslab.fuzz.duel import Duel
from bnslab.fuzz.generator import LABELS, environment, terms
from bnslab.fuzz.program import Program, Step
from bnslab.fuzz.stories import change, nonsense, twisted

if TYPE_CHECKING:
    from bns.params import Params
    from bns.state.store import State

SPACES = ("test", "id")
ANYONE = st.integers(0, NOBODY)
NAMES = st.builds("{}.{}".format, st.sampled_from(LABELS[:9]), st.sampled_from(SPACES))
RANDOM = st.integers(0, 2**32).map(Random)


class NameSystem(RuleBasedStateMachine):
    """Steps wait until a block is mined; after every block core and model must agree."""

    @initialize(seed=st.integers(0, 500))
    def start(self, seed: int) -> None:
        rng = Random(seed)
        self.duel = Duel(Program(f"machine/{seed}", environment(rng, 40), []))
        self.terms = terms(rng)
        self.waiting: list[Step] = []

    @rule(id_=st.sampled_from(SPACES), by=ANYONE, to=ANYONE)
    def preorder_and_reveal(self, id_: str, by: int, to: int) -> None:
        self.waiting.append(Step("namespace_preorder", id_, by=by, to=to))
        self.waiting.append(Step("namespace_reveal", id_, by=by, to=to, terms=self.terms))

    @rule(name=NAMES, to=ANYONE, child=st.sampled_from((None, None, 0, 4, 5)))
    def import_name(self, name: str, to: int, child: int | None) -> None:
        self.waiting.append(Step("name_import", name, to=to, child=child, value=1))

    @rule(id_=st.sampled_from(SPACES))
    def launch(self, id_: str) -> None:
        self.waiting.append(Step("namespace_ready", id_))

    @rule(name=NAMES, by=ANYONE)
    def preorder(self, name: str, by: int) -> None:
        self.waiting.append(Step("name_preorder", name, by=by))

    @rule(name=NAMES, by=ANYONE)
    def register(self, name: str, by: int) -> None:
        self.waiting.append(Step("name_registration", name, by=by))

    @rule(name=NAMES, rng=RANDOM)
    def use(self, name: str, rng: Random) -> None:
        self.waiting.append(change(rng, name))

    @rule(rng=RANDOM)
    def do_anything(self, rng: Random) -> None:
        self.waiting.append(nonsense(rng, SPACES, LABELS))

    @rule(rng=RANDOM)
    def repeat_with_a_twist(self, rng: Random) -> None:
        self.waiting += [twisted(rng, step) for step in self.waiting[-1:]]

    @rule(count=st.integers(1, 8))
    def mine(self, count: int) -> None:
        for _ in range(count):
            steps, self.waiting = self.waiting, []
            found = self.duel.step(steps)
            assert found is None, str(found)

    @rule(depth=st.integers(1, 5))
    def reorganise(self, depth: int) -> None:
        if self.duel.performed:
            assert self.duel.rewind(min(depth, len(self.duel.performed))) is None

    @invariant()
    def tables_tell_the_story_of_the_last_receipt(self) -> None:
        fight: Duel | None = getattr(self, "duel", None)
        if fight is not None and fight.receipts:
            tip = fight.performed[-1].block.tip
            lab = SimpleNamespace(node=SimpleNamespace(state=fight.state), height=tip.height, tip=tip.hash)
            Invariants().after_block(cast("Any", lab), fight.receipts[-1])

    def teardown(self) -> None:
        if hasattr(self, "duel"):
            self.duel.state.close()


SETTINGS = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))

TestNameSystem = NameSystem.TestCase
TestNameSystem.settings = SETTINGS


def test_the_machine_finds_a_wrong_price(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dear(Engine):
        def __init__(self, params: Params, state: State) -> None:
            super().__init__(replace(params, name_cost_unit=101), state)

    monkeypatch.setattr(duel, "Engine", Dear)
    once = settings(SETTINGS, derandomize=True, database=None, phases=[Phase.generate], print_blob=False)
    with pytest.raises(AssertionError, match="expected"):
        run_state_machine_as_test(NameSystem, settings=once)
