"""Who acts on a random chain: wallets of all kinds, and owners that no wallet offers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import coincurve

from bns.bitcoin.address import address_of_script
from bns.bitcoin.hashes import hash160, sha256
from bns.bitcoin.script import p2pkh, p2wsh, push
from bns.bitcoin.signing import SIGHASH_ALL, legacy_sighash
from bnslab.wallets import Ledger, Wallet, WalletKind, wallet_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bns.bitcoin.transaction import Transaction, TxIn

KEYS = range(6)
"""Numbers of the actors with one compressed key."""
UNCOMPRESSED = 6
SCRIPTS = range(7, 11)
"""Numbers of the actors behind a script hash."""
WITNESS = 11
"""An actor who can own a name, but never send."""
NOBODY = 12
"""An actor without address."""

_OP_TRUE = b"\x51"


class UncompressedKey(Wallet):
    """A key that is shown in its long form."""

    def __init__(self, name: str, ledger: Ledger) -> None:
        super().__init__(name, [wallet_key(name, 0)], ledger)
        self.script = p2pkh(hash160(self._public_key))
        ledger.watch(self.script)

    @cached_property
    def _public_key(self) -> bytes:
        return coincurve.PublicKey(self.keys[0].public_key).format(compressed=False)

    def _signed(self, transaction: Transaction, index: int, value: int) -> TxIn:
        signature = self.keys[0].sign(legacy_sighash(transaction, index, self.script)) + bytes([SIGHASH_ALL])
        return transaction.inputs[index]._replace(script=push(signature) + push(self._public_key))


class Anyone(Wallet):
    """An output that everybody can spend: of a bare script, or of a native witness program."""

    def __init__(self, name: str, ledger: Ledger, script: bytes, witness: Sequence[bytes] = ()) -> None:
        super().__init__(name, [wallet_key(name, 0)], ledger)
        self.script = script
        self._witness = tuple(witness)
        ledger.watch(script)

    @property
    def address(self) -> str:
        """The address, empty where the script has none."""
        return address_of_script(self.script, self.network) or ""

    def _signed(self, transaction: Transaction, index: int, value: int) -> TxIn:
        return transaction.inputs[index]._replace(witness=self._witness)


class Actors:
    """All actors of a chain, by number; several multisig forms, so that any two differ in script and address."""

    def __init__(self, ledger: Ledger) -> None:
        def keyed(name: str, kind: WalletKind, required: int = 1, total: int = 1) -> Wallet:
            keys = [wallet_key(name, index) for index in range(total)]
            return Wallet(name, keys, ledger, kind=kind, required=required)

        self._actors: list[Wallet] = [keyed(f"key{number}", WalletKind.P2PKH) for number in KEYS]
        self._actors += [
            UncompressedKey("long", ledger),
            keyed("multisig", WalletKind.P2SH_MULTISIG, 2, 3),
            keyed("multisig1", WalletKind.P2SH_MULTISIG, 1, 1),
            keyed("wrapped", WalletKind.P2SH_P2WPKH),
            keyed("wrapped-multisig", WalletKind.P2SH_P2WSH, 2, 2),
            Anyone("witness", ledger, p2wsh(sha256(_OP_TRUE)), (_OP_TRUE,)),
            Anyone("nobody", ledger, _OP_TRUE),
        ]
        self._ledger = ledger

    def __len__(self) -> int:
        return len(self._actors)

    def __iter__(self) -> Iterator[Wallet]:
        return iter(self._actors)

    def __getitem__(self, number: int) -> Wallet:
        return self._actors[number]

    def child(self, number: int, index: int) -> Wallet:
        """The actor of a key below the first key of another actor."""
        parent = self._actors[number]
        return Wallet(f"{parent.name}/{index}", (parent.keys[0].child(index),), self._ledger)

    def of_script(self, script: str) -> int | None:
        """The number of the actor with a script (hex)."""
        return next((number for number, actor in enumerate(self._actors) if actor.script.hex() == script), None)
