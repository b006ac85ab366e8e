"""The node's servers: ASGI applications on sockets, in one thread of their own (spec 08 section 6.3)."""

from __future__ import annotations

import asyncio
import errno
import functools
import resource
import socket
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import uvicorn
import uvloop
from anyio import to_thread

from bns.errors import BnsError
from bns.node.connections import Connection, Limits, Room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp

LAST_ANSWERS_SECONDS = 5.0
"""How long answers that are under way may take once the servers are asked to stop."""

_FILES = 8192
"""Files and sockets that a node asks the system to let it have."""

_OTHER_FILES = 256
"""Files and sockets that are not connections of clients."""


class CannotListen(BnsError):
    """An address is not to be had."""


class Service(NamedTuple):
    """An application, and the socket it answers at."""

    app: ASGIApp
    listener: socket.socket


def listen(what: str, host: str, port: int) -> socket.socket:
    """A socket that listens; CannotListen, which names what it is for, if that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        problem = "the port is in use by another program" if taken else error.strerror or str(error)
        raise CannotListen(f"{what} at {host}:{port}: {problem}") from None


class Servers:
    """Answers requests from start to stop. The limits are those of each service."""

    def __init__(self, services: Sequence[Service], limits: Limits | None = None) -> None:
        limits = limits or _possible(Limits(), len(services))
        self._servers = [(_Server(service.app, limits), service.listener) for service in services]
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="servers", daemon=True)

    def start(self) -> None:
        """Begin to answer; CannotListen if that fails."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise CannotListen(f"the servers did not start: {self._failure!r}") from self._failure

    def stop(self) -> None:
        """Finish what is being answered, and close all connections and sockets."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end)
            self._thread.join()
        for _, listener in self._servers:
            listener.close()

    def _end(self) -> None:
        for server, _ in self._servers:
            server.stopping.set()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        await to_thread.run_sync(int)  # what it needs is loaded at the first use, and no client should wait for that
        tasks = [asyncio.create_task(server.serve([listener])) for server, listener in self._servers]
        started = [asyncio.create_task(server.ready.wait()) for server, _ in self._servers]
        waiting: set[asyncio.Future[Any]] = {asyncio.gather(*started), *tasks}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        self._ready.set()
        await asyncio.gather(*tasks)


def _possible(limits: Limits, services: int) -> Limits:
    """The limits that the system's limit of open files leaves, which is raised as far as we may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft == resource.RLIM_INFINITY:
        return limits
    return limits._replace(connections=max(1, min(limits.connections, (soft - _OTHER_FILES) // services)))


class _Server(uvicorn.Server):
    """uvicorn that starts and stops by events, where the original looks ten times a second."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._room = Room(limits)
        protocol: Any = functools.partial(Connection, self._room)
        config = uvicorn.Config(
            app, http=protocol, ws="none", lifespan="off",
            log_config=None, log_level="error", access_log=False, date_header=False, proxy_headers=False,
        )  # fmt: skip
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    async def main_loop(self) -> None:
        self.ready.set()
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self._room.stop()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(LAST_ANSWERS_SECONDS):
                if self.server_state.tasks:
                    await asyncio.wait(self.server_state.tasks)
                await self._room.left()
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel()
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await self._room.left()
