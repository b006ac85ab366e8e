"""What the values of a script mean, as far as no chain is needed to know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bns.bitcoin.address import script_of_address
from bns.bitcoin.network import TESTNET
from bns.errors import InvalidInput, Reason
from bns.operations.names import is_name, is_namespace_id
from bns.subdomains.records import is_subdomain
from bnslab.script.errors import Unreadable, did_you_mean
from bnslab.wallets import WalletKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ALWAYS_THERE = ("alice", "bob", "carol", "dave")
THINGS = ("names", "preorders", "namespaces")
OPCODES = (
    "NAME_PREORDER", "NAME_REGISTRATION", "NAME_RENEWAL", "NAME_UPDATE", "NAME_TRANSFER", "NAME_REVOKE", "NAME_IMPORT",
    "NAMESPACE_PREORDER", "NAMESPACE_REVEAL", "NAMESPACE_READY", "ANNOUNCE",
)  # fmt: skip


class Height(NamedTuple):
    """A height: a number, a saved word or `height`; or what is of a name; and an offset."""

    base: int | str
    of: str | None = None
    offset: int = 0


class Saved(NamedTuple):
    """What a word stands for, which only the run knows."""

    word: str


class SavedHash(NamedTuple):
    """The hash of the zone file that a word stands for."""

    word: str


class Price(NamedTuple):
    """The right fee and so many satoshis more."""

    more: int


class Output(NamedTuple):
    """An output of a raw payload: its satoshis, and a wallet, an address, or a script (bytes)."""

    satoshis: int
    target: str | bytes


@dataclass
class Scope:
    """What a script has named so far."""

    wallets: set[str] = field(default_factory=lambda: set(ALWAYS_THERE))
    saved: dict[str, str] = field(default_factory=dict)
    """What kind of thing each word stands for: height, consensus hash, zone file or subdomain."""

    def words(self, kind: str) -> list[str]:
        """The words that stand for a kind of thing."""
        return [word for word, saved in self.saved.items() if saved == kind]


def read(kind: str, text: str, scope: Scope) -> object:
    """The value of a terminal; Unreadable says what it should have been."""
    return _READERS[kind](text, scope)


def _name(text: str, _scope: Scope) -> str:
    if not is_name(text):
        raise Unreadable("a name like foo.test: label.namespace in the characters 0-9 a-z - _, at most 37")
    return text


def _namespace(text: str, _scope: Scope) -> str:
    if not is_namespace_id(text):
        raise Unreadable("a namespace id: 1 to 19 of the characters 0-9 a-z - _")
    return text


def _case(text: str, _scope: Scope) -> str:
    if not re.fullmatch(r"[\w.+-]+", text):
        raise Unreadable("a name for the scenario in letters, digits and _ . + -")
    return text


def _word(text: str, _scope: Scope) -> str:
    if not re.fullmatch(r"[a-z_][\w-]*", text) or text in ("height", "none"):
        raise Unreadable("a word that starts with a letter, neither height nor none")
    return text


def _wallet(text: str, scope: Scope) -> str:
    """The name of a wallet, or wallet/0 for a key below that of a wallet."""
    parent, slash, child = text.partition("/")
    if parent not in scope.wallets:
        raise Unreadable("a wallet: alice, bob, carol, dave or one that `wallet` has made", _hint(text, scope.wallets))
    if slash and not child.isdecimal():
        raise Unreadable(f"the number of a key of {parent}, as in {parent}/0")
    return text


def _new_wallets(text: str, _scope: Scope) -> tuple[str, ...]:
    names = tuple(text.split(", "))
    for name in names:
        if not re.fullmatch(r"\w[\w-]*", name):
            raise Unreadable("names of wallets in letters, digits, _ and -, with commas between")
    return names


def _payee(text: str, scope: Scope) -> str:
    try:
        script_of_address(text, TESTNET)
        return text
    except InvalidInput:
        return _wallet(text, scope)


def _number(text: str, _scope: Scope) -> int:
    if not re.fullmatch(r"\d+", text):
        raise Unreadable("a whole number from 0 on")
    return int(text)


def _numbers(text: str, scope: Scope) -> tuple[int, ...]:
    return tuple(_number(each, scope) for each in text.split(", "))


def _fractions(text: str, _scope: Scope) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in text.split(", "))
    except ValueError:
        raise Unreadable("numbers like 0.1, with commas between") from None


def _hex(text: str, size: int) -> str | None:
    """So many bytes as hex, from the digits themselves or a byte and how often, as 11*20."""
    short = re.fullmatch(r"([0-9a-f]{2})\*(\d+)", text)
    digits = short[1] * min(int(short[2]), size + 1) if short else text
    return digits if re.fullmatch(f"[0-9a-f]{{{2 * size}}}", digits) else None


def _hash(text: str, scope: Scope) -> str | SavedHash:
    found = _hex(text, 20)
    if found is None and text not in scope.words("zone file"):
        expected = "40 hex digits, a byte and how often, as 11*20, or a saved zone file"
        raise Unreadable(expected, _hint(text, scope.words("zone file")))
    return found or SavedHash(text)


def _consensus(text: str, scope: Scope) -> str | Saved | None:
    found, known = _hex(text, 16), scope.words("consensus hash")
    if found is None and text != "none" and text not in known:
        raise Unreadable("32 hex digits, a word it was saved as, or none", _hint(text, known))
    return None if text == "none" else found or Saved(text)


def _subdomain(text: str, _scope: Scope) -> str:
    if not is_subdomain(text):
        raise Unreadable("a subdomain like bar.foo.test in lower case")
    return text


def _draft(text: str, scope: Scope) -> Saved:
    if text not in scope.words("subdomain"):
        raise Unreadable("a word that a subdomain was saved as", _hint(text, scope.words("subdomain")))
    return Saved(text)


def _drafts(text: str, scope: Scope) -> tuple[Saved, ...]:
    return tuple(_draft(each, scope) for each in text.split(", "))


def _zonefiles(text: str, scope: Scope) -> tuple[Saved, ...]:
    for each in text.split(", "):
        if each not in scope.words("zone file"):
            raise Unreadable("words that zone files were saved as", _hint(each, scope.words("zone file")))
    return tuple(Saved(each) for each in text.split(", "))


def _data(text: str, _scope: Scope) -> bytes:
    if not re.fullmatch(r"([0-9a-f]{2})+", text):
        raise Unreadable("hex digits, two for each byte")
    return bytes.fromhex(text)


def _height(text: str, scope: Scope) -> Height:
    found = re.fullmatch(r"(?:(expiry|deadline) of )?(\S+?)(?: ?([+-]) ?(\d+))?", text)
    assert found is not None, "the lexer takes nothing else"
    offset = int(f"{found[3]}{found[4]}") if found[3] else 0
    if found[1]:
        return Height(found[1], _name(found[2], scope), offset)
    if found[2].isdecimal():
        return Height(int(found[2]), None, offset)
    if found[2] != "height" and found[2] not in scope.words("height"):
        expected = "a number, height, a word it was saved as, `expiry of foo.test` or `deadline of foo.test`"
        raise Unreadable(expected, _hint(found[2], ["height", *scope.words("height")]))
    return Height(found[2], None, offset)


def _fee(text: str, _scope: Scope) -> int | Price:
    found = re.fullmatch(r"price(?: ?([+-]) ?(\d+))?", text)
    if found:
        return Price(int(f"{found[1]}{found[2]}") if found[1] else 0)
    if not text.isdecimal():
        raise Unreadable("satoshis, price, or price with something more or less, as price - 1", _hint(text, ["price"]))
    return int(text)


def _signers(text: str, _scope: Scope) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+) of (\d+)", text)
    if not found:
        raise Unreadable("two numbers, as 2 of 3")
    return int(found[1]), int(found[2])


def _outputs(text: str, scope: Scope) -> tuple[Output | None, ...]:
    return tuple(None if each == "change" else _output(each, scope) for each in text.split(", "))


def _output(text: str, scope: Scope) -> Output:
    satoshis, _, target = text.partition(" to ")
    if not satoshis.isdecimal():
        raise Unreadable("`change` or satoshis, as 5500 to bob")
    if re.fullmatch(r"([0-9a-f]{2})+", target) and target not in scope.wallets:
        return Output(int(satoshis), bytes.fromhex(target))
    return Output(int(satoshis), _payee(target, scope))


def _setting(text: str, _scope: Scope) -> str:
    if not re.fullmatch(r"BLOCKSTACK_\w+", text):
        raise Unreadable("a setting of the reference, such as BLOCKSTACK_TEST_NAME_PREORDER_EXPIRE")
    return text


def _one_of(what: str, known: Iterable[str]) -> Callable[[str, Scope], str]:
    names = tuple(known)

    def reader(text: str, _scope: Scope) -> str:
        if text not in names:
            raise Unreadable(f"{what}: {', '.join(names)}" if len(names) < 12 else what, _hint(text, names))
        return text

    return reader


def _hint(text: str, known: Iterable[str]) -> str:
    return did_you_mean(text, known)


_reason = _one_of("a reason of docs/reference/reasons.md", Reason.__members__)
_outcome = _one_of("accepted or a reason of docs/reference/reasons.md", ["accepted", *Reason.__members__])

_READERS: dict[str, Callable[[str, Scope], object]] = {
    "CASE": _case,
    "NAME": _name,
    "NAMESPACE": _namespace,
    "WALLET": _wallet,
    "WALLETS": _new_wallets,
    "PAYEE": _payee,
    "NUMBER": _number,
    "NUMBERS": _numbers,
    "FRACTIONS": _fractions,
    "COUNT": _number,
    "HASH": _hash,
    "CONSENSUS": _consensus,
    "DATA": _data,
    "WORD": _word,
    "KIND": _one_of("a kind of wallet", WalletKind),
    "REASON": lambda text, scope: Reason[_reason(text, scope)],
    "OUTCOME": lambda text, scope: None if _outcome(text, scope) == "accepted" else Reason[text],
    "OPCODE": _one_of("an operation", OPCODES),
    "THINGS": _one_of("what is counted", THINGS),
    "SETTING": _setting,
    "SUBDOMAIN": _subdomain,
    "DRAFT": _draft,
    "DRAFTS": _drafts,
    "ZONEFILES": _zonefiles,
    "URI": lambda text, _scope: text,
    "ANY": lambda text, _scope: text,
    "HEIGHT": _height,
    "FEE": _fee,
    "SIGNERS": _signers,
    "OUTPUTS": _outputs,
}
