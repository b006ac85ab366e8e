"""Profile tokens that are malformed, by a little or by much, for their reader."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from bns.bitcoin.address import base58check_encode
from bns.bitcoin.hashes import hash160, sha256
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.network import TESTNET
from bns.identity.tokens import BadToken, read_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

KEY = PrivateKey.from_label("fuzz/profiles")
ADDRESS = base58check_encode(TESTNET.p2pkh_version, hash160(KEY.public_key))
SIZES = (0, 1, 3, 10, 40, 200, 1000)


def read(data: bytes) -> bool:
    """The parser of profile stores' files, and the check of the signature."""
    try:
        read_profile(data, ADDRESS)
    except BadToken:
        return False
    return True


def token(choose: Random) -> bytes:
    """A profile token, or a file with some, with parts that are wrong or a few bytes that have changed."""
    key = mostly(choose, KEY.public_key.hex(), KEY.public_key.hex().upper(), "02" * 33, "", "zz", 5, None)
    claim = mostly(choose, {"name": "x" * choose.choice(SIZES)}, {}, {"n": 10**30}, [], "x", None, nested(choose))
    header = mostly(choose, {"typ": "JWT", "alg": "ES256K"}, {"alg": "none"}, {"alg": 5}, {}, [], None)
    payload = mostly(choose, {"issuer": {"publicKey": key}, "claim": claim}, {"claim": claim}, [claim], claim)
    signed = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, payload))
    signature = mostly(choose, KEY.sign_compact(sha256(signed)), choose.randbytes(64), b"", choose.randbytes(9))
    text = mostly(choose, b".", b"", b"..").join((signed, base64.urlsafe_b64encode(signature).rstrip(b"=")))
    if choose.random() < 0.5:
        text = choose.choice((b'[{"token": "%s"}]', b'[{"token": "%s"}', b'["%s"]', b"[5, %s]", b" %s\n")) % text
    data = bytearray(text)
    for _ in range(choose.choice((0, 0, 1, 3))):
        data[choose.randrange(len(data))] = choose.randrange(256)
    return bytes(data)


def mostly(choose: Random, usual: Any, *others: Any) -> Any:  # noqa: ANN401 - whatever it is given
    """What is usual, or now and then something else."""
    return usual if choose.random() < 0.8 else choose.choice(others)


def nested(choose: Random) -> object:
    """JSON of some depth."""
    value: Any = 1
    for _ in range(choose.choice((1, 10, 100))):
        value = choose.choice(([value], {"a": value}))
    return value


def deep(choose: Random) -> bytes:
    """JSON that is deeper than any stack, as it is or within a token."""
    text = choose.choice((b"[", b'{"a":', b'[{"token":')) * choose.choice((10, 1000, 100_000))
    return text if choose.random() < 0.5 else b"e30." + base64.urlsafe_b64encode(text).rstrip(b"=") + b".AA"


def junk(choose: Random) -> bytes:
    """Any bytes."""
    return choose.randbytes(choose.choice(SIZES))


MAKERS: tuple[Callable[[Random], bytes], ...] = (*[token] * 8, junk, deep)
