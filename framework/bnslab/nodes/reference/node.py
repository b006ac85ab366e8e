"""The reference as a system under test: chain files in, what it made of them out.

Each chain has a process of its own, because the reference reads its settings from the environment once, when it is
imported, and most chains differ in them. Importing takes a tenth of the time that indexing does.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import shutil
import signal
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bns.bitcoin.block import parse_header, read_transactions
from bns.bitcoin.transaction import encode_varint, parse_transaction, txid_to_hex
from bns.errors import InvalidInput
from bnslab.bitcoind import guard
from bnslab.bitcoind.errors import CacheUnusable
from bnslab.fixtures import Expected  # noqa: TC001 - msgspec reads the annotation
from bnslab.nodes.reference.errors import ReferenceCrashed, ReferenceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bnslab.fixtures import Fixture
    from bnslab.nodes.reference.install import Reference

DRIVER = Path(__file__).parent / "python2" / "driver.py"
_HEADER_SIZE = 80
_TAIL_BYTES = 4096
_TAIL_LINES = 12


class Indexed(msgspec.Struct, frozen=True):
    """What the reference made of a chain, the seconds for indexing alone, and its snapshot if one was asked for."""

    seconds: float
    expected: Expected
    snapshot: bytes = b""


class Start(msgspec.Struct, frozen=True):
    """A snapshot to begin with, the public keys (hex) that may have signed it, and how many of them must have."""

    snapshot: bytes
    public_keys: tuple[str, ...]
    required: int


class ReferenceNode:
    """Runs the reference below `run_dir`, a directory of `bnslab.bitcoind.RunDirectory` or any other.

    `limit` is the longest that one chain may take, in seconds by `clock`; `token` supplies names of directories. In the
    main thread of a process the kernel ends the reference with it where that is possible; below a RunDirectory its
    guard process does so in any case.
    """

    name = "reference"

    def __init__(
        self,
        reference: Reference,
        run_dir: Path,
        *,
        limit: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._reference = reference
        self._run_dir = run_dir.resolve()
        self._limit = limit
        self._clock = clock
        self._token = token

    def run(self, fixture: Fixture, *, api: bool = False) -> Expected:
        """What the reference makes of a chain. With `api`, it also answers the questions (keys of `rpc` and `rest`)
        that the fixture has answers to. Raises ReferenceCrashed, and InvalidInput for a chain that cannot be run.
        """
        return self.index(fixture, api=api).expected

    def index(
        self, fixture: Fixture, *, api: bool = False, start: Start | None = None, export_key: str | None = None
    ) -> Indexed:
        """As `run`, with the time it took.

        It may start with a snapshot instead of the first block, and at the end make one, signed by a private key (hex).
        """
        outcome = next(self.run_many([fixture], api=api, start=start, export_key=export_key))
        if isinstance(outcome, ReferenceCrashed):
            raise outcome
        return outcome

    def run_many(
        self,
        fixtures: Iterable[Fixture],
        *,
        api: bool = False,
        workers: int = 1,
        start: Start | None = None,
        export_key: str | None = None,
    ) -> Iterator[Indexed | ReferenceCrashed]:
        """The outcome of each chain, in their order, up to `workers` of them being indexed at a time."""
        if workers < 1:
            raise InvalidInput("workers", workers, "at least 1")
        coming = iter(fixtures)
        runs: deque[_Run] = deque()
        try:
            while True:
                while sum(run.outcome is None for run in runs) < workers and (fixture := next(coming, None)):
                    runs.append(self._start(fixture, api, start, export_key))
                if not runs:
                    return
                self._wait([run for run in runs if run.outcome is None])
                while runs and (outcome := runs[0].outcome):
                    runs.popleft()
                    yield outcome
        finally:
            for run in runs:
                run.end()

    def _start(self, fixture: Fixture, api: bool, start: Start | None, export_key: str | None) -> _Run:
        document = chain_file(fixture, *(_questions(fixture) if api else ([], [])), start, export_key)
        directory = self._run_dir / self._token()
        try:
            directory.mkdir(mode=0o700)
            (directory / "chain.json").write_bytes(document)
            if start is not None:
                (directory / "snapshot.bsk").write_bytes(start.snapshot)
        except OSError as error:
            raise CacheUnusable(f"cannot write to {self._run_dir}: {error.strerror or error}") from error
        # Without -S the interpreter's own packages would be in reach. A node is recognised by -datadir.
        command = [str(self._reference.python.program), "-B", "-S", str(DRIVER), f"-datadir={directory}"]
        environment = environment_of(self._reference, directory, fixture.env)
        return _Run([*guard.spawn_prefix(), *command], environment, directory, self._clock() + self._limit)

    def _wait(self, runs: Sequence[_Run]) -> None:
        """Until one of the runs has ended or has used up its time."""
        poller = select.poll()
        for run in runs:
            poller.register(run.ending, select.POLLIN)
        first = min(run.deadline for run in runs)
        ended = {descriptor for descriptor, _ in poller.poll(max(0.0, first - self._clock()) * 1000)}
        now = self._clock()
        for run in runs:
            if run.ending in ended:
                run.conclude()
            elif run.deadline <= now:
                run.give_up(f"not done within {self._limit:g} s")


class _Run:
    """One process of the driver. `ending` is a descriptor that becomes readable when it ends."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], directory: Path, deadline: float) -> None:
        self.deadline = deadline
        self.outcome: Indexed | ReferenceCrashed | None = None
        self._directory = directory
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        try:
            with (directory / "log").open("wb") as log:
                self._process = subprocess.Popen(
                    command, env=environment, cwd=directory, stdin=nothing, stdout=pipe, stderr=log
                )
        except OSError as error:
            shutil.rmtree(directory, ignore_errors=True)
            raise ReferenceUnavailable(f"the reference cannot be started: {error}") from error
        assert self._process.stdout is not None, "spawned with a pipe"
        self._pipe = self._process.stdout
        self.ending = self._pipe.fileno()

    def conclude(self) -> None:
        """Take the result of a process that has ended or is about to."""
        status = self._process.wait()
        if status != 0:
            how = f"exit status {status}" if status > 0 else f"signal {signal.Signals(-status).name}"
            self.give_up(how)
            return
        outcome = msgspec.json.decode((self._directory / "expected.json").read_bytes(), type=Indexed)
        exported = self._directory / "exported.bsk"
        snapshot = exported.read_bytes() if exported.exists() else b""
        self.outcome = msgspec.structs.replace(outcome, snapshot=snapshot)
        self.end()

    def give_up(self, why: str) -> None:
        """End the process without a result."""
        self._process.kill()
        self._process.wait()
        self.outcome = ReferenceCrashed(why, self._height(), log_tail(self._directory / "log"))
        self.end()

    def end(self) -> None:
        """End the process if it runs, and remove its directory. Calling it twice does no harm."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _height(self) -> int | None:
        with contextlib.suppress(OSError):
            heights = (self._directory / "heights").read_text().split()
            return int(heights[-1]) if heights and heights[-1] != "-" else None
        return None


def log_tail(path: Path) -> list[str]:
    """The last lines of a log."""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]


def _questions(fixture: Fixture) -> tuple[list[str], list[str]]:
    expected = fixture.expected
    if expected is None or not (expected.rpc or expected.rest):
        raise InvalidInput("questions to the reference", fixture.scenario, "a fixture with rpc or rest answers")
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    rpc, rest = (list(decode(part)) if part else [] for part in (expected.rpc, expected.rest))
    return rpc, rest


def environment_of(reference: Reference, directory: Path, overrides: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of the reference, which reads its rules from it."""
    rules = {key: value for key, value in overrides.items() if key.startswith("BLOCKSTACK_")}
    return rules | {"HOME": str(directory), "TMPDIR": str(directory), "PYTHONPATH": str(reference.packages)}


