"""The indexer: small blocks full of operations, big blocks full of other things, the memory that 100,000 names take.

The chains are made once in each run and judged by a fresh bitcoind, from which they are indexed into a file. Times are
those of the indexing process alone: wall, and the CPU time it used itself.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import msgspec
import platformdirs
import psutil
from rich.console import Console
from rich.table import Table

from bns.bitcoin.address import base58check_encode
from bns.bitcoin.hashes import hash160
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.script import op_return, p2pkh, push
from bns.bitcoin.transaction import Transaction, TxIn, TxOut
from bns.engine import Block, Engine
from bns.node.bitcoind import BitcoindSource
from bns.node.indexer import catch_up
from bns.operations import name_import, namespace_preorder, namespace_reveal
from bns.params import Params
from bns.state.store import State
from bnslab import fixtures
from bnslab.bitcoind import PortPool, RunDirectory, find
from bnslab.campaigns.chains import lifecycle_lab
from bnslab.chain import start_node
from bnslab.chain.factory import GENESIS, BlockFactory, base_chain
from bnslab.rules import scenario_params
from bnslab.wallets import Faucet, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bnslab.bitcoind import RegtestNode
    from bnslab.chain.base import Block as ChainBlock
    from bnslab.lab import Lab

FIRST_BLOCK = base_chain().height + 1
COLUMNS = ("what", "blocks", "operations", "seconds", "cpu s", "blocks/s", "ms/op", "rss MB", "file MB", "ratio")
Row = dict[str, Any]


def small_blocks(options: argparse.Namespace) -> Iterator[Row]:
    """5,000 blocks with 6,500 operations."""
    lab = lifecycle_lab(options.blocks, options.operations)
    blocks = lab.chain.blocks_from(FIRST_BLOCK)
    with node_with(blocks, options) as node:
        for _ in range(options.rounds):
            row = index(node, lab.params)
            assert row["consensus hash"] == lab.receipts[-1].consensus_hash, "the file tells another story"
            yield {"what": "small blocks", **row}
    if options.reference:
        seconds = time_reference(lab, blocks, options.reference)
        counts = {"blocks": row["blocks"], "operations": row["operations"]}
        yield {"what": "reference", **counts, "seconds": seconds, "ratio": seconds / row["seconds"]}


def foreign_blocks(options: argparse.Namespace) -> Iterator[Row]:
    """Blocks of 2,000 transactions that are none of ours."""
    blocks = make_foreign(options.foreign, 2000, options.seed)
    with node_with(blocks, options) as node:
        for _ in range(options.rounds):
            row = index(node, scenario_params(FIRST_BLOCK, (), {}))
            yield {"what": f"foreign, {len(blocks[-1].raw) / 1e6:.2f} MB each", **row}


def memory(options: argparse.Namespace) -> Iterator[Row]:
    """The resident memory of a process that has indexed 100,000 names, before it closes its database."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, __file__, "--fill", str(Path(directory) / "bns.db"), "--names", str(options.names)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    yield {"what": f"{options.names} names", **json.loads(output)}


PARTS = {"small": small_blocks, "foreign": foreign_blocks, "memory": memory}


def make_foreign(blocks: int, transactions: int, seed: int) -> list[ChainBlock]:
    """Blocks of transactions that are none of ours: each spends an output of the block before, as a 2-of-3 would."""
    choose = random.Random(seed)
    base, factory = base_chain(), BlockFactory.for_scenario("benchmarks/foreign")
    anyone = b"\x51"
    funding = Faucet(base, Ledger()).pay([TxOut(10_000_000, anyone)] * transactions, base.height + 1)
    made = [factory.build(base.tip, [funding])]
    coins = [(funding.txid_bytes, place, output.value) for place, output in enumerate(funding.outputs[:-1])]
    for _ in range(blocks):
        spending = []
        for txid, place, value in coins:
            unlock = push(choose.randbytes(72)) + push(choose.randbytes(72)) + push(choose.randbytes(105))
            data = op_return(choose.randbytes(40)) if choose.random() < 0.03 else p2pkh(choose.randbytes(20))
            outputs = (TxOut(value - 2000, anyone), TxOut(1000, data))
            spending.append(Transaction(2, (TxIn(txid, place, unlock, 0xFFFFFFFF),), outputs, 0))
        coins = [(each.txid_bytes, 0, each.outputs[0].value) for each in spending]
        made.append(factory.build(made[-1].tip, spending))
    return made


@contextmanager
def node_with(blocks: Sequence[ChainBlock], options: argparse.Namespace) -> Iterator[RegtestNode]:
    """A fresh bitcoind that has judged the base chain and these blocks."""
    program = find(options.bitcoind, options.cache)
    with RunDirectory.create(options.cache) as run, start_node(program, run.path, PortPool.claimed()) as node:
        raws = [*base_chain().hex_blocks, *(block.raw.hex() for block in blocks)]
        for start in range(0, len(raws), 10):
            reasons = node.rpc.batch([("submitblock", (raw,)) for raw in raws[start : start + 10]])
            assert not any(reasons), reasons
        yield node


