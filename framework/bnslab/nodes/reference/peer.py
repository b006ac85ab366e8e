"""The reference as a node of the peer network, on a port of the loopback interface."""

from __future__ import annotations

import os
import secrets
import select
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Self

from bns.zonefiles.store import zonefile_hash
from bnslab.bitcoind import guard
from bnslab.bitcoind.errors import CacheUnusable
from bnslab.nodes.reference.errors import ReferenceCrashed
from bnslab.nodes.reference.node import DRIVER, chain_file, environment_of, log_tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from bnslab.fixtures import Fixture
    from bnslab.nodes.reference.install import Reference


class ReferencePeer:
    """Indexes a chain, then serves RPC and runs the reference's crawlers until `close`.

    Its chain does not grow. seeds are peers as host:port; it asks peers every second, as the reference does in test
    mode. `limit` is how many seconds it may take to index the chain. Raises ReferenceCrashed if it ends before it
    answers.
    """

    def __init__(
        self,
        reference: Reference,
        run_dir: Path,
        fixture: Fixture,
        port: int,
        seeds: Sequence[str] = (),
        *,
        limit: float = 120.0,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.port = port
        self._said: set[str] = set()
        self._rest = ""
        self._directory = run_dir.resolve() / token()
        network = {"atlas_hostname": "localhost", "atlas_port": port, "rpc_port": port, "atlas_seeds": ",".join(seeds)}
        try:
            self._directory.mkdir(mode=0o700)
            (self._directory / "chain.json").write_bytes(chain_file(fixture, network=network))
        except OSError as error:
            raise CacheUnusable(f"cannot write to {run_dir}: {error.strerror or error}") from error
        command = [str(reference.python.program), "-B", "-S", str(DRIVER), f"-datadir={self._directory}"]
        overrides = {**fixture.env, "BLOCKSTACK_ATLAS_PEER_PING_INTERVAL": "1"}
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*guard.spawn_prefix(), *command],
                env=environment_of(reference, self._directory, overrides),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        try:
            self._wait_for({"ready"}, limit)
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """Its host:port."""
        return f"localhost:{self.port}"

    @property
    def zonefiles(self) -> Path:
        """The directory of its zone files."""
        return self._directory / "state" / "zonefiles"

    def wait_for(self, zonefiles: Iterable[bytes], limit: float = 120.0) -> None:
        """Until it has got these from its peers; ReferenceCrashed if it ends before, or after so many seconds."""
        self._wait_for({zonefile_hash(data) for data in zonefiles}, limit)

    def _wait_for(self, words: set[str], limit: float) -> None:
        assert self._process.stdout is not None, "spawned with a pipe"
        deadline = time.monotonic() + limit
        while not words <= self._said:
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._process.stdout.fileno(), 4096).decode() if readable else ""
            if not chunk:
                status = "it ended" if readable else f"nothing of {sorted(words - self._said)} within {limit:g} s"
                raise ReferenceCrashed(status, None, log_tail(self._directory / "log"))
            *lines, self._rest = (self._rest + chunk).split("\n")
            self._said.update(lines)

    def close(self) -> None:
        """End it, and remove its files. Calling it twice does no harm."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None, "spawned with a pipe"
        self._process.stdout.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
