"""Answers of peers that were tampered with, for the client and the checks of the peer network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xmlrpc.client import dumps

from bns.atlas import messages
from bns.atlas.client import read_response
from bns.atlas.constants import Constants

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n"
_HASH = "b472a266d0bd89c13706a4132ccfb16f7c3b9fcb"  # of nothing
_HONEST: dict[str, Any] = {
    "status": True, "indexing": False, "lastblock": 5, "peers": ["a.b:6264", "1.2.3.4:16264"], "inv": "sSA=",
    "zonefiles": {_HASH: ""}, "last_block_seen": 5, "last_block_processed": 5, "consensus": "00" * 16,
    "server_version": "19.0.8.1", "server_alive": True, "testnet": "1", "zonefile_count": 3,
}  # fmt: skip
_JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**70, 1.5, "", "x", "\ud800", "x" * 70_000, "AAA", "AAAA", [], [[]], [None], ["a:1"],
    ["a:65535"] * 2000, {}, {"": ""}, {_HASH: None}, {_HASH: "AAAA"}, {_HASH.upper(): ""}, {"x" * 40: ""},
)  # fmt: skip


def _value(choose: Random) -> Any:  # noqa: ANN401 - of any type
    junk = choose.choice(_JUNK)
    return {str(number): junk for number in range(choose.randrange(200))} if choose.random() < 0.05 else junk


def members(choose: Random) -> bytes:
    """An honest answer with other members, or without some."""
    answer = dict(_HONEST)
    for _ in range(choose.choice((0, 1, 1, 2))):
        key = choose.choice(list(answer))
        answer[key] = _value(choose)
        if choose.random() < 0.3:
            del answer[key]
    if choose.random() < 0.1:
        answer |= {"error": "x", "traceback": []}
    return _HEAD + dumps((json.dumps(answer),), methodresponse=True).encode()


def bytes_of(choose: Random) -> bytes:
    """An honest answer of which some bytes have changed, moved or gone."""
    data = bytearray(members(choose))
    for _ in range(choose.choice((1, 2, 10))):
        place = choose.randrange(len(data))
        match choose.randrange(3):
            case 0:
                data[place] = choose.randrange(256)
            case 1:
                del data[place : place + choose.randrange(20)]
            case _:
                data[place:place] = choose.choice((b"<", b"&amp;", b"<value>", b"<i4>" + b"9" * 5000 + b"</i4>", b"\0"))
        data = data or bytearray(b"x")
    return bytes(data)


def nested(choose: Random) -> bytes:
    """JSON or XML that nests deeply."""
    depth = choose.choice((10, 1000, 20_000))
    if choose.random() < 0.5:
        return _HEAD + dumps(("[" * depth + "]" * choose.choice((0, depth)),), methodresponse=True).encode()
    return _HEAD + b"<methodResponse><params>" + b"<param><value><array><data>" * depth


MAKERS: tuple[Callable[[Random], bytes], ...] = (members, members, bytes_of, bytes_of, nested)


def read(data: bytes) -> bool:
    """Whether an answer means anything to anybody who asked."""
    answer = read_response(data)
    constants = Constants()
    exchanges = (
        messages.info("a:1", constants, testnet=True),
        messages.neighbours("a:1", "b:1", constants),
        messages.inventory("a:1", constants),
        messages.zonefiles("a:1", [_HASH], constants),
    )
    return sum(_meaning(exchange, answer) is not None for exchange in exchanges) > 0


def _meaning(exchange: messages.Exchange[Any], answer: messages.Answer) -> Any:  # noqa: ANN401 - of any exchange
    next(exchange)
    try:
        while True:
            exchange.send(answer)
            answer = None
    except StopIteration as stop:
        return stop.value
