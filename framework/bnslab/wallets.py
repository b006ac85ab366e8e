"""Named wallets of every kind that can own a name, the coins they hold, and the faucet that fills them.

Keys come from the name of the wallet alone, so that alice has the same addresses in every scenario. Transactions are
signed as Spec 01 section 17.3 says; signatures are deterministic.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bns.bitcoin.address import address_of_script
from bns.bitcoin.hashes import hash160, sha256
from bns.bitcoin.keys import PrivateKey
from bns.bitcoin.network import TESTNET, Network
from bns.bitcoin.script import multisig, p2pkh, p2sh, p2wpkh, p2wsh
from bns.bitcoin.signing import sign_p2pkh, sign_p2sh_multisig, sign_p2sh_p2wpkh, sign_p2sh_p2wsh
from bns.bitcoin.transaction import Transaction, TxIn, TxOut
from bns.errors import InvalidInput
from bnslab.chain.base import Coin
from bnslab.chain.factory import BaseChain, faucet_key
from bnslab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TRANSACTION_VERSION = 1
"""What the old clients wrote."""

FAUCET_FEE = 10_000
"""Satoshis."""

MOST_KEYS = 15
"""Of a multisig wallet: a redeem script has 520 bytes at most."""


class WalletKind(StrEnum):
    """How the outputs of a wallet are locked."""

    P2PKH = "p2pkh"
    P2SH_MULTISIG = "p2sh-multisig"
    P2SH_P2WPKH = "p2sh-p2wpkh"
    P2SH_P2WSH = "p2sh-p2wsh"

    @property
    def multisig(self) -> bool:
        """Whether it takes m of n keys."""
        return self in (WalletKind.P2SH_MULTISIG, WalletKind.P2SH_P2WSH)


class WalletKinds(NamedTuple):
    """Which kind of wallet a scenario gets: the one it writes, or its segwit form.

    With segwit, a wallet of no stated kind becomes p2sh-p2wpkh and p2sh-multisig becomes p2sh-p2wsh. A wallet that is
    asked to be p2pkh stays so, and so do those in p2pkh (names), which must show their keys, as importers must.
    """

    segwit: bool = False
    p2pkh: frozenset[str] = frozenset()

    def of(self, name: str, kind: str | None) -> str | None:
        """The kind of the wallet of a name for which a scenario asks for a kind, or for none."""
        if not self.segwit or name in self.p2pkh:
            return kind
        if kind is None:
            return WalletKind.P2SH_P2WPKH
        return WalletKind.P2SH_P2WSH if kind == WalletKind.P2SH_MULTISIG else kind


AS_WRITTEN = WalletKinds()
"""No wallet is changed."""


class UnknownWallet(LabError):
    """No wallet has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no wallet is called {name!r}; known: {', '.join(sorted(known)) or 'none'}")
        self.name = name