def stripped_block(height: int, raw: bytes) -> dict[str, Any]:
    """A block as the driver takes it: without witnesses, with the transactions in it."""
    header, inside = parse_header(raw), read_transactions(raw)
    parts = [raw[:_HEADER_SIZE], encode_varint(len(inside)), *(transaction.stripped for transaction in inside)]
    return {
        "height": height,
        "hash": txid_to_hex(header.hash),
        "merkle_root": txid_to_hex(header.merkle_root),
        "time": header.time,
        "stripped": b"".join(parts).hex(),
        "transactions": {transaction.txid: transaction.stripped.hex() for transaction in inside},
    }


def chain_file(
    fixture: Fixture,
    rpc: Sequence[str] = (),
    rest: Sequence[str] = (),
    start: Start | None = None,
    export_key: str | None = None,
    network: Mapping[str, object] | None = None,
) -> bytes:
    """The input of the driver. The reference knows no witnesses, so they are left out; it checks the Merkle roots."""
    first = fixture.params.first_block
    if not fixture.blocks[0].height <= first <= fixture.tip:
        expected = f"a height of the chain file, {fixture.blocks[0].height} to {fixture.tip}"
        raise InvalidInput("first block to index", first, expected)
    transactions = [parse_transaction(bytes.fromhex(raw)) for raw in fixture.prevouts.values()]
    document = {
        "first_block": first,
        "blocks": [stripped_block(entry.height, bytes.fromhex(entry.raw)) for entry in fixture.blocks],
        "transactions": {transaction.txid: transaction.stripped.hex() for transaction in transactions},
        "zonefiles": [{"after_height": entry.after_height, "base64": entry.base64} for entry in fixture.zonefiles],
        "rpc": rpc,
        "rest": rest,
        "import": start and {"public_keys": start.public_keys, "required": start.required},
        "export": export_key,
        "network": network,
    }
    return msgspec.json.encode(document)
