"""Blocks from a real bitcoind: read, with what they spend, and followed through its reorganisations."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from bns.bitcoin.block import block_hash, read_transactions
from bns.engine import Engine
from bns.node import bitcoind, prevouts
from bns.node.bitcoind import BitcoindSource
from bns.node.errors import (
    BlockPruned,
    ChainChanged,
    DeepReorganisation,
    RpcError,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
    WarmingUp,
    WrongCredentials,
)
from bns.node.indexer import Hooks, Summary, catch_up
from bns.node.rpc import RpcClient
from bns.node.sources import Tip
from bns.state.store import State
from bnslab.bitcoind import RegtestNode
from bnslab.campaigns.digest import dump
from bnslab.chain import BitcoindBackend, base_chain, start_node
from tests.labs import FIRST_BLOCK, other_branch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool
    from bnslab.lab import Lab
    from tests.labs import Labs


class Recording(RpcClient):
    """A client of a node that remembers which methods were asked for."""

    def __init__(self, node: RegtestNode) -> None:
        settings = dict(
            line.split("=", 1) for line in (node.directory / "bitcoin.conf").read_text().splitlines() if "=" in line
        )
        super().__init__(("127.0.0.1", node.rpc_port), settings["rpcuser"], settings["rpcpassword"])
        self.asked: list[str] = []

    def _ask(self, question: Any) -> Any:
        calls = question if isinstance(question, list) else [question]
        self.asked += [call["method"] + "".join(f" {p}" for p in call["params"] if p in (0, 3)) for call in calls]
        return super()._ask(question)


@pytest.fixture(scope="module")
def start(bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool) -> Callable[..., RegtestNode]:
    def begin(*options: str) -> RegtestNode:
        if not options:
            return start_node(bitcoind_binary, run_directory, port_pool)
        return RegtestNode.start(bitcoind_binary, run_directory, port_pool, mocktime=1_800_000_000, extra=options)

    return begin


@pytest.fixture
def backend(start: Callable[..., RegtestNode]) -> Iterator[BitcoindBackend]:
    with closing(BitcoindBackend(base_chain(), start)) as opened:
        yield opened


def live(lab: Lab, names: Sequence[str]) -> None:
    """Names of alice's that bob and carol get."""
    lab.namespace("test", by="alice")
    for name in names:
        lab.name_preorder(name, by="alice")
        lab.mine()
        lab.name_registration(name, by="alice")
        lab.mine()
        lab.transfer(name, by="alice", to="bob")
        lab.mine()
        lab.update(name, by="bob", value_hash="11" * 20)
        lab.transfer(name, by="bob", to="carol")
        lab.mine()


Indexes = Callable[["Lab", RegtestNode], "Index"]


class Index:
    """A state in memory that follows a node."""

    def __init__(self, lab: Lab, node: RegtestNode) -> None:
        self.client = Recording(node)
        self.source = BitcoindSource(self.client)
        self.state = State.memory(lab.params)
        self.engine = Engine(lab.params, self.state)

    def catch_up(self, confirmations: int = 0) -> Summary:
        return catch_up(self.source, self.engine, self.state, confirmations=confirmations)

    @property
    def consensus_hash(self) -> str | None:
        return self.state.consensus_hash(self.state.last_block)


@pytest.fixture
def index_of() -> Iterator[Indexes]:
    with ExitStack() as stack:

        def make(lab: Lab, node: RegtestNode) -> Index:
            index = Index(lab, node)
            stack.callback(index.source.close)
            return index

        yield make


def same_tables(state: State, other: State) -> bool:
    """Whether each table of a state, undo log included, has the same rows as that of another, which may have more."""
    mine, others = dump(state, undo=True), dump(other, undo=True)
    return all(rows == others[name] for name, rows in mine.items())


@pytest.mark.parametrize("block_size_limit", [20_000, 0], ids=["small blocks", "as if all were large"])
def test_an_index_from_a_node_is_that_of_the_scenario(
    make_lab: Labs, index_of: Indexes, backend: BitcoindBackend, monkeypatch: pytest.MonkeyPatch, block_size_limit: int
) -> None:
    monkeypatch.setattr(prevouts, "SMALL_BLOCK", block_size_limit)
    lab = make_lab(chain=backend)
    live(lab, ["one.test", "two.test"])
    index = index_of(lab, backend.node)
    assert index.source.tip() == Tip(lab.height, lab.tip)
    assert index.catch_up(confirmations=3).height == lab.height - 3
    assert index.catch_up() == Summary(3, 0, lab.height, lab.height, stopped=False)
    assert index.consensus_hash == lab.consensus_hash
    assert same_tables(index.state, lab.node.state)
    # In small blocks all that is spent was seen before; else the node says it once more.
    assert ("getblock 3" in index.client.asked) == (block_size_limit == 0)


