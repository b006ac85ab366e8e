"""Subdomains: 10,000 of them in one chain, 100 zone files of the greatest size at once, every order of seven rivals.

State and zone files are on disk, as a node has them. Times are those of the block that looks into the zone files; the
last part tells in how many orders seven competing zone files end in the canonical index, without and with a rebuild.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from itertools import islice, permutations
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from bns.bitcoin.address import base58check_encode
from bns.bitcoin.hashes import hash160
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.network import TESTNET
from bns.engine import Block, Engine
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.subdomains.records import SubdomainRecord
from bns.subdomains.signatures import sign
from bns.zonefiles.store import MAX_ZONEFILE_SIZE, MemoryZonefiles, ZonefileStore, zonefile_hash
from bnslab.chain.factory import base_chain
from bnslab.chain.memory import MemoryBackend
from bnslab.lab import Lab
from bnslab.nodes.inprocess import InProcessNode
from bnslab.outputs import Outputs
from bnslab.rules import scenario_params

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bns.zonefiles.store import Zonefiles

Row = dict[str, Any]
COLUMNS = ("what", "zone files", "records", "accepted", "orders", "seconds", "cpu s", "records/s", "MB/s")
NAMES = 100
SPARE_BLOCKS = 7
KEYS = [PrivateKey.from_label(f"benchmarks/owner {number}") for number in range(5)]


def many(options: argparse.Namespace) -> Iterator[Row]:
    """Creations, then a signed update of each, then a rebuild of the index."""
    size = options.subdomains // NAMES
    creations, updates = (
        [
            carrier(f"d{number}.bench", [record(f"s{each}.d{number}.bench", sequence) for each in range(size)])
            for number in range(NAMES)
        ]
        for sequence in (0, 1)
    )
    lab = announcing(
        [[(f"d{number}.bench", data) for number, data in enumerate(files)] for files in (creations, updates)]
    )
    with tempfile.TemporaryDirectory() as directory:
        node = Node.on_disk(lab, Path(directory))
        yield {"what": "creations", **node.take(creations)}
        yield {"what": "signed updates", **node.take(updates)}
        started, cpu = perf_counter(), process_time()
        node.offchain.reindex()
        times = {"seconds": perf_counter() - started, "cpu s": process_time() - cpu}
        yield {"what": "rebuild", "zone files": 2 * NAMES, **times, **node.counts()}
        node.state.close()


def big(_options: argparse.Namespace) -> Iterator[Row]:
    """Zone files of 40,960 bytes: records as small as they come, and what is hard on the parser."""
    small = b'%x TXT "owner=" "seqn=0" "parts=0"\n'
    for what, line in (("records", small), ("junk", b'"\\( ;x" a%x TXT )\n'), ("words", b"a %x ")):
        files = []
        for number in range(NAMES):
            head = b"$ORIGIN d%d.bench\n$TTL 1 ; owner= seqn= parts=\n" % number
            text = head + b"".join(line % each for each in range(MAX_ZONEFILE_SIZE // 5))
            cut = text[:MAX_ZONEFILE_SIZE]
            files.append(cut[: cut.rindex(b"\n") + 1].ljust(MAX_ZONEFILE_SIZE, b"\n") if what == "records" else cut)
        lab = announcing([[(f"d{number}.bench", data) for number, data in enumerate(files)]])
        with tempfile.TemporaryDirectory() as directory:
            node = Node.on_disk(lab, Path(directory))
            row = node.take(files)
            node.state.close()
        size = sum(map(len, files)) / 1e6
        yield {"what": f"100 x 40,960 bytes of {what}", **row, "MB/s": size / row["seconds"]}


def rivals(options: argparse.Namespace) -> Iterator[Row]:
    """A root, two updates that compete for it, and two more for each."""
    entries = [(0, 0, 0), (1, 1, 0), (1, 2, 0), (2, 3, 2), (2, 4, 1), (2, 0, 2), (2, 0, 1)]
    files = [
        carrier("d0.bench", [record("rival.d0.bench", sequence, KEYS[owner], KEYS[signer], b"%d" % number)])
        for number, (sequence, owner, signer) in enumerate(entries)
    ]
    node = Node(announcing([[("d0.bench", data)] for data in files]), None)
    fork, first_spare = node.state.last_block, node.next
    outcomes: Counter[str] = Counter()
    started = perf_counter()
    for order in islice(permutations(range(len(files))), options.orders):
        node.zonefiles.forget()
        for number in order:
            node.take([files[number]])
        live = node.accepted()
        node.offchain.reindex()
        outcomes[f"accepted {live}, after a rebuild {node.accepted()}"] += 1
        node.state.rollback_to(fork)
        node.offchain.follow()
        node.next = first_spare
    seconds = perf_counter() - started
    for outcome, count in outcomes.items():
        yield {"what": outcome, "zone files": len(files), "orders": count, "seconds": seconds}


PARTS = {"many": many, "big": big, "rivals": rivals}


def record(
    name: str, sequence: int, owner: PrivateKey = KEYS[0], signer: PrivateKey = KEYS[0], note: bytes = b""
) -> SubdomainRecord:
    """A record with a zone file as users have them."""
    address = base58check_encode(TESTNET.p2pkh_version, hash160(owner.public_key))
    zonefile = b'$ORIGIN %s\n$TTL 3600\n_https._tcp URI 10 1 "https://example.com/%s"\n' % (name.encode(), note)
    unsigned = SubdomainRecord(name, name.partition(".")[2], address, sequence, zonefile + b"\n" * sequence)
    return replace(unsigned, signature=sign(unsigned.digest, [signer])) if sequence else unsigned


def carrier(domain: str, records: Sequence[SubdomainRecord]) -> bytes:
    """A name's zone file."""
    lines = "\n".join(entry.line for entry in records)
    return f"$ORIGIN {domain}\n$TTL 3600\n{lines}\n".encode()


