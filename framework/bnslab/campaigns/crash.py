"""An indexing process killed at random points, again and again, until it is through.

After each kill a copy of the files is opened: it must hold whole blocks only, and after block n exactly what an
undisturbed index holds after block n. Then the next process goes on with the files as they were left. In half of the
runs the log is never carried over into the database, so that nothing of it is known to be on the disk: there a power
cut is played as well, which loses any part of the end of the log.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from bns.engine import Engine
from bns.node.indexer import Hooks, catch_up
from bns.state.store import State
from bnslab.campaigns.digest import digest
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

    from bns.engine import Receipt
    from bnslab.campaigns.chains import Chain

_NAME = "bns.db"
_FILES = (_NAME, f"{_NAME}-wal")
_KILLS_IN_A_RUN = 6
_COMMITS = (1, 2, 5, 20)
_CHECKPOINTS = (0, 4, 0, 50)
"""Pages in the log after which it is carried over; 0: never."""


class CrashFigures(NamedTuple):
    """What a campaign did: kills, runs from nothing to the tip, power cuts, kills before a block was stored."""

    kills: int
    runs: int
    power_cuts: int
    before_first_block: int


class BrokenState(LabError):
    """What a killed process left is not a whole number of blocks, or not the right ones."""


def run(
    chain: Chain, directory: Path, kills: int, seed: int, report: Callable[[int], None] = lambda _: None
) -> CrashFigures:
    """Kill so many indexing processes; files live in `directory`. Raises BrokenState at the first bad state."""
    # Processes are made by a server that has one thread and has loaded everything: 10 ms each, from any thread.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__, type(chain).__module__])
    choose = Random(f"{seed}/{chain.name}")
    done = runs = power_cuts = before_first_block = 0
    while done < kills:
        place = directory / f"run{runs}"
        place.mkdir()
        per_commit, checkpoint = choose.choice(_COMMITS), choose.choice(_CHECKPOINTS)
        reached = chain.params.first_block - 1
        enough = min(kills, done + _KILLS_IN_A_RUN)
        while reached < chain.tip and done < enough:
            receiver, sender = processes.Pipe(duplex=False)
            child = processes.Process(target=_index, args=(chain, place, per_commit, checkpoint, sender))
            child.start()
            sender.close()
            killed = _kill_somewhere(child, receiver, choose)
            where = f"seed {seed}, kill {done} of {chain.name}, {per_commit} blocks a commit"
            if not killed:
                reached = chain.tip
                continue
            done += 1
            if not (place / _NAME).exists():
                before_first_block += 1
                continue
            height = _verify(chain, place, directory / "copy", reached, where)
            before_first_block += height < chain.first_indexed
            if checkpoint == 0:
                _verify(chain, place, directory / "copy", chain.params.first_block - 1, f"{where}, power cut", choose)
                power_cuts += 1
            reached = height
            report(done)
        _finish(chain, place, f"seed {seed}, run {runs} of {chain.name}")
        shutil.rmtree(place)
        runs += 1
    return CrashFigures(done, runs, power_cuts, before_first_block)


def _index(chain: Chain, place: Path, per_commit: int, checkpoint: int, sender: Connection) -> None:
    """The child: indexes, and says so after each block."""
    path = place / _NAME
    os.write(sender.fileno(), b".")
    state = State.open(path, chain.params) if path.exists() else State.create(path, chain.params)
    state.connection.execute(f"PRAGMA wal_autocheckpoint = {checkpoint}")

    def say(_: Receipt) -> None:
        os.write(sender.fileno(), b".")

    engine = Engine(chain.params, state)
    catch_up(chain.source(), engine, state, confirmations=0, hooks=Hooks(applied=say), blocks_per_commit=per_commit)
    # To close the state would carry the log over: let the end be as sudden as any other.
    os._exit(0)


def _kill_somewhere(child: multiprocessing.process.BaseProcess, receiver: Connection, choose: Random) -> bool:
    """Kill the child some blocks and some microseconds from here; False if it came to its end before."""
    blocks = choose.choice((1, choose.randint(1, 30), choose.randint(1, 30)))
    spin = choose.random() * choose.choice((0.0002, 0.002, 0.01))
    ended = False
    while blocks > 0 and not ended:
        heard = os.read(receiver.fileno(), blocks)
        blocks -= len(heard)
        ended = not heard
    until = perf_counter() + spin
    while perf_counter() < until:
        pass
    child.kill()
    child.join()
    receiver.close()
    status = child.exitcode
    child.close()
    if status not in (0, -9):
        raise BrokenState(f"the indexing process ended with exit status {status}")
    return status == -9


def _verify(chain: Chain, place: Path, copy: Path, reached: int, where: str, choose: Random | None = None) -> int:
    """Open a copy of what was left, after a power cut if there is a source of chance; the height it has."""
    copy.mkdir()
    try:
        for name in _FILES:
            if (place / name).exists():
                shutil.copyfile(place / name, copy / name)
        if choose is not None:
            _cut_power(copy / _FILES[1], choose)
        state = State.open(copy / _NAME, chain.params)
        height = state.last_block
        try:
            if height < reached:
                raise BrokenState(f"{where}: block {reached} was stored, now the last one is {height}")
            if digest(state) != chain.digests[height]:
                raise BrokenState(f"{where}: tables after block {height} differ from an undisturbed index")
        finally:
            state.close()
    finally:
        shutil.rmtree(copy)
    return height


def _cut_power(log: Path, choose: Random) -> None:
    """Lose the end of a log that was never synced: it is short, or ends in zeros or in anything."""
    if not log.exists():
        return
    data = log.read_bytes()
    kept = choose.randint(0, len(data))
    rest = choose.choice((b"", bytes(len(data) - kept), choose.randbytes(len(data) - kept)))
    log.write_bytes(data[:kept] + rest)


def _finish(chain: Chain, place: Path, where: str) -> None:
    """Go on to the tip without disturbance, and compare once more."""
    path = place / _NAME
    state = State.open(path, chain.params) if path.exists() else State.create(path, chain.params)
    try:
        catch_up(chain.source(), Engine(chain.params, state), state, confirmations=0)
        if digest(state) != chain.digests[chain.tip]:
            raise BrokenState(f"{where}: tables after the last block differ from an undisturbed index")
    finally:
        state.close()
