"""Addresses: base58check both ways and the bech32 text of spec 01 section 4.3."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bns.bitcoin.address import (
    address_of_script,
    base58check_decode,
    base58check_encode,
    script_of_address,
    sender_address,
)
from bns.bitcoin.network import MAINNET, TESTNET, Network
from bns.errors import InvalidInput

# Scripts and addresses of spec 02, appendices A and B, and the two examples of spec 01 section 4.3.
TESTNET_ADDRESSES = [
    ("76a91426d4a371b4136ea455445bf171f9941d96b7c9bc88ac", "mj4GhirFd9aoAuQZ3Hci6rt2mgSwUb5pW4"),
    ("76a91436c5fe6f59cbd4006969cbd6de89f374f2fe9e7e88ac", "mkWZyGa6qVwWqEzJQg28vSSBRnYAhZz5Sr"),
    ("76a91433b94b70bbd434f0ad01925669bedf3469832b5888ac", "mkESjLZW66TmHhiFX8MCaBjrhZ543PPh9a"),
    ("76a9147c8aa0f9f7cf2cf41457213f8089e95b8f96d2d088ac", "mrsU9wTxs1UB4wqWZbuA6Nd6uYxs2VKe8T"),
    ("76a9144ae480ed965041bf816b7e156301be7dbeea079c88ac", "mnLx2xcfdukP1y1djkgJrkrw87L6vRpvVg"),
    ("a914777777777777777777777777777777777777777787", "2N48uWoRoZShwQd8HcHuYodk2impTb8JheA"),
]
WITNESS_ADDRESSES = [
    ("0014" + "55" * 20, "tb1p24242424242424242424242424242424xdggwr"),
    ("0020" + "66" * 32, "tb1pvenxvenxvenxvenxvenxvenxvenxvenxvenxvenxvenxvenxvenqd9y56x"),
]


@pytest.mark.parametrize(("script", "address"), TESTNET_ADDRESSES + WITNESS_ADDRESSES)
def test_address_of_script(script: str, address: str) -> None:
    assert address_of_script(bytes.fromhex(script), TESTNET) == address


@pytest.mark.parametrize("script", ["", "6a0469643f41", "51", "a9", "21" + "02" * 33 + "ac"])
def test_scripts_without_an_address(script: str) -> None:
    assert address_of_script(bytes.fromhex(script), TESTNET) is None
    assert sender_address(bytes.fromhex(script), TESTNET) is None


@pytest.mark.parametrize(("script", "address"), TESTNET_ADDRESSES)
def test_senders_have_the_address_of_their_output(script: str, address: str) -> None:
    assert sender_address(bytes.fromhex(script), TESTNET) == address


@pytest.mark.parametrize("script", [script for script, _ in WITNESS_ADDRESSES])
def test_witness_senders_have_no_address(script: str) -> None:
    assert sender_address(bytes.fromhex(script), TESTNET) is None


def test_mainnet_addresses() -> None:
    assert address_of_script(bytes.fromhex("76a914" + "00" * 20 + "88ac"), MAINNET) == "1111111111111111111114oLvT2"
    child = bytes.fromhex("76a91470c74f271eaeaa53df77181ea7dddf8e0cd8929588ac")
    assert address_of_script(child, MAINNET) == "1BHKSjMuE9ad1WDFcQeuVnED4B4xfescqA"
    witness = address_of_script(bytes.fromhex("0014" + "55" * 20), MAINNET)
    assert witness is not None
    assert witness.startswith("bc1p24242424242424242424242424242424")


@pytest.mark.parametrize(("script", "address"), TESTNET_ADDRESSES)
@pytest.mark.parametrize("network", [MAINNET, TESTNET])
def test_script_of_address_takes_both_networks(script: str, address: str, network: Network) -> None:
    assert script_of_address(address, network).hex() == script


def test_script_of_address_takes_a_network_of_its_own() -> None:
    own = Network("own", 48, 50, "xx")
    for script in (bytes.fromhex("76a914" + "11" * 20 + "88ac"), bytes.fromhex("a914" + "11" * 20 + "87")):
        address = address_of_script(script, own)
        assert address is not None
        assert script_of_address(address, own) == script
        with pytest.raises(InvalidInput, match="p2pkh or p2sh address"):
            script_of_address(address, TESTNET)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "1",
        "mj4GhirFd9aoAuQZ3Hci6rt2mgSwUb5pW5",
        "mj4GhirFd9aoAuQZ3Hci6rt2mgSwUb5pW",
        "mj4GhirFd9aoAuQZ3Hci6rt2mgSwUb5pW0",
        "mj4GhirFd9aoAuQZ3Hci6rt2mgSwUb5p\u00e9",
        "tb1p24242424242424242424242424242424xdggwr",
        base58check_encode(111, b"\x11" * 19),
        base58check_encode(239, b"\x11" * 20),
        "1" * 200_000,
    ],
)
def test_script_of_address_refuses(address: str) -> None:
    with pytest.raises(InvalidInput, match="address"):
        script_of_address(address, TESTNET)


@pytest.mark.parametrize("version", [-1, 256])
def test_encode_refuses_a_version_that_is_no_byte(version: int) -> None:
    with pytest.raises(InvalidInput, match="0 to 255"):
        base58check_encode(version, b"")


@settings(deadline=None, database=None)
@given(st.integers(0, 255), st.binary(max_size=80))
def test_base58check_round_trip(version: int, payload: bytes) -> None:
    assert base58check_decode(base58check_encode(version, payload)) == (version, payload)