@pytest.mark.parametrize("options", [(), ("-txindex=1",)], ids=["without an index", "with -txindex"])
def test_outputs_of_blocks_that_were_not_read(
    make_lab: Labs, index_of: Indexes, start: Callable[..., RegtestNode], options: tuple[str, ...]
) -> None:
    with closing(BitcoindBackend(base_chain(), lambda: start(*options))) as backend:
        lab = make_lab(chain=backend)
        live(lab, ["one.test", "two.test"])
        first = index_of(lab, backend.node)
        first.catch_up(confirmations=5)
        # As after a restart: the source knows nothing of the blocks before.
        first.source = BitcoindSource(first.client)
        first.client.asked.clear()
        first.catch_up()
        assert first.consensus_hash == lab.consensus_hash
        assert same_tables(first.state, lab.node.state)
        assert ("getrawtransaction" in first.client.asked) == bool(options)
        assert ("getblock 3" in first.client.asked) == (not options)


def test_batches_grow_and_shrink_with_the_blocks(
    make_lab: Labs, index_of: Indexes, backend: BitcoindBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bitcoind, "BATCH_BYTES", 3000)
    lab = make_lab(chain=backend)
    live(lab, ["one.test"])
    lab.mine(40)
    index = index_of(lab, backend.node)
    index.catch_up()
    assert index.consensus_hash == lab.consensus_hash


# Reorganisations


@pytest.mark.parametrize("depth", [1, 3, 7])
@pytest.mark.parametrize("confirmations", [0, 2])
def test_a_reorganisation_of_the_node_is_followed(
    make_lab: Labs, index_of: Indexes, backend: BitcoindBackend, depth: int, confirmations: int
) -> None:
    lab = make_lab(chain=backend)
    live(lab, ["one.test", "two.test", "three.test"])
    index = index_of(lab, backend.node)
    index.catch_up(confirmations)
    fork, *dropped = backend.blocks_from(lab.height - depth)
    branch = other_branch(dropped, fork, depth + 2)
    backend.rollback(fork.tip.height)
    for block in branch:
        backend.accept(block.raw)
    undone = max(0, depth - confirmations)
    target = lab.height + 2 - confirmations
    assert index.catch_up(confirmations) == Summary(undone + 2, undone, target, target, stopped=False)
    fresh = index_of(lab, backend.node)
    fresh.catch_up(confirmations)
    assert dump(index.state, undo=False) == dump(fresh.state, undo=False)
    assert index.consensus_hash != lab.consensus_hash


