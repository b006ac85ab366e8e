"""Profile tokens: claims that the owner of a name has signed, as JSON Web Tokens with ES256K (spec 04 section 9)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from bns.bitcoin.hashes import hash160, sha256
from bns.bitcoin.keys import is_public_key, public_key_forms, verify_compact
from bns.errors import BnsError
from bns.subdomains.signatures import account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bns.bitcoin.keys import PrivateKey

_ALGORITHM = "ES256K"

_Part = TypeVar("_Part")


class BadToken(BnsError):
    """A text is no profile token, or not one of the owner."""


class Profile(NamedTuple):
    """A signed profile: what it claims, and the public key (hex) that signed it, as the token writes it."""

    claim: Mapping[str, Any]
    public_key: str


class _Issuer(msgspec.Struct):
    public_key: str = msgspec.field(name="publicKey")


class _Payload(msgspec.Struct):
    issuer: _Issuer
    claim: dict[str, Any]


class _Header(msgspec.Struct):
    alg: str = _ALGORITHM


class _Stored(msgspec.Struct):
    token: str


def read_profile(body: bytes, address: str) -> Profile:
    """The profile in a file of a profile store: a token, or a JSON array whose first element has the member `token`.

    BadToken unless a key of the address (p2pkh, of any network) has signed it.
    """
    text = body.strip()
    if text.startswith(b"["):
        try:
            stored = msgspec.json.decode(text, type=list[msgspec.Raw])
            text = msgspec.json.decode(stored[0], type=_Stored).token.encode() if stored else b""
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise BadToken(f"expected an array of tokens: {error}") from None
    return verify_token(text, address)


def verify_token(token: bytes, address: str) -> Profile:
    """The profile in a token; BadToken as in read_profile."""
    signed, _, signature = token.rpartition(b".")
    header, dot, payload = signed.partition(b".")
    if not dot or b"." in payload:
        raise BadToken("expected three parts with dots between them")
    algorithm = _decoded(header, _Header).alg
    if algorithm != _ALGORITHM:
        raise BadToken(f"expected the algorithm {_ALGORITHM}, got {algorithm!r}")
    content = _decoded(payload, _Payload)
    public_key = _hex(content.issuer.public_key)
    owner = account(address)
    if owner is None or owner.kind != "p2pkh" or owner.hash not in map(hash160, public_key_forms(public_key)):
        raise BadToken(f"expected a key of {address}, got {content.issuer.public_key}")
    if not verify_compact(public_key, sha256(signed), _bytes(signature)):
        raise BadToken("expected a signature by its issuer")
    return Profile(content.claim, content.issuer.public_key)


def sign_token(claim: Mapping[str, Any], key: PrivateKey) -> str:
    """The token of a claim; the same for the same claim and key."""
    identity = {"publicKey": key.public_key.hex()}
    header, payload = {"typ": "JWT", "alg": _ALGORITHM}, {"issuer": identity, "subject": identity, "claim": claim}
    signed = b".".join(_text(msgspec.json.encode(part)) for part in (header, payload))
    return (signed + b"." + _text(key.sign_compact(sha256(signed)))).decode()


def _decoded(part: bytes, kind: type[_Part]) -> _Part:
    try:
        return msgspec.json.decode(_bytes(part), type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadToken(f"expected JSON with the members of a profile token: {error}") from None


def _hex(text: str) -> bytes:
    try:
        public_key = bytes.fromhex(text)
    except ValueError:
        public_key = b""
    if not is_public_key(public_key):
        raise BadToken(f"expected a public key in hex, got {text!r}")
    return public_key


def _bytes(part: bytes) -> bytes:
    try:
        return base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise BadToken("expected base64url") from None


def _text(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
