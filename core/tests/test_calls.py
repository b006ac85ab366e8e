"""Every RPC method with whatever arguments: the reply is well-formed, and nothing fails inside.

`./lab bench requests` makes twenty times as many calls.
"""

from __future__ import annotations

import json
import xmlrpc.client
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bns.api.methods import METHODS
from bns.api.rpc import answer
from bns.api.schemas import Crashed, Failed
from tests.api_nodes import OWNER, SUBDOMAIN, SUBDOMAIN_DID, make_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy

CHECKED = settings(deadline=None, database=None)

XML_TEXT = some.text(some.characters(exclude_categories=("Cs", "Cc")), max_size=60)
INTEGERS = some.one_of(
    some.integers(-(2**31), 2**31 - 1), some.sampled_from([0, 1, 10, 20, 100, 101, 690, 695, 696, 2**31 - 1])
)
HEX = some.sampled_from([20, 16, 32]).flatmap(lambda size: some.binary(min_size=size, max_size=size)).map(bytes.hex)
KNOWN = some.sampled_from(
    [
        "foo1.test",
        "foo2.test",
        "nosuch.test",
        SUBDOMAIN,
        "no.foo1.test",
        "test",
        OWNER,
        SUBDOMAIN_DID,
        "AAAA",
        "localhost:1",
    ]
)
SCALARS: SearchStrategy[Any] = some.one_of(
    some.none(),
    some.booleans(),
    some.floats(allow_nan=False, allow_infinity=False),
    some.binary(max_size=30).map(xmlrpc.client.Binary),
    some.datetimes().map(xmlrpc.client.DateTime),
    INTEGERS,
    XML_TEXT,
    HEX,
    KNOWN,
)
VALUES = some.recursive(
    SCALARS,
    lambda inner: some.one_of(some.lists(inner, max_size=5), some.dictionaries(XML_TEXT, inner, max_size=5)),
    max_leaves=8,
)
LIKELY = some.one_of(KNOWN, INTEGERS, HEX, some.lists(some.one_of(HEX, INTEGERS, KNOWN), max_size=4))


def reply_to(request: bytes) -> Any:
    """The JSON of a reply, or the fault."""
    xml = answer(make_node(), request)
    try:
        ((text,), _) = xmlrpc.client.loads(xml)
    except xmlrpc.client.Fault as fault:
        return fault
    assert isinstance(text, str)
    assert text.isascii()
    return json.loads(text)


def ask(name: str, arguments: Sequence[Any]) -> None:
    """A reply is an error that says why, or has one of the shapes of its method; text that is not ASCII is a fault."""
    request = xmlrpc.client.dumps(tuple(arguments), name, allow_none=True)
    reply = reply_to(request.encode())
    if isinstance(reply, xmlrpc.client.Fault):
        assert not request.isascii(), reply
    else:
        check(name, reply)


def check(name: str, reply: Any) -> None:
    """An error that says why, or one of the shapes of its method."""
    if isinstance(reply, dict) and "error" not in reply:
        problems = []
        for shape in METHODS[name].shapes:
            try:
                msgspec.convert(reply, shape)
                return
            except msgspec.ValidationError as problem:
                problems.append(problem)
        raise AssertionError(f"{name}: {reply}: {problems}")
    if "traceback" in reply:
        assert msgspec.convert(reply, Crashed).error.startswith("TypeError: rpc_")
    else:
        assert msgspec.convert(reply, Failed).http_status >= 400


@pytest.mark.parametrize("name", METHODS)
def test_likely_arguments(name: str) -> None:
    count = len(METHODS[name].arguments)

    @CHECKED
    @given(some.tuples(*[some.one_of(LIKELY, VALUES)] * count))
    def call(arguments: tuple[Any, ...]) -> None:
        ask(name, arguments)

    call()


@pytest.mark.parametrize("name", METHODS)
def test_any_arguments(name: str) -> None:
    @settings(CHECKED, max_examples=CHECKED.max_examples // 5)
    @given(some.lists(VALUES, max_size=6))
    def call(arguments: list[Any]) -> None:
        ask(name, arguments)

    call()


@CHECKED
@given(XML_TEXT, some.lists(VALUES, max_size=3))
def test_any_method(name: str, arguments: list[Any]) -> None:
    reply = reply_to(xmlrpc.client.dumps(tuple(arguments), name, allow_none=True).encode())
    if name not in METHODS:
        assert isinstance(reply, xmlrpc.client.Fault) or reply["error"].startswith("KeyError: 'rpc_")


PIECES = some.sampled_from(
    b"""<methodCall> </methodCall> <methodName>ping</methodName> <params> </params> <param> </param> <value> </value>
    <array><data> </data></array> <struct><member> </member></struct> <name>a</name> <int>1</int> <i8>1</i8> <nil/>
    <string>a</string> <base64>A</base64> <base64>=</base64> <fault> </fault> <double>nan</double> <boolean>2</boolean>
    <dateTime.iso8601>19980717T14:08:55</dateTime.iso8601> &amp; &#0; &x; <!----> <![CDATA[ ]]> <x:y/> <?x?>
    <?xml\tversion='1.0'\tencoding='utf-16'?> \xff \x00""".split(b" ")
)


@CHECKED
@given(some.one_of(some.binary(max_size=200), some.lists(PIECES, max_size=25).map(b"".join)))
def test_any_bytes(request_body: bytes) -> None:
    reply_to(request_body)
