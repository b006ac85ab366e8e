"""Signature hashes against published and real signatures; signed inputs against real consensus code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import coincurve
import pytest

from bns.bitcoin.hashes import hash160, sha256
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.script import multisig, op_return, p2pkh, p2sh, p2wpkh, p2wsh, push, tokens
from bns.bitcoin.signing import (
    SIGHASH_ALL,
    bip143_sighash,
    legacy_sighash,
    sign_p2pkh,
    sign_p2sh_multisig,
    sign_p2sh_p2wpkh,
    sign_p2sh_p2wsh,
)
from bns.bitcoin.transaction import DEFAULT_SEQUENCE, Transaction, TxIn, TxOut, parse_transaction
from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

# BIP 143, example "Native P2WPKH": a P2PK input and a P2WPKH input.
NATIVE = parse_transaction(
    bytes.fromhex("""
        0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804cc
        89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37d
        f378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac
        11000000
    """)
)
NATIVE_SIGNED = bytes.fromhex("""
    01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc2
    6ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4
    ecbab4cc618ef3ed01eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff
    02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4d
    be6a21b2d50ce2f0167faa815988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a
    0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb
    3566bb0ad253f62fc70f07aeee635711000000
""")

# BIP 143, example "P2SH-P2WPKH".
WRAPPED = parse_transaction(
    bytes.fromhex("""
        0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a54770100000000feffffff02b8b4eb0b00
        0000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a914fd270b1ee6abcaea97fea7
        ad0402e8bd8ad6d77c88ac92040000
    """)
)
WRAPPED_SIGNED = bytes.fromhex("""
    01000000000101db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a5477010000001716001479091972186c44
    9eb1ded22b78e40d009bdf0089feffffff02b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008
    af2f000000001976a914fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac02473044022047ac8e878352d3ebbde1c94ce3a10d05
    7c24175747116f8288e5d794d12d482f0220217f36a485cae903c713331d877c1f64677e3622ad4010726870540656fe9dcb012103ad
    1d8e89212f0b92c74d23bb710c00662ad1470198ac48c43f7d6f93a2a2687392040000
""")

# Real transactions of name-system clients: one key, 2 of 3 keys, one key behind p2sh (spends 50 coins).
REAL_P2PKH = bytes.fromhex("""
    01000000012308bebff9e1575ad520c9fda0b12b844df07240753a87816d62ad491012bc1b010000006b483045022100de741eb7f3c0
    3f9ab88a0a087e635f279a8030591f6d5974438c96c189667d620220147d1fc851cdc9f7d5a7d167aba54ff9d639b8fbe9f226991b06
    bcd28cba9243012103d6fd1ba0effaf1e8d94ea7b7a3d0ef26fea00a14ce5ffcc1495fe588a2c6d0f3ffffffff030000000000000000
    296a2769642a045f3225b134f795d046b97b3a876786cd6441472a9148d8b13939723d2aca16c75c6d68e0619f27010000001976a914
    74178497e927ff3ff1428a241be454d393c3c91c88ac005a6202000000001976a9140000000000000000000000000000000000000000
    88ac00000000
""")
REAL_MULTISIG = bytes.fromhex("""
    010000000105ece88bc524c42104ec6900428671dc98f93504ff18bdc25606494233929c1301000000fc0047304402206030cf5c3080
    3f67861d3de7d7decf355446e6502db7debf530ebaf8c35080df02206a2488787b853f36c3aa64e9e8a253e6e25d74801e3d23142181
    f106a09da12901473044022055e9362853862419981b0d152d8a1e338942ba59c5e22ace1f6dbc74eb791d2302206cdfab6b1baa06c2
    ca7c1df4820dafc1825de5427a80e0080b43f128bafc6275014c69522102d341f728783eb93e6fb5921a1ebe9d149e941de31e403cd6
    9afa2f0f1e698e812102f21b29694df4c2188bee97103d10d017d1865fb40528f25589af9db6e0786b6521028791dc45c049107fb99e
    673265a38a096536aacdf78aa90710a32fff7750f9f953aeffffffff0300000000000000001a6a186964260000cd73fa046543210000
    000000aa0001746573747c150000000000001976a91482093b62a3699282d926981bed7665e8384caa5588ac7c609b270100000017a9
    14d1558340e7651a8a1d5801a8335eae5ca2e87ba18700000000
