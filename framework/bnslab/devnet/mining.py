"""When blocks are made: at once for each transaction that arrives, or every so many seconds."""

from __future__ import annotations

import queue
import threading
import time
from enum import Enum, auto
from typing import TYPE_CHECKING

import zmq
from zmq.utils.monitor import recv_monitor_message

from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

_CONNECTS_WITHIN = 30_000
"""Milliseconds."""
_HASH_SIZE = 32
_ADDED = b"A"


class Event(Enum):
    """What a miner is told."""

    TRANSACTION = auto()
    BLOCK_WANTED = auto()
    END = auto()


class Miner:
    """Calls mine from a thread of its own, until close.

    With `every`, once in so many seconds by clock; without, whenever `arrived` was called and there is something
    pending, or `wanted` was. failed is told what mine raised, and then no more blocks are made.
    """

    def __init__(
        self,
        mine: Callable[[], object],
        pending: Callable[[], bool],
        *,
        every: float | None,
        failed: Callable[[BaseException], None],
        clock: Callable[[], float] = time.monotonic,
        inbox: queue.Queue[Event] | None = None,
    ) -> None:
        self._mine = mine
        self._pending = pending
        self._every = every
        self._failed = failed
        self._clock = clock
        self._inbox: queue.Queue[Event] = inbox or queue.Queue()
        self._due = clock()
        self._thread = threading.Thread(target=self.run, name="miner", daemon=True)

    def start(self) -> None:
        """Begin to make blocks."""
        self._due = self._clock()
        self._thread.start()

    def arrived(self) -> None:
        """Say that there is a new transaction."""
        self._inbox.put(Event.TRANSACTION)

    def wanted(self) -> None:
        """Say that somebody waits for a block, whatever is in it."""
        self._inbox.put(Event.BLOCK_WANTED)

    def close(self) -> None:
        """Finish the block in progress and make no more."""
        self._inbox.put(Event.END)
        self._thread.join()

    def run(self) -> None:
        """Make blocks until close, or until one fails."""
        try:
            while self._wait_for_next():
                self._mine()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failed(error)

    def _wait_for_next(self) -> bool:
        """Wait until a block is due; False at the end."""
        if self._every is None:
            while (event := self._inbox.get()) is not Event.END:
                if event is Event.BLOCK_WANTED or self._pending():
                    return True
            return False
        self._due += self._every
        while True:
            try:
                if self._inbox.get(timeout=max(0.0, self._due - self._clock())) is Event.END:
                    return False
            except queue.Empty:
                return True


class MempoolWatch:
    """Calls arrived, in a thread of its own, for each transaction that enters the mempool of a bitcoind.

    The node has to be started with `option(port)`.
    """

    def __init__(self, port: int, arrived: Callable[[], None]) -> None:
        """Connect; LabError if the node does not publish there."""
        self._arrived = arrived
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"sequence")
        monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._socket.connect(f"tcp://127.0.0.1:{port}")
        connected = monitor.poll(_CONNECTS_WITHIN)
        if connected:
            recv_monitor_message(monitor)
        self._socket.disable_monitor()
        monitor.close(linger=0)
        if not connected:
            self._context.destroy(linger=0)
            raise LabError(f"bitcoind does not announce transactions at port {port}: is it built without ZeroMQ?")
        self._thread = threading.Thread(target=self._run, name="mempool-watch", daemon=True)
        self._thread.start()

    @staticmethod
    def option(port: int) -> str:
        """The option with which bitcoind publishes what happens in its mempool."""
        return f"-zmqpubsequence=tcp://127.0.0.1:{port}"

    def close(self) -> None:
        """Watch no longer."""
        self._context.term()
        self._thread.join()

    def _run(self) -> None:
        with self._socket:
            try:
                while True:
                    body = self._socket.recv_multipart()[1]
                    if body[_HASH_SIZE : _HASH_SIZE + 1] == _ADDED:
                        self._arrived()
            except zmq.ContextTerminated:
                pass
