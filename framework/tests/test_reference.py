"""The reference as a system under test: found, installed, run; and it says what the golden files say it said."""

from __future__ import annotations

import gzip
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import platformdirs
import psutil
import pytest

from bns.bitcoin.block import BlockHeader, candidates, parse_header, read_transactions
from bns.bitcoin.hashes import merkle_root
from bns.bitcoin.script import op_return, p2wpkh
from bns.bitcoin.transaction import Transaction, TxOut, encode_varint, txid_to_hex
from bns.errors import InvalidInput
from bnslab.bitcoind import guard
from bnslab.consume import compare
from bnslab.fixtures import BlockEntry, Fixture, load
from bnslab.nodes.reference import (
    Indexed,
    Reference,
    ReferenceCrashed,
    ReferenceNode,
    ReferenceUnavailable,
    find,
    find_python2,
    install,
)

GOLDEN = Path(__file__).parents[2] / "fixtures" / "reference"
SMALL = "name_import_expire_isdead"
SAMPLE = [
    SMALL,
    "name_import_nextepoch_epoch3_expire_grace",
    "extra_many_ops",
    "fuzz/valid_5",
    "fuzz/wild_3",
    "fuzz/wild_4",
]
SCENARIOS = [
    "subdomains/test_branches/test_name_pre_regup_subdomain_reorg_deep_transfer",
    "subdomains/test_arrival/test_name_pre_regup_subdomain_batch_dup_reindex",
    "subdomains/test_transfers/test_name_pre_regup_subdomain_seq_xfer_reorg_pending_missing",
    "dids/test_dids/test_name_pre_regup_ops_expire_reregup_dids",
]
"""A sample of those with zone files, subdomains and former lives of names."""
SOON = 10.0


def golden(name: str) -> Fixture:
    return load(GOLDEN / f"{name}.json.gz")


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def answering(path: Path, version: str = "2.7.18") -> Path:
    """A program that answers as a Python would."""
    return script(path, f"echo '{json.dumps([str(path), version, version])}'")


def test_the_python_that_was_named_is_the_only_one_looked_at(tmp_path: Path) -> None:
    answering(tmp_path / "bin" / "python2.7")
    with pytest.raises(ReferenceUnavailable, match=r"/none does not run: No such file.*to do: install Python 2\.7"):
        find_python2(tmp_path / "none", path=str(tmp_path / "bin"))
    named = answering(tmp_path / "other")
    assert find_python2(named, path=str(tmp_path / "bin")).program == named


def test_a_python_on_the_path_comes_before_those_of_pyenv(tmp_path: Path) -> None:
    on_path = answering(tmp_path / "bin" / "python2.7")
    answering(tmp_path / "2.7.18" / "bin" / "python2.7")
    assert find_python2(path=str(on_path.parent), pyenv=tmp_path).program == on_path


def test_a_wrapper_that_finds_no_python_is_passed_over_for_the_newest_of_pyenv(tmp_path: Path) -> None:
    wrapper = script(tmp_path / "bin" / "python2.7", "echo 'pyenv: python2.7: command not found' >&2; exit 127")
    pythons = [answering(tmp_path / name / "bin" / "python2.7") for name in ("2.7.9", "2.7.18", "2.7-dev", "3.11.1")]
    assert find_python2(path=str(wrapper.parent), pyenv=tmp_path).program == pythons[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("""echo '["/usr/bin/python", "3.12.1", "abi"]'""", "is Python 3.12.1"),
        ("echo hello", "is no Python: it says 'hello"),
        ("echo 'ImportError: No module named _ssl' >&2; exit 1", "does not serve: ImportError: No module named _ssl"),
    ],
)
def test_a_program_that_cannot_serve_is_named_with_the_reason(text: str, told: str, tmp_path: Path) -> None:
    program = script(tmp_path / "python2.7", text)
    with pytest.raises(ReferenceUnavailable, match=told) as refused:
        find_python2(path=str(tmp_path), pyenv=tmp_path)
    assert str(program) in str(refused.value)


def test_without_any_python_the_error_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ReferenceUnavailable, match=f"none on PATH, none in {tmp_path}; what to do: install"):
        find_python2(path=str(tmp_path), pyenv=tmp_path)


def test_what_is_not_installed_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ReferenceUnavailable, match=r"not installed for Python 2\.7\.18"):
        find(tmp_path, answering(tmp_path / "python2.7"))


@pytest.mark.foreign
def test_a_failed_installation_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    python = script(
        tmp_path / "python2.7",
        f"""case "$1" in -c) echo '{json.dumps([str(tmp_path / "python2.7"), "2.7.18", "abi"])}';;"""
        """ *) echo 'ERROR: the disk is made of cheese' >&2; exit 1;; esac""",
    )
    lines: list[str] = []
    with pytest.raises(ReferenceUnavailable, match="pip failed: ERROR: the disk is made of cheese"):
        install(tmp_path / "cache", lines.append, python=python)
    assert lines[0] == f"Blockstack Core 19.0.8.1 for Python 2.7.18 ({python})"
    assert [entry.name for entry in (tmp_path / "cache" / "reference").iterdir()] == [".lock"]


