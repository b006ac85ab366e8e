"""What stands behind the fixtures of the plugin: the chain of a worker, and one scenario from begin to end."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from bns.errors import InvalidInput
from bnslab import fixtures
from bnslab.bitcoind import PortPool, RunDirectory, sweep
from bnslab.chain import open_backend
from bnslab.chain.choice import choose_chain
from bnslab.chain.factory import base_chain
from bnslab.changes import changes
from bnslab.checks import make_checks
from bnslab.costs import Costs, read_budgets
from bnslab.errors import LabError
from bnslab.lab import Lab
from bnslab.modes import Modes
from bnslab.nodes.choice import open_nodes
from bnslab.recording import record
from bnslab.reporting import LAB_KEY, PASSED_KEY
from bnslab.rules import MARK, scenario_params
from bnslab.summary import COSTS, FILLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from bns.params import Params
    from bnslab.chain.base import ChainBackend
    from bnslab.fixtures import Fixture
    from bnslab.nodes import MakeNode
    from bnslab.script.recorder import Recorder


def cache_of(config: pytest.Config) -> Path:
    """The cache directory: --lab-cache, or the user's."""
    chosen: Path | None = config.getoption("--lab-cache")
    return chosen.absolute() if chosen is not None else platformdirs.user_cache_path("bnslab")


@contextmanager
def open_chain(config: pytest.Config) -> Iterator[ChainBackend]:
    """The chain backend of this process, in a run directory that goes with it."""
    cache = cache_of(config)
    name = choose_chain(config.getoption("--chain"), config.getoption("--bitcoind"), cache, _reporter(config))
    sweep(cache)
    with RunDirectory.create(cache) as run_dir:
        chain = open_backend(
            name,
            base_chain(),
            run_dir=run_dir.path,
            cache=cache,
            bitcoind=config.getoption("--bitcoind"),
            ports=PortPool.claimed(),
        )
        try:
            yield chain
        finally:
            chain.close()


def open_driver(config: pytest.Config, chain: ChainBackend) -> AbstractContextManager[MakeNode]:
    """What makes the nodes of this process's scenarios: --node."""
    return open_nodes(
        config.getoption("--node"), chain, cache=cache_of(config), report=_reporter(config),
        restarted=bool(config.getoption("--restart-every")),
    )  # fmt: skip


def _reporter(config: pytest.Config) -> Callable[[str], None]:
    capture = config.pluginmanager.getplugin("capturemanager")

    def report(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)  # noqa: T201 - an installation is under way, and the terminal is pytest's

    return report


