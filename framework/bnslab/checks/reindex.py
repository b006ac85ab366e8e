"""A fresh index of the whole chain, from the raw blocks of the chain backend, equals what was built block by block."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from bns.engine import Block, Engine
from bns.errors import BnsError
from bns.state.store import State
from bnslab.divergence import side_by_side
from bnslab.errors import CheckFailed
from bnslab.outputs import Outputs

if TYPE_CHECKING:
    from bns.engine import Receipt
    from bnslab.chain.base import Block as ChainBlock
    from bnslab.lab import Lab

_TABLES = ("name_records", "namespaces", "preorders", "history", "keychains", "chainstate", "snapshots")


class Reindex:
    """Indexes once more at the end."""

    name = "reindex"

    def after_block(self, lab: Lab, receipt: Receipt) -> None:
        """Nothing to see before the end."""

    def at_end(self, lab: Lab) -> None:
        """Compare every receipt, then every table."""
        blocks = lab.chain.blocks_from(lab.params.first_block)
        if len(blocks) != len(lab.receipts):
            raise CheckFailed(self.name, lab.height, "blocks of the chain", str(len(lab.receipts)), str(len(blocks)))
        outputs = Outputs(lab.base.coins)
        state = State.memory(lab.params)
        engine = Engine(lab.params, state)
        try:
            for block, receipt in zip(blocks, lab.receipts, strict=True):
                again = self._apply(engine, outputs, block, receipt)
                if _hashed(again) != _hashed(receipt):
                    difference = side_by_side(receipt.serialized, again.serialized)
                    self._fail(receipt, "consensus hash", receipt.consensus_hash, again.consensus_hash, difference)
                verdicts = [_verdicts(one, reasons=lab.node.tells_reasons) for one in (receipt, again)]
                if verdicts[0] != verdicts[1]:
                    self._fail(receipt, "rejected operations", *(", ".join(v) or "none" for v in verdicts))
            self._compare_tables(lab, state)
        finally:
            state.close()

    def _apply(self, engine: Engine, outputs: Outputs, block: ChainBlock, receipt: Receipt) -> Receipt:
        try:
            outputs.add_block(block.raw)
            return engine.apply(Block(block.tip.height, block.raw, outputs.find))
        except BnsError as error:
            self._fail(receipt, "receipt", "as before", f"{type(error).__name__}: {error}")

    def _compare_tables(self, lab: Lab, fresh: State) -> None:
        for table in _TABLES:
            if table in lab.node.foreign_tables:
                continue
            first, second = _rows(lab.node.state, table), _rows(fresh, table)
            if first != second and _parsed(first) != _parsed(second):
                one, other = next((a, b) for a, b in zip([*first, None], [*second, None], strict=False) if a != b)
                self._fail(lab.receipts[-1], f"table {table}", str(one), str(other))

    def _fail(self, receipt: Receipt, subject: str, expected: str, actual: str, reason: str = "") -> NoReturn:
        raise CheckFailed(self.name, receipt.height, f"{subject} of a fresh index", expected, actual, reason)


def _verdicts(receipt: Receipt, *, reasons: bool) -> list[str]:
    return [each.reason.name if reasons else each.txid for each in receipt.rejected]


def _hashed(receipt: Receipt) -> tuple[str, list[str]]:
    return receipt.consensus_hash, sorted(receipt.serialized)


def _rows(state: State, table: str) -> list[tuple[Any, ...]]:
    return sorted(state.connection.execute(f"SELECT * FROM {table}"), key=repr)


def _parsed(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    """With columns of JSON as what they hold, whose members may stand in another order elsewhere."""
    return [[json.loads(value) if str(value).startswith(("{", "[")) else value for value in row] for row in rows]
