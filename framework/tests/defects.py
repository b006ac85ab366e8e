"""Nodes and chains that are wrong in one place, to see whether a check finds it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from bnslab.chain import Block, BlockFactory, MemoryBackend, base_chain
from bnslab.checks import CHECKS
from bnslab.errors import CheckFailed
from bnslab.http import AsgiClient
from bnslab.nodes.inprocess import InProcessNode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Receive, Scope, Send

    from bns.engine import Receipt
    from bnslab.fixtures import Fixture
    from bnslab.http import Response
    from bnslab.lab import Lab
    from tests.labs import Labs

Blocks = tuple[Block, ...]


class Failing(NamedTuple):
    """A defect, the check that must see it, where, and what it says."""

    check: str
    height: int
    subject: str
    expected: str
    actual: str
    parts: dict[str, Any]


def examine(make_lab: Labs, play: Callable[[Lab], None], fixture: Fixture, defect: Failing) -> None:
    """The check fails when it is on and is silent when it is off; what else is on or off makes no difference to it."""
    parts = {**defect.parts, "fixture": fixture}
    with pytest.raises(CheckFailed) as caught:
        play(make_lab(**parts, skip=[check for check in CHECKS if check != defect.check]))
    error = caught.value
    assert (error.check, error.height) == (defect.check, defect.height)
    assert error.subject.partition(" (tx ")[0] == defect.subject
    assert re.search(defect.expected, error.expected), error.expected
    assert re.search(defect.actual, error.actual), error.actual
    assert str(error).startswith(f"block {error.height}: {error.subject}\n  check     {error.check}\n")
    assert found_by(make_lab(**parts, skip=[defect.check]), play) != defect.check
    assert found_by(make_lab(**parts, skip=CHECKS), play) is None


def found_by(lab: Lab, play: Callable[[Lab], None]) -> str | None:
    """The check that fails."""
    try:
        play(lab)
    except CheckFailed as error:
        return error.check
    return None


def receipt_changed(height: int, **changes: Callable[[Receipt], object]) -> type[InProcessNode]:
    """A node that indexes rightly and tells something else of one block."""

    class Liar(InProcessNode):
        def apply(self, height_: int, raw: bytes) -> Receipt:
            receipt = super().apply(height_, raw)
            if height_ != height:
                return receipt
            return replace(receipt, **{key: change(receipt) for key, change in changes.items()})  # type: ignore[arg-type]

    return Liar


def row_changed(height: int, statement: str) -> type[InProcessNode]:
    """A node whose tables are tampered with after a block."""

    class Tampered(InProcessNode):
        def apply(self, height_: int, raw: bytes) -> Receipt:
            receipt = super().apply(height_, raw)
            if height_ == height:
                assert self.state.connection.execute(statement).rowcount > 0
            return receipt

    return Tampered


def answer_changed(path: str, change: Callable[[bytes], bytes], status: int | None = None) -> type[InProcessNode]:
    """A node whose REST interface has another application in front, which changes the answers about one path."""

    class Altered(InProcessNode):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._front = AsgiClient(self._altered)

        def get(self, path: str) -> Response:
            return self._front.get(path)

        async def _altered(self, scope: Scope, receive: Receive, send: Send) -> None:
            answer = self._client.get(scope["path"])
            told, body = answer.status, answer.body
            if scope["path"] == path:
                told, body = status or told, change(body)
            await send({"type": "http.response.start", "status": told, "headers": []})
            await send({"type": "http.response.body", "body": body})

    return Altered


def rpc_changed(method: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> type[InProcessNode]:
    """A node that answers one method of its XML-RPC interface with something else."""

    class Altered(InProcessNode):
        def call(self, method_: str, arguments: Sequence[Any]) -> str:
            text = super().call(method_, arguments)
            return msgspec.json.encode(change(msgspec.json.decode(text))).decode() if method_ == method else text

    return Altered


def member(key: str, value: object) -> Callable[[bytes], bytes]:
    """Another value of one member of a JSON object; without the member for None."""

    def change(body: bytes) -> bytes:
        content = msgspec.json.decode(body)
        del content[key]
        return msgspec.json.encode(content if value is None else {**content, key: value})

    return change


class Rewriting(MemoryBackend):
    """A chain that hands out other blocks than it took."""

    def __init__(self, rewrite: Callable[[Blocks], Blocks]) -> None:
        super().__init__(base_chain())
        self._rewrite = rewrite

    def blocks_from(self, height: int) -> Blocks:
        return self._rewrite(super().blocks_from(height))


def emptied(height: int) -> Callable[[Blocks], Blocks]:
    """With one block that has lost its transactions."""

    def rewrite(blocks: Blocks) -> Blocks:
        place = next(place for place, block in enumerate(blocks) if block.tip.height == height)
        bare = BlockFactory(b"\x51").build(blocks[place - 1].tip)
        return (*blocks[:place], bare, *blocks[place + 1 :])

    return rewrite


def cut(blocks: Blocks) -> Blocks:
    """With a last block that lacks its last byte."""
    return (*blocks[:-1], Block(blocks[-1].raw[:-1], blocks[-1].tip))
