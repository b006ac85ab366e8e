"""Hash functions against published vectors, and the Merkle tree's shape."""

from __future__ import annotations

import hashlib
import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from bns.bitcoin import hashes
from bns.errors import InvalidInput

if TYPE_CHECKING:
    from types import ModuleType


RIPEMD160_VECTORS = [
    (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
    (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
    (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
]


@pytest.fixture
def hashes_without_openssl_ripemd(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A second copy of the module, loaded as on a machine whose OpenSSL has no RIPEMD-160."""

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        raise ValueError(f"unsupported hash type {name}")

    assert hashes.__spec__ is not None
    assert hashes.__spec__.origin is not None
    monkeypatch.setattr(hashlib, "new", refuse)
    spec = importlib.util.spec_from_file_location("hashes_copy", hashes.__spec__.origin)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("data", "digest"), RIPEMD160_VECTORS)
def test_ripemd160(data: bytes, digest: str) -> None:
    assert hashes.ripemd160(data).hex() == digest


@pytest.mark.parametrize(("data", "digest"), RIPEMD160_VECTORS)
def test_ripemd160_without_openssl(hashes_without_openssl_ripemd: ModuleType, data: bytes, digest: str) -> None:
    assert hashes_without_openssl_ripemd.ripemd160(data).hex() == digest


def test_sha256_once_and_twice() -> None:
    assert hashes.sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    # The ops hash of no operations: spec 01 section 10.1.
    assert hashes.sha256d(b"").hex() == "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456"


def test_hash160_of_a_public_key() -> None:
    key = bytes.fromhex("02741806e3b855a6db58aece1a83268695a218fc279ebf7da95b0aeca6f655f9fe")
    assert hashes.hash160(key).hex() == "26d4a371b4136ea455445bf171f9941d96b7c9bc"


def test_merkle_root_of_the_worked_example() -> None:
    """Five leaves of 16 and 32 bytes, duplicated at two levels: spec 01 section 18."""
    leaves = [
        "26fc425e49a564ac68bae8df3be62c19",
        "309d6aa89f78e253c2e95f91b8378f72",
        "488bc8c479c9fbd758ef3a3c4b924418",
        "9daa6e59877b9e0ca4772a3df475abd2",
        "b89e6f88e09b1aa5697265551d7442b0f1287c46cfb3cc4afc91e6090954bfc1",
    ]
    root = hashes.merkle_root([bytes.fromhex(leaf)[::-1] for leaf in leaves])
    assert root[::-1].hex() == "4fcb64f57940cada741e807ffed24b48c2d9e8880873e6a1a37e692d3e691fe4"


def test_merkle_root_of_one_leaf_is_the_leaf() -> None:
    assert hashes.merkle_root([b"\x01" * 32]) == b"\x01" * 32


def test_merkle_root_leaves_its_argument_alone() -> None:
    leaves = [b"\x01" * 32, b"\x02" * 32, b"\x03" * 32]
    hashes.merkle_root(leaves)
    assert len(leaves) == 3


def test_merkle_root_of_nothing() -> None:
    with pytest.raises(InvalidInput, match="at least one digest"):
        hashes.merkle_root([])
