"""Reads zone files as leniently, and as strangely, as everybody must (spec 04 section 2.3, pass E)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bns.zonefiles.text import FIELDS, Record, Zonefile
from bns.zonefiles.tokens import TYPES, ZonefileError, token_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTEGER = re.compile(rb"\s*([+-]?\s*[0-9]+)\s*")
_NEGATIVE = re.compile(rb"-[0-9]+|-[0-9]*\.[0-9]+")
_SETTINGS = frozenset({b"$ORIGIN", b"$TTL"})
_SELECTORS = TYPES | _SETTINGS
_LONGEST_INTEGER = 1000
_HUGE: int = 10**_LONGEST_INTEGER


class UnsupportedRecord(ZonefileError):
    """A line that reads as a record which nobody supports, such as PTR."""


def parse(data: bytes) -> Zonefile:
    """Read a zone file of any bytes; ZonefileError with the line and its problem if it is none.

    One bad line spoils the whole. The last $ORIGIN and $TTL count.
    """
    origin: str | None = None
    ttl: int | None = None
    records = []
    for tokens in token_lines(data):
        try:
            entry = _read(tokens)
        except _BadLine as error:
            line = b" ".join(tokens)[:100].decode("latin-1")
            raise error.kind(f"zone file line {line!r}: {error}") from None
        if isinstance(entry, Record):
            records.append(entry)
        elif isinstance(entry, str):
            origin = entry
        else:
            ttl = entry
    return Zonefile(origin, ttl, tuple(records))


def integer(token: bytes) -> int:
    """The integer that a text writes, perhaps with a sign and blanks; ValueError otherwise.

    One of more than 1,000 digits counts as 10**1000, with its sign: no rule looks that far.
    """
    match = _INTEGER.fullmatch(token)
    if match is None:
        raise ValueError(f"{token[:40]!r} is no integer")
    digits = b"".join(match[1].split())
    if len(digits) > _LONGEST_INTEGER:
        sign, figures = digits[:1], digits.lstrip(b"+-").lstrip(b"0")
        if len(figures) > _LONGEST_INTEGER:
            return -_HUGE if sign == b"-" else _HUGE
        digits = sign.strip(b"0123456789") + (figures or b"0")
    return int(digits)


class _BadLine(Exception):
    def __init__(self, problem: str, kind: type[ZonefileError] = ZonefileError) -> None:
        super().__init__(problem)
        self.kind = kind


def _read(tokens: Sequence[bytes]) -> Record | str | int:
    """A record, an origin or a TTL."""
    if not tokens:
        raise _BadLine("expected a record")
    if len(tokens) >= 2 and tokens[1] in _SELECTORS:
        selector, words = tokens[1], tokens
    elif len(tokens) >= 3 and tokens[2] in _SELECTORS:
        selector, words = tokens[2], tokens
        if selector == b"TXT":
            words = [tokens[0], b"--ttl", *tokens[1:]]
    else:
        selector, words = tokens[0], tokens[1:]
    if selector in _SETTINGS:
        (value,) = _exactly(_without_options(words), 1)
        return value.decode("latin-1") if selector == b"$ORIGIN" else _int(value)
    if selector not in TYPES:
        raise _BadLine("expected a record type of the supported ones, in capitals")
    if selector == b"TXT":
        return _txt(words)
    return _record(selector.decode(), _without_options(words))


def _record(type_: str, words: Sequence[bytes]) -> Record:
    fields = FIELDS[type_]
    if len(words) not in (len(fields) + 2, len(fields) + 3):
        raise _BadLine(f"expected {len(fields)} fields")
    ttl = _int(words[1]) if len(words) == len(fields) + 3 else None
    values = words[-len(fields) :]
    converted = [_int(v) if kind is int else v.decode("latin-1") for v, (_, kind) in zip(values, fields, strict=True)]
    if words[-len(fields) - 1] != type_.encode() or type_ == "PTR":
        raise _BadLine(f"{type_}: not supported here", UnsupportedRecord)
    return Record(type_, words[0].decode("latin-1"), tuple(converted), ttl)


def _txt(words: Sequence[bytes]) -> Record:
    """A TXT record: its TTL is an option, which may stand anywhere but between the strings."""
    groups: list[list[bytes]] = [[]]
    ttl: int | None = None
    options = iter(_arguments(words, ttl_allowed=True))
    for argument in options:
        if not argument.is_option:
            groups[-1].append(argument.text)
            continue
        value = argument.value
        if value is None:
            following = next(options, None)
            if following is None or following.is_option or following.text == _END:
                raise _BadLine("expected a TTL after --ttl")
            value = following.text
        ttl = _int(value)
        groups.append([])
    name, type_, strings = _positionals(groups)
    if type_ != b"TXT":
        raise _BadLine("TXT: not supported here", UnsupportedRecord)
    return Record("TXT", name.decode("latin-1"), tuple(string.decode("latin-1") for string in strings), ttl)


def _positionals(groups: list[list[bytes]]) -> tuple[bytes, bytes, list[bytes]]:
    """Name, type and strings from the words between options: the strings must all be in one group."""
    single: list[bytes] = []
    strings: list[bytes] = []
    for group in groups:
        while group and len(single) < 2:
            single.append(_first(group))
        if group and strings:
            raise _BadLine("expected all strings in one place")
        if group and _END in group:
            group.remove(_END)
        strings += group
    if len(single) < 2 or not strings:
        raise _BadLine("expected a name and a string")
    return single[0], single[1], strings


# Tokens are read like the arguments of a command: `-x` is an option, and `--` ends them.

_END = b"--"
_HELP_OPTIONS = (b"--help",)
_TXT_OPTIONS = (b"--help", b"--ttl")


class _Argument(NamedTuple):
    text: bytes
    is_option: bool = False
    value: bytes | None = None


def _arguments(words: Sequence[bytes], *, ttl_allowed: bool) -> list[_Argument]:
    """Words, and `--ttl` options where they are allowed; any other option is an error."""
    arguments: list[_Argument] = []
    options = _TXT_OPTIONS if ttl_allowed else _HELP_OPTIONS
    for position, word in enumerate(words):
        if word == _END:
            return arguments + [_Argument(rest) for rest in words[position:]]
        arguments.append(_argument(word, options))
    return arguments


def _argument(word: bytes, options: Sequence[bytes]) -> _Argument:
    if not word.startswith(b"-") or word == b"-":
        return _Argument(word)
    name, equals, value = word.partition(b"=")
    meant = [option for option in options if name.startswith(b"--") and option.startswith(name)]
    if meant == [b"--ttl"]:
        return _Argument(word, is_option=True, value=value if equals else None)
    if meant or word.startswith(b"-h") or (not _NEGATIVE.fullmatch(word) and b" " not in word):
        raise _BadLine(f"{word[:40].decode('latin-1')} reads as an option")
    return _Argument(word)


def _without_options(words: Sequence[bytes]) -> list[bytes]:
    """The words of a line without options; one `--` that ends them vanishes."""
    texts = [argument.text for argument in _arguments(words, ttl_allowed=False)]
    if _END in texts:
        texts.remove(_END)
        if _END in texts:
            raise _BadLine("expected at most one --")
    return texts


def _first(group: list[bytes]) -> bytes:
    """Take the first word, and a `--` at it."""
    word = group.pop(0)
    if word == _END:
        if not group:
            raise _BadLine("expected a word after --")
        return group.pop(0)
    if group and group[0] == _END:
        group.pop(0)
    return word


def _exactly(words: Sequence[bytes], count: int) -> Sequence[bytes]:
    if len(words) != count:
        raise _BadLine(f"expected {count} value")
    return words


def _int(token: bytes) -> int:
    try:
        return integer(token)
    except ValueError as error:
        raise _BadLine(str(error)) from None
