"""The pytest plugin: options, the `lab` fixture and its wallets, fixtures of scenarios, and how a failure reads."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bnslab.chain.base import ChainBackend
    from bnslab.lab import Lab
    from bnslab.nodes import MakeNode
    from bnslab.wallets import Wallet

# pytest loads this module in every session of the environment: what is heavy is imported when a scenario runs


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the harness."""
    group = parser.getgroup("bnslab", "bnslab: scenarios of the Blockstack Name System")
    group.addoption(
        "--chain",
        choices=("bitcoind", "kernel", "memory"),
        help="What judges the blocks (default: bitcoind, or kernel where no bitcoind can be had).",
    )
    group.addoption(
        "--node",
        choices=("inprocess", "process", "reference"),
        default="inprocess",
        help="What indexes them: the core in this process (default) or its own, or the historical node.",
    )
    group.addoption("--bitcoind", type=Path, metavar="FILE", help="The bitcoind to use.")
    group.addoption("--lab-cache", type=Path, metavar="DIR", help="Directory for installed programs and runs.")
    group.addoption("--lab-trace", action="store_true", help="Write the trace of every scenario, not only of failures.")
    group.addoption("--lab-output", type=Path, metavar="DIR", help="Directory for traces (default: results).")
    group.addoption("--lab-record", type=Path, metavar="DIR", help="Write each scenario that passes as a script.")
    group.addoption("--lab-skip-check", action="append", default=[], metavar="NAME", help="Switch a check off.")
    group.addoption("--fill", action="store_true", help="Fail where a scenario has no fixture yet.")
    group.addoption("--fill-update", action="store_true", help="Write the fixtures that differ or are missing.")
    group.addoption("--lab-budget", action="append", default=[], metavar="WHAT=N", help="Fail scenarios beyond it.")
    group.addoption("--lab-slowest", action="store_true", help="List the ten slowest scenarios with their costs.")
    group.addoption("--lab-annotations", action="store_true", help="Show failures as GitHub annotations too.")
    group.addoption("--shard", metavar="I/N", help="Only the I-th of N parts, balanced by recorded durations.")
    group.addoption("--lab-save-durations", action="store_true", help="Record durations for --shard.")
    group.addoption("--lab-today", metavar="DATE", help="The day by which quarantines end (default: today).")
    parser.addini("lab_durations", "File of the durations for --shard.", default="fixtures/durations.json")
    parser.addini("lab_quarantine", "File of tests that may fail for a while.", default="quarantine.toml")
    modes = parser.getgroup("bnslab modes", "bnslab: put every scenario through more than it says")
    modes.addoption("--wallets", choices=("as-written", "segwit"), help="segwit: p2sh-wrapped segwit wallets instead.")
    modes.addoption("--reorg-every", metavar="N:DEPTH", help="A fork of up to DEPTH blocks after every N blocks.")
    modes.addoption("--restart-every", type=int, default=0, metavar="N", help="Restart the node after every N blocks.")
    modes.addoption("--epoch", type=int, choices=(1, 2, 3), help="The epoch of scenarios that are tied to none.")
    modes.addoption("--seed", type=int, default=0, metavar="N", help="The seed of all that is random in a mode.")
    modes.addoption("--shuffle", type=int, metavar="SEED", help="Run the tests in a random order.")
    parser.addini("lab_fixtures", "Directory of the scenarios' fixtures.", default="fixtures/scenarios")
    parser.addini("lab_require_fixtures", "Fail where a scenario has no fixture.", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark and the reporter."""
    config.addinivalue_line(
        "markers", "p2pkh(*names): wallets that stay p2pkh whatever --wallets says, such as importers"
    )
    config.addinivalue_line(
        "markers", "unrecorded: the scenario has no fixture: it would be too large, or the reference stops at it"
    )
    config.addinivalue_line("markers", "bitcoind: the scenario has nodes that follow a bitcoind; skipped without one")
    config.addinivalue_line(
        "markers", "otherwise_on(node, reason): the scenario must fail on this kind of node, such as the reference"
    )
    config.addinivalue_line("markers", "reorganised: the scenario takes blocks back; its fixture holds those that stay")
    if any(config.getoption(name) for name in ("--reorg-every", "--restart-every")) or (
        config.getoption("--node") != "inprocess"
    ):
        from bnslab.modes import require_possible

        require_possible(config)
    config.addinivalue_line("markers", "epochs(*numbers, ends, reveal_expire, ...): rules of a scenario's chain")
    from bnslab.reporting import Reporting
    from bnslab.summary import Summary

    config.pluginmanager.register(Reporting(config), "bnslab-reporting")
    config.pluginmanager.register(Summary(config), "bnslab-summary")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Scripts are files of scenarios."""
    if file_path.suffix != ".bns":
        return None
    from bnslab.script.collecting import ScriptFile

    return ScriptFile.from_parent(parent, path=file_path)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show what differs between two records."""
    from bnslab.comparing import compared

    return compared(left, right) if op == "==" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what must fail on the node of this run. Shuffle; every worker comes to the same order."""
    if config.getoption("--node") != "inprocess":
        from bnslab.selection import expect_failures

        expect_failures(items, config.getoption("--node"))
    seed = config.getoption("--shuffle")
    if seed is not None:
        Random(seed).shuffle(items)


@pytest.fixture(scope="session")
def lab_chain(request: pytest.FixtureRequest) -> Iterator[ChainBackend]:
    """The chain backend of this worker, shared by its scenarios."""
    from bnslab.session import open_chain

    with open_chain(request.config) as chain:
        yield chain


@pytest.fixture(scope="session")
def lab_nodes(request: pytest.FixtureRequest, lab_chain: ChainBackend) -> Iterator[MakeNode]:
    """Makes the nodes of this worker's scenarios."""
    from bnslab.session import open_driver

    with open_driver(request.config, lab_chain) as make:
        yield make


@pytest.fixture
def epoch(request: pytest.FixtureRequest) -> int | None:
    """The epoch of the scenario, unless an `epochs` mark says more; each_epoch overrides it."""
    chosen: int | None = request.config.getoption("--epoch")
    return chosen


@pytest.fixture
def lab(
    request: pytest.FixtureRequest, lab_chain: ChainBackend, lab_nodes: MakeNode, epoch: int | None
) -> Iterator[Lab]:
    """A private chain at the tip of its base, a node, and the checks. The scenario ends with the checks of the end."""
    from bnslab.session import Scenario

    scenario = Scenario(request, lab_chain, lab_nodes, epoch)
    yield scenario.open()
    scenario.close()


def _wallet_fixture(name: str) -> object:
    @pytest.fixture(name=name)
    def wallet(lab: Lab) -> Wallet:
        return lab.wallet(name)

    wallet.__doc__ = f"The p2pkh wallet called {name}."
    return wallet


alice = _wallet_fixture("alice")
bob = _wallet_fixture("bob")
carol = _wallet_fixture("carol")
dave = _wallet_fixture("dave")