def index(node: RegtestNode, params: Params) -> Row:
    """Index the whole chain of a node into a file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bns.db"
        state = State.create(path, params)
        wall, cpu = perf_counter(), process_time()
        summary = catch_up(BitcoindSource(node.rpc), Engine(params, state), state, confirmations=0)
        wall, cpu = perf_counter() - wall, process_time() - cpu
        (operations,) = state.connection.execute("SELECT count(*) FROM chainstate").fetchone()
        consensus_hash = state.consensus_hash(state.last_block)
        state.close()
        size = path.stat().st_size
    return {
        "blocks": summary.applied,
        "operations": operations,
        "seconds": wall,
        "cpu s": cpu,
        "file MB": size / 1e6,
        "consensus hash": consensus_hash,
    }


def time_reference(lab: Lab, blocks: Sequence[ChainBlock], command: str) -> float:
    """Seconds that the reference takes for the same chain; the command is given a chain file, and -o for its answer."""
    entries = [
        fixtures.BlockEntry(block.tip.height, block.tip.hash, block.raw.hex()) for block in (*lab.base.blocks, *blocks)
    ]
    fixture = fixtures.make(lab.identity, lab.params, entries, [], lab.receipts)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "chain.json.gz"
        fixtures.save(path, msgspec.structs.replace(fixture, expected=None))
        started = perf_counter()
        subprocess.run([*shlex.split(command), str(path), "-o", os.devnull], check=True, stdout=sys.stderr)
        return perf_counter() - started


def fill_with_names(path: Path, names: int) -> Row:
    """Index so many imports into a new file; figures of this process."""
    params = replace(Params.regtest(first_block=200), namespace_reveal_expire=100_000)
    state = State.create(path, params)
    engine = Engine(params, state)
    seconds = 0.0
    for block in import_blocks(params, names, 500, state.consensus_hash(199) or ""):
        receipt = engine.apply(block)
        assert not receipt.rejected, receipt.rejected[0]
        seconds += receipt.seconds
    (stored,) = state.connection.execute("SELECT count(*) FROM name_records").fetchone()
    assert stored == names
    rss = psutil.Process().memory_info().rss
    state.close()
    counts = {"operations": names + 2, "blocks": state.last_block - 199}
    return {**counts, "seconds": seconds, "rss MB": rss / 1e6, "file MB": path.stat().st_size / 1e6}


def import_blocks(params: Params, names: int, per_block: int, consensus_hash: str) -> Iterator[Block]:
    """A namespace and its imports. Signatures are left out: nobody but a node looks at them."""
    key = PrivateKey.from_label("benchmarks/importer")
    script, unlock = p2pkh(hash160(key.public_key)), push(bytes(71)) + push(key.public_key)
    address = base58check_encode(params.network.p2pkh_version, hash160(key.public_key))
    ours, burned = TxOut(5500, script), TxOut(4 * 10**8, p2pkh(bytes(20)))
    factory, tip = BlockFactory(script), GENESIS._replace(height=params.first_block - 1)
    serial = 0

    def block(operations: Iterable[tuple[bytes, tuple[TxOut, ...]]]) -> Block:
        nonlocal tip, serial
        transactions = []
        for payload, outputs in operations:
            serial += 1
            source = TxIn(serial.to_bytes(32, "little"), 0, unlock, 0xFFFFFFFF)
            transactions.append(Transaction(1, (source,), (TxOut(0, op_return(payload)), *outputs), 0))
        made = factory.build(tip, transactions)
        tip = made.tip
        return Block(tip.height, made.raw, lambda _txid, _index: TxOut(10**10, script))

    yield block([(namespace_preorder.encode("bench", script.hex(), address, consensus_hash), (ours, burned))])
    reveal = namespace_reveal.encode(
        "bench",
        lifetime=52595,
        coeff=4,
        base=4,
        buckets=(1,) * 16,
        nonalpha_discount=1,
        no_vowel_discount=1,
        version=1,
    )
    yield block([(reveal, (ours, ours))])
    for start in range(0, names, per_block):
        numbers = range(start, min(names, start + per_block))
        owners = (TxOut(5500, p2pkh(number.to_bytes(20, "big"))) for number in numbers)
        yield block(
            (name_import.encode(f"name{number}.bench"), (owner, ours, ours))
            for number, owner in zip(numbers, owners, strict=True)
        )


def main(argv: Sequence[str]) -> int:
    """Measure and print; --json FILE writes the figures."""
    parser = argparse.ArgumentParser(prog="index", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--blocks", type=int, default=5000, help="small blocks")
    parser.add_argument("--operations", type=int, default=6500, help="operations in them")
    parser.add_argument("--foreign", type=int, default=30, help="blocks of 2,000 foreign transactions")
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reference", metavar="CMD", help="a command that indexes a chain file with the reference")
    parser.add_argument("--bitcoind", type=Path)
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("bnslab"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.fill is not None:
        sys.stdout.write(json.dumps(fill_with_names(options.fill, options.names)))
        return 0
    rows = [row for part in options.only for row in PARTS[part](options)]
    show(rows)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def show(rows: Sequence[Row]) -> None:
    """The figures as a table."""
    table = Table(*COLUMNS, title="indexing")
    for row in rows:
        row["blocks/s"] = row["blocks"] / row["seconds"]
        if row["operations"]:
            row["ms/op"] = row["seconds"] / row["operations"] * 1000
        values = (row.get(column, "") for column in COLUMNS)
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in values))
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