""")
REAL_WRAPPED = bytes.fromhex("""
    01000000000101d6a78429bbc8c8375febc7fe790f7139238b8342c8fb9e7ffb165a5ebc3437b80000000017160014393ffec4f09b38
    895b8502377693f23c6ae00f19ffffffff030000000000000000296a2769642a844538527426b3991df6466f7186fca08660d3732a91
    48d8b13939723d2aca16c75c6d68b0699f270100000017a91431f8968eb1730c83fb58409a9a560a0a0835027f87005a620200000000
    1976a914000000000000000000000000000000000000000088ac02483045022100e0bfa95364a2ea7bafc4a9d3d306f687beda597c1e
    f1f3664c7f6a58393afb1702207b9bae7014e0c677b1f1e7e9b611b364c1d024d34c04cc7c5c571bd3f897f299012102d341f728783e
    b93e6fb5921a1ebe9d149e941de31e403cd69afa2f0f1e698e8100000000
""")

KEYS = [PrivateKey.from_label(f"signer {number}") for number in range(3)]
TWO_OF_THREE = multisig(2, [key.public_key for key in KEYS])
VALUE = 5_000_000_000
SPEND = Transaction(
    1,
    tuple(TxIn(bytes([number]) * 32, number, b"", DEFAULT_SEQUENCE) for number in (1, 2)),
    (TxOut(0, op_return(b"id!.test")), TxOut(VALUE, p2pkh(b"\x11" * 20))),
    0,
)

# For each way to sign: the script that is spent, and input 1 of a transaction signed to spend it.
WAYS: dict[str, tuple[bytes, Callable[[Transaction], TxIn]]] = {
    "p2pkh": (p2pkh(hash160(KEYS[0].public_key)), lambda tx: sign_p2pkh(tx, 1, KEYS[0])),
    "p2sh multisig": (p2sh(hash160(TWO_OF_THREE)), lambda tx: sign_p2sh_multisig(tx, 1, KEYS, TWO_OF_THREE)),
    "p2sh-p2wpkh": (
        p2sh(hash160(p2wpkh(hash160(KEYS[0].public_key)))),
        lambda tx: sign_p2sh_p2wpkh(tx, 1, KEYS[0], VALUE),
    ),
    "p2sh-p2wsh": (
        p2sh(hash160(p2wsh(sha256(TWO_OF_THREE)))),
        lambda tx: sign_p2sh_p2wsh(tx, 1, KEYS, TWO_OF_THREE, VALUE),
    ),
}


def test_bip143_native_example() -> None:
    legacy = PrivateKey(bytes.fromhex("bbc27228ddcb9209d7fd6f36b02f7dfa6252af40bb2f1cbc7a557da8027ff866"))
    witness = PrivateKey(bytes.fromhex("619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9"))
    assert witness.public_key.hex() == "025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357"
    digest = bip143_sighash(NATIVE, 1, p2pkh(hash160(witness.public_key)), 600_000_000)
    assert digest.hex() == "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"

    all_inputs = bytes([SIGHASH_ALL])
    p2pk = push(legacy.public_key) + b"\xac"
    first = NATIVE.inputs[0]._replace(script=push(legacy.sign(legacy_sighash(NATIVE, 0, p2pk)) + all_inputs))
    second = NATIVE.inputs[1]._replace(witness=(witness.sign(digest) + all_inputs, witness.public_key))
    assert replace(NATIVE, inputs=(first, second)).raw == NATIVE_SIGNED


def test_bip143_wrapped_example() -> None:
    key = PrivateKey(bytes.fromhex("eb696a065ef48a2192da5b28b694f87544b30fae8327c4510137a922f32c6dcf"))
    digest = bip143_sighash(WRAPPED, 0, p2pkh(hash160(key.public_key)), 1_000_000_000)
    assert digest.hex() == "64f3b0f4dd2bb3aa1ce8566d220cc74dda9df97d8490cc81d89d735c92e59fb6"
    signed = replace(WRAPPED, inputs=(sign_p2sh_p2wpkh(WRAPPED, 0, key, 1_000_000_000),))
    assert signed.raw == WRAPPED_SIGNED


def test_legacy_sighash_of_a_real_p2pkh_input() -> None:
    transaction = parse_transaction(REAL_P2PKH)
    signature, key = (token for token in tokens(transaction.inputs[0].script) if isinstance(token, bytes))
    assert verify(signature, key, legacy_sighash(transaction, 0, p2pkh(hash160(key))))
    assert not verify(signature, key, legacy_sighash(replace(transaction, locktime=1), 0, p2pkh(hash160(key))))


def test_legacy_sighash_of_a_real_multisig_input() -> None:
    transaction = parse_transaction(REAL_MULTISIG)
    first, second, redeem = (token for token in tokens(transaction.inputs[0].script) if isinstance(token, bytes))
    keys = [token for token in tokens(redeem) if isinstance(token, bytes)]
    digest = legacy_sighash(transaction, 0, redeem)
    assert [verify(first, key, digest) for key in keys].count(True) == 1
    assert [verify(second, key, digest) for key in keys].count(True) == 1


def test_bip143_sighash_of_a_real_wrapped_input() -> None:
    transaction = parse_transaction(REAL_WRAPPED)
    signature, key = transaction.inputs[0].witness
    assert verify(signature, key, bip143_sighash(transaction, 0, p2pkh(hash160(key)), 5_000_000_000))
    assert not verify(signature, key, bip143_sighash(transaction, 0, p2pkh(hash160(key)), 4_999_999_999))


@pytest.mark.parametrize("way", WAYS)
def test_signed_inputs_satisfy_consensus_code(way: str) -> None:
    """Bitcoin Core's own script interpreter accepts every kind of signed input, and refuses it after a change."""
    pbk = pytest.importorskip("pbk", reason="py-bitcoinkernel is not installed")
    spent, sign = WAYS[way]
    script = pbk.ScriptPubkey(spent)

    def accepted(transaction: Transaction) -> bool:
        flags = pbk.ScriptVerificationFlags.ALL & ~pbk.ScriptVerificationFlags.TAPROOT
        return bool(script.verify(VALUE, pbk.Transaction(transaction.raw), None, 1, flags))

    signed = replace(SPEND, inputs=(SPEND.inputs[0], sign(SPEND)))
    assert accepted(signed)
    assert not accepted(replace(signed, locktime=1))
    assert not accepted(SPEND)


