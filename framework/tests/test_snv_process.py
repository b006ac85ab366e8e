"""`blockstack-core snv` against a node of its own, with a real bitcoind behind it."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from bnslab.bitcoind import RegtestNode
from bnslab.chain import BitcoindBackend, base_chain
from tests.cores import Core

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bnslab.bitcoind import Bitcoind, PortPool
    from tests.labs import Labs


@pytest.fixture
def backend(bitcoind_binary: Bitcoind, run_directory: Path, port_pool: PortPool) -> Iterator[BitcoindBackend]:
    def start() -> RegtestNode:
        options = ["-txindex=1"]
        return RegtestNode.start(bitcoind_binary, run_directory, port_pool, mocktime=1_800_000_000, extra=options)

    with closing(BitcoindBackend(base_chain(), start)) as opened:
        yield opened


def test_names_and_namespaces_are_proven_from_everything_that_can_be_trusted(
    make_lab: Labs, backend: BitcoindBackend, tmp_path: Path, port_pool: PortPool
) -> None:
    lab = make_lab(chain=backend, identity="snv process")
    lab.namespace("test", by="alice")
    ready = lab.receipts[-1].accepted[0].operation.carrier.txid
    foo = lab.register("foo.test", by="bob")
    later = lab.name_preorder("bar.test", by="carol")
    lab.mine()
    assert later.record is not None
    with ExitStack() as stack:
        core = Core(tmp_path / "node", lab, backend.node, port_pool, stack)
        core.start().wait_for(f"indexed up to block {lab.height}")
        serial = f"{later.height}-{later.record.vtxindex}"
        answers = [core("snv", "foo.test", foo.height, trust) for trust in (lab.consensus_hash, later.txid, serial)]
        for status, output, error in answers:
            assert (status, error) == (0, "")
            (proven,) = json.loads(output)
            assert (proven["name"], proven["address"]) == ("foo.test", lab.wallets["bob"].address)
        status, output, _ = core("snv", ready, lab.receipts[2].height, lab.consensus_hash)
        assert (status, json.loads(output)[0]["opcode"]) == (0, "NAMESPACE_READY")
        for arguments, complaint in [
            (("foo.test", foo.height - 1, lab.consensus_hash), "foo.test: no operation on it among the 1 that"),
            (("foo.test", lab.height + 5, lab.consensus_hash), f"block {lab.height + 5}: expected one from 111"),
            (("foo.test", foo.height, "00" * 16), "the node knows no block that has it"),
        ]:
            status, output, error = core("snv", *arguments)
            assert (status, output) == (1, "")
            assert complaint in error
            assert error.count("\n") == 1
        status, output, error = core("snv", "foo.test", foo.height, "nonsense")
        assert (status, output) == (2, "")
        assert error.startswith("blockstack-core: Did not receive a valid txid")
