"""The other side of the protocol: a node of ours answers what comes in."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from bns.bitcoin.transaction import ParseError, parse_transaction
from bns.errors import BnsError, InvalidInput
from bns.params import Params
from bnslab.foreign.protocol import (
    PROTOCOL,
    Declined,
    End,
    Greeting,
    Hello,
    Indexed,
    NextBlock,
    Refused,
    Stored,
    encode,
    read_message,
)
from bnslab.nodes.told import Unsaid
from bnslab.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bns.bitcoin.transaction import Transaction
    from bns.engine import Receipt
    from bnslab.foreign.protocol import Message
    from bnslab.nodes import Node

    Learn = Callable[[Transaction], None]
    Open = Callable[[Params, Outputs], tuple[Node, Learn]]
    """Makes the node of a chain, and what tells it of a transaction that a block is about to spend."""


def serve(open_node: Open, lines: Iterable[bytes], answer: Callable[[bytes], object]) -> None:
    """Answer lines, each with one line, until `end`. InvalidInput for what is no message or comes out of order."""
    node: Node | None = None
    outputs = Outputs()
    try:
        for line in lines:
            message = _read(line)
            if isinstance(message, End):
                return
            if isinstance(message, Hello):
                node, learn = open_node(_params(message), outputs)
                answer(encode(Greeting(PROTOCOL, f"bnslab {node.name}")))
            elif node is None:
                raise InvalidInput("first message", type(message).__name__, "hello")
            elif isinstance(message, NextBlock):
                answer(encode(_index(node, learn, outputs, message)))
            else:
                answer(encode(Stored(int(node.put_zonefile(base64.b64decode(message.base64))))))
    finally:
        if node is not None:
            node.close()


def _read(line: bytes) -> Message:
    try:
        return read_message(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("message", line[:80].decode(errors="replace"), f"one of the protocol: {error}") from None


def _params(hello: Hello) -> Params:
    if hello.protocol != PROTOCOL:
        raise InvalidInput("protocol", hello.protocol, str(PROTOCOL))
    params = Params.from_reference_env(hello.env)
    if params.first_block != hello.first_block:
        raise InvalidInput("first_block", hello.first_block, f"{params.first_block}, which env says")
    return params


def _index(node: Node, learn: Learn, outputs: Outputs, message: NextBlock) -> Indexed | Declined:
    try:
        for raw in message.prevouts.values():
            learn(parse_transaction(bytes.fromhex(raw)))
        raw_block = bytes.fromhex(message.raw)
        outputs.add_block(raw_block)
        receipt = node.apply(message.height, raw_block)
    except (BnsError, ParseError, ValueError) as error:
        return Declined(str(error))
    return indexed(receipt)


def indexed(receipt: Receipt) -> Indexed:
    """A receipt as an answer."""
    refused = [
        Refused(each.txid, "" if isinstance(each.reason, Unsaid) else each.reason.name) for each in receipt.rejected
    ]
    return Indexed(receipt.height, receipt.consensus_hash, receipt.ops_hash, list(receipt.serialized), refused)
