"""Chain files given to a foreign implementation through its standard input and output, and its answers compared."""

from __future__ import annotations

import os
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bns.bitcoin.block import read_transactions
from bns.bitcoin.transaction import txid_to_hex
from bnslab.consume import Difference, compare_hashes, compare_operations, compare_rejections
from bnslab.divergence import operation_txid
from bnslab.foreign.protocol import (
    PROTOCOL,
    Declined,
    End,
    Greeting,
    Hello,
    Indexed,
    NextBlock,
    NextZonefile,
    Stored,
    encode,
    read_answer,
)
from bnslab.nodes.child import Child, NodeFailed, new_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bnslab.fixtures import Fixture
    from bnslab.foreign.protocol import Answer, Message

SUPERVISE = Path(__file__).with_name("supervise.py")
_SHOWN = 80

A = TypeVar("A", Greeting, Indexed, Stored)


class Foreign:
    """An implementation: the command that starts it, in the directory cwd, with a process for each chain file.

    Its standard error goes to files below run_dir, which go with the process. seconds is the longest wait for an
    answer, by clock.
    """

    def __init__(
        self,
        command: Sequence[str],
        run_dir: Path,
        *,
        seconds: float = 60.0,
        cwd: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._command = command
        self._run_dir = run_dir
        self._seconds = seconds
        self._cwd = cwd or Path.cwd()
        self._clock = clock
        self._token = token

    def compare(self, fixture: Fixture) -> None:
        """Give it a chain and compare what it answers; Difference or NodeFailed at the first thing that is wrong."""
        directory = new_directory(self._run_dir, self._token())
        process = _Supervised(self._command, self._cwd, directory, self._seconds, self._clock)
        try:
            _Conversation(process, fixture).hold()
        finally:
            process.end()


class _Supervised(Child):
    """A command that takes and gives lines; it and all that it started end with `end`, or with this process."""

    def __init__(
        self, command: Sequence[str], cwd: Path, directory: Path, seconds: float, clock: Callable[[], float]
    ) -> None:
        reader, answers = os.pipe()
        alive, self._alive = os.pipe()
        supervised = [sys.executable, "-I", "-S", str(SUPERVISE), str(answers), str(alive), str(cwd), *command]
        try:
            super().__init__(
                "the implementation", supervised, directory, reader,
                prefix=(), pass_fds=(answers, alive), seconds=seconds, clock=clock,
            )  # fmt: skip
        except BaseException:
            os.close(self._alive)
            raise
        finally:
            os.close(answers)
            os.close(alive)

    def end(self) -> None:
        """Have the supervisor end it, and remove its directory."""
        os.close(self._alive)
        self.process.wait()
        super().end()


class _Conversation:
    """One chain file, asked message by message."""

    def __init__(self, process: Child, fixture: Fixture) -> None:
        self._process = process
        self._fixture = fixture

    def hold(self) -> None:
        """From hello to end."""
        fixture = self._fixture
        first_block = fixture.params.first_block
        greeting = self._ask(Hello(PROTOCOL, fixture.scenario, fixture.env, first_block), Greeting, "hello")
        if greeting.protocol != PROTOCOL:
            raise self._broken("hello", f"protocol {PROTOCOL}", f"protocol {greeting.protocol}")
        last = first_block - 1
        for block in blocks_of(fixture):
            self._compare(block.height, self._ask(block, Indexed, f"block {block.height}"))
            self._hand_over(block.height)
            last = block.height
        assert fixture.expected is not None, "only fixtures are compared"
        if last != fixture.expected.tip:
            raise Difference("consensus", "last block", fixture.expected.tip, last)
        try:
            self._process.write(encode(End()))
            self._process.read_end()
        except NodeFailed as error:
            raise self._broken("end", "exit status 0 and nothing more", error.what) from None

    def _ask(self, message: Message, kind: type[A], where: str) -> A:
        try:
            self._process.write(encode(message))
            line = self._process.read()
        except NodeFailed as error:
            raise self._broken(where, "an answer", error.what) from None
        answer = self._read(line, where)
        if isinstance(answer, Declined):
            raise self._broken(where, "an answer", f"the error: {answer.message}")
        if not isinstance(answer, kind):
            raise self._broken(where, f"an answer of type {_type(kind)}", _type(type(answer)))
        return answer

    def _read(self, line: bytes, where: str) -> Answer:
        try:
            return read_answer(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            shown = line[:_SHOWN].decode(errors="replace") + ("..." if len(line) > _SHOWN else "")
            raise self._broken(where, "an answer of the protocol", f"{shown!r}: {error}") from None

    def _broken(self, where: str, expected: str, actual: str) -> NodeFailed:
        return self._process.failed(f"protocol: {where}: expected {expected} got {actual}")

    def _compare(self, height: int, answer: Indexed) -> None:
        fixture = self._fixture
        if answer.height != height:
            raise self._broken(f"block {height}", f"height {height}", f"height {answer.height}")
        if answer.serialized_ops is not None:
            compare_operations(fixture, height, answer.serialized_ops, lambda text: _refusal(text, answer))
        wanted = fixture.serialized_ops(height) if answer.serialized_ops is None else []
        more = f"expected operations: {' '.join(wanted) or 'none'}" if answer.serialized_ops is None else ""
        compare_hashes(fixture, height, answer.ops_hash, answer.consensus_hash, more)
        if answer.rejected is not None:
            self._compare_rejections(height, answer)

    def _compare_rejections(self, height: int, answer: Indexed) -> None:
        """Reasons where the implementation gives all of them, else only which transactions were rejected."""
        fixture, rejected = self._fixture, answer.rejected or []
        if all(each.reason for each in rejected):
            compare_rejections(fixture, height, [each.reason for each in rejected])
            return
        assert fixture.expected is not None, "only fixtures are compared"
        wanted = [entry.txid for entry in fixture.expected.rejected_ops.get(str(height), [])]
        actual = [each.txid for each in rejected]
        if fixture.expected.rejected_ops and wanted != actual:
            raise Difference("consensus", f"block {height} rejected transactions", wanted, actual)

    def _hand_over(self, height: int) -> None:
        for number, entry in enumerate(self._fixture.zonefiles):
            if entry.after_height == height:
                where = f"zonefiles[{number}]"
                saved = self._ask(NextZonefile(height, entry.base64), Stored, where).saved
                if None not in (saved, entry.saved) and saved != entry.saved:
                    raise Difference("zone files", f"{where}.saved", entry.saved, saved)


def blocks_of(fixture: Fixture) -> Iterator[NextBlock]:
    """The blocks to index, each with the transactions that it spends and that no block before it brought."""
    first_block = fixture.params.first_block
    waiting = dict(fixture.prevouts)
    for block in fixture.blocks:
        raw = bytes.fromhex(block.raw)
        transactions = read_transactions(raw)
        if block.height < first_block:
            waiting |= {transaction.txid: transaction.raw.hex() for transaction in transactions}
            continue
        spent = {txid_to_hex(source.txid) for transaction in transactions for source in transaction.inputs}
        needed = sorted(spent & waiting.keys())
        yield NextBlock(block.height, block.hash, block.raw, {txid: waiting.pop(txid) for txid in needed})


def _refusal(serialized: str, answer: Indexed) -> str:
    """What the implementation says of the transaction of an operation."""
    txid = operation_txid(serialized)
    refused = next((each for each in answer.rejected or () if each.txid == txid), None)
    return f"there: rejected {refused.txid}: {refused.reason or 'for no reason given'}" if refused else ""


def _type(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)