@pytest.fixture(scope="session")
def reference() -> Reference:
    """The reference in the user's cache; installed if it is not there."""
    return install(platformdirs.user_cache_path("bnslab"), lambda _: None)


@pytest.fixture
def node(reference: Reference, run_directory: Path) -> ReferenceNode:
    return ReferenceNode(reference, run_directory)


@pytest.mark.foreign
def test_an_installation_is_found_again(reference: Reference) -> None:
    lines: list[str] = []
    cache = platformdirs.user_cache_path("bnslab")
    assert install(cache, lines.append) == find(cache) == reference
    assert lines == [f"the reference is installed in {reference.packages}"]


def comparable(value: Any) -> Any:
    """A table without the order of its rows."""
    if isinstance(value, dict) and value.keys() == {"columns", "rows"}:
        return sorted(
            json.dumps(dict(zip(value["columns"], row, strict=True)), sort_keys=True) for row in value["rows"]
        )
    return value


def said_again(value: Any) -> Any:
    return (json.loads(bytes(value)) if bytes(value) else None) if isinstance(value, msgspec.Raw) else value


def all_that_it_said(name: str) -> dict[str, Any]:
    text = gzip.decompress((GOLDEN / f"{name}.json.gz").read_bytes())
    expected: dict[str, Any] = json.loads(text)["expected"]
    return expected


@pytest.mark.foreign
@pytest.mark.parametrize("name", SAMPLE)
def test_it_says_what_it_said_and_the_core_agrees(name: str, node: ReferenceNode) -> None:
    fixture = golden(name)
    said = all_that_it_said(name)
    indexed = node.index(fixture)
    assert indexed.seconds > 0
    again = {part: said_again(value) for part, value in msgspec.structs.asdict(indexed.expected).items()}
    for part in ("tip", "consensus_hashes", "ops_hashes", "serialized_ops", "accepted_ops", "names", "namespaces"):
        assert again[part] == said.get(part, again[part]), part
    assert again["preorders"] == said["preorders"]
    for table, rows in said["tables"].items():
        assert comparable(again["tables"][table]) == comparable(rows), table
    compare(msgspec.structs.replace(fixture, expected=indexed.expected), ("consensus", "tables"))


@pytest.mark.foreign
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_agrees_with_the_fixtures_of_scenarios(name: str, node: ReferenceNode) -> None:
    fixture = load(GOLDEN.parent / "scenarios" / f"{name}.json.gz")
    compare(msgspec.structs.replace(fixture, expected=node.run(fixture)), ("consensus", "tables"))


@pytest.mark.foreign
def test_it_answers_the_questions_as_it_did(node: ReferenceNode) -> None:
    said, again = all_that_it_said(SMALL), node.run(golden(SMALL), api=True)
    assert len(said["rpc"]) > 300
    assert json.loads(bytes(again.rpc)) == said["rpc"]
    assert len(said["rest"]) > 300
    assert json.loads(bytes(again.rest)) == said["rest"]


def with_block_at_the_tip(fixture: Fixture, transaction: Transaction) -> Fixture:
    """The chain and one more block, of a coinbase and a transaction."""
    tip = fixture.blocks[-1]
    inside = [read_transactions(bytes.fromhex(tip.raw))[0], transaction]
    root = merkle_root([each.txid_bytes for each in inside])
    old = parse_header(bytes.fromhex(tip.raw))
    header = BlockHeader(old.version, old.hash, root, old.time + 1, old.bits, 0)
    raw = header.serialize() + encode_varint(2) + b"".join(each.stripped for each in inside)
    entry = BlockEntry(tip.height + 1, txid_to_hex(header.hash), raw.hex())
    return msgspec.structs.replace(fixture, blocks=[*fixture.blocks, entry], expected=None)


def fatal_chain() -> Fixture:
    """Its last block registers a name for a witness address, at which the reference gives up (spec 02 section 11)."""
    fixture = golden("extra_many_ops")
    spender = next(found[-1].transaction for block in reversed(fixture.blocks) if (found := candidates_of(block)))
    outputs = (TxOut(0, op_return(b"id:witness.test")), TxOut(5500, p2wpkh(bytes(20))))
    return with_block_at_the_tip(fixture, Transaction(1, spender.inputs, outputs, 0))


def candidates_of(block: BlockEntry) -> list[Any]:
    return candidates(bytes.fromhex(block.raw))


