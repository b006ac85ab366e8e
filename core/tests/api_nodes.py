"""Nodes with the chains of fixtures/reference, for tests of the interfaces."""

from __future__ import annotations

import base64
import dataclasses
import functools
import gzip
import json
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from bns.api.records import view
from bns.bitcoin.block import read_transactions
from bns.bitcoin.transaction import parse_transaction
from bns.engine import Block, Engine
from bns.params import Params
from bns.state.store import State
from bns.subdomains.offchain import Offchain
from bns.zonefiles.store import MemoryZonefiles

if TYPE_CHECKING:
    from bns.api.records import NodeView
    from bns.bitcoin.transaction import TxOut

FIXTURES = Path(__file__).parents[2] / "fixtures" / "reference"

SUBDOMAIN = "bar.foo1.test"
SUBDOMAIN_DID = "did:stack:v0:tHWSc6hY3wUtW1b6urMFXMsy9mxmz1VJkt-0"
OWNER = "mr6nrMvvh44sR5MiX929mMXP5hqgaTr6fx"
RESOLVER = "http://resolver.foo"


@functools.cache
def golden(name: str) -> dict[str, Any]:
    """A chain file."""
    document: dict[str, Any] = json.loads(gzip.decompress((FIXTURES / f"{name}.json.gz").read_bytes()))
    return document


def replay(name: str) -> NodeView:
    """A node that has indexed a chain, and was handed its zone files when the reference was."""
    document = golden(name)
    params = Params.from_reference_env(document["env"])
    outputs: dict[bytes, tuple[TxOut, ...]] = {}
    for raw in document["prevouts"].values():
        transaction = parse_transaction(bytes.fromhex(raw))
        outputs[transaction.txid_bytes] = transaction.outputs
    state = State.memory(params)
    engine = Engine(params, state)
    offchain = Offchain(state, MemoryZonefiles())
    for block in document["blocks"]:
        raw_block = bytes.fromhex(block["raw"])
        outputs.update((transaction.txid_bytes, transaction.outputs) for transaction in read_transactions(raw_block))
        if block["height"] >= params.first_block:
            engine.apply(Block(block["height"], raw_block, lambda txid, index: outputs[txid][index]))
            offchain.follow()
            for entry in document["zonefiles"]:
                if entry["after_height"] == block["height"]:
                    offchain.put(base64.b64decode(entry["base64"]))
    return view(state, offchain)


_replayed = functools.cache(replay)


def make_node(name: str = "name_pre_regup_subdomain_lookups", **parts: Any) -> NodeView:
    """A node as replay makes it, with parts of its own. Its state is shared: nobody may write to it."""
    return dataclasses.replace(_replayed(name), **{"reading": RLock(), **parts})
