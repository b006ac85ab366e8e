"""Snapshots between the core and the historical node, both ways."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import platformdirs
import pytest

from bns.bitcoin.block import read_transactions
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.transaction import parse_transaction
from bns.engine import Block, Engine
from bns.node.backups import Backups
from bns.node.snapshots.export import export
from bns.node.snapshots.restore import Target, restore
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import ZonefileStore
from bnslab.fixtures import Fixture, load
from bnslab.nodes.reference import Reference, ReferenceNode, Start, install
from tests.test_reference import GOLDEN

if TYPE_CHECKING:
    from pathlib import Path

    from bns.bitcoin.transaction import TxOut

KEY = PrivateKey.from_label("signer")
CHAINS = ["name_pre_reg_fast_sync", "name_pre_reg_snapshots", "name_pre_regup_subdomain_lookups"]

pytestmark = pytest.mark.foreign


@pytest.fixture(scope="module")
def reference() -> Reference:
    return install(platformdirs.user_cache_path("bnslab"), lambda _: None)


@pytest.fixture
def node(reference: Reference, run_directory: Path) -> ReferenceNode:
    return ReferenceNode(reference, run_directory)


def half(fixture: Fixture) -> Fixture:
    """The chain up to a block two thirds along."""
    height = fixture.params.first_block + 2 * (fixture.tip - fixture.params.first_block) // 3
    return msgspec.structs.replace(fixture, blocks=[block for block in fixture.blocks if block.height <= height])


class Core:
    """The core in a directory, on a chain file."""

    def __init__(self, fixture: Fixture, directory: Path) -> None:
        self.fixture = fixture
        self.directory = directory
        self.database = directory / "blockstack-server.db"
        self.target = Target(self.database, directory / "zonefiles", fixture.params)
        directory.mkdir(exist_ok=True)

    def index(self) -> None:
        """Go on to the end of the chain file."""
        params, outputs = self.fixture.params, dict[bytes, tuple["TxOut", ...]]()
        for raw in self.fixture.prevouts.values():
            transaction = parse_transaction(bytes.fromhex(raw))
            outputs[transaction.txid_bytes] = transaction.outputs
        make = State.open if self.database.exists() else State.create
        with closing(make(self.database, params)) as state:
            engine, offchain = Engine(params, state), Offchain(state, ZonefileStore(self.target.zonefiles))
            for block in self.fixture.blocks:
                raw_block = bytes.fromhex(block.raw)
                outputs.update((found.txid_bytes, found.outputs) for found in read_transactions(raw_block))
                if block.height <= state.last_block:
                    continue
                engine.apply(Block(block.height, raw_block, lambda txid, index: outputs[txid][index]))
                offchain.follow()
                for zonefile in self.fixture.zonefiles:
                    if zonefile.after_height == block.height:
                        offchain.put(base64.b64decode(zonefile.base64))
            self.hashes = {
                str(height): state.consensus_hash(height)
                for height in range(params.first_block - 4, state.last_block + 1)
            }
            self.subdomains = state.connection.execute(
                "SELECT fully_qualified_subdomain, parent_zonefile_index, accepted FROM subdomain_records"
            ).fetchall()
            self.inventory = [bool(entry.present) for entry in offchain.announced.between(0, state.last_block)]

    def snapshot(self) -> bytes:
        backups = Backups(self.database, 144, 1008)
        with closing(State.open(self.database, self.fixture.params)) as state:
            height = state.last_block
        backups.make(height)
        path = self.directory / "snapshot.bsk"
        export(backups, self.target.zonefiles, self.fixture.params, path, KEY)
        return path.read_bytes()

    def restore(self, snapshot: bytes) -> int:
        def fetch(path: Path) -> None:
            path.write_bytes(snapshot)

        return restore(fetch, self.target, [KEY.public_key], 1)


def subdomains_of(expected: Any) -> list[tuple[str, int, int]]:
    return sorted(
        (row["fully_qualified_subdomain"], row["parent_zonefile_index"], row["accepted"])
        for row in json.loads(msgspec.json.encode(expected.subdomains))
    )


@pytest.mark.parametrize("name", CHAINS)
def test_a_snapshot_of_the_reference_is_restored_here_and_goes_on(
    name: str, node: ReferenceNode, tmp_path: Path
) -> None:
    fixture = load(GOLDEN / f"{name}.json.gz")
    made = node.index(half(fixture), export_key=KEY.secret.hex())
    core = Core(fixture, tmp_path / "core")
    assert core.restore(made.snapshot) == half(fixture).tip
    core.index()
    assert fixture.expected is not None
    assert core.hashes == fixture.expected.consensus_hashes
    assert sorted(core.subdomains) == subdomains_of(fixture.expected)


@pytest.mark.parametrize("name", CHAINS)
def test_our_snapshot_is_restored_by_the_reference_which_goes_on_and_answers_the_same(
    name: str, node: ReferenceNode, tmp_path: Path
) -> None:
    fixture = load(GOLDEN / f"{name}.json.gz")
    core = Core(half(fixture), tmp_path / "core")
    core.index()
    start = Start(core.snapshot(), (KEY.public_key.hex(),), 1)
    said = node.index(fixture, api=True, start=start).expected
    assert fixture.expected is not None
    assert said.consensus_hashes == fixture.expected.consensus_hashes
    assert subdomains_of(said) == subdomains_of(fixture.expected)
    otherwise = node.run(fixture, api=True)
    for part in ("rpc", "rest"):
        assert json.loads(bytes(getattr(said, part))) == json.loads(bytes(getattr(otherwise, part)))