@pytest.mark.foreign
def test_a_crash_is_told_with_its_block_and_the_end_of_the_log(node: ReferenceNode, run_directory: Path) -> None:
    fixture = fatal_chain()
    with pytest.raises(ReferenceCrashed, match=r"ended at block \d+: signal SIGABRT; its log ends:") as crash:
        node.run(fixture)
    assert crash.value.height == fixture.tip
    assert "ValueError: b58check value has an invalid checksum" in crash.value.output
    assert [entry.name for entry in run_directory.iterdir()] == ["lock"]


@pytest.mark.foreign
def test_several_chains_come_in_their_order_whatever_becomes_of_some(node: ReferenceNode) -> None:
    small, lacking = golden(SMALL), msgspec.structs.replace(golden("fuzz/wild_3"), prevouts={})
    outcomes = list(node.run_many([lacking, small, small, lacking], workers=2))
    assert [type(outcome) for outcome in outcomes] == [ReferenceCrashed, Indexed, Indexed, ReferenceCrashed]
    for outcome in outcomes:
        if isinstance(outcome, ReferenceCrashed):
            assert outcome.output[-1].startswith("the chain file lacks transaction ")
        else:
            assert small.expected is not None
            assert outcome.expected.consensus_hashes == small.expected.consensus_hashes


@pytest.mark.foreign
def test_what_takes_too_long_is_ended(reference: Reference, run_directory: Path) -> None:
    node = ReferenceNode(reference, run_directory, limit=0.0)
    with pytest.raises(ReferenceCrashed, match="ended outside of any block: not done within 0 s; its log is empty"):
        node.run(golden(SMALL))
    assert guard.owned(run_directory) == []


@pytest.mark.foreign
def test_a_caller_that_loses_interest_leaves_nothing(node: ReferenceNode, run_directory: Path) -> None:
    slow, done_before, running = golden("fuzz/wild_3"), golden(SMALL), golden("fuzz/wild_4")
    outcomes = node.run_many([slow, done_before, running], workers=2)
    assert isinstance(next(outcomes), Indexed)
    assert len(guard.owned(run_directory)) == 1
    outcomes.close()  # type: ignore[attr-defined]
    assert guard.owned(run_directory) == []
    assert [entry.name for entry in run_directory.iterdir()] == ["lock"]


def test_bad_requests_are_refused(tmp_path: Path) -> None:
    python = find_python2(answering(tmp_path / "python2.7"))
    node = ReferenceNode(Reference(python, tmp_path), tmp_path)
    with pytest.raises(InvalidInput, match="workers: expected at least 1, got 0"):
        next(node.run_many([], workers=0))
    bare = msgspec.structs.replace(golden(SMALL), expected=None)
    with pytest.raises(InvalidInput, match="questions to the reference: expected a fixture with rpc or rest answers"):
        node.run(bare, api=True)
    late = msgspec.structs.replace(bare, env={**bare.env, "BLOCKSTACK_TEST_FIRST_BLOCK": "5000"})
    with pytest.raises(InvalidInput, match="first block to index: expected a height of the chain file"):
        node.run(late)


def test_a_python_that_has_gone_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = find_python2(answering(tmp_path / "python2.7"))
    python.program.unlink()
    monkeypatch.setattr(guard, "spawn_prefix", tuple)
    (tmp_path / "run").mkdir()
    with pytest.raises(ReferenceUnavailable, match=r"the reference cannot be started: .*No such file"):
        ReferenceNode(Reference(python, tmp_path), tmp_path / "run").run(golden(SMALL))
    assert list((tmp_path / "run").iterdir()) == []


HARNESS = """
import sys
from pathlib import Path
import platformdirs
from bnslab.bitcoind import RunDirectory, guard
from bnslab.fixtures import load
from bnslab.nodes.reference import ReferenceNode, find

cache, chain, ended_by = sys.argv[1:]
if ended_by == "guard":
    guard.spawn_prefix = lambda: ()
run = RunDirectory.create(Path(cache))
class Told(ReferenceNode):
    def _wait(self, runs):
        print(runs[0]._process.pid, flush=True)
        super()._wait(runs)
Told(find(platformdirs.user_cache_path("bnslab")), run.path).run(load(Path(chain)))
"""


@pytest.mark.foreign
@pytest.mark.parametrize("ended_by", ["kernel", "guard"])
def test_a_killed_harness_leaves_no_reference(ended_by: str, reference: Reference, tmp_path: Path) -> None:
    chain = GOLDEN / "fuzz" / "wild_4.json.gz"
    command = [sys.executable, "-c", HARNESS, str(tmp_path), str(chain), ended_by]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        pid = int(harness.stdout.readline())
        handle = os.pidfd_open(pid) if sys.platform == "linux" else -1
        harness.send_signal(signal.SIGKILL)
        harness.wait()
    if sys.platform == "linux":
        assert select.select([handle], [], [], SOON)[0]
        os.close(handle)
    else:
        psutil.Process(pid).wait(SOON)