class Scenario:
    """One run of one test function: its lab, its fixture, its end."""

    def __init__(self, request: pytest.FixtureRequest, chain: ChainBackend, nodes: MakeNode, epoch: int | None) -> None:
        self._config = request.config
        self._item: pytest.Item = request.node
        self._chain = chain
        self._nodes = nodes
        self._epoch = epoch
        self._modes = Modes.of(request.config)
        self.identity = scenario_identity(self._item.nodeid)
        self.fixture_path = fixture_path(self._config, self.identity)
        self._lab: Lab | None = None
        self._rpc_before, self._began = 0, 0.0

    def open(self) -> Lab:
        """Start at the base chain; skipped if the scenario needs a bitcoind, and the chain has none."""
        if self._chain.name != "bitcoind" and self._item.get_closest_marker("bitcoind") is not None:
            pytest.skip(f"needs a bitcoind, and the chain is {self._chain.name}")
        skipped = self._config.getoption("--lab-skip-check")
        params, mark = self._params(), self._item.get_closest_marker("p2pkh")
        kinds = self._modes.kinds(params, frozenset(() if mark is None else mark.args))
        changed = kinds.segwit or (self._modes.epoch is not None and not self._is_tied)
        fixture = None if changed or self._is_unrecorded else self._stored_fixture()
        reorganised = self._item.get_closest_marker("reorganised") is not None
        checks = [*make_checks(fixture, skipped, reorganised=reorganised), *self._modes.disturbances(self.identity)]
        self._lab = Lab(self.identity, params, base_chain(), self._chain, self._nodes, checks, kinds)
        self._item.stash[LAB_KEY] = self._lab
        self._rpc_before, self._began = self._chain.rpc_calls, time.perf_counter()
        if self._config.getoption("--lab-record"):
            from bnslab.script.recorder import Recorder

            Recorder(self._lab)
        return self._lab

    def close(self) -> None:
        """Run the checks of the end and write the fixture if asked to; none of it unless the scenario has passed."""
        lab = self._lab
        assert lab is not None, "open() comes first"
        try:
            if not self._item.stash.get(PASSED_KEY, False):
                self._chain.discard()
                return
            lab.finish()
            self._account(lab)
            if self._config.getoption("--fill-update") and not self._is_unrecorded:
                self._write_fixture(lab)
            if lab.recorder is not None:
                self._write_script(lab.recorder)
        except BaseException:
            self._chain.discard()
            raise
        finally:
            lab.close()

    def _account(self, lab: Lab) -> None:
        """Leave the costs for the summary and for JUnit; LabError beyond a budget."""
        costs = Costs.of(lab, self._rpc_before, time.perf_counter() - self._began)
        self._item.user_properties.append((COSTS, tuple(costs)))
        costs.require_within(read_budgets(self._config.getoption("--lab-budget")))

    @property
    def _is_unrecorded(self) -> bool:
        return self._item.get_closest_marker("unrecorded") is not None

    @property
    def _is_tied(self) -> bool:
        """Whether the scenario says in which epochs it takes place."""
        mark = self._item.get_closest_marker(MARK)
        return (mark is not None and bool(mark.args)) or self._is_parametrized

    @property
    def _is_parametrized(self) -> bool:
        return "epoch" in getattr(getattr(self._item, "callspec", None), "params", {})

    def _params(self) -> Params:
        mark = self._item.get_closest_marker(MARK)
        numbers, options = ((), {}) if mark is None else (mark.args, mark.kwargs)
        if numbers and self._is_parametrized:
            raise InvalidInput("epochs", numbers, "no numbers beside a parametrized epoch")
        if not numbers and self._epoch is not None:
            numbers = (self._epoch,)
        return scenario_params(base_chain().height + 1, numbers, options)

    def _stored_fixture(self) -> Fixture | None:
        if self._config.getoption("--fill-update"):
            return None
        if self.fixture_path.exists():
            return fixtures.load(self.fixture_path)
        if self._config.getoption("--fill") or self._config.getini("lab_require_fixtures"):
            raise LabError(f"{self.identity}: expected a fixture in {self.fixture_path}; record it with: fill --update")
        return None

    def _write_fixture(self, lab: Lab) -> None:
        fixture = record(lab)
        told = _changes(self.fixture_path, fixture)
        if told:
            fixtures.save(self.fixture_path, fixture)
            self._item.user_properties.append((FILLED, "\n".join(told)))

    def _write_script(self, recorder: Recorder) -> None:
        from bnslab.script.formatting import format_script

        directory: Path = self._config.getoption("--lab-record")
        path = directory / f"{'.'.join(_safe_parts(self.identity))}.bns"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(format_script(recorder.script()), encoding="utf-8")


def _changes(path: Path, fixture: Fixture) -> list[str]:
    """What is another in a fixture than in its file, in words; nothing if they are equal."""
    try:
        old = fixtures.load(path)
    except fixtures.CorruptFixture as error:
        return [error.problem if path.exists() else "new"]
    return [] if old == fixture else changes(old, fixture)


def scenario_identity(nodeid: str) -> str:
    """The name of a scenario from its pytest id: path without suffix, then test."""
    path, _, test = nodeid.partition("::")
    return f"{Path(path).with_suffix('').as_posix()}/{test.replace('::', '/')}"


def fixture_path(config: pytest.Config, identity: str) -> Path:
    """Where the fixture of a scenario is; the directory `scenarios` is left out of its path."""
    directory: Path = config.rootpath / config.getini("lab_fixtures")
    parts = _safe_parts(identity)
    return directory.joinpath(*parts[:-1], parts[-1] + fixtures.SUFFIX)


def _safe_parts(identity: str) -> list[str]:
    """The parts of an identity as names of files; the directory `scenarios` is left out."""
    return [re.sub(r"[^\w.=+-]", "-", part).strip("-") for part in identity.split("/") if part != "scenarios"]
