"""Public key checks, keychain children and deterministic signatures."""

from __future__ import annotations

import coincurve
import pytest

from bns.bitcoin.address import base58check_encode
from bns.bitcoin.hashes import hash160, sha256
from bns.bitcoin.keys import PrivateKey, child_public_key, compress, is_public_key
from bns.errors import InvalidInput

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
GENERATOR_X = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
GENERATOR_Y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
# The reveal key of spec 02 section 7.4.
K = bytes.fromhex("03a78db7499383e1041da5dd2044b966e29a7159748b45486959da47a50c08070e")


@pytest.mark.parametrize(
    ("key", "valid"),
    [
        ("02" + GENERATOR_X, True),
        ("03" + GENERATOR_X, True),
        ("04" + GENERATOR_X + GENERATOR_Y, True),
        ("06" + GENERATOR_X + GENERATOR_Y, False),
        ("07" + GENERATOR_X + GENERATOR_Y, False),
        ("04" + GENERATOR_X + GENERATOR_Y[:-1] + "9", False),
        ("04" + GENERATOR_X, False),
        ("02" + GENERATOR_X + GENERATOR_Y, False),
        ("05" + GENERATOR_X, False),
        # No point has this x.
        ("02" + "00" * 31 + "05", False),
        ("02" + "ff" * 32, False),
        ("02" + GENERATOR_X[:-2], False),
        ("", False),
    ],
)
def test_is_public_key(key: str, valid: bool) -> None:
    assert is_public_key(bytes.fromhex(key)) is valid


def test_compress() -> None:
    assert compress(bytes.fromhex("04" + GENERATOR_X + GENERATOR_Y)).hex() == "02" + GENERATOR_X
    assert compress(K) == K
    with pytest.raises(InvalidInput, match="public key: expected"):
        compress(bytes.fromhex("06" + GENERATOR_X + GENERATOR_Y))


@pytest.mark.parametrize(
    ("index", "address"),
    [
        (0, "mqoGjnSt3B1sncgsKydHKhSXvAffZ44pt3"),
        (1, "mzhJsUKzrLdAyABBLDAunXBbH8RYCeX6Yi"),
        (2, "mkm53StiZXb3WMBznmmubsDzZ4braciMEg"),
        (3, "mwcZfUekKKFkXNqhS8tALtb1yK6qmjVBJ1"),
        (4, "mtw5HcQXjy2CUb9VPq9iRvF58NGyAAue4p"),
    ],
)
def test_keychain_children(index: int, address: str) -> None:
    assert base58check_encode(111, hash160(child_public_key(K, index))) == address


def test_first_keychain_child() -> None:
    child = "02575dbd2c2723375f0f980ed49bdf922302cf447ad8b495baad6c4a4375b37ab9"
    assert child_public_key(K, 0).hex() == child
    uncompressed = coincurve.PublicKey(K).format(compressed=False)
    assert child_public_key(uncompressed, 0).hex() == child


@pytest.mark.parametrize("index", [-1, 1 << 31])
def test_children_are_not_hardened(index: int) -> None:
    with pytest.raises(InvalidInput, match="child index"):
        child_public_key(K, index)


@pytest.mark.parametrize("index", [0, 1, 299, (1 << 31) - 1])
def test_private_and_public_children_match(index: int) -> None:
    key = PrivateKey.from_label("importer")
    assert key.child(index).public_key == child_public_key(key.public_key, index)


# Published secp256k1 vectors of RFC 6979 with SHA-256, low S.
@pytest.mark.parametrize(
    ("secret", "message", "signature"),
    [
        (
            1,
            b"Satoshi Nakamoto",
            "3045022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
            "02202442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
        ),
        (
            1,
            b"All those moments will be lost in time, like tears in rain. Time to die...",
            "30450221008600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b"
            "0220547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
        ),
        (
            ORDER - 1,
            b"Satoshi Nakamoto",
            "3045022100fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0"
            "02206b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5",
        ),
        (
            0xF8B8AF8CE3C7CCA5E300D33939540C10D45CE001B8F252BFBC57BA0342904181,
            b"Alan Turing",
            "304402207063ae83e7f62bbb171798131b4a0564b956930092b33b07b395615d9ec7e15c"
            "022058dfcc1e00a35e1572f366ffe34ba0fc47db1e7189759b9fb233c5b05ab388ea",
        ),
    ],
)
def test_signatures_are_deterministic(secret: int, message: bytes, signature: str) -> None:
    key = PrivateKey(secret.to_bytes(32, "big"))
    assert key.sign(sha256(message)).hex() == signature
    assert key.sign(sha256(message)).hex() == signature


def test_from_label() -> None:
    key = PrivateKey.from_label("alice")
    assert key == PrivateKey(sha256(b"alice"))
    assert key.public_key == coincurve.PrivateKey(sha256(b"alice")).public_key.format()
    assert key.secret.hex() not in repr(key)


@pytest.mark.parametrize(
    "secret", [b"", b"\x01" * 31, b"\x01" * 33, bytes(32), ORDER.to_bytes(32, "big"), b"\xff" * 32]
)
def test_private_key_refuses(secret: bytes) -> None:
    with pytest.raises(InvalidInput, match="private key: expected 32 bytes"):
        PrivateKey(secret)


def test_sign_refuses_what_is_no_digest() -> None:
    with pytest.raises(InvalidInput, match="digest to sign"):
        PrivateKey.from_label("alice").sign(b"message")