@pytest.mark.parametrize("way", WAYS)
def test_signing_twice_gives_the_same_bytes(way: str) -> None:
    _, sign = WAYS[way]
    assert sign(SPEND) == sign(SPEND) != SPEND.inputs[1]


@pytest.mark.parametrize("way", WAYS)
def test_signing_does_not_depend_on_other_signatures(way: str) -> None:
    _, sign = WAYS[way]
    half_signed = replace(SPEND, inputs=(sign_p2pkh(SPEND, 0, KEYS[2]), SPEND.inputs[1]))
    assert sign(half_signed) == sign(SPEND)


def test_shape_of_signed_inputs() -> None:
    single = tokens(WAYS["p2pkh"][1](SPEND).script)
    assert single[1:] == [KEYS[0].public_key]
    several = tokens(WAYS["p2sh multisig"][1](SPEND).script)
    assert (several[0], len(several), several[-1]) == (0, 4, TWO_OF_THREE)
    wrapped = WAYS["p2sh-p2wpkh"][1](SPEND)
    assert wrapped.script == b"\x16" + p2wpkh(hash160(KEYS[0].public_key))
    assert wrapped.witness[1] == KEYS[0].public_key
    wrapped = WAYS["p2sh-p2wsh"][1](SPEND)
    assert wrapped.script == b"\x22" + p2wsh(sha256(TWO_OF_THREE))
    assert (wrapped.witness[0], len(wrapped.witness), wrapped.witness[-1]) == (b"", 4, TWO_OF_THREE)


def test_multisig_signatures_follow_the_script_not_the_caller() -> None:
    forwards = sign_p2sh_multisig(SPEND, 0, [KEYS[0], KEYS[2]], TWO_OF_THREE)
    assert sign_p2sh_multisig(SPEND, 0, [KEYS[2], KEYS[0]], TWO_OF_THREE) == forwards


def test_multisig_refuses_keys_that_are_too_few_or_foreign() -> None:
    stranger = PrivateKey.from_label("stranger")
    with pytest.raises(InvalidInput, match="keys of a multisig script: expected 2 of the script's keys"):
        sign_p2sh_multisig(SPEND, 0, [KEYS[0], stranger], TWO_OF_THREE)
    with pytest.raises(InvalidInput, match="keys of a multisig script: expected 2 of the script's keys"):
        sign_p2sh_p2wsh(SPEND, 0, [KEYS[0], stranger], TWO_OF_THREE, VALUE)


@pytest.mark.parametrize("script", [b"", b"\x51", b"\xae", p2pkh(b"\x11" * 20)])
def test_multisig_refuses_other_scripts(script: bytes) -> None:
    with pytest.raises(InvalidInput, match="multisig script"):
        sign_p2sh_multisig(SPEND, 0, KEYS, script)


@pytest.mark.parametrize("index", [-1, 2])
def test_there_must_be_such_an_input(index: int) -> None:
    with pytest.raises(InvalidInput, match="input to sign: expected 0 to 1"):
        legacy_sighash(SPEND, index, b"")
    with pytest.raises(InvalidInput, match="input to sign: expected 0 to 1"):
        bip143_sighash(SPEND, index, b"", VALUE)


def verify(signature: bytes, key: bytes, digest: bytes) -> bool:
    """True if a signature with its hash type is right and signs everything."""
    return signature[-1] == SIGHASH_ALL and coincurve.PublicKey(key).verify(signature[:-1], digest, hasher=None)
