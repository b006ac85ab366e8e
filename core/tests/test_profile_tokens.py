"""Profile tokens: what is read, and everything that makes them worthless."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from bns.bitcoin.address import base58check_encode
from bns.bitcoin.hashes import hash160
from bns.bitcoin.keys import public_key_forms
from bns.bitcoin.network import MAINNET, TESTNET
from bns.identity.tokens import BadToken, Profile, read_profile, sign_token
from tests.subdomain_chain import K1, K2, address

if TYPE_CHECKING:
    from collections.abc import Callable

CLAIM = {"@type": "Person", "name": "Ünicode", "account": [{"n": 1}]}
TOKEN = sign_token(CLAIM, K1).encode()


def part(value: Any) -> bytes:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def changed(place: int, value: Any) -> bytes:
    """The token with another header, payload or signature."""
    parts = TOKEN.split(b".")
    parts[place] = part(value)
    return b".".join(parts)


def test_a_token_and_who_signed_it() -> None:
    profile = read_profile(TOKEN, address(K1))
    assert profile == Profile(CLAIM, K1.public_key.hex())


@pytest.mark.parametrize("network", [MAINNET, TESTNET])
@pytest.mark.parametrize("form", [0, 1])
def test_an_address_of_either_form_of_the_key_on_either_network(network: Any, form: int) -> None:
    key = public_key_forms(K1.public_key)[form]
    assert read_profile(TOKEN, base58check_encode(network.p2pkh_version, hash160(key))).claim == CLAIM


@pytest.mark.parametrize(
    "wrap",
    [
        lambda token: b'[{"token": "%s", "decodedToken": {}}, 5]' % token,
        lambda token: b'\n [{"token":"%s"}]\n' % token,
        lambda token: b" " + token + b"\r\n",
    ],
)
def test_a_file_of_a_profile_store(wrap: Callable[[bytes], bytes]) -> None:
    assert read_profile(wrap(TOKEN), address(K1)).claim == CLAIM


BAD = {
    "nothing": b"",
    "no token": b"hello",
    "two parts": TOKEN.rpartition(b".")[0],
    "four parts": TOKEN + b".AA",
    "an empty array": b"[]",
    "an array of something else": b"[5]",
    "an array that is no text": b'[{"token": "\xff"}]',
    "an array that does not end": b'[{"token": "',
    "deep": b"[" * 100_000,
    "not base64": TOKEN.replace(b"e", b"!"),
    "letters of another base64": TOKEN.replace(b".", b".+/", 1),
    "another algorithm": changed(0, {"alg": "none"}),
    "no algorithm's name": changed(0, {"alg": 5}),
    "a header that is no object": changed(0, [1]),
    "no JSON": changed(1, b"\xff\xfe"),
    "deep JSON": changed(1, b'{"claim":' + b"[" * 100_000),
    "no issuer": changed(1, {"claim": {}}),
    "no claim": changed(1, {"issuer": {"publicKey": K1.public_key.hex()}}),
    "a claim that is no object": changed(1, {"issuer": {"publicKey": K1.public_key.hex()}, "claim": "x"}),
    "a key that is none": changed(1, {"issuer": {"publicKey": "02" * 33}, "claim": {}}),
    "a key that is no hex": changed(1, {"issuer": {"publicKey": "zz"}, "claim": {}}),
    "somebody's key": sign_token(CLAIM, K2).encode(),
    "another claim": changed(1, {"issuer": {"publicKey": K1.public_key.hex()}, "claim": {}}),
    "no signature": changed(2, b""),
    "a signature of nothing": changed(2, bytes(64)),
    "a longer signature": changed(2, bytes(65)),
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD)
def test_a_token_that_is_worth_nothing(token: bytes) -> None:
    with pytest.raises(BadToken, match="expected"):
        read_profile(token, address(K1))


@pytest.mark.parametrize("owner", ["garbage", "", address(K1, TESTNET.p2sh_version), address(K2)])
def test_an_owner_that_no_key_stands_for(owner: str) -> None:
    with pytest.raises(BadToken, match="expected a key of"):
        read_profile(TOKEN, owner)


def test_the_higher_s_is_as_good() -> None:
    signed, _, signature = TOKEN.rpartition(b".")
    raw = base64.urlsafe_b64decode(signature + b"==")
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert read_profile(signed + b"." + part(high), address(K1)).claim == CLAIM