def announcing(blocks: Sequence[Sequence[tuple[str, bytes]]]) -> Lab:
    """A chain that announces (name, zone file) block by block, and goes on for some blocks."""
    params = scenario_params(base_chain().height + 1, (), {})
    lab = Lab("benchmarks/subdomains", params, base_chain(), MemoryBackend(base_chain()), InProcessNode)
    lab.namespace_preorder("bench", by=lab.wallet("creator"))
    lab.mine()
    lab.namespace_reveal("bench", by="creator")
    lab.mine()
    lab.wallet("owner")
    for block in blocks:
        for name, data in block:
            lab.name_import(name, by="creator", to="owner", value_hash=zonefile_hash(data))
        lab.mine()
    lab.mine(SPARE_BLOCKS)
    return lab


class Zonefolder(MemoryZonefiles):
    """A store that can be emptied."""

    def forget(self) -> None:
        """Empty it."""
        self._data.clear()


class Node:
    """A node that has indexed a chain but for its spare blocks, and has no zone files yet."""

    def __init__(self, lab: Lab, directory: Path | None) -> None:
        self.zonefiles = Zonefolder()
        zonefiles: Zonefiles = self.zonefiles
        if directory is None:
            self.state = State.memory(lab.params)
        else:
            self.state = State.create(directory / "bns.db", lab.params)
            zonefiles = ZonefileStore(directory / "zonefiles")
        self.offchain = Offchain(self.state, zonefiles)
        self._engine = Engine(lab.params, self.state)
        self._blocks = []
        outputs = Outputs(lab.base.coins)
        for block in lab.chain.blocks_from(lab.params.first_block):
            outputs.add_block(block.raw)
            self._blocks.append(Block(block.tip.height, block.raw, outputs.find))
        self.next = 0
        while self.next < len(self._blocks) - SPARE_BLOCKS:
            self._index()

    @classmethod
    def on_disk(cls, lab: Lab, directory: Path) -> Node:
        """A node that keeps all in a directory."""
        return cls(lab, directory)

    def take(self, files: Sequence[bytes]) -> Row:
        """Be handed zone files, and look into them at the next block; figures of that block."""
        before = self.counts()
        for data in files:
            assert self.offchain.put(data)
        started, cpu = perf_counter(), process_time()
        self._index()
        times = {"seconds": perf_counter() - started, "cpu s": process_time() - cpu}
        after = self.counts()
        return {"zone files": len(files), **times, **{key: after[key] - before[key] for key in after}}

    def counts(self) -> dict[str, int]:
        """Records stored and accepted."""
        query = "SELECT count(*), coalesce(sum(accepted), 0) FROM subdomain_records"
        records, accepted = self.state.connection.execute(query).fetchone()
        return {"records": records, "accepted": accepted}

    def accepted(self) -> list[int]:
        """Indexes of the accepted records."""
        return [row["parent_zonefile_index"] for row in self.offchain.subdomains.rows() if row["accepted"]]

    def _index(self) -> None:
        self._engine.apply(self._blocks[self.next])
        self.offchain.follow()
        self.next += 1


def main(argv: Sequence[str]) -> int:
    """Measure and print; --json FILE writes the figures."""
    parser = argparse.ArgumentParser(prog="subdomains", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--subdomains", type=int, default=10_000)
    parser.add_argument("--orders", type=int, default=5040)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    rows = [row for part in options.only for row in PARTS[part](options)]
    table = Table(*COLUMNS, title="subdomains")
    for row in rows:
        if row.get("records"):
            row["records/s"] = row["records"] / row["seconds"]
        values = (row.get(column, "") for column in COLUMNS)
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in values))
    Console(width=140).print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