class DuplicateWallet(LabError):
    """A wallet of this name exists already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a wallet is already called {name!r}")
        self.name = name


class InsufficientFunds(LabError):
    """A wallet holds fewer satoshis than it was asked for."""

    def __init__(self, wallet: str, needed: int, available: int) -> None:
        super().__init__(f"wallet {wallet!r} needs {needed} satoshis and has {available}")
        self.wallet = wallet
        self.needed = needed
        self.available = available


class NothingToSign(LabError):
    """A wallet was asked to sign a transaction that spends none of its coins."""

    def __init__(self, wallet: str) -> None:
        super().__init__(f"no input of the transaction spends a coin of wallet {wallet!r}")
        self.wallet = wallet


class _Change(NamedTuple):
    """What one transaction did to the ledger."""

    height: int
    spent: tuple[Coin, ...]
    made: tuple[Coin, ...]


class Ledger:
    """The unspent outputs of every watched script, kept as transactions go into blocks."""

    def __init__(self) -> None:
        self._coins: dict[bytes, dict[tuple[bytes, int], Coin]] = {}
        self._scripts: dict[tuple[bytes, int], bytes] = {}
        self._journal: list[_Change] = []

    def watch(self, script: bytes) -> None:
        """Follow a script from here on; what it received before is not found."""
        self._coins.setdefault(script, {})

    def coins(self, script: bytes) -> tuple[Coin, ...]:
        """Return the unspent outputs of a watched script, in no particular order."""
        return tuple(self._coins[script].values())

    def add(self, coin: Coin) -> None:
        """Add an output that was there before the first transaction; no roll-back removes it."""
        self.watch(coin.output.script)
        self._insert(coin)

    def apply(self, transaction: Transaction, height: int) -> None:
        """Record a transaction that goes into the block of a height, in the order of the blocks."""
        spent = tuple(self._remove(source.txid, source.index) for source in transaction.inputs if self._knows(source))
        made = tuple(
            Coin(transaction.txid_bytes, index, output)
            for index, output in enumerate(transaction.outputs)
            if output.script in self._coins
        )
        for coin in made:
            self._insert(coin)
        self._journal.append(_Change(height, spent, made))

    def rollback(self, height: int) -> None:
        """Undo every transaction above a height."""
        while self._journal and self._journal[-1].height > height:
            change = self._journal.pop()
            for coin in change.made:
                self._remove(coin.txid, coin.index)
            for coin in change.spent:
                self._insert(coin)

    def _knows(self, source: TxIn) -> bool:
        return (source.txid, source.index) in self._scripts

    def _insert(self, coin: Coin) -> None:
        self._scripts[coin.txid, coin.index] = coin.output.script
        self._coins[coin.output.script][coin.txid, coin.index] = coin

    def _remove(self, txid: bytes, index: int) -> Coin:
        return self._coins[self._scripts.pop((txid, index))].pop((txid, index))


class Wallet:
    """Keys, the script that they unlock, and the coins on it. Made by Wallets.create()."""

    def __init__(
        self,
        name: str,
        keys: Sequence[PrivateKey],
        ledger: Ledger,
        *,
        kind: WalletKind = WalletKind.P2PKH,
        required: int = 1,
        network: Network = TESTNET,
    ) -> None:
        self.name = name
        self.kind = kind
        self.keys = tuple(keys)
        self.required = required
        self.network = network
        self.public_keys = tuple(key.public_key for key in self.keys)
        self.inner_script = _inner_script(kind, required, self.public_keys)
        self.script = _output_script(kind, self.inner_script)
        self._ledger = ledger
        self._children: dict[int, Wallet] = {}
        ledger.watch(self.script)

    def __repr__(self) -> str:
        return f"<Wallet {self.name} {self.kind} {self.address}>"

    @property
    def address(self) -> str:
        """The address as the network writes it."""
        address = address_of_script(self.script, self.network)
        assert address is not None, "every kind of wallet has an address"
        return address

    @property
    def coins(self) -> tuple[Coin, ...]:
        """The coins it can spend, largest first."""
        return tuple(sorted(self._ledger.coins(self.script), key=_largest_first))

    @property
    def balance(self) -> int:
        """The satoshis it can spend."""
        return sum(coin.output.value for coin in self._ledger.coins(self.script))

    def output(self, value: int) -> TxOut:
        """Return an output that pays it so many satoshis."""
        return TxOut(value, self.script)

    def select(self, amount: int) -> tuple[Coin, ...]:
        """Choose coins worth at least so many satoshis, none of them idle; InsufficientFunds when there are too few.

        The smallest coin that is enough by itself, else the largest coins. At least one coin is chosen, because an
        operation is known by its first input.
        """
        if amount < 0:
            raise InvalidInput("amount", amount, "0 satoshis or more")
        coins = self.coins
        enough = [coin for coin in coins if coin.output.value >= amount]
        if enough:
            return (enough[-1],)
        return _take(self.name, coins, amount)

    def sign(self, transaction: Transaction, spent: Sequence[TxOut]) -> Transaction:
        """Return the transaction with those inputs signed that spend this wallet's script.

        spent holds the output that each input spends, in order. Wallets sign in any order; NothingToSign when no
        input is this one's. Spec 01 section 17.3.
        """
        if len(spent) != len(transaction.inputs):
            raise InvalidInput("spent outputs", len(spent), f"{len(transaction.inputs)}, one for each input")
        inputs = list(transaction.inputs)
        mine = [index for index, output in enumerate(spent) if output.script == self.script]
        if not mine:
            raise NothingToSign(self.name)
        for index in mine:
            inputs[index] = self._signed(transaction, index, spent[index].value)
        return replace(transaction, inputs=tuple(inputs))

    def child(self, index: int) -> Wallet:
        """Return the p2pkh wallet of a child key, as the import of names uses them (Spec 02 section 7.4)."""
        if self.kind is not WalletKind.P2PKH:
            raise InvalidInput(f"kind of wallet {self.name!r}", str(self.kind), "p2pkh, which alone has children")
        if index not in self._children:
            key = self.keys[0].child(index)
            self._children[index] = Wallet(f"{self.name}/{index}", (key,), self._ledger, network=self.network)
        return self._children[index]

    def _signed(self, transaction: Transaction, index: int, value: int) -> TxIn:
        match self.kind:
            case WalletKind.P2PKH:
                return sign_p2pkh(transaction, index, self.keys[0])
            case WalletKind.P2SH_MULTISIG:
                return sign_p2sh_multisig(transaction, index, self.keys, self.inner_script)
            case WalletKind.P2SH_P2WPKH:
                return sign_p2sh_p2wpkh(transaction, index, self.keys[0], value)
            case WalletKind.P2SH_P2WSH:
                return sign_p2sh_p2wsh(transaction, index, self.keys, self.inner_script, value)


class Wallets:
    """The wallets of one scenario, by name."""

    def __init__(self, ledger: Ledger, network: Network = TESTNET) -> None:
        self.ledger = ledger
        self.network = network
        self._wallets: dict[str, Wallet] = {}

    def create(
        self, name: str, kind: WalletKind | str = WalletKind.P2PKH, *, required: int = 1, total: int = 1
    ) -> Wallet:
        """Make a wallet; required of total keys must sign, which is 1 of 1 unless the kind is multisig.

        InvalidInput for a kind that does not exist or numbers that do not fit it; DuplicateWallet for a name that is
        taken.
        """
        if name in self._wallets:
            raise DuplicateWallet(name)
        try:
            kind = WalletKind(kind)
        except ValueError:
            raise InvalidInput(f"kind of wallet {name!r}", kind, f"one of {', '.join(WalletKind)}") from None
        most = MOST_KEYS if kind.multisig else 1
        if not 1 <= total <= most:
            raise InvalidInput(f"number of keys of {kind} wallet {name!r}", total, f"1 to {most}")
        if not 1 <= required <= total:
            raise InvalidInput(f"signatures required by wallet {name!r}", required, f"1 to {total}")
        keys = [wallet_key(name, index) for index in range(total)]
        wallet = Wallet(name, keys, self.ledger, kind=kind, required=required, network=self.network)
        self._wallets[name] = wallet
        return wallet

    def __getitem__(self, name: str) -> Wallet:
        """Return a wallet; UnknownWallet names it and the known ones."""
        try:
            return self._wallets[name]
        except KeyError:
            raise UnknownWallet(name, self._wallets) from None

    def __contains__(self, name: object) -> bool:
        return name in self._wallets

    def __iter__(self) -> Iterator[Wallet]:
        return iter(self._wallets.values())

    def __len__(self) -> int:
        return len(self._wallets)


class Faucet:
    """Pays out the coinbases of the base chain.

    Its first payment spends coinbases; each later one spends the change of the one before, and more coinbases as
    needed. So every transaction that a faucet makes possible descends from its first, and a node that drops the block
    of the first has no use for any of the others.
    """

    def __init__(self, base: BaseChain, ledger: Ledger) -> None:
        self.wallet = Wallet("faucet", (faucet_key(),), ledger)
        for coin in base.coins:
            ledger.add(coin)

    def pay(self, outputs: Sequence[TxOut], height: int) -> Transaction:
        """Return a signed transaction for the block of a height: the outputs, then the change, which is never nothing.

        InsufficientFunds when the coinbases that are ripe at that height are too few.
        """
        needed = sum(output.value for output in outputs) + FAUCET_FEE
        ripe = [coin for coin in self.wallet.coins if coin.spendable_from <= height]
        ripe.sort(key=lambda coin: coin.spendable_from)
        coins = _take(self.wallet.name, ripe, needed + 1)
        spent = [coin.output for coin in coins]
        change = self.wallet.output(sum(output.value for output in spent) - needed)
        transaction = Transaction(TRANSACTION_VERSION, tuple(coin.input for coin in coins), (*outputs, change), 0)
        return self.wallet.sign(transaction, spent)


@lru_cache(maxsize=4096)
def wallet_key(name: str, index: int) -> PrivateKey:
    """Return a private key of a wallet: the SHA-256 of a label that holds its name and the index of the key."""
    return PrivateKey.from_label(f"bnslab/wallet/{name}/{index}")


def _inner_script(kind: WalletKind, required: int, public_keys: Sequence[bytes]) -> bytes:
    match kind:
        case WalletKind.P2SH_MULTISIG | WalletKind.P2SH_P2WSH:
            return multisig(required, public_keys)
        case WalletKind.P2SH_P2WPKH:
            return p2wpkh(hash160(public_keys[0]))
        case WalletKind.P2PKH:
            return p2pkh(hash160(public_keys[0]))


def _output_script(kind: WalletKind, inner: bytes) -> bytes:
    match kind:
        case WalletKind.P2PKH:
            return inner
        case WalletKind.P2SH_P2WSH:
            return p2sh(hash160(p2wsh(sha256(inner))))
        case WalletKind.P2SH_MULTISIG | WalletKind.P2SH_P2WPKH:
            return p2sh(hash160(inner))


def _largest_first(coin: Coin) -> tuple[int, bytes, int]:
    return -coin.output.value, coin.txid, coin.index


def _take(wallet: str, coins: Iterable[Coin], amount: int) -> tuple[Coin, ...]:
    """Take coins in the order given until they are worth the amount."""
    taken, value = [], 0
    for coin in coins:
        taken.append(coin)
        value += coin.output.value
        if value >= amount:
            return tuple(taken)
    raise InsufficientFunds(wallet, amount, value)
