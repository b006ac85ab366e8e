"""Signature hashes, and inputs signed in the four ways that wallets of the name system use. Spec 01 section 17.3."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bns.bitcoin import script as scripts
from bns.bitcoin.hashes import hash160, sha256, sha256d
from bns.bitcoin.transaction import uint_bytes, varbytes
from bns.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bns.bitcoin.keys import PrivateKey
    from bns.bitcoin.transaction import Transaction, TxIn

SIGHASH_ALL = 1

_HASH_TYPE = SIGHASH_ALL.to_bytes(4, "little")


def legacy_sighash(tx: Transaction, index: int, script_code: bytes) -> bytes:
    """The digest that a SIGHASH_ALL signature of a non-witness input commits to, 32 bytes.

    script_code is the script of the spent output, or the redeem script for p2sh; it must hold no OP_CODESEPARATOR.
    Raises InvalidInput if there is no such input.
    """
    _input(tx, index)
    inputs = (txin._replace(script=script_code if place == index else b"") for place, txin in enumerate(tx.inputs))
    return sha256d(replace(tx, inputs=tuple(inputs)).stripped + _HASH_TYPE)


def bip143_sighash(tx: Transaction, index: int, script_code: bytes, value: int) -> bytes:
    """The digest that a SIGHASH_ALL signature of a version 0 witness input commits to, 32 bytes.

    script_code is the p2pkh script of the key's hash for p2wpkh, the witness script for p2wsh; value is what the spent
    output holds, in satoshis. Raises InvalidInput if there is no such input.
    """
    txin = _input(tx, index)
    sequences = b"".join(uint_bytes(other.sequence, 4, "sequence of an input") for other in tx.inputs)
    return sha256d(
        b"".join(
            (
                uint_bytes(tx.version, 4, "version of a transaction"),
                sha256d(b"".join(other.outpoint for other in tx.inputs)),
                sha256d(sequences),
                txin.outpoint,
                varbytes(script_code),
                uint_bytes(value, 8, "value of the spent output"),
                uint_bytes(txin.sequence, 4, "sequence of an input"),
                sha256d(b"".join(output.serialize() for output in tx.outputs)),
                uint_bytes(tx.locktime, 4, "locktime of a transaction"),
                _HASH_TYPE,
            )
        )
    )


def sign_p2pkh(tx: Transaction, index: int, key: PrivateKey) -> TxIn:
    """Input index of tx, signed to spend a p2pkh output of key."""
    digest = legacy_sighash(tx, index, scripts.p2pkh(hash160(key.public_key)))
    return tx.inputs[index]._replace(script=scripts.push(_signature(key, digest)) + scripts.push(key.public_key))


def sign_p2sh_multisig(tx: Transaction, index: int, keys: Iterable[PrivateKey], redeem: bytes) -> TxIn:
    """Input index of tx, signed to spend a p2sh output of a multisig script.

    The first m keys in the script's order sign. Raises InvalidInput if keys holds fewer of them.
    """
    digest = legacy_sighash(tx, index, redeem)
    signatures = b"".join(scripts.push(_signature(key, digest)) for key in _signers(keys, redeem))
    return tx.inputs[index]._replace(script=b"\x00" + signatures + scripts.push(redeem))


def sign_p2sh_p2wpkh(tx: Transaction, index: int, key: PrivateKey, value: int) -> TxIn:
    """Input index of tx, signed to spend a p2sh output of value satoshis that wraps key's p2wpkh program."""
    key_hash = hash160(key.public_key)
    digest = bip143_sighash(tx, index, scripts.p2pkh(key_hash), value)
    return tx.inputs[index]._replace(
        script=scripts.push(scripts.p2wpkh(key_hash)), witness=(_signature(key, digest), key.public_key)
    )


def sign_p2sh_p2wsh(tx: Transaction, index: int, keys: Iterable[PrivateKey], witness_script: bytes, value: int) -> TxIn:
    """Input index of tx, signed to spend a p2sh output of value satoshis that wraps a multisig script's p2wsh program.

    The first m keys in the script's order sign. Raises InvalidInput if keys holds fewer of them.
    """
    digest = bip143_sighash(tx, index, witness_script, value)
    signatures = (_signature(key, digest) for key in _signers(keys, witness_script))
    return tx.inputs[index]._replace(
        script=scripts.push(scripts.p2wsh(sha256(witness_script))), witness=(b"", *signatures, witness_script)
    )


def _input(tx: Transaction, index: int) -> TxIn:
    if not 0 <= index < len(tx.inputs):
        raise InvalidInput("input to sign", index, f"0 to {len(tx.inputs) - 1}")
    return tx.inputs[index]


def _signature(key: PrivateKey, digest: bytes) -> bytes:
    return key.sign(digest) + bytes([SIGHASH_ALL])


def _signers(keys: Iterable[PrivateKey], multisig: bytes) -> list[PrivateKey]:
    if scripts.classify(multisig) is not scripts.ScriptType.MULTISIG:
        raise InvalidInput("multisig script", multisig.hex(), "a script that ends with OP_CHECKMULTISIG")
    m, *public_keys = scripts.tokens(multisig)
    owned = {key.public_key: key for key in keys}
    signers = [owned[public] for public in public_keys if isinstance(public, bytes) and public in owned]
    if not isinstance(m, int) or len(signers) < m:
        raise InvalidInput("keys of a multisig script", [key.hex() for key in owned], f"{m!r} of the script's keys")
    return signers[:m]
