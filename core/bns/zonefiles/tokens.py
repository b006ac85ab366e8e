"""From the text of a zone file to lines of tokens: the passes before records are read (spec 04 section 2.3).

Each pass writes text that the next one reads again. That is how backslashes, blanks and parentheses get lost, which
everybody who reads a zone file must do alike; so the passes stay apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bns.errors import BnsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TYPES = frozenset({b"SOA", b"NS", b"A", b"AAAA", b"CNAME", b"ALIAS", b"MX", b"PTR", b"TXT", b"SRV", b"SPF", b"URI"})
"""Record types that a line can have."""

_CLASSES = (b"IN", b"CS", b"CH", b"HS")
_SPECIAL = re.compile(rb'[\\";]')
_PIECE = re.compile(rb'[^\s\\";]+|\s|[\\";]')


class ZonefileError(BnsError):
    """A text is no zone file."""


def token_lines(data: bytes) -> list[list[bytes]]:
    """The tokens of each logical line of a zone file, classes removed and names filled in.

    Raises ZonefileError for a word that stands for a class but is not in capitals. An empty text has one empty line.
    """
    text = _without_comments(data)
    text = _flat(text)
    text = b"\n".join(_serialize(_without_class(tokenize(line))) for line in text.split(b"\n"))
    text = b"\n".join(_serialize(tokens) for tokens in _named(text))
    return [tokenize(line) for line in text.split(b"\n")]


def tokenize(line: bytes) -> list[bytes]:
    """Split a line at blanks outside quotes, up to a comment. Backslashes vanish, escaping what follows."""
    if not _SPECIAL.search(line):
        return line.split()
    tokens: list[bytes] = []
    token = bytearray()
    escaped = quoted = False
    for match in _PIECE.finditer(line):
        piece = match[0]
        if piece.isspace() and not quoted and not escaped:
            if token:
                tokens.append(bytes(token))
                token.clear()
        elif piece == b"\\":
            escaped = True
        elif piece == b'"' and not escaped:
            if quoted:
                tokens.append(bytes(token))
                token.clear()
            quoted = not quoted
        elif piece == b";" and not escaped:
            tokens.append(bytes(token))
            return tokens
        else:
            token += piece
            escaped = escaped and quoted and piece.isspace()
    if token.strip(b" ").strip(b"\n"):
        tokens.append(bytes(token))
    return tokens


def _serialize(tokens: Sequence[bytes]) -> bytes:
    words = (b'"' + token + b'"' if b" " in token else token for token in tokens)
    return b" ".join(words).replace(b";", b"\\;")


def _without_comments(text: bytes) -> bytes:
    return b"\n".join(_serialize(tokenize(line)) for line in text.split(b"\n") if line)


def _flat(text: bytes) -> bytes:
    """Join the lines between parentheses; a parenthesis that is not closed swallows the rest."""
    flattened: list[bytes] = []
    captured: list[bytes] = []
    capturing = False
    for line in text.split(b"\n"):
        if not line:
            continue
        for word in line.replace(b"\t", b" ").split(b" "):
            if not word:
                continue
            if word.startswith(b"("):
                word = word.lstrip(b"(")
                capturing = True
            if capturing and word.endswith(b")"):
                word = word.rstrip(b")")
                capturing = False
            captured.append(word)
        if capturing:
            captured.append(b"")  # the line's end counts as a word
        elif captured:
            flattened.append(b" ".join(captured))
            captured = []
    return b"\n".join(flattened)


def _without_class(tokens: list[bytes]) -> list[bytes]:
    capitals = {token.upper() for token in tokens}
    for name in _CLASSES:
        if name in capitals:
            if name not in tokens:
                raise ZonefileError(f"class {name.decode()}: expected it in capitals")
            tokens.remove(name)
            break
    return tokens


def _named(text: bytes) -> Iterator[list[bytes]]:
    """The lines that have tokens, each beginning with a name."""
    for line in text.split(b"\n"):
        tokens = tokenize(line)
        if tokens:
            yield [b"@", *tokens] if tokens[0] in TYPES else tokens
