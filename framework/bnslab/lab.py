"""Lab: what the author of a scenario holds.

Operations go into the pending block, in order, as real signed transactions; `mine` makes the block, has the chain
backend judge it, lets the node index it and runs the checks.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from bns.bitcoin.script import op_return
from bns.errors import InvalidInput, Reason
from bnslab.branches import Branches
from bnslab.chain.base import BlockRefused
from bnslab.chain.factory import BaseChain, BlockFactory
from bnslab.exchange import RestExchange, RpcExchange
from bnslab.foresight import Foresight
from bnslab.moments import Moment
from bnslab.networked import Networked
from bnslab.nodes.inprocess import InProcessNode
from bnslab.operations import Operations
from bnslab.outputs import Outputs
from bnslab.sent import ACCEPTED, ANYTHING, Expected, Sent
from bnslab.trace import Trace
from bnslab.transactions import Draft, require_satoshis
from bnslab.verification import verify
from bnslab.wallets import AS_WRITTEN, Faucet, Ledger, Wallet, WalletKinds, Wallets
from bnslab.zonefiles import DataPlane

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bns.bitcoin.transaction import Transaction, TxOut
    from bns.engine import Receipt
    from bns.identity.snv.proof import Operation
    from bns.params import Epoch, Params
    from bnslab.chain.base import ChainBackend
    from bnslab.checks.base import Check
    from bnslab.exchange import Exchange
    from bnslab.fixtures import ZonefileEntry
    from bnslab.http import Response
    from bnslab.nodes import MakeNode
    from bnslab.script.recorder import Recorder
    from bnslab.sent import NameInfo

_TOP_UP = 100_000_000


class Lab(Operations, DataPlane, Branches, Networked, Foresight):
    """A private chain, named wallets, a node that indexes the chain, and checks after every block.

    identity names the scenario; the same identity and script give the same block hashes.
    """

    def __init__(
        self,
        identity: str,
        params: Params,
        base: BaseChain,
        chain: ChainBackend,
        make_node: MakeNode,
        checks: Sequence[Check] = (),
        kinds: WalletKinds = AS_WRITTEN,
    ) -> None:
        if params.first_block != base.height + 1:
            raise InvalidInput("first block", params.first_block, f"{base.height + 1}, the one above the base chain")
        self.identity = identity
        self.params = params
        self.base = base
        self.chain = chain
        self.checks = checks
        self.trace = Trace()
        self.receipts: list[Receipt] = []
        self.published: list[ZonefileEntry] = []
        self.order_dependent: set[str] = set()
        self.networks = []
        self.sent: dict[str, Sent] = {}
        self.exchanges: list[Exchange] = []
        self._tip = chain.begin(identity)
        self._outputs = Outputs(base.coins)
        self.node = make_node(params, self._outputs)
        self._ledger = Ledger()
        self.wallets = Wallets(self._ledger)
        self._kinds = kinds
        self._faucet = Faucet(base, self._ledger)
        self._factory = BlockFactory.for_scenario(identity)
        self.mined: list[tuple[Transaction, ...]] = []
        """The transactions of each block above the base chain, coinbases left out."""
        self._pending: list[Transaction] = []
        self._expected: Expected = ACCEPTED
        self._make_node = make_node
        self._past: dict[tuple[str, int], Moment] = {}
        self._branches = 0
        self.recorder: Recorder | None = None
        """Writes down what is sent and mined, if there is one."""
        self.branching = False
        """Whether a branch is open, whose blocks will be taken back."""
        self._expectations = 0

    # The chain

    @property
    def height(self) -> int:
        """Height of the last block."""
        return self._tip.height

    @property
    def tip(self) -> str:
        """Hash of the last block (hex, display order)."""
        return self._tip.hash

    @property
    def next_epoch(self) -> Epoch:
        """The rules that the pending block will meet."""
        epoch = self.params.epoch(self.height + 1)
        if epoch is None:
            raise InvalidInput("height", self.height + 1, "a block within the last epoch")
        return epoch

    @property
    def consensus_hash(self) -> str:
        """Consensus hash of the last block (32 hex)."""
        return self.node.state.consensus_hash(self.height) or self.params.genesis_consensus_hash

    def mine(self, count: int = 1) -> Receipt:
        """Make count blocks, the first with all pending operations; the receipt of the last.

        Raises CheckFailed if a check fails, BlockRefused if the chain refuses the block: its operations are then gone.
        """
        if not isinstance(count, int) or count < 1:
            raise InvalidInput("number of blocks", count, "a whole number of at least 1")
        for _ in range(count):
            receipt = self._mine_one()
        return receipt

    def mine_to(self, height: int) -> Receipt:
        """Make blocks up to a height above the present one; the receipt of the last."""
        if not isinstance(height, int) or height <= self.height:
            raise InvalidInput("height to mine to", height, f"a whole number above {self.height}")
        return self.mine(height - self.height)

    def _mine_one(self) -> Receipt:
        pending, self._pending = self._pending, []
        block = self._factory.build(self._tip, pending)
        try:
            self._tip = self.chain.accept(block.raw)
        except BlockRefused:  # nothing in it was ever sent: its coins are there again
            self._forget(self.height)
            raise
        receipt = self.index(self._tip.height, block.raw)
        self.receipts.append(receipt)
        self.mined.append(tuple(pending))
        for transaction in pending:
            if transaction.txid in self.sent:
                self.sent[transaction.txid].settle(receipt)
        self.trace.block(receipt, self.sent)
        if self.recorder is not None and not self.branching:
            self.recorder.mined()
        for check in self.checks:
            check.after_block(self, receipt)
        self.exchanges.clear()
        return receipt

    def index(self, height: int, raw: bytes) -> Receipt:
        """Let the node index a block that the chain has connected."""
        self._outputs.add_block(raw)
        return self.node.apply(height, raw)

    def finish(self) -> None:
        """Mine what is pending, then run the checks of the end."""
        if self._pending:
            self.mine()
        for check in self.checks:
            check.at_end(self)

    def close(self) -> None:
        """Forget everything, and stop what serves."""
        if self._gaia is not None:
            self._gaia.close()
        for network in self.networks:
            network.close()
        self.node.close()
        for moment in self._past.values():
            moment.node.close()
        self._past.clear()

    # Wallets

    def wallet(
        self, name: str, kind: str | None = None, *, required: int | None = None, total: int | None = None
    ) -> Wallet:
        """The wallet of a name, made at its first mention: p2pkh, p2sh-multisig, p2sh-p2wpkh or p2sh-p2wsh.

        required of total keys sign. Later mentions give the name alone or the same again; InvalidInput otherwise.
        """
        if kind is not None or name not in self.wallets:
            kind = self._kinds.of(name, kind)
        if name not in self.wallets:
            required, total = 1 if required is None else required, 1 if total is None else total
            return self.wallets.create(name, kind or "p2pkh", required=required, total=total)
        wallet = self.wallets[name]
        made = (str(wallet.kind), wallet.required, len(wallet.keys))
        if any(new not in (None, old) for new, old in zip((kind, required, total), made, strict=True)):
            raise InvalidInput(f"wallet {name!r}", (kind, required, total), f"{made} as before, or another name")
        return wallet

    def fund(self, wallet: Wallet | str, satoshis: int) -> None:
        """Pay a wallet from the faucet, in the pending block. Operations fund their wallets by themselves."""
        self._fund(self._wallet(wallet), require_satoshis("funds", satoshis))
        if self.recorder is not None and not self.branching:
            self.recorder.funded(self._wallet(wallet), satoshis)

    def _fund(self, wallet: Wallet, satoshis: int) -> None:
        self._queue(self._faucet.pay([wallet.output(satoshis)], self.height + 1))

    def _wallet(self, wallet: Wallet | str) -> Wallet:
        return wallet if isinstance(wallet, Wallet) else self.wallets[wallet]

    # Expectations

    @contextmanager
    def rejects(self, reason: Reason) -> Iterator[None]:
        """Every operation sent inside must be rejected for this reason; what is pending at the end is mined.

        InvalidInput if nothing is sent.
        """
        if not isinstance(reason, Reason):
            raise InvalidInput("reason", reason, "a member of bnslab.Reason")
        with self._expecting(reason):
            yield

    @contextmanager
    def undecided(self) -> Iterator[None]:
        """Operations sent inside may be accepted or rejected: look at what they return."""
        with self._expecting(ANYTHING):
            yield

    @contextmanager
    def _expecting(self, expected: Expected) -> Iterator[None]:
        before, self._expected = self._expected, expected
        before_it = self._expectations
        try:
            yield
        finally:
            self._expected = before
        if expected is not ANYTHING and self._expectations == before_it:
            raise InvalidInput("lab.rejects()", expected, "an operation inside the with block")
        if self._pending:
            self.mine()

    # Any transaction

    def send(self, draft: Draft, by: Wallet) -> Sent:
        """Put an operation into the pending block, its wallet funded as needed; inside lab.refuses() refuse to."""
        if self._refusal is not None:
            return self._refuse(draft, by, self._refusal)
        sent = self._put(draft, by)
        self._expect(sent)
        if self.recorder is not None and not self.branching:
            self.recorder.sent(draft, by, sent)
        return sent

    def _put(self, draft: Draft, by: Wallet) -> Sent:
        if by.balance < draft.amount:
            self._fund(by, max(_TOP_UP, 2 * draft.amount))
        transaction = draft.sign(by)
        self._queue(transaction)
        return Sent(draft.opcode, draft.subject, by.name, transaction.txid, self.height + 1, self._expected)

    def send_payload(self, payload: bytes, by: Wallet | str, outputs: Sequence[TxOut | None] = (None,)) -> Sent:
        """Put any OP_RETURN data into the pending block; outputs follow it, None stands for the change."""
        wallet = self._wallet(by)
        op_return(payload)
        return self.send(Draft("PAYLOAD", payload.hex(), payload, tuple(outputs)), wallet)

    def send_transaction(self, transaction: Transaction) -> Sent:
        """Put any signed transaction into the pending block, as it is."""
        if self._refusal is not None:
            raise InvalidInput("lab.refuses()", "a signed transaction", "an operation that is not signed yet")
        sent = Sent("TRANSACTION", transaction.txid[:8], "hand", transaction.txid, self.height + 1, self._expected)
        self._expect(sent)
        self._queue(transaction)
        if self.recorder is not None and not self.branching:
            self.recorder.sent_raw(transaction, sent)
        return sent

    @property
    def pending(self) -> tuple[Transaction, ...]:
        """What the next block will hold, payments of the faucet included."""
        return tuple(self._pending)

    def _expect(self, sent: Sent) -> None:
        self._expectations += 1
        self.sent[sent.txid] = sent

    def _queue(self, transaction: Transaction) -> None:
        self._ledger.apply(transaction, self.height + 1)
        self._pending.append(transaction)

    # Asking

    def get(self, path: str) -> Response:
        """The node's REST answer to a GET; the next check of schemas looks at it too."""
        response = self.node.get(path)
        self.exchanges.append(RestExchange(path, response))
        return response

    def call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - any JSON value
        """What the node answers an RPC call with, parsed; the next check of schemas looks at it too."""
        text = self.node.call(method, arguments)
        self.exchanges.append(RpcExchange(method, arguments, text))
        return orjson.loads(text)

    # Looking

    @property
    def now(self) -> Moment:
        """What the node knows at the last block."""
        return Moment(self.height, self.node, self.params)

    def at(self, height: int) -> Moment:
        """What the node knew when a block was its last one: the core indexes the chain anew up to there.

        InvalidInput unless the height lies between the base chain and the tip.
        """
        if not isinstance(height, int) or not self.base.height <= height <= self.height:
            raise InvalidInput(
                "height to look back to", height, f"a whole number from {self.base.height} to {self.height}"
            )
        key = self.chain.blocks_from(height)[0].tip.hash, len(self.published)
        if key not in self._past:
            self._past[key] = Moment(height, self._indexed(height, InProcessNode), self.params)
        return self._past[key]

    def name(self, name: str) -> NameInfo | None:
        """What the node knows of a registered name, expired ones included; None if it never was one."""
        return self.now.name(name)

    def snv(self, name: str, height: int, trust: str | None = None) -> list[Operation]:
        """The operations on a name in a block, each proven by a light client that trusts one thing.

        trust is a consensus hash, a txid or a serial number `height-vtxindex`; by default the last consensus hash.
        Raises SnvError if the proof fails or the block has no such operation.
        """
        return verify(self, name, height, self.consensus_hash if trust is None else trust)
