"""A private bitcoind on regtest: started in about 130 ms, never orphaned, its end always noticed."""

from __future__ import annotations

import os
import secrets
import select
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Self

from bnslab.bitcoind import guard
from bnslab.bitcoind.errors import CacheUnusable, NodeDied, PortTaken
from bnslab.bitcoind.flags import probe_flags
from bnslab.bitcoind.rpc import RpcClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bnslab.bitcoind.locate import Bitcoind
    from bnslab.bitcoind.ports import PortPool

_READY = b"ready"
_READY_WITHIN = 60.0
_ENDS_WITHIN = 60.0
_DEATH_NOTICED_WITHIN = 1.0
_PORT_ATTEMPTS = 8
_TAIL_BYTES = 4096
_TAIL_LINES = 12


class RegtestNode:
    """One bitcoind process with its own data directory, port and credentials. Made by `start` or `start_many`.

    The node announces itself: bitcoind's -startupnotify writes a word into a pipe once its RPC server works, and the
    kernel closes that pipe when the process ends. So waiting for either needs no knocking at the port, and an answer on
    the port can only come from this process. `rpc` is a client for it, `credentials` its user and password,
    `rpc_port` its port on 127.0.0.1, `directory` its data directory, which goes away with `kill`. What follows it can
    live in `run_dir` beside it, at `ports`. A context manager.
    """

    def __init__(
        self, command: Sequence[str], directory: Path, port: int, user: str, password: str, ports: PortPool
    ) -> None:
        self.directory = directory
        self.ports = ports
        self.credentials = (user, password)
        self.rpc = RpcClient(port, user, password, lost=self._notice_death)
        self._command = command
        self._output = directory / "stderr"
        self._process = self._spawn()

    @classmethod
    def start(
        cls,
        binary: Bitcoind,
        run_dir: Path,
        ports: PortPool,
        *,
        mocktime: int,
        extra: Sequence[str] = (),
        token: Callable[[], str] = lambda: secrets.token_hex(16),
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Start a node below `run_dir` and wait until it answers calls.

        `mocktime` is the node's clock in seconds since 1970; `extra` are further options, which win over the usual
        ones. `token` supplies names and credentials, `clock` bounds the wait. Raises NodeDied when it does not come
        up and PortTaken when other programs hold every port tried. In the main thread the node's life is tied to it by
        the kernel where that is possible; elsewhere the run directory's guard process alone ends it.
        """
        taken = []
        for _ in range(_PORT_ATTEMPTS):
            node = cls._launch(binary, run_dir, ports, mocktime, extra, token)
            try:
                node._wait_ready(clock)
            except NodeDied:
                node.kill()
                if ports.is_free(node.rpc_port):
                    raise
                taken.append(node.rpc_port)
            except BaseException:
                node.kill()
                raise
            else:
                return node
        raise PortTaken(taken)

    @classmethod
    def start_many(
        cls, binary: Bitcoind, run_dir: Path, ports: PortPool, count: int, *, mocktime: int, extra: Sequence[str] = ()
    ) -> list[Self]:
        """Start `count` nodes together: most of a start is a wait of 100 ms, so 20 cost little more than a few."""

        def token() -> str:
            return secrets.token_hex(16)

        launched: list[Self] = []
        nodes: list[Self] = []
        try:
            launched.extend(cls._launch(binary, run_dir, ports, mocktime, extra, token) for _ in range(count))
            for node in launched:
                try:
                    node._wait_ready(time.monotonic)
                except NodeDied:
                    node.kill()
                    node = cls.start(binary, run_dir, ports, mocktime=mocktime, extra=extra)
                nodes.append(node)
        except BaseException:
            for node in launched + nodes:
                node.kill()
            raise
        return nodes

    @classmethod
    def _launch(
        cls,
        binary: Bitcoind,
        run_dir: Path,
        ports: PortPool,
        mocktime: int,
        extra: Sequence[str],
        token: Callable[[], str],
    ) -> Self:
        port = ports.take()
        directory = run_dir.resolve() / token()
        user, password = token(), token()
        flags = probe_flags(binary)
        # In the file rather than on the command line, which every user of the machine can read.
        settings = (f"rpcuser={user}", f"rpcpassword={password}", *flags.settings)
        try:
            directory.mkdir(mode=0o700)
            (directory / "bitcoin.conf").write_text("\n".join(settings) + "\n")
        except OSError as error:
            raise CacheUnusable(f"cannot write to {run_dir}: {error.strerror or error}") from error
        command = [
            *binary.argv,
            "-regtest",
            *flags.arguments,
            f"-mocktime={mocktime}",
            *extra,
            f"-datadir={directory}",
            # Without -rpcbind bitcoind is content with half of its addresses, and a stranger may have the other half.
            "-rpcbind=127.0.0.1",
            "-rpcallowip=127.0.0.1",
            f"-rpcport={port}",
            "-printtoconsole=0",
            f"-startupnotify=echo {_READY.decode()}",
        ]
        return cls(command, directory, port, user, password, ports)

    @property
    def run_dir(self) -> Path:
        """The run directory that its own is in."""
        return self.directory.parent

    @property
    def rpc_port(self) -> int:
        """The port of the RPC server on 127.0.0.1."""
        return self.rpc.port

    @property
    def pid(self) -> int:
        """The process id of bitcoind itself."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raise NodeDied if the process has ended."""
        if not self.alive():
            raise NodeDied(_status(self._process.returncode), self._tail())

    def kill(self) -> None:
        """End the process at once and remove its data directory. Calling it twice does no harm."""
        self.rpc.close()
        self._process.kill()
        self._reaped()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self) -> None:
        """Shut the node down in good order, everything written to disk. Its data directory stays until `kill`."""
        self.rpc.close()
        self._process.terminate()
        if not self._hangs_up(_ENDS_WITHIN):
            self.kill()
            raise NodeDied(f"no end within {_ENDS_WITHIN:g} s of being asked to stop", ())
        self._reaped()

    def restart(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Stop the node in good order if it runs, and start it as before: same data, port, credentials and mocktime."""
        if self.alive():
            self.stop()
        self.rpc.close()
        self._reaped()
        self._process = self._spawn()
        self._wait_ready(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [*guard.spawn_prefix(), *self._command]
        try:
            with self._output.open("wb") as output:
                return subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output, bufsize=0
                )
        except OSError as error:
            raise NodeDied(f"it could not be started: {error}", ()) from error

    def _wait_ready(self, clock: Callable[[], float]) -> None:
        pipe = self._pipe()
        deadline = clock() + _READY_WITHIN
        heard = b""
        while _READY not in heard:
            if not _readable(pipe, max(0.0, deadline - clock())):
                raise NodeDied(f"not ready within {_READY_WITHIN:g} s", self._tail())
            said = os.read(pipe, 4096)
            if not said:
                self._process.wait()
                self.check()
            heard += said

    def _pipe(self) -> int:
        assert self._process.stdout is not None, "spawned with a pipe"
        return self._process.stdout.fileno()

    def _hangs_up(self, seconds: float) -> bool:
        while _readable(self._pipe(), seconds):
            if not os.read(self._pipe(), 4096):
                return True
        return False

    def _notice_death(self) -> None:
        # The connection breaks a moment before the process is gone.
        if self._process.returncode is None and self._hangs_up(_DEATH_NOTICED_WITHIN):
            self._process.wait()
        self.check()

    def _reaped(self) -> None:
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _tail(self) -> list[str]:
        try:
            with self._output.open("rb") as output:
                output.seek(max(0, self._output.stat().st_size - _TAIL_BYTES))
                text = output.read().decode(errors="replace")
        except OSError:
            return []
        return text.splitlines()[-_TAIL_LINES:]


def _readable(descriptor: int, seconds: float) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def _status(returncode: int) -> str:
    if returncode >= 0:
        return f"exit status {returncode}"
    return f"signal {signal.Signals(-returncode).name}"
