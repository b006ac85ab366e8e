"""Signals that ask a process to stop, or to look at the chain, as something to wait for."""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOK = signal.SIGUSR1
"""Asks a node to look at the chain at once."""


class StopRequests:
    """Whether somebody has asked. Signal handlers that took locks could meet themselves, so a request is a byte."""

    def __init__(self, inbox: socket.socket, outbox: socket.socket) -> None:
        self._inbox = inbox
        self._outbox = outbox

    def wait(self, seconds: float | None = None, look: Callable[[], None] = lambda: None) -> bool:
        """Wait for a request, for so many seconds at most; whether there was one. LOOK calls look, and is none."""
        self._inbox.settimeout(seconds)
        try:
            while (byte := self._inbox.recv(1)) == bytes([LOOK]):
                look()
        except TimeoutError:
            return False
        return bool(byte)

    def ask(self) -> None:
        """Ask, in whichever thread."""
        with suppress(BlockingIOError):  # full of requests: whoever waits is about to wake up anyway
            self._outbox.send(b"\0")


@contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """SIGTERM, SIGINT, SIGQUIT and LOOK as requests. To be called in the main thread."""
    inbox, outbox = socket.socketpair()
    outbox.settimeout(0)
    with inbox, outbox:
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, LOOK)
        former = {number: signal.signal(number, _ignore) for number in numbers}
        former_wakeup = signal.set_wakeup_fd(outbox.fileno())
        try:
            yield StopRequests(inbox, outbox)
        finally:
            signal.set_wakeup_fd(former_wakeup)
            for number, handler in former.items():
                signal.signal(number, handler)


def _ignore(_number: int, _frame: object) -> None:
    """What counts is the byte that the signal sends."""
