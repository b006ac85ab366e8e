"""The chains of fixtures/reference: blocks for the engine, and the hashes that the reference gave them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import NamedTuple

from bns.bitcoin.block import read_transactions
from bns.bitcoin.transaction import TxOut, parse_transaction
from bns.engine import Block
from bns.params import Params

FUZZ = Path(__file__).parents[2] / "fixtures" / "reference" / "fuzz"
NAMES = tuple(sorted(path.name.partition(".")[0] for path in FUZZ.glob("*.json.gz")))


class Golden(NamedTuple):
    """A chain from its first indexed block on. consensus_hashes are by height."""

    params: Params
    blocks: list[Block]
    consensus_hashes: dict[int, str]


def load(name: str) -> Golden:
    """A chain of the fuzz directory."""
    with gzip.open(FUZZ / f"{name}.json.gz", "rb") as file:
        document = json.load(file)
    params = Params.from_reference_env(document["env"])
    outputs: dict[bytes, tuple[TxOut, ...]] = {}
    for raw in document["prevouts"].values():
        transaction = parse_transaction(bytes.fromhex(raw))
        outputs[transaction.txid_bytes] = transaction.outputs
    blocks = []

    def prevout(txid: bytes, index: int) -> TxOut | None:
        found = outputs.get(txid, ())
        return found[index] if index < len(found) else None

    for entry in document["blocks"]:
        raw_block = bytes.fromhex(entry["raw"])
        outputs.update((found.txid_bytes, found.outputs) for found in read_transactions(raw_block))
        if entry["height"] >= params.first_block:
            blocks.append(Block(entry["height"], raw_block, prevout))
    hashes = {int(height): hash_ for height, hash_ in document["expected"]["consensus_hashes"].items()}
    return Golden(params, blocks, hashes)
