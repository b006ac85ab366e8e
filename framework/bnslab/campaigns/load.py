"""Clients that ask an HTTP server as fast as it answers, or at a pace, and time the answers.

They are one process, so that asking does not slow down the one who measures; latencies are in milliseconds, from the
first byte of a request to the last of its answer.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import subprocess
import sys
from contextlib import suppress
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, cast

import uvloop

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]


class Client(asyncio.Protocol):
    """Asks one question after another on a connection of its own, and times the answers."""

    def __init__(self, questions: Sequence[bytes], times: list[float], pause: float) -> None:
        self._questions = questions
        self._times = times
        self._pause = pause
        self._asked = 0
        self._got = bytearray()
        self._transport: asyncio.Transport
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first question."""
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        if self._transport.is_closing():
            return
        self._sent = perf_counter()
        self._transport.write(self._questions[self._asked % len(self._questions)])
        self._asked += 1

    def data_received(self, data: bytes) -> None:
        """Part of an answer, or all of it: then ask on."""
        got = self._got
        got += data
        end = got.find(b"\r\n\r\n")
        if end < 0:
            return
        start = got.find(b"content-length: ") + 16
        if len(got) < end + 4 + int(got[start : got.find(b"\r", start)]):
            return
        now = perf_counter()
        assert got.startswith(b"HTTP/1.1 200"), bytes(got)
        got.clear()
        self._times.append(now - self._sent)
        if self._pause:
            asyncio.get_running_loop().call_later(max(0.0, self._sent + self._pause - now), self._ask)
        else:
            self._ask()


async def ask_afresh(port: int, questions: Sequence[bytes], times: list[float]) -> None:
    """Ask one question after another, each on a connection of its own."""
    for question in itertools.cycle(questions):
        started = perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(question)
            answer = await reader.read()
        finally:
            writer.close()
        assert b" 200 " in answer[:16], answer
        times.append(perf_counter() - started)


async def ask(
    port: int, questions: Sequence[bytes], clients: int, seconds: float, pause: float, *, afresh: bool
) -> list[float]:
    """The times of all answers within some seconds, or until the standard input ends."""
    times: list[float] = []
    loop = asyncio.get_running_loop()
    if afresh:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for _ in range(clients):
                    group.create_task(ask_afresh(port, questions, times))
        return times
    share = max(1, len(questions) // clients)
    transports = []
    for turn in range(clients):
        own = [*questions[turn * share :], *questions[: turn * share]]
        client = functools.partial(Client, own, times, pause)
        transports.append((await loop.create_connection(client, "127.0.0.1", port))[0])
    if pause:
        await loop.run_in_executor(None, sys.stdin.read)
    else:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await loop.create_future()
    for transport in transports:
        transport.abort()
    return list(times)


def main() -> int:
    """Do what the standard input says, and write the times to the standard output."""
    orders = json.loads(sys.stdin.readline())
    questions = [question.encode() for question in orders.pop("questions")]
    started, cpu = perf_counter(), process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        times = runner.run(ask(questions=questions, **orders))
    seconds = perf_counter() - started
    json.dump({"times": times, "seconds": seconds, "load": (process_time() - cpu) / seconds}, sys.stdout)
    return 0


class Clients:
    """A process of clients, from when it is made until its figures are asked for."""

    def __init__(
        self,
        port: int,
        questions: Sequence[str],
        clients: int,
        seconds: float,
        pause: float = 0.0,
        *,
        afresh: bool = False,
    ) -> None:
        self._clients = clients
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bnslab.campaigns.load"], stdin=pipe, stdout=pipe, text=True
        )
        orders = {
            "port": port, "questions": questions, "clients": clients, "seconds": seconds, "pause": pause,
            "afresh": afresh,
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()

    def figures(self) -> Row:
        """What came of it."""
        output, _ = self._process.communicate()
        result = json.loads(output)
        times = sorted(1000 * seconds for seconds in result["times"])
        return {
            "clients": self._clients,
            "requests": len(times),
            "req/s": len(times) / result["seconds"],
            "p50": times[len(times) // 2],
            "p99": times[len(times) * 99 // 100],
            "max": times[-1],
            "client load": result["load"],
        }


if __name__ == "__main__":
    sys.exit(main())
