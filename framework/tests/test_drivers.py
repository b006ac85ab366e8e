"""The same scenarios on every kind of node: in a process of its own in each run, on the historical one with --all."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest

from bns.errors import InvalidInput, Reason
from bnslab import fixtures
from bnslab.bitcoind import guard
from bnslab.chain import BitcoindBackend, BlockFactory, MemoryBackend, base_chain
from bnslab.errors import LabError, NotSaid
from bnslab.nodes.child import NodeFailed
from bnslab.nodes.choice import open_nodes
from bnslab.nodes.process import ProcessNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bnslab.bitcoind import PortPool
    from bnslab.nodes import MakeNode
    from tests.labs import Labs
    from tests.projects import Project

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
SAMPLE = (
    ("quickstart/test_quickstart", "test_three_names", ("alice", "bob", "carol")),
    ("names/test_imports", "test_imports_with_derived_keys", ("alice", "bob", "carol")),
    ("names/test_changes", "test_several_updates_in_one_block", ("alice", "bob")),
    ("namespaces/test_namespaces", "test_an_announcer", ("alice", "bob")),
    ("namespaces/test_namespaces", "test_two_reveals_in_one_block_both_lose", ("alice", "bob")),
)


@pytest.fixture
def process(backend: BitcoindBackend, run_directory: Path, port_pool: PortPool) -> MakeNode:
    def make(params: Any, outputs: Any) -> ProcessNode:
        return ProcessNode(params, outputs, bitcoind=backend.node, run_dir=run_directory, ports=port_pool)

    return make


@pytest.fixture(scope="module")
def reference() -> Iterator[MakeNode]:
    cache = platformdirs.user_cache_path("bnslab")
    with open_nodes("reference", MemoryBackend(base_chain()), cache=cache, report=print) as make:
        yield make


def scenario(file: str, name: str) -> Callable[..., None]:
    spec = importlib.util.spec_from_file_location(Path(file).name, ROOT / "scenarios" / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., None] = getattr(module, name)
    return function


def play(make_lab: Labs, file: str, name: str, wallets: tuple[str, ...], **parts: Any) -> None:
    """A scenario with all checks, its fixture among them."""
    fixture = fixtures.load(ROOT / "fixtures" / "scenarios" / file / f"{name}.json.gz")
    lab = make_lab(identity=f"scenarios/{file}/{name}", fixture=fixture, **parts)
    scenario(file, name)(lab, *map(lab.wallet, wallets))
    lab.finish()


@pytest.mark.parametrize(("file", "name", "wallets"), SAMPLE, ids=[name for _, name, _ in SAMPLE])
def test_on_a_node_in_its_own_process(
    make_lab: Labs, backend: BitcoindBackend, process: MakeNode, file: str, name: str, wallets: tuple[str, ...]
) -> None:
    play(make_lab, file, name, wallets, chain=backend, node=process)


@pytest.mark.foreign
@pytest.mark.parametrize(("file", "name", "wallets"), SAMPLE, ids=[name for _, name, _ in SAMPLE])
def test_on_the_reference(make_lab: Labs, reference: MakeNode, file: str, name: str, wallets: tuple[str, ...]) -> None:
    play(make_lab, file, name, wallets, node=reference)


def test_a_node_in_its_own_process_tells_reasons_and_keeps_zone_files(
    make_lab: Labs, backend: BitcoindBackend, process: MakeNode
) -> None:
    data = b'$ORIGIN foo.test\n$TTL 3600\n_http._tcp URI 10 1 "http://example.com"\n'
    lab = make_lab(chain=backend, node=process, identity="process")
    lab.namespace("test", by="alice")
    lab.register("foo.test", by="bob")
    with lab.rejects(Reason.NOT_OWNER):
        refused = lab.revoke("foo.test", by="carol")
    assert refused.detail
    assert not lab.node.put_zonefile(data)
    fork = lab.height
    assert lab.node.state.name("foo.test") is not None
    # the chain takes another way, and the node with it
    tip = backend.rollback(fork - 2)
    factory = BlockFactory.for_scenario(lab.identity, branch=1)
    for _ in range(4):
        tip = backend.accept(factory.build(tip, ()).raw)
    receipt = lab.node.apply(tip.height, backend.blocks_from(tip.height)[0].raw)
    assert (receipt.height, receipt.block_hash) == (tip.height, tip.hash)
    assert lab.node.state.name("foo.test") is None


def test_a_dead_node_is_named_with_the_end_of_its_log(
    make_lab: Labs, backend: BitcoindBackend, process: MakeNode, run_directory: Path
) -> None:
    lab = make_lab(chain=backend, node=process, identity="dead")
    (pid,) = (pid for pid in guard.owned(run_directory.resolve()) if pid != backend.node.pid)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(NodeFailed, match=r"(?s)^the node ended: signal SIGKILL; its log ends:.*the node is ready"):
        lab.mine()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x", "node: expected one of inprocess, process, reference, got 'x'"),
        ("process", "--chain: expected bitcoind: a node in its own process follows a real one, got 'memory'"),
    ],
)
def test_nodes_that_there_are_not(tmp_path: Path, name: str, told: str) -> None:
    with (
        pytest.raises(InvalidInput, match=told),
        open_nodes(name, MemoryBackend(base_chain()), cache=tmp_path, report=print),
    ):
        pass


@pytest.mark.foreign
def test_the_reference_does_not_say_why(make_lab: Labs, reference: MakeNode) -> None:
    lab = make_lab(node=reference)
    with lab.rejects(Reason.NAMESPACE_NOT_READY):
        refused = lab.name_registration("foo.test", by="alice")
    assert (refused.accepted, refused.reason) == (False, Reason.NAMESPACE_NOT_READY)
    with lab.undecided():
        undecided = lab.name_registration("bar.test", by="alice")
    assert not undecided.accepted
    with pytest.raises(NotSaid, match=r"^NAME_REGISTRATION bar\.test by alice: the node does not say why"):
        _ = undecided.reason
    with pytest.raises(LabError, match="the reference cannot go back to block 111: it knows no reorganisation"):
        lab.node.rollback(111)
    lab.finish()


def test_a_scenario_that_asks_why_is_skipped_where_nobody_says(project: Project) -> None:
    project.write(
        "tests/test_it.py",
        "from bnslab.errors import NotSaid\n\n\ndef test_why(lab):\n    raise NotSaid('it does not say why')\n",
    )
    outcome = project.run("tests", "--chain", "memory", "-rs")
    assert outcome.counts == {"skipped": 1}
    assert "it does not say why" in outcome.stdout


def test_what_a_node_does_otherwise_must_fail_there(project: Project) -> None:
    project.write(
        "tests/test_it.py",
        "import pytest\n\n\n"
        '@pytest.mark.otherwise_on("reference", "it stops")\n'
        '@pytest.mark.otherwise_on("process", "it is slow")\n'
        'def test_one():\n    assert 1 == 2, "wrong"\n\n\n'
        '@pytest.mark.otherwise_on("reference", "it stops")\ndef test_two():\n    pass\n',
    )
    assert project.run("tests", "--node", "inprocess").counts == {"failed": 1, "passed": 1}
    outcome = project.run("tests", "--node", "reference", "-rx")
    assert outcome.counts == {"failed": 1, "xfailed": 1}
    assert "on the reference: it stops" in outcome.stdout
    assert "[XPASS(strict)] on the reference: it stops" in outcome.stdout


@pytest.mark.parametrize("arguments", ["", '"reference"', '"elsewhere", "why"', '"process", 7', '"process", why="so"'])
def test_marks_that_say_something_else(project: Project, arguments: str) -> None:
    mark = f"@pytest.mark.otherwise_on({arguments})"
    project.write("tests/test_it.py", f"import pytest\n\n\n{mark}\ndef test_one():\n    pass\n")
    outcome = project.run("tests", "--node", "reference")
    assert outcome.status == 4
    assert "test_one: otherwise_on: expected one of inprocess, process, reference, and why; got (" in outcome.stderr
