"""What is sent once a transaction is confirmed: the register after its preorder, the zone file after its register."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import orjson

from bns.zonefiles.store import zonefile_hash
from bnslab.bitcoind.errors import RpcError
from bnslab.errors import LabError
from bnslab.http import HttpClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from bnslab.devnet.stack import Devnet

_KEPT_REFUSALS = 100
_NO_SUCH_TRANSACTION = -5
_ALREADY_IN_THE_CHAIN = -27
_NO_HEIGHT = -1


class NotKept(LabError):
    """The node took a zone file and did not keep it."""


class StillHeld(LabError):
    """Something still waits for its transaction."""


@dataclass(frozen=True, slots=True)
class Held:
    """Something to send once the transaction watched has so many confirmations; what says what it is."""

    what: str
    watched: str
    confirmations: int
    send: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that was due and could not be sent: what it is, and why."""

    what: str
    reason: str


class Broadcaster:
    """Holds transactions and zone files until they are due; a context manager, within that of its devnet.

    A confirmation is a block that the node has indexed, for it takes zone files from then on only. Where blocks are
    made on demand, one is asked for as long as a confirmed transaction needs more of them. What is refused is not tried
    again: tell is told of it, in another thread, and failed of what ends the broadcaster. Threads may share it.
    """

    def __init__(
        self,
        devnet: Devnet,
        *,
        tell: Callable[[Refusal], object] = lambda _: None,
        failed: Callable[[BaseException], object] = lambda _: None,
    ) -> None:
        self.held: tuple[Held, ...] = ()
        self.refusals: tuple[Refusal, ...] = ()
        """The last hundred."""
        self._devnet = devnet
        self._tell = tell
        self._failed = failed
        self._changed = threading.Condition()
        self._news = False
        self._ended = False
        self._asked_at = _NO_HEIGHT
        self._thread = threading.Thread(target=self._run, name="broadcaster", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._devnet.listen(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def send(self, raw: str) -> None:
        """Broadcast a signed transaction in hex now, if it is not in the chain yet; RpcError if bitcoind refuses it."""
        try:
            self._devnet.send(raw)
        except RpcError as error:
            if error.code != _ALREADY_IN_THE_CHAIN:
                raise

    def hold_transaction(self, raw: str, txid: str, *, after: str, confirmations: int) -> None:
        """Broadcast a transaction in hex once the one called after has so many confirmations."""
        self._hold(Held(f"transaction {txid}", after, confirmations, partial(self.send, raw)))

    def hold_zonefile(self, text: str, *, after: str, confirmations: int = 1) -> None:
        """Hand a zone file to the node once the transaction called after has so many confirmations."""
        hash_ = zonefile_hash(text.encode())
        self._hold(Held(f"zone file {hash_}", after, confirmations, partial(self._publish, text, hash_)))

    def wait(self, seconds: float, most: int = 0) -> None:
        """Wait until no more things than that are held; StillHeld if it takes longer."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.held) <= most, seconds):
                waiting = ", ".join(f"{each.what} for {each.watched}" for each in self.held)
                raise StillHeld(f"expected {most} to be held within {seconds:g} s, there are: {waiting}")

    def _hold(self, held: Held) -> None:
        with self._changed:
            self.held += (held,)
        self._look()

    def _look(self) -> None:
        with self._changed:
            self._news = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self._has_news():
                self._send_what_is_due()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failed(error)

    def _has_news(self) -> bool:
        """Wait for a block or for something to hold; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._news or self._ended)
            self._news = False
            return not self._ended

    def _send_what_is_due(self) -> None:
        height = self._devnet.height
        needs_blocks = False
        for held in self.held:
            confirmations = self._confirmations(held.watched, height)
            if confirmations >= held.confirmations:
                self._send(held)
            else:
                needs_blocks |= confirmations > 0
        if needs_blocks and height != self._asked_at:
            self._asked_at = height
            self._devnet.want_block()

    def _send(self, held: Held) -> None:
        refusals: tuple[Refusal, ...] = ()
        try:
            held.send()
        except LabError as error:
            refusals = (Refusal(held.what, str(error)),)
            self._tell(refusals[0])
        with self._changed:
            self.refusals = (self.refusals + refusals)[-_KEPT_REFUSALS:]
            self.held = tuple(each for each in self.held if each is not held)
            self._changed.notify_all()

    def _confirmations(self, txid: str, height: int) -> int:
        """How many blocks the node has from the one of a transaction on; 0 if it is in none of them."""
        rpc = self._devnet.bitcoind.rpc
        try:
            block_hash = rpc.call("getrawtransaction", txid, 1).get("blockhash")
        except RpcError as error:
            if error.code != _NO_SUCH_TRANSACTION:
                raise
            return 0
        header = rpc.call("getblockheader", block_hash) if block_hash else {"confirmations": 0}
        return max(0, height - int(header["height"]) + 1) if header["confirmations"] > 0 else 0

    def _publish(self, text: str, hash_: str) -> None:
        json = {"Content-Type": "application/json"}
        with HttpClient(self._devnet.rest_url) as rest:
            rest.request("POST", "/v1/zonefile", body=orjson.dumps({"zonefile": text}), headers=json)
            if rest.get(f"/v1/zonefiles/{hash_}").status != 200:
                raise NotKept("the node does not keep it, because no operation that it accepted has announced it")
