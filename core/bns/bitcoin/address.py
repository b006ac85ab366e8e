"""Addresses: base58check both ways, and the bech32 text that the name system gives to witness outputs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from bns.bitcoin import script as scripts
from bns.bitcoin.hashes import sha256d
from bns.bitcoin.network import MAINNET, TESTNET
from bns.bitcoin.script import ScriptType
from bns.errors import InvalidInput

if TYPE_CHECKING:
    from bns.bitcoin.network import Network

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES = {letter: value for value, letter in enumerate(_BASE58)}
# Decoding takes time that grows with the square of the length.
_LONGEST_TEXT = 128
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# Names are owned by these texts, so the version that should have been 0 stays 1: spec 01 section 4.3.
_BECH32_VERSION = 1


@lru_cache(maxsize=8192)
def base58check_encode(version: int, payload: bytes) -> str:
    """A version byte (0 to 255) and payload as text with checksum. Raises InvalidInput for another version."""
    if not 0 <= version <= 255:
        raise InvalidInput("address version", version, "0 to 255")
    data = bytes([version]) + payload
    data += sha256d(data)[:4]
    number = int.from_bytes(data, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\x00"))) + text


@lru_cache(maxsize=8192)
def base58check_decode(text: str) -> tuple[int, bytes]:
    """The version byte and payload of a base58check text. Raises InvalidInput for a bad letter, length or checksum."""
    number = 0
    if len(text) > _LONGEST_TEXT:
        raise InvalidInput("length of an address", len(text), f"at most {_LONGEST_TEXT}")
    for letter in text:
        value = _BASE58_VALUES.get(letter)
        if value is None:
            raise InvalidInput("address", text, "base58 letters only")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) < 5 or sha256d(data[:-4])[:4] != data[-4:]:
        raise InvalidInput("address", text, "a base58check text with a right checksum")
    return data[0], data[1:-4]


def address_of_script(script: bytes, network: Network) -> str | None:
    """The address of an output's script, or None if it has none. Spec 01 section 4.3.

    Witness outputs get the text of the reference, with witness version 1 in place of 0: no wallet can pay to it.
    """
    kind = scripts.classify(script)
    if kind in (ScriptType.P2WPKH, ScriptType.P2WSH):
        return _bech32(network.bech32_prefix, _BECH32_VERSION, script[2:])
    return _hash_address(script, kind, network)


def sender_address(script: bytes, network: Network) -> str | None:
    """The address of the output that an input spends: p2pkh and p2sh have one. Spec 01 sections 4.2 and 6."""
    return _hash_address(script, scripts.classify(script), network)


def script_of_address(address: str, network: Network) -> bytes:
    """The p2pkh or p2sh script that pays to an address of network, mainnet or testnet. Raises InvalidInput."""
    version, payload = base58check_decode(address)
    for known in (network, MAINNET, TESTNET):
        if len(payload) == 20 and version == known.p2pkh_version:
            return scripts.p2pkh(payload)
        if len(payload) == 20 and version == known.p2sh_version:
            return scripts.p2sh(payload)
    raise InvalidInput("address", address, "a p2pkh or p2sh address")


def _hash_address(script: bytes, kind: ScriptType, network: Network) -> str | None:
    if kind is ScriptType.PUBKEYHASH:
        return base58check_encode(network.p2pkh_version, script[3:23])
    if kind is ScriptType.SCRIPTHASH:
        return base58check_encode(network.p2sh_version, script[2:22])
    return None


def _bech32(prefix: str, version: int, program: bytes) -> str:
    """BIP 173 text of a witness program."""
    bits = int.from_bytes(program, "big")
    padding = -len(program) * 8 % 5
    count = (len(program) * 8 + padding) // 5
    values = [version, *((bits << padding) >> 5 * place & 31 for place in reversed(range(count)))]
    expanded = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    checksum = _bech32_polymod([*expanded, *values, 0, 0, 0, 0, 0, 0]) ^ 1
    values += [checksum >> 5 * place & 31 for place in reversed(range(6))]
    return prefix + "1" + "".join(_BECH32[value] for value in values)


def _bech32_polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_BECH32_GENERATOR):
            check ^= generator if top >> place & 1 else 0
    return check