def test_a_node_that_changes_its_mind_between_two_batches(
    make_lab: Labs, index_of: Indexes, backend: BitcoindBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(chain=backend)
    live(lab, ["one.test", "two.test", "three.test"])
    monkeypatch.setattr(bitcoind, "_FIRST_BATCH", 1)
    monkeypatch.setattr(bitcoind, "MOST_BLOCKS", 1)
    index = index_of(lab, backend.node)
    fork, *dropped = backend.blocks_from(lab.height - 12)
    branch = other_branch(dropped, fork, 14)

    def turn(_: object) -> None:
        if index.state.last_block == lab.height - 6 and backend.tip().height == lab.height:
            backend.rollback(fork.tip.height)
            for block in branch:
                backend.accept(block.raw)

    hooks = Hooks(applied=turn)
    catch_up(index.source, index.engine, index.state, confirmations=0, hooks=hooks, blocks_per_commit=1)
    assert index.state.last_block == branch[-1].tip.height
    fresh = index_of(lab, backend.node)
    fresh.catch_up()
    assert dump(index.state, undo=False) == dump(fresh.state, undo=False)


def test_a_node_on_another_chain_altogether(make_lab: Labs, index_of: Indexes, backend: BitcoindBackend) -> None:
    lab = make_lab(chain=backend)
    lab.mine(300)
    index = index_of(lab, backend.node)
    index.catch_up()
    fork = backend.blocks_from(lab.height - 289)[0]
    backend.rollback(fork.tip.height)
    for block in other_branch([], fork, 5):
        backend.accept(block.raw)
    with pytest.raises(DeepReorganisation, match="deeper than can be rolled back; restore a backup"):
        index.catch_up()
    assert index.state.last_block == lab.height


# Errors


Answer = dict[str, Any]


@contextmanager
def fake_node(answers: Callable[[str], Answer]) -> Iterator[BitcoindSource]:
    """A source whose node answers each method as told: with a result, or with an error of a code and a message."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, answers))
        thread.start()
        host, port = listener.getsockname()
        with closing(BitcoindSource.connect(host, port, "user", "word", timeout=5)) as source:
            yield source
        thread.join()


def _serve(listener: socket.socket, answers: Callable[[str], Answer]) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        while head := stream.readline():
            while (line := stream.readline()) != b"\r\n":
                head += line
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            calls = orjson.loads(stream.read(length))
            body = orjson.dumps([answers(call["method"]) for call in calls])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def failed(code: int, message: str) -> Answer:
    return {"result": None, "error": {"code": code, "message": message}}


def test_a_node_that_starts_is_tried_again_later() -> None:
    with (
        fake_node(lambda _: failed(-28, "Loading block index…")) as source,
        pytest.raises(WarmingUp, match=r"bitcoind at 127\.0\.0\.1:\d+: Loading block index…") as warming,
    ):
        source.tip()
    assert isinstance(warming.value, SourceUnavailable)


def test_a_pruned_block_is_named() -> None:
    def answers(method: str) -> Answer:
        pruned = failed(-1, "Block not available (pruned data)")
        return pruned if method == "getblock" else {"result": "00" * 32, "error": None}

    with (
        fake_node(answers) as source,
        pytest.raises(BlockPruned, match=r"block 7 was pruned: .* \(prune=0\)") as pruned,
    ):
        list(source.blocks(7, 8))
    assert pruned.value.height == 7


def test_an_output_that_the_node_cannot_tell(make_lab: Labs) -> None:
    lab = make_lab()
    lab.name_preorder("one.test", by="alice", fee=1000)
    lab.mine()
    (block,) = lab.chain.blocks_from(FIRST_BLOCK)

    def answers(method: str) -> Answer:
        if method == "getindexinfo":
            return {"result": {}, "error": None}
        return {"result": block.tip.hash if method == "getblockhash" else block.raw.hex(), "error": None}

    def details(method: str) -> Answer:
        asked.append(method)
        if asked.count("getblock") == 2:  # as an old node, or one without undo data
            inputs: list[Any] = [{"vin": [{}] * len(each.inputs)} for each in read_transactions(block.raw)]
            return {"result": {"tx": inputs}, "error": None}
        return answers(method)

    asked: list[str] = []
    prevouts_of_all = r"does not know the output [0-9a-f]{64}:0: run it with -txindex=1"
    with fake_node(details) as source, pytest.MonkeyPatch.context() as patch:
        patch.setattr(prevouts, "SMALL_BLOCK", 0)
        with pytest.raises(SourceError, match=prevouts_of_all):
            list(source.blocks(FIRST_BLOCK, FIRST_BLOCK))


def test_any_other_refusal_is_told_as_it_is() -> None:
    with fake_node(lambda _: failed(-5, "No")) as source:
        with pytest.raises(SourceError, match=r"getblockchaininfo: No \(code -5\)"):
            source.tip()
        with pytest.raises(SourceError, match=r"getblockhash: No \(code -5\)"):
            source.hash_at(1)


def test_what_is_no_json_rpc_is_told() -> None:
    with (
        fake_node(lambda _: {"hello": "world"}) as source,
        pytest.raises(SourceUnavailable, match=r"answered getblockchaininfo with no JSON-RPC: \{'hello': 'world'\}"),
    ):
        source.tip()


def test_nobody_at_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    source = BitcoindSource.connect("127.0.0.1", port, "user", "word")
    with pytest.raises(SourceUnavailable, match=rf"bitcoind at 127\.0\.0\.1:{port}: gave no answer: .*refused"):
        source.tip()
    with pytest.raises(SourceUnavailable, match=r"bitcoind at no-such-host\.invalid:1: gave no answer"):
        BitcoindSource.connect("no-such-host.invalid", 1, "user", "word").tip()


def test_nobody_answers_in_time() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        closing(BitcoindSource.connect("127.0.0.1", listener.getsockname()[1], "user", "word", timeout=0.05)) as source,
        pytest.raises(SourceTimeout, match="gave no answer: timed out"),
    ):
        source.tip()


def test_wrong_credentials_are_no_passing_trouble(node: RegtestNode) -> None:
    source = BitcoindSource.connect("127.0.0.1", node.rpc_port, "someone", "else")
    with pytest.raises(WrongCredentials, match=f":{node.rpc_port}: refuses our credentials") as wrong:
        source.tip()
    assert not isinstance(wrong.value, SourceUnavailable)


def test_heights_above_the_tip(node: RegtestNode) -> None:
    with closing(BitcoindSource(Recording(node))) as source:
        assert source.tip().height == 0
        assert source.hash_at(0) == source.tip().hash
        assert source.hash_at(1) is None
        with pytest.raises(ChainChanged, match="has no block 3 any more"):
            list(source.blocks(0, 3))
        assert [block.height for block in source.blocks(0, 0)] == [0]
        with pytest.raises(ChainChanged, match="has no block 3 any more"):
            source.hashes(0, 3)
        with pytest.raises(ChainChanged, match="has no block 1 any more"):
            source.raw_block(1)
        assert source.hashes(0, 0) == [block_hash(source.raw_block(0))] == [source.tip().hash]


def test_a_batch_can_give_errors_in_their_places(node: RegtestNode) -> None:
    with closing(Recording(node)) as client:
        good, bad = client.attempt([("getblockcount", ()), ("getblockhash", (9,))])
        assert good == 0
        assert isinstance(bad, RpcError)
        assert bad.code == -8
