"""Decentralised identifiers as text (spec 04 section 8.1, spec 03 section 9.1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bns.bitcoin.address import base58check_encode
from bns.bitcoin.network import MAINNET, TESTNET, Network
from bns.errors import InvalidInput
from bns.identity.dids import Did, format_did, parse_did

KINDS = ("name", "subdomain")
SINGLE = "12uHAvfqxWDD3R5DJWykjxKEY2wzht3GPK"
SHARED = "36ZpuQdgKw95J6m6wMTWuYkd1QFeyHTZ81"
SINGLE_TEST = "mhRETykpmXeTpXYq25x8ZsXZQ2YhejbqHj"
SHARED_TEST = "2Mx82y9ZhwPeRVtPecV5PXVjtDkTpmuvVCH"
VECTORS = [
    (MAINNET, Did("name", SINGLE, 3), "12uHAvfqxWDD3R5DJWykjxKEY2wzht3GPK"),
    (MAINNET, Did("subdomain", SINGLE, 3), "SPCHCmSzgsQQZirfqwxqHrToBpBRX4zxCQ"),
    (MAINNET, Did("name", SHARED, 3), "36ZpuQdgKw95J6m6wMTWuYkd1QFeyHTZ81"),
    (MAINNET, Did("subdomain", SHARED, 3), "MCmyDJ3eH3zW6c313ESrjC12L6r6zHLZtt"),
    (TESTNET, Did("name", SINGLE_TEST, 3), "mhRETykpmXeTpXYq25x8ZsXZQ2YhejbqHj"),
    (TESTNET, Did("subdomain", SINGLE_TEST, 3), "t8ptDiXS8R4UuTnDQoHEKst9U6fo1XFZkD"),
    (TESTNET, Did("name", SHARED_TEST, 3), "2Mx82y9ZhwPeRVtPecV5PXVjtDkTpmuvVCH"),
    (TESTNET, Did("subdomain", SHARED_TEST, 3), "zDsToHU9bed7LUryHq6BLj3QEWYtNAg5Dq"),
    (MAINNET, Did("name", "1331okvQ3Jr2efzaJE42Supevzfzg8ahYW", 3), "1331okvQ3Jr2efzaJE42Supevzfzg8ahYW"),
    (MAINNET, Did("subdomain", "1331okvQ3Jr2efzaJE42Supevzfzg8ahYW", 3), "SPL1qbhYmg3EAyn2qf36zoyDamuRXm2Gjk"),
    (MAINNET, Did("subdomain", "33j2jJQqbDAQjqh1RKicsYBb5WxiCZ5Hzr", 3), "M9wB3BpoYL1qYLxuXChxhBRzQDZAHCaoQm"),
    (TESTNET, Did("subdomain", "mhYy6p1NrLHHRnUC1o2QGq2ynzGhduVoEX", 3), "t8xcrYmzDDhJWihaQWMW2qPZs4Po1PfvCB"),
    (TESTNET, Did("subdomain", "2MuHEo3LsCffkwdKZ6TLVVVArHsAszbN5AJ", 3), "zB2fdBFJrveSnDnsmoMHJiUNJdFwdWf83o"),
]


@pytest.mark.parametrize(("network", "did", "address"), VECTORS)
def test_vectors(network: Network, did: Did, address: str) -> None:
    text = f"did:stack:v0:{address}-3"
    assert format_did(did, network) == text
    assert parse_did(text, network) == did


def test_leading_zeros_and_numbers_without_end() -> None:
    assert parse_did(f"did:stack:v0:{SINGLE}-0007", MAINNET).index == 7
    assert parse_did(f"did:stack:v0:{SINGLE}-000", MAINNET).index == 0
    assert parse_did(f"did:stack:v0:{SINGLE}-{'9' * 100_000}", MAINNET).index == 10**18


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did:foo:bar",
        f"did:stack:v0:{SINGLE}",
        f"did:stack:v0:{SINGLE}-",
        f"did:stack:v0:{SINGLE}--1",
        f"did:stack:v0:{SINGLE}-1 ",
        f"did:stack:v0:{SINGLE}-1\n",
        f"did:stack:v0:{SINGLE}-\u0661",
        f"did:stack:v1:{SINGLE}-1",
        f"did:stack:v0:{SINGLE[:-1]}J-1",
        f"did:stack:v0:{SINGLE}{SINGLE}-1",
        "did:stack:v0:bad-0",
        "did:stack:v0:0OIl" + "1" * 25 + "-0",
        f"did:stack:v0:{base58check_encode(48, bytes(20))}-0",
        f"did:stack:v0:{base58check_encode(0, bytes(21))}-0",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_did(text, MAINNET)


def test_subdomains_of_the_other_network_are_no_addresses_here() -> None:
    with pytest.raises(InvalidInput, match="address of a DID"):
        parse_did("did:stack:v0:SPCHCmSzgsQQZirfqwxqHrToBpBRX4zxCQ-0", TESTNET)


def test_names_are_written_for_the_node_s_network() -> None:
    assert parse_did(f"did:stack:v0:{SINGLE}-3", TESTNET) == Did("name", SINGLE_TEST, 3)
    assert format_did(Did("name", SHARED, 3), TESTNET) == f"did:stack:v0:{SHARED_TEST}-3"


def test_an_owner_of_the_other_network_is_taken_for_a_shared_one() -> None:
    assert format_did(Did("subdomain", SINGLE, 0), TESTNET).startswith("did:stack:v0:z")


@pytest.mark.parametrize("kind", KINDS)
def test_no_address(kind: str) -> None:
    with pytest.raises(InvalidInput):
        format_did(Did(kind, "garbage", 0), MAINNET)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="p2pkh or p2sh"):
        format_did(Did("name", base58check_encode(48, bytes(20)), 0), MAINNET)


@settings(deadline=None, database=None)
@given(
    st.sampled_from(KINDS), st.booleans(), st.binary(min_size=20, max_size=20), st.integers(0, 10**17), st.booleans()
)
def test_what_is_written_is_read_again(kind: str, shared: bool, payload: bytes, index: int, testnet: bool) -> None:
    network = TESTNET if testnet else MAINNET
    address = base58check_encode(network.p2sh_version if shared else network.p2pkh_version, payload)
    did = Did(kind, address, index)  # type: ignore[arg-type]
    assert parse_did(format_did(did, network), network) == did
