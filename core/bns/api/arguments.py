"""What the interfaces accept as arguments (spec 06 section 3). Types are exact: True is no integer, nor is 1.0."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from bns.bitcoin.address import base58check_decode
from bns.errors import BnsError, InvalidInput
from bns.operations import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from bns.api.records import NodeView

MAX_ZONEFILE_BASE64 = 54_616
"""Characters that the base64 text of a zone file may have."""

_FIRST_BLOCK_EVER = 373601
_LAST_BLOCK_EVER = 10_000_000
_GREATEST_INTEGER = 2**31 - 1
_SUBDOMAIN_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_+")
_HEX = re.compile("[0-9a-fA-F]*")


class Failure(BnsError):
    """A call cannot be answered: the text that clients look at, and the status that stands for it in HTTP."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class Check(NamedTuple):
    """What an argument must be, and the text of the answer if it is not."""

    accepts: Callable[[NodeView, Any], bool]
    text: str


def is_name(value: object) -> bool:
    """Whether value is the text of a full name."""
    return isinstance(value, str) and names.is_name(value)


def is_subdomain(value: object) -> bool:
    """Whether value is the text of a subdomain, `label.name.namespace`."""
    if not isinstance(value, str):
        return False
    label, _, domain = value.partition(".")
    return bool(label) and _SUBDOMAIN_LABEL.issuperset(label) and names.is_name(domain)


def is_namespace(value: object) -> bool:
    """Whether value is the text of a namespace id."""
    return isinstance(value, str) and names.is_namespace_id(value)


def is_integer(value: object, least: int = 0, greatest: int = _GREATEST_INTEGER) -> bool:
    """Whether value is an integer between two others."""
    return type(value) is int and least <= value <= greatest


def is_block(node: NodeView, value: object) -> bool:
    """Whether value is the height of a block that can carry operations."""
    return is_integer(value, 1 if node.test_mode else _FIRST_BLOCK_EVER, _LAST_BLOCK_EVER)


def is_hex(value: object, digits: int) -> bool:
    """Whether value is the text of so many hex digits, of either case."""
    return isinstance(value, str) and len(value) == digits and _HEX.fullmatch(value) is not None


def is_address(value: object) -> bool:
    """Whether value is the text of a base58check address of any version."""
    if not isinstance(value, str) or not 26 <= len(value) <= 35:
        return False
    try:
        base58check_decode(value)
    except InvalidInput:
        return False
    return True


def zonefile_bytes(text: object) -> bytes | None:
    """The bytes that a base64 text of a zone file stands for, None if it is none or too long."""
    if not isinstance(text, str) or len(text) > MAX_ZONEFILE_BASE64 or len(text) % 4:
        return None
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None


def is_list(value: object, most: int | None = None) -> bool:
    """Whether value is a list, of so many elements at most."""
    return isinstance(value, list) and (most is None or len(value) <= most)


# Arguments of the RPC methods: their checks, in order.

Argument = tuple[Check, ...]


def name(text: str = "invalid name") -> Argument:
    """A full name."""
    return (Check(lambda _, value: is_name(value), text),)


def any_name(text: str = "Invalid name or subdomain") -> Argument:
    """A full name or a subdomain."""
    return (Check(lambda _, value: is_name(value) or is_subdomain(value), text),)


def namespace(text: str = "Invalid name or namespace") -> Argument:
    """A namespace id."""
    return (Check(lambda _, value: is_namespace(value), text),)


def address() -> Argument:
    """An address."""
    return (Check(lambda _, value: is_address(value), "Invalid address"),)


def integer(text: str, greatest: int = _GREATEST_INTEGER) -> Argument:
    """An integer from 0 on."""
    return (Check(lambda _, value: is_integer(value, 0, greatest), text),)


def block(text: str = "Invalid block height") -> Argument:
    """A height."""
    return (Check(is_block, text),)


def hex_digits(digits: int, text: str) -> Argument:
    """So many hex digits."""
    return (Check(lambda _, value: is_hex(value, digits), text),)


def string(text: str) -> Argument:
    """Any text."""
    return (Check(lambda _, value: isinstance(value, str), text),)


def several(most: int, element: Argument, *, no_list: str, too_many: str) -> Argument:
    """A list of at most so many elements that each pass the same checks."""
    return (
        Check(lambda _, value: is_list(value), no_list),
        Check(lambda _, value: is_list(value, most), too_many),
        *map(_for_all, element),
    )


def _for_all(check: Check) -> Check:
    return Check(lambda node, values: all(check.accepts(node, value) for value in values), check.text)


def zonefile() -> Argument:
    """The base64 text of a zone file."""
    text = "Invalid zone file payload (exceeds 40960 bytes and/or not base64-encoded)"
    return (Check(lambda _, value: zonefile_bytes(value) is not None, text),)
